"""Why a packet was lost on a real kernel, concluded from what can be asked of it afterwards.

A capture shows where a packet was last; the machine's routes, sysctls and policies, and the ICMP
errors and unanswered questions in the capture, say why it went no further. The names are the kernel's
drop reasons, so that both kernels' journeys are explained by the same code.
"""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.view.capture import Seen
from kubenet_course.view.records import Link
from kubenet_course.view.same_packet import answered, asked_address, is_about
from kubenet_course.view.target import Target
from kubenet_course.wire.icmp import ICMP_ECHO, IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.tcp import ACK, RST, SYN, TcpHeader
from kubenet_course.wire.udp import UdpHeader

WORDS = {
    "NETFILTER_DROP": "a firewall rule (or a chain's policy) dropped it",
    "NO_CARRIER": "the cable's other end is down or missing",
    "OTHERHOST": "the frame's destination MAC is another host's",
    "IP_INHDR": "the TTL reached zero",
    "IP_INADDRERRORS": "not for this host, and forwarding is off",
    "IP_INNOROUTES": "no route to the destination when forwarding",
    "IP_RPFILTER": "the reverse path filter: the way back does not use this interface",
    "PKT_TOO_BIG": "larger than the MTU, and it must not be fragmented",
    "NEIGH_FAILED": "the neighbour did not answer (ARP or neighbour discovery failed)",
    "ROUTE_UNREACHABLE": "an unreachable route",
    "ROUTE_PROHIBIT": "a prohibit route",
    "ROUTE_BLACKHOLE": "a blackhole route",
    "IP_LOCAL_SOURCE": "the source address is one of this host's own",
    "NO_SOCKET": "no program listens on that port",
    "NO_TX_TARGET": "the bridge has no port to send it to",
    "NOT_SPECIFIED": "dropped without a stated reason",
}
BROADCAST, MULTICAST, OTHERHOST = 1, 2, 3  # PACKET_…, of packet(7)
#: (type, code) of the ICMP error that the machine sent about it.
_ERRORS = {
    (11, 0): "IP_INHDR",
    (3, 4): "PKT_TOO_BIG",
    (3, 0): "IP_INNOROUTES",
    (3, 1): "NEIGH_FAILED",
    (3, 9): "NETFILTER_DROP",
    (3, 10): "NETFILTER_DROP",
    (3, 13): "NETFILTER_DROP",
}
ICMPV6_ECHO = 128
#: The same of ICMPv6 (RFC 4443).
_ERRORS6 = {
    (3, 0): "IP_INHDR",
    (2, 0): "PKT_TOO_BIG",
    (1, 0): "IP_INNOROUTES",
    (1, 3): "NEIGH_FAILED",
    (1, 1): "NETFILTER_DROP",
    (1, 5): "NETFILTER_DROP",
}
#: What `ip route get` answers, or begins with, where a route of a special type is the best.
_SPECIAL = {
    "No route to host": "unreachable",
    "Permission denied": "prohibit",
    "Invalid argument": "blackhole",
}


