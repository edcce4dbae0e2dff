"""The words in which a journey says what the kernel's objects mean: routes, connections, sockets, addresses.

Everything is read from attributes; the objects are those that `sim/trace.py` kept.
"""

from __future__ import annotations

from typing import Any

from kubenet_course import errno
from kubenet_course.sim.trace import Event, RouteFacts
from kubenet_course.view.packet_text import PROTOCOLS
from kubenet_course.wire.arp import ARP_REQUEST, ArpHeader


def program_of(command: str) -> str:
    """The program that a simple command runs; "the program" where several might."""
    words = command.split()
    if words[:3] == ["ip", "netns", "exec"]:
        words = words[4:]
    if not words or set(command) & set("|&;<>$`(\n") or "=" in words[0]:
        return "the program"
    return words[0].rpartition("/")[2]


def why_born(event: Event, cause: str) -> str:
    """Between a packet and the one that caused it: "answers", "reports an error about", …."""
    network, transport = event.network, event.transport
    if isinstance(network, ArpHeader):
        return "asked by" if network.operation == ARP_REQUEST else "answers"
    if getattr(network, "is_fragment", False):
        return "part of"
    kind = getattr(transport, "type", None)
    if kind == 135:
        return "asked by"
    if getattr(transport, "is_error", False) and "echo reply" not in cause:
        return "reports an error about"
    return "answers"


def mac_words(mac: Any) -> str:
    return "everybody" if mac == 0xFFFFFFFFFFFF else str(mac)


def socket_words(sock: Any) -> str:
    if sock is None:
        return "a socket"
    kind, local, port = sock
    where = f" {local if local is not None else '*'}:{port}" if port else ""
    return f"{kind.upper() if len(kind) < 5 and kind != 'raw' else kind} socket{where}"


def port_of(transport: Any, which: str) -> Any:
    port = getattr(transport, f"{which}_port", None)
    return port if port is not None or which == "destination" else getattr(transport, "identifier", None)


def rewritten(before: tuple[Any, Any], after: tuple[Any, Any]) -> str:
    """``source 10.0.0.2:4711 becomes 203.0.113.2:4711``, for each end that changed."""
    words = []
    for which in ("source", "destination"):
        old, new = (
            (getattr(network, which), getattr(transport, f"{which}_port", None))
            for network, transport in (before, after)
        )
        if old != new:
            words.append(f"{which} {with_port(*old)} becomes {with_port(*new)}")
    idents = [getattr(transport, "identifier", None) for _, transport in (before, after)]
    if idents[0] != idents[1]:
        words.append(f"id {idents[0]} becomes {idents[1]}")
    return ", ".join(words) or "nothing changes in its headers"


def with_port(address: Any, port: Any) -> str:
    shown = f"[{address}]" if port is not None and ":" in str(address) else str(address)
    return shown if port is None else f"{shown}:{port}"


_CTINFO = {0: "ESTABLISHED", 1: "RELATED", 2: "NEW", 3: "ESTABLISHED, an answer", 4: "RELATED, an answer"}


def connection_words(before: dict[str, Any] | None, after: dict[str, Any] | None, ctinfo: int) -> str:
    """Which connection the packet belongs to, and what it did to the connection's state."""
    if after is None:
        return "belongs to no connection (INVALID)"
    source, destination, protocol, a, b = after["orig"]
    if protocol in (6, 17, 132, 33):
        flow = f"{with_port(source, a)} → {with_port(destination, b)}"
    else:
        flow = f"{source} → {destination}" + (f" id {a}" if protocol in (1, 58) else "")
    name = PROTOCOLS.get(protocol, f"protocol {protocol}")
    state = _CTINFO.get(ctinfo, str(ctinfo))
    if before is None:
        now = f" ({after['state']})" if after["state"] else ""
        return f"a {state} {name} connection {flow}{now}"
    was, now = before.get("state"), after["state"]
    change = f"; {was} → {now}" if was != now else f"; {now}" if now else ""
    if not before["status"] & 2 and after["status"] & 2:
        change += "; the first answer"
    return f"of the {name} connection {flow}: {state}{change}"


def route_words(route: RouteFacts, destination: Any) -> str:
    """The line of `ip route` that decided, the rule that led to it, and what follows."""
    rule = f" (rule {route.rule.priority}: table {table_name(route.rule)})" if route.rule is not None else ""
    line = f"`{route_line(route.route)}`{rule}" if route.route is not None else ""
    if route.error:
        if route.route is None and route.type == "unreachable":
            if route.error == errno.EHOSTUNREACH:  # ip_route_input_slow(): forwarding is off on the way in
                return f"{destination} is not an address of this machine, and it does not forward for others"
            reason = errno.strerror(route.error)
            return f"{destination} is not an address of this machine, and no route leads there ({reason})"
        return f"{destination} matches {line}: {errno.strerror(route.error)}"
    if route.type == "local":
        return f"{destination} is this machine's own address" + (f": {line}" if line else "")
    if route.type in ("broadcast", "multicast"):
        return f"{destination} is a {route.type} address" + (f": {line}" if line else "")
    hop = f"next hop {route.gateway}" if route.gateway is not None else "on the link"
    text = f"{destination} matches {line}" if line else f"{destination} is taken to be on the link"
    return f"{text}: {hop}, out of {route.device}" + (
        " (the way it came: an ICMP redirect is due)" if route.redirect else ""
    )


def table_name(rule: Any) -> str:
    return {255: "local", 254: "main", 253: "default"}.get(rule.table, str(rule.table))


#: Types of routes that have no device; the kernel names lo for those of IPv6.
FORBIDDING = ("unreachable", "prohibit", "blackhole", "throw")


def route_line(route: Any) -> str:
    """A route as `ip route` prints it, as far as it matters for the decision."""
    prefix = str(route.prefix)
    if route.prefix.prefixlen == 0:
        prefix = "default"
    elif route.prefix.prefixlen == (32 if ":" not in prefix else 128):
        prefix = prefix.partition("/")[0]
    words = [] if route.type == "unicast" else [route.type]
    words.append(prefix)
    if len(route.nexthops) == 1:
        hop = route.nexthops[0]
        words += [f"via {hop.gateway}"] if hop.gateway is not None else []
        words += [f"dev {hop.dev.name}"] if hop.dev is not None and route.type not in FORBIDDING else []
    else:
        for hop in route.nexthops:
            via = f" via {hop.gateway}" if hop.gateway is not None else ""
            words.append(f"nexthop{via} dev {hop.dev.name if hop.dev else '?'} weight {hop.weight}")
    words += [f"src {route.prefsrc}"] if route.prefsrc is not None and route.type != "local" else []
    words += [f"table {route.table}"] if route.table not in (253, 254, 255) else []
    words += [f"metric {route.metric}"] if route.metric and ":" not in str(route.prefix) else []
    return " ".join(words)
