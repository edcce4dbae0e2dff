"""``ip nexthop``: next hops with a number of their own, which routes then name (ip/ipnexthop.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.nexthop import (
    IDLE_TIMER,
    UNBALANCED_TIMER,
    NexthopObject,
    NexthopRequest,
    NexthopTable,
)
from kubenet_course.userland.commands.ip.printer import IFNAME, INET, INET6, Printer
from kubenet_course.userland.commands.ip.route_show import print_flags
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    get_addr,
    incomplete,
    invarg,
    matches,
    number,
    u32,
    unsupported,
)

FAMILIES = {"inet": 4, "inet6": 6}


@dataclass
class Filter:
    family: int = 0
    dev: Any = None
    master: Any = None
    groups: bool = False
    protocol: int = 0

    def takes(self, known: NexthopObject) -> bool:
        """nh_dump_filtered() and what `ip` itself leaves out."""
        if self.family and known.family != self.family:
            return False
        if self.groups and not known.group:
            return False
        dev = known.hop.dev if known.hop is not None else None
        if self.dev is not None and dev is not self.dev:
            return False
        if self.master is not None and (dev is None or dev.master is not self.master):
            return False
        return not self.protocol or known.protocol == self.protocol


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _list(words, session)
    word = words.take()
    if matches(word, "help"):
        session.usage("nexthop")
    if word in ("add", "replace"):
        return _modify(words, session, excl=word == "add")
    if matches(word, "delete"):
        return _delete(words, session)
    if matches(word, "list") or matches(word, "show") or matches(word, "lst") or matches(word, "ls"):
        return _list(words, session)
    if matches(word, "get"):
        return _get(words, session)
    if matches(word, "flush"):
        return _flush(words, session)
    if matches(word, "bucket"):
        return _bucket(words, session)
    raise Quit(255, f'Command "{word}" is unknown, try "ip nexthop help".\n')


def table(session: Session) -> NexthopTable:
    return session.net.ipv4.nexthops


# -- changes ---------------------------------------------------------------------------------------
def _id(words: Words) -> int:
    text = words.value()
    value = u32(text)
    if value is None:
        invarg("invalid id value", text)
    return value


def _modify(words: Words, session: Session, *, excl: bool) -> int:
    """ipnh_modify()."""
    family = session.options.family if session.options.family in (4, 6) else 0
    wanted = NexthopRequest(family=family)
    while words.more:
        word = words.take()
        if word == "id":
            wanted.id = _id(words)
        elif word == "dev":
            name = words.value()
            wanted.dev = session.find(name)
            if wanted.dev is None:
                invarg("Device does not exist\n", name)
            wanted.family = wanted.family or 4
        elif word == "via":
            text = words.value()
            via = FAMILIES.get(text)
            text = words.value() if via is not None else text
            wanted.gateway = get_addr(text, via or wanted.family)
            wanted.family = wanted.gateway.family
        elif word == "encap":
            encap = words.value()
            words.rest()
            if encap == "mpls":
                raise KernelError(errno.EOPNOTSUPP, "lwt encapsulation type not supported")
            unsupported("ip nexthop: encap")
        elif word == "blackhole":
            wanted.blackhole = True
            wanted.family = wanted.family or 4
        elif word == "fdb":
            wanted.fdb = True
        elif word == "onlink":
            wanted.onlink = True
        elif word == "group":
            wanted.group = _members(words)
        elif word == "type":
            _type(words, wanted)
        elif matches(word, "protocol"):
            text = words.value()
            protocol = session.tables.number("proto", text)
            if protocol is None:
                invarg('"protocol" value is invalid\n', text)
            wanted.protocol = protocol
        elif matches(word, "help"):
            session.usage("nexthop")
        else:
            invarg("", word)
    table(session).add(wanted, create=True, excl=excl)
    return 0


def _members(words: Words) -> list[tuple[int, int]]:
    """add_nh_group_attr(): ID[,WEIGHT]/ID[,WEIGHT]…"""
    text = words.value()
    found = []
    for part in text.split("/"):
        body, comma, weight_text = part.partition(",")
        member = u32(body)
        if member is None:
            invarg('"group" value is invalid\n', text)
        weight = u32(weight_text) if comma else 1
        if weight is None or not 1 <= weight <= 256:
            invarg('"weight" is invalid\n', weight_text)
        found.append((member, weight))
    return found


def _type(words: Words, wanted: NexthopRequest) -> None:
    """read_nh_group_type() and parse_nh_group_type_res()."""
    text = words.value()
    if text not in ("mpath", "resilient"):
        invarg('"type" value is invalid\n', text)
    if text == "mpath":
        return
    wanted.resilient = {"buckets": 0, "idle_timer": IDLE_TIMER, "unbalanced_timer": UNBALANCED_TIMER}
    while words.more and words.peek in wanted.resilient:
        key = words.take()
        value_text = words.value()
        value = number(value_text, 0, 0xFFFF if key == "buckets" else 0xFFFFFFFF)
        if value is None:
            invarg(f'invalid {key.replace("_", " ")} value\n', value_text)
        wanted.resilient[key] = value


def _delete(words: Words, session: Session) -> int:
    chosen = None
    while words.more:
        word = words.take()
        if word != "id":
            invarg("", word)
        chosen = _id(words)
    if chosen is None:
        raise KernelError(errno.EINVAL, "Nexthop id is missing")
    table(session).remove(table(session).get(chosen))
    return 0


# -- showing ---------------------------------------------------------------------------------------
def _filter(words: Words, session: Session) -> tuple[Filter, int]:
    family = session.options.family if session.options.family in (4, 6) else 0
    chosen = Filter(family)
    wanted = 0
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
            chosen.dev = session.find(name)
            if chosen.dev is None:
                invarg("Device does not exist\n", name)
        elif word == "groups":
            chosen.groups = True
        elif word == "master":
            name = words.value()
            chosen.master = session.find(name)
            if chosen.master is None:
                invarg("Device does not exist\n", name)
        elif matches(word, "vrf"):
            name = words.value()
            dev = session.find(name)
            if dev is None or dev.kind != "vrf":
                invarg("Invalid VRF\n", name)
            chosen.master = dev
        elif word == "id":
            wanted = _id(words)
        elif matches(word, "protocol"):
            text = words.value()
            value = u32(text)
            if value is None:
                invarg("invalid protocol value", text)
            chosen.protocol = value
        elif word == "fdb":
            continue  # asked of the kernel, which has no such filter for a dump of all
        elif matches(word, "help"):
            session.usage("nexthop")
        else:
            invarg("", word)
    return chosen, wanted


def _list(words: Words, session: Session) -> int:
    chosen, wanted = _filter(words, session)
    if wanted:
        return _print_one(wanted, session)
    with session.output() as out:
        for known in table(session):
            if chosen.takes(known):
                print_nexthop(known, out, session)
    return 0


def _get(words: Words, session: Session) -> int:
    if not words.more:
        session.usage("nexthop")
    word = words.take()
    if word != "id":
        session.usage("nexthop")
    return _print_one(_id(words), session)


def _print_one(wanted: int, session: Session) -> int:
    found = table(session).get(wanted)
    with session.output() as out:
        print_nexthop(found, out, session)
    return 0


def _flush(words: Words, session: Session) -> int:
    """ipnh_flush(): one by one, as they were listed."""
    chosen, wanted = _filter(words, session)
    known = table(session)
    victims = [other for other in known if chosen.takes(other)] if not wanted else [known.get(wanted)]
    count = 0
    for victim in victims:
        if victim.id in known.objects:  # a group may have gone with its members
            known.remove(victim)
        count += 1
    session.proc.print(f"Flushed {count} nexthops" if count else "Nothing to flush")
    return 0


def _bucket(words: Words, session: Session) -> int:
    """Buckets of resilient groups: their tables are not kept, so they are listed for none."""
    word = words.take() if words.more else "list"
    if matches(word, "help"):
        session.usage("nexthop")
    if matches(word, "list") or matches(word, "show") or matches(word, "lst"):
        if any(known.resilient is not None for known in table(session)):
            unsupported("ip nexthop bucket (the table of a resilient group)")
        words.rest()
        return 0
    if matches(word, "get"):
        if not words.more:
            incomplete()
        if words.take() == "id":
            table(session).get(_id(words))
        unsupported("ip nexthop bucket get")
    raise Quit(255, f'Command "{word}" is unknown, try "ip nexthop help".\n')


def print_nexthop(known: NexthopObject, out: Printer, session: Session, prefix: str = "", *, key: str | None = None) -> None:
    """print_nexthop(), as an object of that key."""
    details = session.options.details
    out.open_object(key)
    out.fp(prefix)
    out.any("id", "id %u ", known.id)
    if known.group:
        _print_group(known, out)
    if known.resilient is not None and known.group:
        _print_resilient(known.resilient, out)
    hop = known.hop
    if hop is not None and hop.gateway is not None:
        out.fp("via ")
        out.color(INET if hop.gateway.family == 4 else INET6, "gateway", "%s ", hop.gateway)
    if hop is not None and hop.dev is not None and not known.blackhole:
        out.fp("dev ")
        out.color(IFNAME, "dev", "%s ", hop.dev.name)
    if known.scope != fib.RT_SCOPE_UNIVERSE or details:
        if not known.blackhole or details:
            scope = fib.RT_SCOPE_UNIVERSE if known.blackhole else known.scope
            out.any("scope", "scope %s ", session.tables.name("scope", scope))
    if known.blackhole:
        out.flag("blackhole", "blackhole ")
    if known.protocol or details:
        name = "unspec" if not known.protocol else session.tables.name("proto", known.protocol)
        out.any("protocol", "proto %s ", name)
    print_flags(["onlink"] if hop is not None and hop.onlink else [], out)
    if known.fdb:
        out.flag("fdb", "fdb")
    out.fp("\n")
    out.close()


def _print_group(known: NexthopObject, out: Printer) -> None:
    if not out.json:
        text = "/".join(f"{member.id},{weight}" if weight != 1 else str(member.id) for member, weight in known.group)
        out.fp(f"group {text} ")
        return
    out.open_array("group")
    for member, weight in known.group:
        out.open_object()
        out.js("id", member.id)
        if weight != 1:
            out.js("weight", weight)
        out.close()
    out.close()


def _print_resilient(values: dict[str, int], out: Printer) -> None:
    out.any("type", "type %s ", "resilient")
    out.open_object("resilient_args")
    for key in ("buckets", "idle_timer", "unbalanced_timer"):
        out.any(key, f"{key} %u ", values[key])
    out.any("unbalanced_time", "unbalanced_time %u ", 0)
    out.close()
