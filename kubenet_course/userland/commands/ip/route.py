"""``ip route``: list, flush, add, change, replace, append, del; `get` is in route_get.py (ip/iproute.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet import fib, fib_semantics
from kubenet_course.kernel.inet6 import fib_semantics as fib6_semantics
from kubenet_course.userland.commands.ip import route_get
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.route_get import vrf_name
from kubenet_course.userland.commands.ip.route_show import Hidden, line_of, print_route
from kubenet_course.userland.commands.ip.route_words import FAMILIES, RouteWords, route_type
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Prefix,
    Quit,
    Words,
    get_prefix,
    invarg,
    matches,
    u32,
    unsupported,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

VERBS: dict[str, dict[str, bool]] = {
    "add": {"create": True, "excl": True, "replace": False, "append": False},
    "change": {"create": False, "excl": False, "replace": True, "append": False},
    "replace": {"create": True, "excl": False, "replace": True, "append": False},
    "prepend": {"create": True, "excl": False, "replace": False, "append": False},
    "append": {"create": True, "excl": False, "replace": False, "append": True},
    "test": {"create": False, "excl": True, "replace": False, "append": False},
}


def run(words: Words, session: Session) -> int:
    if not words.more:
        return show(words, session)
    word = words.take()
    if matches(word, "list") or matches(word, "show") or matches(word, "lst"):
        return show(words, session)
    if matches(word, "get"):
        return route_get.run(words, session)
    for verb in VERBS:
        if matches(word, verb) or (verb == "change" and word == "chg"):
            return _modify(words, session, verb)
    if matches(word, "delete"):
        return _modify(words, session, "del")
    if matches(word, "flush"):
        return show(words, session, flush=True)
    if any(matches(word, name) for name in ("save", "restore", "showdump")):
        unsupported(f"ip route {word}")
    if matches(word, "help"):
        session.usage("route")
    raise Quit(255, f'Command "{word}" is unknown, try "ip route help".\n')


def _modify(words: Words, session: Session, verb: str) -> int:
    said = RouteWords(session, verb)
    route = said.parse(words)
    net = session.net
    if route.prefix.address.family == 6:
        semantics: Any = fib6_semantics
    else:
        semantics = fib_semantics
    if verb == "del":
        semantics.route_delete(net, route, said.fields)
    else:
        semantics.route_add(net, route, **VERBS[verb])
    return 0


# -- selecting -----------------------------------------------------------------------------------
@dataclass
class Filter:
    """`table` None means all. `root`: prefixes inside it; `match`: prefixes that hold it."""

    family: int = 4
    table: int | None = fib.RT_TABLE_MAIN
    cache: bool = False
    root: Prefix | None = None
    match: Prefix | None = None
    tos: int | None = None
    protocol: int | None = None
    scope: int | None = None
    type: str | None = None
    dev: NetDevice | None = None
    iif: NetDevice | None = None
    metric: int | None = None
    via: Prefix | None = None
    prefsrc: Prefix | None = None
    #: A value of realms and the bits of it that count.
    realms: tuple[int, int] | None = None
    #: What the table of a VRF holds that others keep in table local.
    hidden_types: frozenset[str] = frozenset()
    from_root: Prefix | None = None
    from_match: Prefix | None = None
    hidden: Hidden = field(default_factory=Hidden)

    def takes(self, route: fib.FibRoute) -> bool:
        """filter_nlmsg()."""
        length = route.prefix.prefixlen
        if self.root is not None and self.root.length > length:
            return False
        if self.match is not None and self.match.length < length:
            return False
        if self.root is not None and not self.root.covers(int(route.prefix.address)):
            return False
        if self.match is not None and int(self.match.address) not in route.prefix:
            return False
        if route.type in self.hidden_types:
            return False
        if (self.from_root or self.from_match) and not self._takes_source(route):
            return False
        hop = route.nexthops[0] if len(route.nexthops) == 1 else None
        if self.realms is not None and ((hop.realms if hop is not None else 0) ^ self.realms[0]) & self.realms[1]:
            return False
        return (
            (self.tos is None or route.tos == self.tos)
            and (self.protocol is None or route.protocol == self.protocol)
            and (self.scope is None or route.scope == self.scope)
            and (self.type is None or route.type == self.type)
            and (self.dev is None or (hop is not None and hop.dev is self.dev))
            and (self.metric is None or route.metric == self.metric)
            and (self.via is None or (hop is not None and hop.gateway is not None and self._agrees(self.via, hop.gateway)))
            and (self.prefsrc is None or (route.prefsrc is not None and self._agrees(self.prefsrc, route.prefsrc)))
            and self.iif is None
        )

    def _takes_source(self, route: fib.FibRoute) -> bool:
        length = route.source.prefixlen if route.source is not None else 0
        address = int(route.source.address) if route.source is not None else 0
        if self.from_root is not None and (self.from_root.length > length or not self.from_root.covers(address)):
            return False
        return self.from_match is None or (
            self.from_match.length >= length and (route.source is None or int(self.from_match.address) in route.source)
        )

    @staticmethod
    def _agrees(prefix: Prefix, address: Any) -> bool:
        return prefix.family == address.family and prefix.covers(int(address))


def _parse_filter(words: Words, session: Session, flush: bool) -> Filter:
    family = session.options.family
    chosen = Filter(family=family if family in (4, 6) else 0)
    given = False
    while words.more:
        word = words.take()
        if matches(word, "table"):
            given = _table(words, session, chosen)
        elif word == "vrf":
            dev: Any = session.find(vrf_name(words, session))
            chosen.table = dev.table
            chosen.hidden_types = frozenset({"local", "broadcast"})
        elif word in ("cached", "cloned"):
            chosen.cache = True
        elif word == "tos" or matches(word, "dsfield"):
            chosen.tos = _named(session, "dsfield", words, "TOS value is invalid\n")
            chosen.hidden.tos = True
        elif matches(word, "protocol"):
            chosen.protocol = _named(session, "proto", words, 'invalid "protocol"\n', all_allowed=True)
            chosen.hidden.protocol = chosen.protocol is not None
        elif matches(word, "scope"):
            chosen.scope = _named(session, "scope", words, 'invalid "scope"\n', all_allowed=True)
            chosen.hidden.scope = chosen.scope is not None
        elif matches(word, "type"):
            text = words.value()
            chosen.type = route_type(text)
            if chosen.type is None:
                invarg("node type value is invalid\n", text)
        elif word in ("dev", "oif"):
            chosen.dev = session.device(words.value())
            chosen.hidden.dev = True
        elif word == "iif":
            chosen.iif = session.device(words.value())
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            text = words.value()
            chosen.metric = u32(text)
            if chosen.metric is None:
                invarg('"metric" value is invalid\n', text)
            chosen.hidden.metric = True
        elif word == "via":
            text = words.value()
            via_family = FAMILIES.get(text)
            text = words.value() if via_family is not None else text
            chosen.via = get_prefix(text, via_family or chosen.family)
            chosen.hidden.gateway = chosen.via.length == chosen.via.address.bits
        elif word == "src":
            chosen.prefsrc = get_prefix(words.value(), chosen.family)
            chosen.hidden.prefsrc = chosen.prefsrc.length == chosen.prefsrc.address.bits
        elif matches(word, "realms"):
            text = words.value()
            chosen.realms = _realms(text, session)
        elif word == "mark":
            text = words.value()
            if u32(text) is None:
                invarg("mark value is invalid\n", text)
        elif matches(word, "from"):
            _from(words, session, chosen)
        else:
            _prefix(word, words, session, chosen)
    if not chosen.family:
        found = chosen.root or chosen.match
        chosen.family = found.family if found is not None and not found.unspec else (0 if chosen.table is None else 4)
    chosen.hidden.table = chosen.table is not None
    del given, flush
    return chosen


def _realms(text: str, session: Session) -> tuple[int, int]:
    """A value and the bits of it that count: TO, FROM/ or FROM/TO."""
    source_text, slash, to_text = text.rpartition("/")
    value = mask = 0
    for part, shift in ((source_text, 16), (to_text, 0)):
        if not part:
            continue
        realm = session.tables.number("realm", part)
        if realm is None:
            invarg("invalid realms\n", text)
        value |= realm << shift
        mask |= 0xFFFF << shift
    return value, mask


def _from(words: Words, session: Session, chosen: Filter) -> None:
    word = words.value()
    if matches(word, "root"):
        chosen.from_root = get_prefix(words.value(), chosen.family)
    elif matches(word, "match"):
        chosen.from_match = get_prefix(words.value(), chosen.family)
    else:
        if matches(word, "exact"):
            word = words.value()
        chosen.from_root = chosen.from_match = get_prefix(word, chosen.family)
    found = chosen.from_root or chosen.from_match
    assert found is not None
    if not chosen.family and not found.unspec:
        chosen.family = found.family


def _table(words: Words, session: Session, chosen: Filter) -> bool:
    text = words.value()
    number = session.tables.number("table", text)
    if number is None:
        if text == "all":
            chosen.table = None
        elif text == "cache":
            chosen.cache = True
        elif text == "help":
            session.usage("route")
        else:
            invarg("table id value is invalid\n", text)
    else:
        chosen.table = number or None
    return True


def _named(session: Session, kind: str, words: Words, complaint: str, all_allowed: bool = False) -> int | None:
    text = words.value()
    value = session.tables.number(kind, text)
    if value is None and not (all_allowed and text == "all"):
        invarg(complaint, text)
    return value


def _prefix(word: str, words: Words, session: Session, chosen: Filter) -> None:
    if word == "to":
        word = words.value()
    family = chosen.family
    if matches(word, "root"):
        chosen.root = get_prefix(words.value(), family)
    elif word == "match":
        chosen.match = get_prefix(words.value(), family)
    else:
        if word == "exact":
            word = words.value()
        if matches(word, "help"):
            session.usage("route")
        if word == "cache":
            chosen.cache = True
            return
        chosen.match = chosen.root = get_prefix(word, family)


def tables_of(session: Session, family: int, table: int | None) -> list[fib.FibTable]:
    """The tables in the order in which the kernel walks its hash of 256 buckets; newest first within one."""
    state: Any = session.net.ipv4 if family == 4 else session.net.ipv6
    everything: dict[int, fib.FibTable] = state.tables
    if table is not None:
        return [everything[table]] if table in everything else []
    age = {number: -position for position, number in enumerate(everything)}
    return [everything[number] for number in sorted(everything, key=lambda number: (number & 255, age[number]))]


def show(words: Words, session: Session, flush: bool = False) -> int:
    if flush and not words.more:
        raise Quit(1, '"ip route flush" requires arguments.\n')
    chosen = _parse_filter(words, session, flush)
    if flush:
        return _flush(chosen, session)
    failure: Quit | None = None
    with session.output() as out:
        if not chosen.cache:
            failure = _list(chosen, out, session)
    if failure is not None:
        raise failure
    return 0


def _list(chosen: Filter, out: Printer, session: Session) -> Quit | None:
    now = session.net.loop.now
    for family in (4, 6) if not chosen.family else (chosen.family,):
        state: Any = session.net.ipv4 if family == 4 else session.net.ipv6
        if chosen.table is not None and not (
            chosen.table in state.tables and (family == 6 or state.tables[chosen.table].created or chosen.table == fib.RT_TABLE_MAIN)
        ):
            name = "ipv4" if family == 4 else "ipv6"
            out.cut_off = True
            return Quit(2, f"Error: {name}: FIB table does not exist.\nDump terminated\n")
        for table in tables_of(session, family, chosen.table):
            for route in table:
                if chosen.takes(route):
                    print_route(line_of(route, family, now), out, session, chosen.hidden)
    return None


def _flush(chosen: Filter, session: Session) -> int:
    """Rounds of deleting until nothing is left that is selected."""
    stats = session.options.stats
    proc = session.proc
    if chosen.cache and chosen.family == 6:
        count = len(session.net.ipv6.exceptions)
        session.net.ipv6.exceptions.clear()
        session.net.ipv6.flush_cache()
        if stats:
            rounds_done = f"\n*** Round 1, deleting {count} entries ***\n*** Flush is complete after 1 round ***"
            proc.print(rounds_done if count else "Nothing to flush.")
        return 0
    if chosen.cache:
        session.net.ipv4.exceptions.clear()
        session.net.ipv4.flush_cache()
        if stats:
            proc.print("*** IPv4 routing cache is flushed.")
        return 0
    now = session.net.loop.now
    for family in (4, 6) if not chosen.family else (chosen.family,):
        state: Any = session.net.ipv4 if family == 4 else session.net.ipv6
        if chosen.table is not None and not getattr(state.tables.get(chosen.table), "created", False):
            raise Quit(2, f"Error: ipv{family}: FIB table does not exist.\nFlush terminated\n")
    rounds = 0
    while rounds < session.options.loops:
        victims = [
            (family, route)
            for family in ((4, 6) if not chosen.family else (chosen.family,))
            for table in tables_of(session, family, chosen.table)
            for route in table
            if chosen.takes(route)
        ]
        if not victims:
            if stats:
                if rounds == 0:
                    proc.print("Nothing to flush.")
                else:
                    proc.print(f"*** Flush is complete after {rounds} round{'s' if rounds > 1 else ''} ***")
            return 0
        rounds += 1
        for family, route in victims:
            if stats > 1:
                out = Printer(oneline=session.options.oneline)
                print_route(line_of(route, family, now), out, session, chosen.hidden)
                proc.print(out.done(), end="")
            _delete(family, route, session)
        if stats:
            proc.print(f"\n*** Round {rounds}, deleting {len(victims)} entries ***")
    return 1


def _delete(family: int, route: fib.FibRoute, session: Session) -> None:
    state: Any = session.net.ipv4 if family == 4 else session.net.ipv6
    table = state.tables[route.table]
    if route in table.at(route.prefix):
        table.remove(route)
        state.flush_cache()
        session.net.rtnl_notify("route", route, True)


