"""One route as `ip route` prints it (ip/iproute.c: print_route())."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.kernel.inet import fib
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.printer import IFNAME, INET, INET6, Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.tables import ROUTE_TYPES
from kubenet_course.wire.addresses import IpAddress

METRIC_ORDER = ("mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
                "features", "rto_min", "initrwnd", "quickack", "congctl", "fastopen_no_cookie")  # fmt: skip
TIMES = {"rtt": 8, "rttvar": 4, "rto_min": 1}


@dataclass
class RouteLine:
    """What one message of the kernel says about a route. `cache` is None but for answers of ``route get``."""

    family: int
    type: str
    destination: str
    source: str | None = None
    tos: int = 0
    nexthops: list[fib.NextHop] = field(default_factory=list)
    table: int = fib.RT_TABLE_MAIN
    protocol: int = 0
    scope: int = 0
    prefsrc: IpAddress | None = None
    metric: int = 0
    flags: list[str] = field(default_factory=list)
    mark: int = 0
    uid: int | None = None
    cache: list[str] | None = None
    expires: int | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    iif: str | None = None
    pref: str | None = None
    users: int = 2
    nhid: int = 0
    grouped: bool = False
    encap: str = ""


def line_of(route: fib.FibRoute, family: int, now: int) -> RouteLine:
    """fib_dump_info() or rt6_fill_node()."""
    bits = 32 if family == 4 else 128
    if route.prefix.prefixlen == bits:
        destination = str(route.prefix.address)
    elif route.prefix.prefixlen == 0 and int(route.prefix.address) == 0:
        destination = "default"
    else:
        destination = str(route.prefix)
    line = RouteLine(
        family, route.type, destination, tos=route.tos, nexthops=route.nexthops, table=route.table,
        protocol=route.protocol, scope=route.scope if family == 4 else 0, prefsrc=route.prefsrc, metric=route.metric,
        metrics=route.metrics, locks=route.locks, nhid=route.nhid,
        source=str(route.source) if route.source is not None else None,
    )  # fmt: skip
    if len(route.nexthops) == 1 and not (family == 6 and route.grouped):
        line.flags = hop_flags(route.nexthops[0])
    elif route.nexthops and all(hop.linkdown for hop in route.nexthops):
        line.flags = ["linkdown"]
    if family == 6:
        line.pref = route.pref
        line.grouped = route.grouped  # rt6_fill_node() lists a group of one too
        if route.expires is not None:
            line.expires = seconds_left(route.expires, now)
    return line


def seconds_left(end: int, now: int) -> int:
    """Whole seconds to go; some time has always passed since the kernel set the end."""
    return max(0, (end - now - 1) // SECOND)


def hop_flags(hop: fib.NextHop) -> list[str]:
    """print_rt_flags()."""
    words = ["dead"] if hop.dead else []
    words += ["onlink"] if hop.onlink else []
    if hop.dev is not None and hop.linkdown:
        words.append("linkdown")
    return words


@dataclass
class Hidden:
    """What a selector says already, so that the line need not."""

    tos: bool = False
    gateway: bool = False
    dev: bool = False
    table: bool = False
    protocol: bool = False
    scope: bool = False
    prefsrc: bool = False
    metric: bool = False
    type: bool = False


def print_route(line: RouteLine, out: Printer, session: Session, hidden: Hidden) -> None:
    details = session.options.details
    tables = session.tables
    color = INET if line.family == 4 else INET6
    out.open_object()
    if (line.type != fib.UNICAST or details) and not hidden.type:
        out.any("type", "%s ", str(ROUTE_TYPES.get(line.type, line.type)) if session.options.numeric else line.type)
    out.color("" if line.destination == "default" else color, "dst", "%s ", line.destination)
    if line.source is not None:
        if out.json:
            out.js("from", line.source)
        else:
            out.color("", "from", "from %s ", line.source)
    if line.tos and not hidden.tos:
        out.any("tos", "tos %s ", tables.name("dsfield", line.tos))
    multipath = len(line.nexthops) > 1 or line.grouped
    hop = line.nexthops[0] if line.nexthops and not multipath else None
    if line.nhid:
        out.any("nhid", "nhid %u ", line.nhid)
    if hop is not None:
        if hop.gateway is not None and not hidden.gateway:
            _gateway(hop.gateway, line.family, out)
        if hop.dev is not None and not hidden.dev:
            out.fp("dev ")
            out.color(IFNAME, "dev", "%s ", hop.dev.name)
    if not hidden.table and (line.table != fib.RT_TABLE_MAIN or details):
        out.any("table", "table %s ", tables.name("table", line.table))
    if line.cache is None:
        if (line.protocol != fib.RTPROT_BOOT or details) and not hidden.protocol:
            out.any("protocol", "proto %s ", tables.name("proto", line.protocol))
        if (line.scope != fib.RT_SCOPE_UNIVERSE or details) and not hidden.scope:
            out.any("scope", "scope %s ", tables.name("scope", line.scope))
    if line.prefsrc is not None and not hidden.prefsrc:
        out.fp("src ")
        out.color(color, "prefsrc", "%s ", line.prefsrc)
    if (line.metric or line.family == 6) and not hidden.metric:
        out.any("metric", "metric %u ", line.metric)
    print_flags(line.flags, out)
    if line.mark:
        out.any("mark", "mark 0x%x " if line.mark >= 16 else "mark %u ", line.mark)
    if hop is not None and hop.realms:
        _realms(hop.realms, out, session)
    if line.uid is not None:
        out.any("uid", "uid %u ", line.uid)
    _cache(line, out, session)
    _metrics(line, out)
    if line.iif is not None:
        out.any("iif", "iif %s ", line.iif)
    if line.pref is not None:
        out.any("pref", "pref %s", line.pref)
    if line.nhid and session.options.details:
        _nexthop_info(line.nhid, out, session)
    if multipath:
        _multipath(line, out, session)
    out.fp("\n")
    out.close()


def _realms(realms: int, out: Printer, session: Session) -> None:
    """print_rta_flow()."""
    source, destination = realms >> 16, realms & 0xFFFF
    out.open_object("flow")
    out.fp("realms " if source else "realm ")
    if source:
        out.any("from", "%s/", session.tables.name("realm", source))
    out.any("to", "%s ", session.tables.name("realm", destination))
    out.close()


def _nexthop_info(number: int, out: Printer, session: Session) -> None:
    """print_cache_nexthop_id(): what the object says itself."""
    from kubenet_course.userland.commands.ip.nexthop import print_nexthop

    known = session.net.ipv4.nexthops.objects.get(number)
    if known is None:
        return
    info = Printer(oneline=out.oneline, json=out.json)
    if not out.json:
        print_nexthop(known, info, session, f"{out.sl}\tnh_info ")
        out.fp(info.done().rstrip("\n"))
        return
    print_nexthop(known, out, session, key="nh_info")


def print_flags(flags: list[str], out: Printer) -> None:
    out.open_array("flags")
    for word in flags:
        out.any(None, "%s ", word)
    out.close()


def _gateway(gateway: IpAddress, family: int, out: Printer) -> None:
    """RTA_GATEWAY, or RTA_VIA for a gateway of the other family."""
    color = INET if gateway.family == 4 else INET6
    if gateway.family == family:
        out.fp("via ")
        out.color(color, "gateway", "%s ", gateway)
        return
    word = "inet" if gateway.family == 4 else "inet6"
    out.open_object("via")
    out.any("family", "via %s ", word)
    out.color(color, "host", "%s ", gateway)
    out.close()


def _cache(line: RouteLine, out: Printer, session: Session) -> None:
    """print_cache_flags() and print_rta_cacheinfo()."""
    if line.cache is not None and line.family == 4:
        out.fp(f"{out.sl}    cache ")
        if out.json:
            out.open_array("cache")
            for word in line.cache:
                out.js(None, word)
            out.close()
        elif line.cache:
            out.fp(f"<{','.join(line.cache)}> ")
    if line.expires is not None:
        out.any("expires", "expires %dsec ", line.expires)
    if session.options.stats and line.cache is not None:
        out.any("users", "users %u ", line.users)


def _metrics(line: RouteLine, out: Printer) -> None:
    """print_rta_metrics()."""
    if not line.metrics:
        return
    out.open_array("metrics")
    out.open_object()
    for name in METRIC_ORDER:
        if name not in line.metrics:
            continue
        value: Any = line.metrics[name]
        if name == "features":
            out.fp("features ")
            out.flag("ecn", "ecn ")
            continue
        out.fp(f"{name} {'lock ' if name in line.locks else ''}")
        if name in TIMES:
            value //= TIMES[name]
            text = f"{value / 1000:g}s " if value >= 1000 else f"{value}ms "
            out.any(name, text.replace("%", "%%"), value)
        else:
            out.any("congestion" if name == "congctl" else name, "%s ", value)
    out.close()
    out.close()


def _multipath(line: RouteLine, out: Printer, session: Session) -> None:
    """print_rta_multipath()."""
    out.open_array("nexthops")
    for hop in line.nexthops:
        out.open_object()
        out.fp(f"{out.sl}\tnexthop ")
        if hop.gateway is not None:
            _gateway(hop.gateway, line.family, out)
        if hop.dev is not None:
            out.any("dev", "dev %s ", hop.dev.name)
        if hop.realms:
            _realms(hop.realms, out, session)
        out.any("weight", "weight %d ", hop.weight)
        print_flags(hop_flags(hop), out)
        out.close()
    out.close()
