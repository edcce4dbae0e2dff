"""``ip rule``: the policy routing database (ip/iprule.c; the kernel's side is net/core/fib_rules.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import L3mdevRule
from kubenet_course.kernel.inet.fib import RT_TABLE_MAIN, FibRule, FibRules
from kubenet_course.userland.commands.ip.route_words import route_type
from kubenet_course.userland.commands.ip.rule_show import PROTOCOLS, print_rule
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    bad_ifname,
    c_number,
    get_addr,
    get_prefix,
    invarg,
    matches,
    number,
    u32,
    unsupported,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

ACTIONS = ("unreachable", "blackhole", "prohibit")



def run(words: Words, session: Session) -> int:
    if not words.more:
        return _list(words, session)
    word = words.take()
    if matches(word, "list") or matches(word, "lst") or matches(word, "show"):
        return _list(words, session)
    if matches(word, "save") or matches(word, "restore"):
        unsupported(f"ip rule {word}")
    if matches(word, "add"):
        return _modify(words, session, delete=False)
    if matches(word, "delete"):
        return _modify(words, session, delete=True)
    if matches(word, "flush"):
        return _list(words, session, flush=True)
    if matches(word, "help"):
        session.usage("rule")
    raise Quit(255, f'Command "{word}" is unknown, try "ip rule help".\n')


class RuleWords:
    """Reads the words of a rule into `rule`; `said` names the fields that were given."""

    def __init__(self, session: Session, listing: bool = False):
        self.session = session
        self.listing = listing
        self.family = session.options.family if session.options.family in (4, 6) else 0
        self.rule = FibRule(0, 0)
        self.said: set[str] = set()

    def parse(self, words: Words) -> None:
        while words.more:
            word = words.take()
            if not self._selector(word, words) and not self._action(word, words):
                self._type(word, words)

    def _selector(self, word: str, words: Words) -> bool:
        rule, said = self.rule, self.said
        if word == "not":
            rule.invert = True
            said.add("not")
        elif word in ("from", "to"):
            prefix = get_prefix(words.value(), self.family)
            if prefix.family == 6 and self.family != 6 and not self.listing:
                raise KernelError(errno.EINVAL, f"Invalid {'source' if word == 'from' else 'dst'} address")
            if self.listing and not self.family and not prefix.unspec:
                self.family = prefix.family
            network = prefix.network if prefix.length else None
            said.add("source" if word == "from" else "destination")
            if word == "from":
                rule.source, rule.src = network, prefix.address if prefix.length else None
            else:
                rule.destination, rule.dst = network, prefix.address if prefix.length else None
        elif matches(word, "preference") or matches(word, "order") or matches(word, "priority"):
            text = words.value()
            priority = u32(text)
            if priority is None:
                invarg("preference value is invalid\n", text)
            rule.priority = priority
            said.add("priority")
        elif word == "tos" or matches(word, "dsfield"):
            text = words.value()
            tos = self.session.tables.number("dsfield", text)
            if tos is None:
                invarg("TOS value is invalid\n", text)
            rule.tos = tos
            said.add("tos")
        elif word == "fwmark":
            self._fwmark(words.value())
        elif word in ("dev", "iif") or (len(word) > 1 and matches(word, "iif")):
            rule.iif = _device_name(words.value(), '"iif"/"dev" not a valid ifname')
            said.add("iif")
        elif word == "oif":
            rule.oif = _device_name(words.value(), '"oif" not a valid ifname')
            said.add("oif")
        elif word == "l3mdev":
            rule.action = "l3mdev"
            said.add("action")
        elif word == "uidrange":
            text = words.value()
            low, dash, high = text.partition("-")
            ends = u32(low, 10), u32(high, 10)
            if not dash or ends[0] is None or ends[1] is None:
                invarg("invalid UID range\n", text)
            rule.uidrange = (ends[0], ends[1])
            said.add("uidrange")
        elif word == "ipproto":
            self._ipproto(words.value())
        elif word in ("sport", "dport"):
            setattr(rule, word, _ports(words.value(), word if self.listing else ""))
            said.add(word)
        elif word == "tun_id":
            text = words.value()
            tun_id = number(text, 0, 2**64 - 1)
            if tun_id is None:
                invarg('"tun_id" value is invalid\n', text)
            rule.tun_id = tun_id
            said.add("tun_id")
        else:
            return False
        return True

    def _fwmark(self, text: str) -> None:
        mark_text, slash, mask_text = text.partition("/")
        mark = u32(mark_text)
        if mark is None:
            invarg("fwmark value is invalid\n", mark_text if slash else text)
        mask = 0xFFFFFFFF
        if slash:
            given = u32(mask_text)
            if given is None:
                invarg("fwmask value is invalid\n", mask_text)
            mask = given
            self.said.add("fwmask")
        self.rule.fwmark, self.rule.fwmask = mark, mask
        self.said.add("fwmark")

    def _ipproto(self, text: str) -> None:
        found = next((key for key, name in PROTOCOLS.items() if name == text), number(text, 0, 255))
        if found is None:
            invarg('Invalid "ipproto" value\n', text)
        self.rule.ipproto = found
        self.said.add("ipproto")

    def _action(self, word: str, words: Words) -> bool:
        rule, said = self.rule, self.said
        if matches(word, "table") or word == "lookup":
            text = words.value()
            table = self.session.tables.number("table", text)
            if table is None:
                invarg("table id value is invalid\n" if self.listing else "invalid table ID\n", text)
            rule.table = table
            said.add("table")
        elif matches(word, "suppress_prefixlength") or word == "sup_pl":
            text = words.value()
            length = number(text, -(2**31), 2**31 - 1)
            if length is None:
                invarg("suppress_prefixlength value is invalid\n", text)
            rule.suppress_prefixlength = length
            said.add("suppress_prefixlength")
        elif matches(word, "protocol"):
            text = words.value()
            protocol = self.session.tables.number("proto", text)
            if protocol is None:
                invarg('"protocol" value is invalid\n' if not self.listing else 'invalid "protocol"\n', text)
            rule.protocol = protocol
            said.add("protocol")
        elif matches(word, "goto"):
            text = words.value()
            target = u32(text)
            if target is None:
                invarg("invalid target\n", text)
            rule.action, rule.goto = "goto", target
            said |= {"action", "goto"}
        elif matches(word, "nop"):
            rule.action = "nop"
            said.add("action")
        elif self.listing:
            return False
        elif matches(word, "suppress_ifgroup") or word == "sup_group":
            text = words.value()
            group = self.session.tables.number("group", text)
            if group is None:
                invarg('Invalid "suppress_ifgroup" value\n', text)
            rule.suppress_ifgroup = group
            said.add("suppress_ifgroup")
        elif matches(word, "realms"):
            rule.realms = self._realms(words.value())
        elif matches(word, "nat") or matches(word, "map-to"):
            get_addr(words.value(), 4)
            self.session.proc.error("Warning: route NAT is deprecated")
            rule.action = "nat"
            said.add("action")
        else:
            return False
        return True

    def _realms(self, text: str) -> int:
        source_text, slash, to_text = text.rpartition("/")
        source = self.session.tables.number("realm", source_text) if slash else 0
        to = self.session.tables.number("realm", to_text)
        if source is None or to is None:
            invarg("invalid realms\n", text)
        return source << 16 | to

    def _type(self, word: str, words: Words) -> None:
        """What is left is a route type."""
        if matches(word, "type"):
            word = words.value()
        if matches(word, "help"):
            self.session.usage("rule")
        kind = route_type(word)
        if kind is None:
            invarg("Failed to parse rule type", word)
        if kind in ACTIONS:
            self.rule.action = kind
        elif kind != "unicast":
            raise KernelError(errno.EINVAL)
        self.said.add("action")


def _device_name(text: str, complaint: str) -> str:
    if bad_ifname(text):
        invarg(complaint, text)
    return text


def _ports(text: str, listing: str = "") -> tuple[int, int]:
    low, dash, high = text.partition("-")
    first = c_number(low)
    last = c_number(high) if dash else first
    if first is None or last is None:
        invarg(f"invalid {listing or 'port'} range\n", text)
    return first & 0xFFFF, last & 0xFFFF


# -- add and del ---------------------------------------------------------------------------------
def _rules(session: Session, family: int) -> FibRules:
    return session.net.ipv6.rules if family == 6 else session.net.ipv4.rules


def _flush_caches(session: Session) -> None:
    session.net.ipv4.flush_cache()
    flush = getattr(session.net.ipv6, "flush_cache", None)
    if flush is not None:
        flush()


def _modify(words: Words, session: Session, delete: bool) -> int:
    verb = "del" if delete else "add"
    if not words.more:
        raise Quit(1, f'"ip rule {verb}" requires arguments.\n')
    parsed = RuleWords(session)
    parsed.parse(words)
    if parsed.rule.action == "l3mdev" and "table" in parsed.said:
        raise Quit(22, "table can not be specified for l3mdev rules\n")
    rules = _rules(session, parsed.family)
    if delete:
        _delete(rules, parsed, session.net)
    else:
        _add(rules, parsed, session.net)
    _flush_caches(session)
    return 0


def _add(rules: FibRules, parsed: RuleWords, net: NetNamespace) -> None:
    """fib_nl_newrule()."""
    rule, said = parsed.rule, parsed.said
    if not rule.fwmark and not (rule.fwmask if "fwmask" in said else 0):
        rule.fwmark, rule.fwmask = None, 0xFFFFFFFF  # a mark of nothing that counts is none
    if rule.tos & 3:
        raise KernelError(errno.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
    if "table" not in said and rule.action in ("lookup", "nat"):
        rule.table = RT_TABLE_MAIN
    if rules.bits == 128 and rule.action == "lookup":  # fib6_rule_configure()
        if not rule.table:
            raise KernelError(errno.EINVAL, "Invalid table")
        net.ipv6.table(rule.table)
    if "table" in said and rule.table == 0 and rule.action == "lookup":
        # fib_empty_table(): the first that nobody uses.
        tables = net.ipv6.tables if rules.bits == 128 else net.ipv4.tables
        rule.table = next(number for number in range(1, 253) if number not in tables)
    if "priority" not in said:
        rule.priority = rules.default_priority()
    for name in ("sport", "dport"):
        ports = getattr(rule, name)
        if ports is not None and (ports[0] == 0 or ports[0] > ports[1]):
            raise KernelError(errno.EINVAL, f"Invalid {name} range")
    if rule.uidrange is not None and rule.uidrange[0] > rule.uidrange[1]:
        raise KernelError(errno.EINVAL, "Invalid uid range")
    if rule.action == "goto":
        if rule.goto <= rule.priority:
            raise KernelError(errno.EINVAL, "Backward goto not supported")
    if rule.action == "l3mdev":
        rule = l3mdev_rule(net, rule)
    if any(_same(old, rule) for old in rules.rules):
        raise KernelError(errno.EEXIST)
    rules.add(rule)
    net.rtnl_notify("rule", (rules, rule))


def l3mdev_rule(net: NetNamespace, said: FibRule) -> FibRule:
    """``l3mdev``: the rule whose table is that of the packet's VRF."""
    rule = L3mdevRule(
        said.priority, protocol=said.protocol, source=said.source, src=said.src, destination=said.destination,
        dst=said.dst, iif=said.iif, oif=said.oif, fwmark=said.fwmark, fwmask=said.fwmask, tos=said.tos, invert=said.invert,
        ipproto=said.ipproto, sport=said.sport, dport=said.dport, uidrange=said.uidrange,
    )  # fmt: skip
    rule.net = net
    return rule


