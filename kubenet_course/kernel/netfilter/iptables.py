"""The tables and built-in chains of iptables, and changes to them.

Two kernels' worth of storage: on nf_tables (the default) a table comes to be with its first rule
and only the chains that are needed are made; with the old interface (`legacy`) looking at a table
makes it, with all its chains. Errors are `Refused` with iptables' own sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.tables import (
    ACCEPT,
    DROP,
    Base,
    Chain,
    Ruleset,
    Table,
    legacy_ruleset,
    ruleset,
)
from kubenet_course.kernel.netfilter.xt import Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class BuiltIn(NamedTuple):
    name: str
    hook: int
    priority: int
    type: str = "filter"


#: In the order of iptables-save: mangle, security, raw, filter, nat.
BUILT_IN: dict[str, tuple[BuiltIn, ...]] = {
    "mangle": (
        BuiltIn("PREROUTING", 0, -150), BuiltIn("INPUT", 1, -150), BuiltIn("FORWARD", 2, -150),
        BuiltIn("OUTPUT", 3, -150, "route"), BuiltIn("POSTROUTING", 4, -150),
    ),
    "security": (BuiltIn("INPUT", 1, 50), BuiltIn("FORWARD", 2, 50), BuiltIn("OUTPUT", 3, 50)),
    "raw": (BuiltIn("PREROUTING", 0, -300), BuiltIn("OUTPUT", 3, -300)),
    "filter": (BuiltIn("INPUT", 1, 0), BuiltIn("FORWARD", 2, 0), BuiltIn("OUTPUT", 3, 0)),
    "nat": (
        BuiltIn("PREROUTING", 0, -100, "nat"), BuiltIn("INPUT", 1, 100, "nat"), BuiltIn("OUTPUT", 3, -100, "nat"),
        BuiltIn("POSTROUTING", 4, 100, "nat"),
    ),
}  # fmt: skip


class Refused(KubenetError):
    """The kernel or the tool's own look at the tables said no: sentence and exit code."""

    def __init__(self, message: str, code: int = 1, batch: bool = False):
        super().__init__(message)
        self.message = message
        self.code = code
        #: True for errors of the transaction ("RULE_APPEND failed …"), which are printed otherwise.
        self.batch = batch


STANDARD = ("ACCEPT", "DROP", "RETURN", "QUEUE")
NO_CHAIN = "No chain/target/match by that name."


