"""Tables of chains of rules; how a packet runs through them is in traverse.py.

One `Ruleset` a namespace holds what iptables (on nf_tables) and nft both see; a second one holds
the tables of the old kernel interface (iptables-legacy). A chain is compiled to a tuple of steps
when it has changed and a packet comes; a packet never meets the text of a rule.

    step = (match(skb, state) -> bool or None, kind, argument, rule)

Mirrors nf_tables_api.c and, for the old interface, x_tables.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import hooks as nf
from kubenet_course.kernel.netfilter import ingress
from kubenet_course.kernel.netfilter.lookups import with_lookups

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

# What a rule or chain says about a packet.
DROP, ACCEPT, STOLEN = 0, 1, 2
CONTINUE, BREAK, RETURN = -1, -2, -5
JUMP, GOTO = -3, -4

VERDICT_NAMES = {DROP: "drop", ACCEPT: "accept", STOLEN: "stolen", CONTINUE: "continue", RETURN: "return"}

# Kinds of step.
VERDICT, JUMPS, GOES, RETURNS, ACTION, NOTHING, PROGRAM = range(7)

#: skb.nf_flags: the packet is being traced (TRACE, nftrace).
NF_TRACE = 1

Match = Callable[["SkBuff", "HookState"], bool]
Step = tuple["Match | None", int, Any, "Rule"]


class HookState:
    """struct nf_hook_state: where in the stack the packet is."""

    __slots__ = ("net", "family", "hook", "indev", "outdev")

    def __init__(self, net: NetNamespace, family: int, hook: int, indev: NetDevice | None, outdev: NetDevice | None):
        self.net = net
        self.family = family
        self.hook = hook
        self.indev = indev
        self.outdev = outdev


class Rule:
    """One rule: what it counts, and how it becomes a step. Subclasses: XtRule, NftRule."""

    def __init__(self) -> None:
        self.chain: Chain | None = None
        self.handle = 0
        self.packets = 0
        self.bytes = 0

    def step(self) -> Step:
        raise NotImplementedError

    def text(self) -> str:
        """The rule in words, for traces."""
        raise NotImplementedError

    def addresses(self) -> dict[tuple[int, int], int]:
        """What the rule asks first: (0 source or 1 destination, mask) → the address that it must be."""
        return {}

    def targets(self) -> Iterator[str]:
        """Names of the chains it may jump or go to."""
        return iter(())

    def attached(self) -> None:
        """It is part of a chain now: take references (conntrack, sets)."""

    def detached(self) -> None:
        """It has been taken out: give them back."""


class Base:
    """What makes a chain a base chain: where it is hooked in."""

    __slots__ = ("type", "hook", "priority", "policy", "device", "function", "hooks")

    def __init__(self, kind: str, hook: int, priority: int, policy: int = ACCEPT, device: str | None = None):
        self.type = kind
        self.hook = hook
        self.priority = priority
        self.policy = policy
        self.device = device
        self.function: nf.HookFunction | None = None


class Chain:
    """A list of rules with a name. `counters` count what reached the policy, or are None."""

    def __init__(self, table: Table, name: str, base: Base | None = None):
        self.table = table
        self.name = name
        self.base = base
        self.rules: list[Rule] = []
        self.counters: list[int] | None = None
        self.handle = 0
        self.comment = ""
        self._steps: tuple[Step, ...] | None = None
        self._scan: tuple[Step, ...] | None = None

    @property
    def scan(self) -> tuple[Step, ...]:
        """`steps`, with look-ups in the place of rules that each name an address."""
        if self._scan is None:
            self._scan = tuple(with_lookups(self.steps))
        return self._scan

    @property
    def steps(self) -> tuple[Step, ...]:
        steps = self._steps
        if steps is None:
            steps = self._steps = tuple(rule.step() for rule in self.rules)
        return steps

    def changed(self) -> None:
        """Rules came, went or changed: compile anew when the next packet comes."""
        self._steps = self._scan = None

    def references(self) -> int:
        """How many rules and elements of verdict maps jump here."""
        rules = sum(
            1 for chain in self.table.chains.values() for rule in chain.rules for name in rule.targets() if name == self.name
        )
        members = (member.data for owner in self.table.sets.values() for member in owner.members.values())
        return rules + sum(1 for data in members if getattr(data, "chain", "") == self.name)

    # -- changing rules ---------------------------------------------------------------------
    def insert(self, position: int, rule: Rule) -> None:
        rule.chain = self
        if not rule.handle:
            rule.handle = self.table.next_handle()
        self.rules.insert(position, rule)
        rule.attached()
        self.changed()

    def remove(self, position: int) -> Rule:
        rule = self.rules.pop(position)
        rule.detached()
        rule.chain = None
        self.changed()
        return rule

    def replace(self, position: int, rule: Rule) -> None:
        rule.chain = self
        rule.handle = rule.handle or self.table.next_handle()
        rule.attached()
        old, self.rules[position] = self.rules[position], rule
        old.detached()
        self.changed()

    def flush(self) -> None:
        rules, self.rules = self.rules, []
        for rule in rules:
            rule.detached()
        self.changed()


class Table:
    """One table of a family (``ip``, ``ip6``, ``inet``, ``bridge``, ``arp``, ``netdev``)."""

    def __init__(self, ruleset: Ruleset, family: str, name: str):
        self.ruleset = ruleset
        self.family = family
        self.name = name
        self.chains: dict[str, Chain] = {}
        #: nft's sets and maps, and named counters, quotas, limits and so on.
        self.sets: dict[str, Any] = {}
        self.objects: dict[tuple[str, str], Any] = {}
        self.flowtables: dict[str, Any] = {}
        self.handle = 0
        self.dormant = False
        self.comment = ""
        self._handles = 0

    @property
    def label(self) -> str:
        """Its name, for journeys: iptables' tables by that alone, others with their family."""
        if self.name in XTABLES and all(hasattr(rule, "spec") for chain in self.chains.values() for rule in chain.rules):
            return self.name
        return f"{self.family} {self.name}"

    def next_handle(self) -> int:
        self._handles += 1
        return self._handles

    @property
    def last_handle(self) -> int:
        return self._handles

    def restore_handles(self, last: int) -> None:
        """Handles given out since were for nothing."""
        self._handles = last

    def add_chain(self, chain: Chain) -> None:
        chain.handle = chain.handle or self.next_handle()
        self.chains[chain.name] = chain
        if chain.base is not None and not self.dormant:
            self.ruleset.hook_in(chain)

    def delete_chain(self, chain: Chain) -> None:
        chain.flush()
        if chain.base is not None and not self.dormant:
            self.ruleset.hook_out(chain)
        del self.chains[chain.name]

    def rename_chain(self, chain: Chain, name: str) -> None:
        self.chains = {(name if key == chain.name else key): value for key, value in self.chains.items()}
        old, chain.name = chain.name, name
        for other in self.chains.values():
            for rule in other.rules:
                renamed = getattr(rule, "chain_renamed", None)
                if renamed is not None:
                    renamed(old, name)
            other.changed()

    def set_dormant(self, dormant: bool) -> None:
        if dormant == self.dormant:
            return
        self.dormant = dormant
        for chain in self.chains.values():
            if chain.base is not None:
                (self.ruleset.hook_out if dormant else self.ruleset.hook_in)(chain)