class Facts:
    """What machines say when they are asked; each question is asked once."""

    def __init__(self, lab: Any, links: dict[Target, dict[str, Link]]):
        self.lab = lab
        self.links = links
        self._routes: dict[tuple[str, ...], str] = {}
        self._neighbours: dict[Target, str] = {}

    def _ask(self, space: Target, *argv: str) -> str:
        return str(self.lab.query(space.machine, space.command(*argv)).stdout).strip()

    def route(self, space: Target, words: list[str]) -> str:
        """The answer of `ip route get`, or its error."""
        key = (str(space), *words)
        if key not in self._routes:
            result = self.lab.query(space.machine, space.command("ip", "route", "get", *words))
            lines = (result.stdout or result.stderr).strip().splitlines()
            self._routes[key] = (
                re.sub(r"\s+(uid \d+|cache.*)", "", lines[0]).strip() if lines else "no answer"
            )
        return self._routes[key]

    def neighbour(self, space: Target, address: str, device: str) -> str:
        """``02:00:00:00:00:01 (REACHABLE)`` of a neighbour, "" where it is not known."""
        if space not in self._neighbours:
            self._neighbours[space] = self._ask(space, "ip", "neigh", "show")
        found = re.search(
            rf"^{re.escape(address)} dev {re.escape(device)} lladdr (\S+).* ([A-Z]+)\s*$", self._neighbours[space], re.M
        )
        return f"{found[1]} ({found[2]})" if found is not None else ""

    def forbidding(self, space: Target, destination: str, *more: str) -> str:
        """The unreachable, prohibit or blackhole route that decides about `destination`, else ""."""
        kind = _SPECIAL.get(self.no_route(space, destination, *more), "")
        if not kind:
            return ""
        family = ["-6"] if ":" in destination else []
        words = ["route", "show", "table", "all", "match", destination]
        lines = self._ask(space, "ip", *family, *words).splitlines()
        special = [line for line in lines if line.startswith(kind)]
        return re.sub(r"\s+((proto|metric|pref) \S+|dev lo)", "", special[-1]).strip() if special else ""

    def no_route(self, space: Target, destination: str, *more: str) -> str:
        """The error of `ip route get` ("No route to host"), "" where there is a route."""
        error = re.search(r"RTNETLINK answers: (.*)", self.route(space, [destination, *more]))
        return error[1] if error is not None else ""

    def _own(self, space: Target) -> set[str]:
        return {a.local for link in self.links[space].values() for a in link.addresses}

    def arrived(self, last: Seen) -> bool:
        """Whether the place where it was seen last is its destination."""
        destination = str(last.network.destination)
        own = self._own(last.space)
        to_all = last.pkt_type in (BROADCAST, MULTICAST)
        return not last.out and last.pkt_type != OTHERHOST and (to_all or destination in own or destination.startswith("127."))

    def loss(self, last: Seen, groups: list[list[Seen]], everything: list[list[Seen]]) -> str:
        """Why a packet was not seen again after `last`; "" where it had arrived.

        `groups` are the packets of the journey; `everything`, also what else was seen.
        """
        if last.out:
            return "NO_CARRIER"
        if self.arrived(last):
            if last.device != "lo" and str(last.network.source) in self._own(last.space):
                return "IP_LOCAL_SOURCE"
            if self._ignores_pings(last):
                return "NOT_SPECIFIED"
            return "NO_SOCKET" if self._refused(last, everything) else ""
        if last.pkt_type == OTHERHOST:
            return "NO_TX_TARGET" if self.links[last.space][last.device].master else "OTHERHOST"
        told = self._told(last, everything)
        destination, source = str(last.network.destination), str(last.network.source)
        error = self.no_route(last.space, destination, "from", source, "iif", last.device)
        if error in _SPECIAL and told in ("", "IP_INNOROUTES", "NETFILTER_DROP", "NEIGH_FAILED"):
            if self.forbidding(last.space, destination, "from", source, "iif", last.device):
                return f"ROUTE_{_SPECIAL[error].upper()}"
            # The kernel says No route to host also where it does not forward (ip_route_input_slow()).
            if self._forwards_nothing(last, destination):
                return "IP_INADDRERRORS"
            # fib_validate_source() says Invalid argument, as a rule that swallows does.
            return "IP_RPFILTER" if self._filtered(last, source) else "IP_INNOROUTES"
        if told:
            return told
        if last.network.ttl <= 1:
            return "IP_INHDR"
        if self._forwards_nothing(last, destination):
            return "IP_INADDRERRORS"
        if self._filtered(last, source):
            return "IP_RPFILTER"
        if error == "Network is unreachable":
            return "IP_INNOROUTES"
        return "NEIGH_FAILED" if self.open_question(last, groups) is not None else "NOT_SPECIFIED"

    def _forwards_nothing(self, last: Seen, address: str) -> bool:
        """IN_DEV_FORWARD() of the device it came in by; of IPv6, one switch for all."""
        key = "ipv6/conf/all/forwarding" if ":" in address else f"ipv4/conf/{last.device}/forwarding"
        return self._ask(last.space, "cat", f"/proc/sys/net/{key}") == "0"

    def _told(self, last: Seen, groups: list[list[Seen]]) -> str:
        """From the ICMP error that this machine sent about the packet."""
        for group in groups:
            first = group[0]
            if first.space != last.space or not is_about(first, last):
                continue
            errors = _ERRORS if isinstance(first.transport, IcmpHeader) else _ERRORS6
            return errors.get((first.transport.type, first.transport.code), "")
        return ""

    def _refused(self, last: Seen, groups: list[list[Seen]]) -> bool:
        """No program had the port: TCP answers with a reset, UDP with port unreachable."""
        first = (group[0] for group in groups if group[0].space == last.space and group[0].out)
        if isinstance(last.transport, UdpHeader):
            errors = ((IcmpHeader, 3, 3), (Icmpv6Header, 1, 4))
            return any(
                (type(one.transport), getattr(one.transport, "type", 0), getattr(one.transport, "code", 0)) in errors
                and is_about(one, last)
                for one in first
            )
        if not isinstance(last.transport, TcpHeader) or last.transport.flags & (SYN | ACK) != SYN:
            return False
        ends = (last.transport.destination_port, last.transport.source_port, last.transport.sequence + 1 & 0xFFFFFFFF)
        return any(
            isinstance(one.transport, TcpHeader)
            and one.transport.flags & RST != 0
            and (one.transport.source_port, one.transport.destination_port, one.transport.acknowledgement) == ends
            for one in first
        )

    def _ignores_pings(self, last: Seen) -> bool:
        echo = {IcmpHeader: ICMP_ECHO, Icmpv6Header: ICMPV6_ECHO}.get(type(last.transport))
        if echo is None or last.transport.type != echo:
            return False
        name = "ipv4/icmp_echo_ignore_all" if echo == ICMP_ECHO else "ipv6/icmp/echo_ignore_all"
        return self._ask(last.space, "cat", f"/proc/sys/net/{name}") == "1"

    def _filtered(self, last: Seen, source: str) -> bool:
        """The strict reverse path filter of the device (or of all) would refuse this source."""
        if ":" in source:
            return False
        modes = [
            self._ask(last.space, "cat", f"/proc/sys/net/ipv4/conf/{name}/rp_filter")
            for name in ("all", last.device)
        ]
        return "1" in modes and f" dev {last.device} " not in self.route(last.space, [source]) + " "

    def open_question(self, last: Seen, groups: list[list[Seen]]) -> Seen | None:
        """A question for a MAC address that this machine asked and nobody answered."""
        asked = [
            group[0]
            for group in groups
            if group[0].out
            and group[0].space == last.space
            and asked_address(group[0])
            and not answered(group[0], groups)
        ]
        source = str(last.network.source)
        hop = self.next_hop(last.space, str(last.network.destination), "from", source, "iif", last.device)
        asked.sort(key=lambda one: asked_address(one) != hop)
        return asked[0] if asked else None

    def next_hop(self, space: Target, destination: str, *more: str) -> str:
        """Whose MAC address is needed: the gateway's, or the destination's own."""
        via = re.search(r" via (?:inet6? )?(\S+)", self.route(space, [destination, *more]))
        return via[1] if via else destination