FIELDS = ("action", "table", "priority", "source", "destination", "src", "dst", "iif", "oif", "fwmark", "fwmask", "tos", "protocol",
          "suppress_prefixlength", "suppress_ifgroup", "ipproto", "sport", "dport", "uidrange", "tun_id", "l3mdev")  # fmt: skip


def _same(old: FibRule, new: FibRule) -> bool:
    """rule_exists(): all fields, the priority too (a goto's target and ``not`` are left out).

    A new rule for all sources, all destinations or every TOS is the twin of one for some (fib4_rule_compare()).
    """
    wide: set[str] = set()
    for network, address in (("source", "src"), ("destination", "dst")):
        said = getattr(new, network)
        if said is None or not said.prefixlen:
            wide |= {network, address}
    if not new.tos:
        wide.add("tos")
    return all(getattr(old, name, False) == getattr(new, name, False) for name in FIELDS if name not in wide)


def _delete(rules: FibRules, parsed: RuleWords, net: NetNamespace) -> None:
    """fib_nl_delrule(): the first rule that agrees in what was said."""
    for old in rules.rules:
        if _selected(old, parsed):
            rules.remove(old)
            net.rtnl_notify("rule", (rules, old), True)
            return
    raise KernelError(errno.ENOENT)


def _selected(old: FibRule, parsed: RuleWords) -> bool:
    """rule_find(): zero and empty values count as not said, except for the priority."""
    rule, said = parsed.rule, parsed.said
    if "priority" in said and old.priority != rule.priority:
        return False
    if "action" in said and rule.action not in (old.action, "l3mdev"):
        return False
    if isinstance(old, L3mdevRule) != (rule.action == "l3mdev") and ("action" in said or "table" in said):
        return False
    names = "table iif oif tos ipproto sport dport uidrange protocol tun_id".split()
    if parsed.listing:
        if "not" in said and not old.invert:
            return False
        for wanted, own in ((rule.source, old.source), (rule.destination, old.destination)):
            if wanted is not None and (own is None or own.prefixlen < wanted.prefixlen or own.address not in wanted):
                return False
    else:
        for word, wanted_address, own_address, network in (
            ("source", rule.src, old.src, old.source), ("destination", rule.dst, old.dst, old.destination)
        ):  # fmt: skip
            if word not in said or wanted_address is None:
                continue
            length = rule.source if word == "source" else rule.destination
            assert length is not None
            if own_address != wanted_address or network is None or network.prefixlen != length.prefixlen:
                return False
    if "suppress_ifgroup" in said and old.suppress_ifgroup != rule.suppress_ifgroup:
        return False
    for name in names:
        if name in said and getattr(rule, name) and getattr(old, name) != getattr(rule, name):
            return False
    if "fwmark" in said and (rule.fwmark or parsed.listing) and (old.fwmark, old.fwmask) != (rule.fwmark, rule.fwmask):
        return False
    return "suppress_prefixlength" not in said or old.suppress_prefixlength == rule.suppress_prefixlength


# -- show and flush ------------------------------------------------------------------------------
def _list(words: Words, session: Session, flush: bool = False) -> int:
    parsed = RuleWords(session, listing=True)
    while words.more:
        word = words.take()
        if not parsed._selector(word, words) and not parsed._action(word, words):
            if matches(word, "dst") or matches(word, "src"):
                words.back()
            prefix = get_prefix(word, parsed.family or 4)
            parsed.family = parsed.family or prefix.family
            parsed.rule.destination = prefix.network if prefix.length else None
            parsed.said.add("destination")
    rules = _rules(session, parsed.family)
    if flush:
        return _flush(rules, parsed, session)
    parsed.said.discard("protocol")  # only a flush looks at it
    with session.output() as out:
        for rule in rules.rules:
            if _selected(rule, parsed):
                print_rule(rule, rules, out, session)
    return 0


def _flush(rules: FibRules, parsed: RuleWords, session: Session) -> int:
    """Rules of priority 0 carry no priority in the message, and are kept."""
    for rule in list(rules.rules):
        if rule.priority and _selected(rule, parsed):
            rules.remove(rule)
    _flush_caches(session)
    return 0