#: The names of iptables' tables.
XTABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})
FAMILIES_OF = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "arp": (nf.NFPROTO_ARP,), "bridge": (nf.NFPROTO_BRIDGE,)}
class Ruleset:
    """All tables of one namespace, in the order they were made."""

    def __init__(self, net: NetNamespace, *, legacy: bool = False):
        self.net = net
        self.legacy = legacy
        self.tables: dict[tuple[str, str], Table] = {}
        self.generation = 1
        self._handles = 0
        #: Who changes it: (pid, name), for those who listen.
        self.actor: tuple[int, str] = (0, "")
        #: Called with (event, object) after each change: nft monitor, iptables' caches.
        self.listeners: list[Callable[[str, Any], object]] = []
        #: Called with a dict for each step of a traced packet: xtables-monitor, nft monitor trace.
        self.tracers: list[Callable[[dict[str, Any]], object]] = []

    @property
    def last_handle(self) -> int:
        return self._handles

    def restore_handles(self, last: int) -> None:
        self._handles = last

    def table(self, family: str, name: str) -> Table | None:
        return self.tables.get((family, name))

    def add_table(self, family: str, name: str) -> Table:
        table = Table(self, family, name)
        self._handles += 1
        table.handle = self._handles
        self.tables[(family, name)] = table
        return table

    def delete_table(self, table: Table) -> None:
        for chain in list(table.chains.values()):
            chain.flush()
        for chain in list(table.chains.values()):
            table.delete_chain(chain)
        del self.tables[(table.family, table.name)]

    # -- hooks ------------------------------------------------------------------------------
    def hook_in(self, chain: Chain) -> None:
        """nf_tables_register_hook()."""
        base = chain.base
        assert base is not None
        from kubenet_course.kernel.netfilter.traverse import hook_function

        function = base.function = hook_function(chain)
        if base.device:
            ingress.hook_in(self.net, base, function, base.hook if chain.table.family == "netdev" else ingress.INGRESS)
            return
        for family in FAMILIES_OF.get(chain.table.family, ()):
            if base.hook > 4:
                continue
            if base.type == "nat":
                from kubenet_course.kernel.netfilter.nat import nat

                nat(self.net).register(family, base.hook, base.priority, function)
            else:
                self.net.netfilter.register(family, base.hook, base.priority, function)

    def hook_out(self, chain: Chain) -> None:
        base = chain.base
        assert base is not None
        if base.function is None:
            return
        if base.device:
            ingress.hook_out(self.net, base.function)
            base.function = None
            return
        for family in FAMILIES_OF.get(chain.table.family, ()):
            if base.type == "nat":
                from kubenet_course.kernel.netfilter.nat import nat

                nat(self.net).unregister(family, base.hook, base.function)
            else:
                self.net.netfilter.unregister(family, base.hook, base.function)
        base.function = None

    def notify(self, event: str, subject: Any = None) -> None:
        self.generation += 1
        for listener in list(self.listeners):
            listener(event, subject)


def ruleset(net: NetNamespace) -> Ruleset:
    """The namespace's nf_tables ruleset, made at first use."""
    found = net.rooms.get("nftables")
    if found is None:
        found = net.rooms["nftables"] = Ruleset(net)
    return found


def legacy_ruleset(net: NetNamespace) -> Ruleset:
    """The namespace's tables of the old interface (x_tables)."""
    found = net.rooms.get("xtables")
    if found is None:
        found = net.rooms["xtables"] = Ruleset(net, legacy=True)
    return found