class Tables:
    """iptables' view of one namespace and family (4 or 6)."""

    def __init__(self, net: NetNamespace, family: int, legacy: bool = False):
        self.net = net
        self.family = family
        self.legacy = legacy
        self.ruleset: Ruleset = legacy_ruleset(net) if legacy else ruleset(net)
        self.word = "ip" if family == 4 else "ip6"

    # -- looking ----------------------------------------------------------------------------
    def table(self, name: str) -> Table | None:
        table = self.ruleset.table(self.word, name)
        if table is None and self.legacy:
            table = self.make(name)
            for built_in in BUILT_IN[name]:
                self.base_chain(name, built_in.name)
        return table

    def make(self, name: str) -> Table:
        return self.ruleset.table(self.word, name) or self.ruleset.add_table(self.word, name)

    def others_there(self) -> bool:
        """Whether iptables-legacy has tables here, which iptables-nft warns of."""
        return not self.legacy and any(word == self.word for word, _ in legacy_ruleset(self.net).tables)

    def is_built_in(self, table: str, chain: str) -> BuiltIn | None:
        return next((built_in for built_in in BUILT_IN[table] if built_in.name == chain), None)

    def chain(self, table: str, name: str) -> Chain | None:
        found = self.table(table)
        return found.chains.get(name) if found is not None else None

    def exists(self, table: str, name: str) -> bool:
        return self.is_built_in(table, name) is not None or self.chain(table, name) is not None

    def base_chain(self, table: str, name: str) -> Chain:
        """The built-in chain, made where it is not there yet."""
        found = self.make(table)
        chain = found.chains.get(name)
        if chain is None:
            built_in = self.is_built_in(table, name)
            assert built_in is not None
            chain = Chain(found, name, Base(built_in.type, built_in.hook, built_in.priority))
            if self.legacy:
                chain.counters = [0, 0]
            found.add_chain(chain)
        return chain

    def need(self, table: str, name: str) -> Chain:
        """The chain to change; Refused where there is none."""
        if self.is_built_in(table, name) is not None:
            return self.base_chain(table, name)
        chain = self.chain(table, name)
        if chain is None:
            raise Refused(NO_CHAIN)
        return chain

    def user_chains(self, table: str) -> list[Chain]:
        """In the order in which they are listed: by name."""
        found = self.table(table)
        if found is None:
            return []
        return sorted((chain for chain in found.chains.values() if chain.base is None), key=lambda chain: chain.name)

    def foreign_chain(self, table: str, name: str) -> bool:
        """nft has put rules into the chain that iptables cannot show."""
        chain = self.chain(table, name)
        return chain is not None and any(not isinstance(rule, XtRule) for rule in chain.rules)

    def foreign(self, table: str) -> str:
        """What iptables says of a table where nft has made what it cannot show: "" where there is nothing,
        a comment for base chains of other names; Refused for rules."""
        found = self.table(table)
        if found is None or self.legacy:
            return ""
        foreign = [chain for chain in found.chains.values() if chain.base is not None and not self._is_mine(table, chain)]
        for chain in found.chains.values():
            if chain not in foreign and any(not isinstance(rule, XtRule) for rule in chain.rules):
                raise Refused(f"table `{table}' is incompatible, use 'nft' tool.", 1, batch=True)
        return f"# Table `{table}' contains incompatible base-chains, use 'nft' tool to list them." if foreign else ""

    def _is_mine(self, table: str, chain: Chain) -> bool:
        built_in = self.is_built_in(table, chain.name)
        base = chain.base
        return built_in is not None and base is not None and (base.hook, base.priority) == (built_in.hook, built_in.priority)

    # -- rules ------------------------------------------------------------------------------
    def append(self, table: str, name: str, rule: XtRule) -> None:
        self._place(table, name, rule, None, "APPEND")

    def insert(self, table: str, name: str, number: int, rule: XtRule) -> None:
        chain = self.chain(table, name)
        if number > 1 and number - 1 > (len(chain.rules) if chain is not None else 0):
            if not self.exists(table, name):
                raise Refused(NO_CHAIN)
            raise Refused("Index of insertion too big.")
        last = number > 1 and chain is not None and number - 1 == len(chain.rules)  # nft_cmd_rule_insert(): no rule to be before
        self._place(table, name, rule, number - 1, "APPEND" if last else "INSERT")

    def replace(self, table: str, name: str, number: int, rule: XtRule) -> None:
        chain = self.need(table, name)
        if not 1 <= number <= len(chain.rules):
            raise Refused("Index of replacement too big.")
        self._check(chain, rule, "REPLACE")
        chain.replace(number - 1, rule)
        self.ruleset.notify("rule", rule)

    def _place(self, table: str, name: str, rule: XtRule, position: int | None, verb: str) -> None:
        was_there = self.table(table)
        had_chain = was_there is not None and name in was_there.chains
        chain = self.need(table, name)
        try:
            self._check(chain, rule, verb)
        except Refused:
            new = self.table(table)
            if was_there is None and new is not None and not self.legacy:
                self.ruleset.delete_table(new)  # one transaction: the table goes with the rule that was refused
            elif not had_chain and not self.legacy:
                chain.table.delete_chain(chain)
            raise
        chain.insert(len(chain.rules) if position is None else position, rule)
        self.ruleset.notify("rule", rule)

    def find(self, table: str, name: str, rule: XtRule, check: bool = False) -> int:
        """The position of an equal rule (`check`: for -C); Refused where there is none."""
        chain = self.chain(table, name)
        if chain is None:
            raise Refused(self._no_rule())
        target = chain.table.chains.get(rule.jump) if self.legacy and rule.jump else None
        if target is not None and target.base is not None:
            raise Refused(f"{errno.strerror(errno.EINVAL)}. Run `dmesg' for more information.")
        lax = check and self.legacy and self.family == 6  # ip6tables-legacy -C looks less closely than -D
        wanted = rule.identity(lax)
        for position, candidate in enumerate(chain.rules):
            if isinstance(candidate, XtRule) and candidate.identity(lax) == wanted:
                return position
        raise Refused(self._no_rule(rule))

    def _no_rule(self, rule: XtRule | None = None) -> str:
        if self.legacy and rule is not None and (rule.jump or rule.target) and rule.jump not in STANDARD:
            return NO_CHAIN  # the last thing looked for was the target's name among the chains
        return "Bad rule (does a matching rule exist in that chain?)."

    def delete(self, table: str, name: str, rule: XtRule) -> None:
        position = self.find(table, name, rule)
        chain = self.need(table, name)
        removed = chain.remove(position)
        self.ruleset.notify("rule", removed)

    def delete_number(self, table: str, name: str, number: int) -> None:
        chain = self.chain(table, name)
        if chain is None:
            raise Refused(NO_CHAIN)
        if not 1 <= number <= len(chain.rules):
            raise Refused("Index of deletion too big.")
        self.ruleset.notify("rule", chain.remove(number - 1))

    # -- what the kernel checks -------------------------------------------------------------
    def _check(self, chain: Chain, rule: XtRule, verb: str) -> None:
        failure = self._refuses(chain, rule)
        if failure:
            if self.legacy and failure == errno.ENOENT:
                raise Refused(NO_CHAIN)
            if self.legacy:
                tail = " Run `dmesg' for more information." if failure == errno.EINVAL else ""
                raise Refused(f"{errno.strerror(failure)}.{tail}")
            raise Refused(f"RULE_{verb} failed ({errno.strerror(failure)}): rule in chain {chain.name}", 4, batch=True)

    def _refuses(self, chain: Chain, rule: XtRule) -> int:
        place = self.place(chain)
        for extension in rule.extensions():
            failure = extension.refused(place, rule)
            if failure:
                return failure
        nowhere = rule.source_inverted and not rule.source[1] or rule.destination_inverted and not rule.destination[1]
        if nowhere and not self.legacy:
            return errno.EINVAL
        if rule.jump and rule.jump not in ("ACCEPT", "DROP", "RETURN") and not (self.legacy and rule.jump == "QUEUE"):
            target = chain.table.chains.get(rule.jump)
            if target is None:
                return errno.ENOENT
            if target.base is not None:
                return errno.EINVAL if self.legacy else errno.EOPNOTSUPP
            if self.legacy:
                return errno.ELOOP if target is chain or self._reaches(target, chain) else 0
            if place.hooks and (target is chain or self._loops(target, (chain.name,))):
                return errno.EMLINK
            return self._refuses_below(target, place, set())
        return 0

    def _loops(self, chain: Chain, way: tuple[str, ...]) -> bool:
        """nf_tables looks for loops from the base chains on."""
        if chain.name in way:
            return True
        below = [chain.table.chains.get(name) for rule in chain.rules for name in rule.targets()]
        return any(self._loops(other, (*way, chain.name)) for other in below if other is not None)

    def _reaches(self, start: Chain, wanted: Chain, seen: set[str] | None = None) -> bool:
        seen = seen if seen is not None else set()
        for rule in start.rules:
            for name in rule.targets():
                if name in seen:
                    continue
                seen.add(name)
                chain = start.table.chains.get(name)
                if chain is wanted or chain is not None and self._reaches(chain, wanted, seen):
                    return True
        return False

    def _refuses_below(self, chain: Chain, place: Place, seen: set[str]) -> int:
        """A user chain's rules must be fit for every hook from which it can be reached now."""
        if chain.name in seen or not place.hooks:
            return 0
        seen.add(chain.name)
        for rule in chain.rules:
            if isinstance(rule, XtRule):
                for extension in rule.extensions():
                    failure = extension.refused(place, rule)
                    if failure:
                        return failure
            for name in rule.targets():
                below = chain.table.chains.get(name)
                failure = self._refuses_below(below, place, seen) if below is not None else 0
                if failure:
                    return failure
        return 0

    def place(self, chain: Chain) -> Place:
        """From which hooks the chain can be reached."""
        if chain.base is not None:
            return Place(chain.table.name, frozenset({chain.base.hook}), self.family, self.net, self.legacy)
        hooks = {
            other.base.hook
            for other in chain.table.chains.values()
            if other.base is not None and self._reaches(other, chain)
        }
        return Place(chain.table.name, frozenset(hooks), self.family, self.net, self.legacy)

    # -- chains -----------------------------------------------------------------------------
    def new_chain(self, table: str, name: str) -> None:
        if self.exists(table, name):
            raise Refused("Chain already exists.")
        found = self.make(table)
        found.add_chain(Chain(found, name))
        self.ruleset.notify("chain", name)

    def delete_chain(self, table: str, name: str) -> None:
        built_in = self.is_built_in(table, name)
        chain = self.chain(table, name)
        if chain is None:
            raise Refused(NO_CHAIN)
        if built_in is not None and self.legacy:
            raise Refused("Can't delete built-in chain.")
        if chain.base is not None and chain.base.policy != ACCEPT:
            raise Refused("Directory not empty.")
        references = chain.references()
        if self.legacy and (references or chain.rules):
            raise Refused("Too many links." if references else "Directory not empty.")
        if references or chain.rules:
            raise Refused(f"CHAIN_DEL failed (Device or resource busy): chain {name}", 4, batch=True)
        chain.table.delete_chain(chain)
        self.ruleset.notify("chain", name)

    def delete_all_chains(self, table: str, told: list[str] | None = None) -> None:
        """-X without a name: every user chain, and (nf_tables) built-in chains with nothing in them."""
        found = self.table(table)
        users = [chain for chain in found.chains.values() if chain.base is None] if found is not None else []
        for chain in users:
            references = chain.references()
            if not references and not chain.rules:
                continue
            if self.legacy:
                raise Refused("Too many links." if references else "Directory not empty.")
            raise Refused(f"CHAIN_DEL failed (Device or resource busy): chain {chain.name}", 4, batch=True)
        for chain in users:
            if told is not None:
                told.append(chain.name)
            chain.table.delete_chain(chain)
        if found is not None and not self.legacy:
            for chain in list(found.chains.values()):
                if chain.base is not None and not chain.rules and chain.base.policy == ACCEPT:
                    found.delete_chain(chain)
        self.ruleset.notify("chain", None)

    def rename_chain(self, table: str, old: str, new: str) -> None:
        if self.exists(table, new):
            raise Refused("File exists.")
        chain = self.chain(table, old)
        if chain is None or self.legacy and chain.base is not None:
            raise Refused(NO_CHAIN)
        chain.table.rename_chain(chain, new)
        self.ruleset.notify("chain", new)

    def set_policy(self, table: str, name: str, policy: str, counters: tuple[int, int] | None = None) -> None:
        if self.is_built_in(table, name) is None:
            raise Refused("Bad built-in chain name.")
        if policy not in ("ACCEPT", "DROP"):
            raise Refused("Bad policy name. Run `dmesg' for more information.")
        chain = self.base_chain(table, name)
        assert chain.base is not None
        chain.base.policy = ACCEPT if policy == "ACCEPT" else DROP
        if counters is not None:
            chain.counters = list(counters)
        elif not self.legacy or chain.counters is None:
            chain.counters = [0, 0]
        self.ruleset.notify("chain", name)

    def table_replaced(self, name: str) -> None:
        """iptables-legacy writes the whole table anew at each change; what policies have counted is lost by it."""
        table = self.table(name)
        for chain in table.chains.values() if table is not None else ():
            if chain.base is not None:
                chain.counters = [0, 0]

    def flush(self, table: str, name: str | None, verbose: bool = False) -> list[str]:
        """Empty one chain or all; the names of those that were."""
        if name is not None:
            self.need(table, name).flush()
            self.ruleset.notify("rule", None)
            return [name]
        if verbose:
            for built_in in BUILT_IN[table]:
                self.base_chain(table, built_in.name)
        found = self.table(table)
        if found is None:
            return []
        emptied = [built_in.name for built_in in BUILT_IN[table] if built_in.name in found.chains]
        emptied += [chain.name for chain in self.user_chains(table)]
        for chain_name in emptied:
            found.chains[chain_name].flush()
        self.ruleset.notify("rule", None)
        return emptied

    def zero(self, table: str, name: str | None, number: int | None = None) -> list[str]:
        if name is not None and self.chain(table, name) is None:
            raise Refused(self._no_rule() if number is not None else NO_CHAIN)
        found = self.table(table)
        if found is None:
            return []
        chains = [found.chains[name]] if name is not None and name in found.chains else []
        if name is None:
            chains = list(found.chains.values())
        if number is not None:
            if not chains or not 1 <= number <= len(chains[0].rules):
                if self.legacy:
                    raise Refused("Index of counter too big.")
                return []
            rule = chains[0].rules[number - 1]
            rule.packets = rule.bytes = 0
            return []
        for chain in chains:
            if chain.counters is not None or chain.base is not None:
                chain.counters = [0, 0]  # a built-in chain counts from now on, if it did not yet
            for rule in chain.rules:
                rule.packets = rule.bytes = 0
        return [chain.name for chain in chains]
