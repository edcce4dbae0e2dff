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
from kubenet_course.view.same_packet import answered, error_about
from kubenet_course.view.target import Target
from kubenet_course.wire.arp import ARP_REQUEST, ArpHeader
from kubenet_course.wire.icmp import ICMP_ECHO, IcmpHeader

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
    "NOT_SPECIFIED": "dropped without a stated reason",
}
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


class Facts:
    """What machines say when they are asked; each question is asked once."""

    def __init__(self, lab: Any, links: dict[Target, dict[str, Link]]):
        self.lab = lab
        self.links = links
        self._routes: dict[tuple[str, ...], str] = {}

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

    def forbidding(self, space: Target, destination: str) -> str:
        """The unreachable, prohibit or blackhole route that `destination` matches best, else ""."""
        if not re.fullmatch(r"[0-9.]+", destination):
            return ""
        lines = self._ask(space, "ip", "route", "show", "table", "all", "match", destination).splitlines()
        special = [line for line in lines if line.startswith(("unreachable", "prohibit", "blackhole"))]
        return re.sub(r"\s+metric \d+.*", "", special[-1]).strip() if special else ""

    def arrived(self, last: Seen) -> bool:
        """Whether the place where it was seen last is its destination."""
        destination = str(last.network.destination)
        own = {a.local for link in self.links[last.space].values() for a in link.addresses}
        return not last.out and (destination in own or destination.startswith("127."))

    def loss(self, group: list[Seen], groups: list[list[Seen]]) -> str:
        """Why a packet was not seen again; "" where it had arrived."""
        last = group[-1]
        if last.out:
            return "NO_CARRIER"
        if self.arrived(last):
            return "NOT_SPECIFIED" if self._ignores_pings(last) else ""
        if last.pkt_type == 3:
            return "OTHERHOST"
        told = self._told(last, groups)
        if told:
            return told
        if last.network.ttl <= 1:
            return "IP_INHDR"
        destination, source = str(last.network.destination), str(last.network.source)
        if ":" not in destination and self._ask(last.space, "cat", "/proc/sys/net/ipv4/ip_forward") == "0":
            return "IP_INADDRERRORS"
        if self._filtered(last, source):
            return "IP_RPFILTER"
        answer = self.route(last.space, [destination, "from", source, "iif", last.device])
        if "unreachable" in answer or "RTNETLINK" in answer:
            return "IP_INNOROUTES"
        return "NEIGH_FAILED" if self.open_question(last, groups) is not None else "NOT_SPECIFIED"

    def _told(self, last: Seen, groups: list[list[Seen]]) -> str:
        """From the ICMP error that this machine sent about the packet."""
        for group in groups:
            first = group[0]
            inner = error_about(first)
            if inner is None or first.space != last.space:
                continue
            if inner.identification == last.network.identification:
                return _ERRORS.get((first.transport.type, first.transport.code), "")
        return ""

    def _ignores_pings(self, last: Seen) -> bool:
        if not isinstance(last.transport, IcmpHeader) or last.transport.type != ICMP_ECHO:
            return False
        return self._ask(last.space, "cat", "/proc/sys/net/ipv4/icmp_echo_ignore_all") == "1"

    def _filtered(self, last: Seen, source: str) -> bool:
        """The strict reverse path filter of the device (or of all) would refuse this source."""
        modes = [
            self._ask(last.space, "cat", f"/proc/sys/net/ipv4/conf/{name}/rp_filter")
            for name in ("all", last.device)
        ]
        return "1" in modes and f" dev {last.device} " not in self.route(last.space, [source]) + " "

    def open_question(self, last: Seen, groups: list[list[Seen]]) -> Seen | None:
        """A question for a MAC address that this machine asked and nobody answered."""
        for group in groups:
            first = group[0]
            if isinstance(first.network, ArpHeader) and first.network.operation == ARP_REQUEST and first.out:
                if first.space == last.space and not answered(first, groups):
                    return first
        return None
