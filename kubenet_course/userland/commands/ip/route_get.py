"""``ip route get``: asks the kernel which way a packet would take (ip/iproute.c: iproute_get())."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.getroute import inet6_rtm_getroute_input, inet_rtm_getroute
from kubenet_course.userland.commands.ip.route_show import (
    Hidden,
    RouteLine,
    line_of,
    print_route,
    seconds_left,
)
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Prefix,
    Quit,
    Words,
    get_prefix,
    invarg,
    matches,
    number,
    u32,
)
from kubenet_course.wire.addresses import IPv6Address
from kubenet_course.wire.ipv4 import IPPROTO_UDP

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132, "gre": 47, "esp": 50, "ah": 51, "igmp": 2}


@dataclass
class _Asked:
    destination: Prefix | None = None
    source: Prefix | None = None
    iif: str | None = None
    oif: str | None = None
    tos: int = 0
    mark: int = 0
    uid: int | None = None
    protocol: int = IPPROTO_UDP
    sport: int = 0
    dport: int = 0
    fibmatch: bool = False
    connected: bool = False
    notify: bool = False


def run(words: Words, session: Session) -> int:
    asked = _parse(words, session)
    if asked.destination is None:
        raise Quit(1, "need at least a destination address\n")
    iif = session.device(asked.iif) if asked.iif is not None else None
    oif = session.device(asked.oif) if asked.oif is not None else None
    bits = asked.destination.address.bits
    warning = ""
    if asked.destination.given and asked.destination.length != bits and not asked.destination.unspec:
        warning = f"Warning: /{asked.destination.length} as prefix is invalid, only /{bits} (or none) is supported.\n"
    if asked.destination.family == 6:
        if asked.notify:
            raise KernelError(errno.EINVAL, "ipv6: Invalid flags for get route request")
        line = _get6(asked, session, iif, oif)
    else:
        line = _get4(asked, session, iif, oif)
        if asked.notify and line.cache is not None:
            line.flags = [*line.flags, "notify"]
            line.cache.append("notify")
    with session.output() as out:
        hidden = Hidden(protocol=False)
        if not session.options.details:
            hidden.table = line.table == fib.RT_TABLE_MAIN
        print_route(line, out, session, hidden)
        if asked.connected and asked.source is None:
            print_route(line, out, session, hidden)
    if warning:
        session.proc.error(warning, end="")
    return 0


def _parse(words: Words, session: Session) -> _Asked:
    asked = _Asked()
    family = session.options.family if session.options.family in (4, 6) else 0
    while words.more:
        word = words.take()
        if word == "tos" or matches(word, "dsfield"):
            text = words.value()
            tos = session.tables.number("dsfield", text)
            if tos is None:
                invarg("TOS value is invalid\n", text)
            asked.tos = tos
        elif matches(word, "from"):
            text = words.value()
            if matches(text, "help"):
                session.usage("route")
            source = get_prefix(text, family)
            family = family or source.family
            asked.source = source if source.length else None
        elif matches(word, "iif"):
            asked.iif = words.value()
        elif matches(word, "mark"):
            text = words.value()
            mark = u32(text)
            if mark is None:
                invarg("invalid mark value", text)
            asked.mark = mark
        elif matches(word, "oif") or word == "dev":
            asked.oif = words.value()
        elif matches(word, "notify"):
            asked.notify = True
        elif matches(word, "connected"):
            asked.connected = True
        elif matches(word, "vrf"):
            asked.oif = vrf_name(words, session)
        elif matches(word, "uid"):
            text = words.value()
            asked.uid = u32(text)
            if asked.uid is None:
                invarg("invalid UID\n", text)
        elif matches(word, "fibmatch"):
            asked.fibmatch = True
        elif word == "as":
            words.value()
            raise KernelError(errno.EINVAL, "ipv4: Unsupported attribute in route get request")
        elif matches(word, "ipproto"):
            text = words.value()
            protocol = PROTOCOLS.get(text, number(text, 0, 255))
            if protocol is None:
                invarg("Invalid \"ipproto\" value\n", text)
            if protocol not in (1, 6, 17, 58):
                raise KernelError(errno.EOPNOTSUPP, "Unsupported ip proto")
            asked.protocol = protocol
        elif matches(word, "sport"):
            asked.sport = _port(words, "sport")
        elif matches(word, "dport"):
            asked.dport = _port(words, "dport")
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("route")
            asked.destination = get_prefix(word, family)
            family = asked.destination.family
    return asked


def vrf_name(words: Words, session: Session) -> str:
    """The name of a VRF, which must be one."""
    name = words.value()
    dev = session.find(name)
    if dev is None or dev.kind != "vrf":
        invarg("Invalid VRF\n", name)
    return name


def _port(words: Words, key: str) -> int:
    text = words.value()
    value = number(text, 0, 65535)
    if value is None:
        invarg(f"invalid {key}\n", text)
    return value


# -- IPv4 ----------------------------------------------------------------------------------------
def _get4(asked: _Asked, session: Session, iif: NetDevice | None, oif: NetDevice | None) -> RouteLine:
    assert asked.destination is not None
    now = session.net.loop.now
    rt = inet_rtm_getroute(
        session.net, int(asked.destination.address), int(asked.source.address) if asked.source is not None else 0,
        iif=iif, oif=oif, mark=asked.mark, tos=asked.tos, protocol=asked.protocol, source_port=asked.sport,
        destination_port=asked.dport,
    )  # fmt: skip
    if asked.fibmatch:
        if rt.route is None:
            raise KernelError(113)
        line = line_of(rt.route, 4, now)
        if line.table == fib.RT_TABLE_LOCAL and not session.net.ipv4.rules.custom:
            line.table = fib.RT_TABLE_MAIN
        return line
    line = RouteLine(4, rt.type, str(asked.destination.address), cache=[])
    assert line.cache is not None
    if asked.source is not None:
        line.source = str(asked.source.address)
    line.nexthops = [fib.NextHop(rt.dev, rt.gateway, realms=rt.tclassid)]
    line.table = rt.route.table if rt.route is not None else fib.RT_TABLE_MAIN
    if line.table == fib.RT_TABLE_LOCAL and not session.net.ipv4.rules.custom:
        line.table = fib.RT_TABLE_MAIN  # one trie for both, under main's number, until there are custom rules
    if rt.iif is None or iif is None:
        line.prefsrc = rt.source or None if asked.source is None else None
        line.uid = asked.uid or 0
    line.mark = asked.mark
    _cache_flags(rt, line)
    if rt.route is not None and rt.type in (fib.UNICAST, fib.LOCAL, fib.BROADCAST):
        line.metrics = dict(rt.route.metrics) if rt.type == fib.UNICAST else {}
        line.locks = set(rt.route.locks)
    known = rt.exception
    if known is not None and (known.pmtu or known.gateway is not None):
        line.expires = seconds_left(known.expires, now)
        if known.pmtu:
            line.metrics["mtu"] = rt.pmtu
            if known.locked:
                line.locks = line.locks | {"mtu"}
    if iif is not None:
        line.iif = iif.name
    return line


def _cache_flags(rt: Any, line: RouteLine) -> None:
    """RTCF_ flags of the decision; the bit of multicast is also read as rt_offload_failed."""
    words: list[str] = []
    looped = rt.dev is not None and rt.dev.is_loopback
    if looped or rt.type in (fib.LOCAL, fib.BROADCAST) or (rt.type == fib.MULTICAST and rt.net.ipv4.joined(rt.dev, rt.destination)):
        words.append("local")
    if rt.type == fib.MULTICAST:
        words.append("mc")
        line.flags = ["rt_offload_failed"]
    if rt.type == fib.BROADCAST:
        words.append("brd")
    known = rt.exception
    if known is not None and known.gateway is not None and rt.gateway == known.gateway:
        words.append("redirected")
    if rt.redirect:
        words.append("redirect")
    line.cache = words


# -- IPv6 ----------------------------------------------------------------------------------------
def _get6(asked: _Asked, session: Session, iif: NetDevice | None, oif: NetDevice | None) -> RouteLine:
    """inet6_rtm_getroute()."""
    from kubenet_course.kernel.inet6.route import ip6_route_output, select_source

    assert asked.destination is not None
    now = session.net.loop.now
    destination = IPv6Address(asked.destination.address)
    source = int(asked.source.address) if asked.source is not None else 0
    if iif is not None:
        rt = inet6_rtm_getroute_input(session.net, iif, destination, source, mark=asked.mark, tos=asked.tos)
    else:
        how = {"oif": oif, "mark": asked.mark, "tos": asked.tos}
        rt = ip6_route_output(session.net, destination, source, **how, retry=False, strict=False)  # type: ignore[arg-type]
    if rt.route is None:
        raise KernelError(rt.error or errno.ENETUNREACH)
    if asked.fibmatch:
        return line_of(rt.route, 6, now)
    line = line_of(rt.route, 6, now)
    line.nhid, line.grouped = 0, False
    line.expires = None  # rt6_set_from() leaves out RTF_EXPIRES
    line.type = rt.route.type if rt.type != fib.MULTICAST else fib.MULTICAST
    line.destination = str(rt.destination)
    line.nexthops = [fib.NextHop(rt.dev if rt.type != fib.LOCAL else rt.iif, rt.gateway)]
    if rt.type == fib.LOCAL:
        line.nexthops = [fib.NextHop(rt.dev if rt.route.type == fib.LOCAL else rt.route.dev)]
    line.flags = [flag for flag in line.flags if flag != "linkdown"]  # rt6_fill_node() tells of a way, not of its state
    line.source = str(asked.source.address) if asked.source is not None else "::"
    # rt6_fill_node(): the source that would be chosen, whatever was asked with.
    line.iif = iif.name if iif is not None else None
    if iif is None:
        line.prefsrc = rt.source if asked.source is None else rt.route.prefsrc or select_source(session.net, rt.dev, destination)
    known = getattr(rt, "exception", None)
    if known is not None:
        line.expires = seconds_left(known.expires, now)
        if getattr(known, "pmtu", 0):
            line.metrics = {**line.metrics, "mtu": rt.pmtu}
    return line
