"""What the kernel counts about IP (include/net/snmp.h, net/ipv4/proc.c, net/ipv6/proc.c; RFC 4293).

Each packet touches an `IpMib`, so its counters are attributes; everything rarer is in the namespace's
`counters`, by the name that `nstat` prints (``TcpActiveOpens``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kubenet_course.errno import ENETUNREACH
from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

#: By the two lowest bits of the traffic class (RFC 3168).
ECN_NAMES = ("InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts")
#: Names of ICMP types in /proc/net/snmp (icmpmibmap).
ICMP_TYPES = {
    3: "DestUnreachs", 11: "TimeExcds", 12: "ParmProbs", 4: "SrcQuenchs", 5: "Redirects", 8: "Echos", 0: "EchoReps",
    13: "Timestamps", 14: "TimestampReps", 17: "AddrMasks", 18: "AddrMaskReps",
}  # fmt: skip
#: Names of ICMPv6 types in /proc/net/snmp6 (icmp6type2name).
ICMP6_TYPES = {
    1: "DestUnreachs", 2: "PktTooBigs", 3: "TimeExcds", 4: "ParmProblems", 128: "Echos", 129: "EchoReplies",
    130: "GroupMembQueries", 131: "GroupMembResponses", 132: "GroupMembReductions", 133: "RouterSolicits",
    134: "RouterAdvertisements", 135: "NeighborSolicits", 136: "NeighborAdvertisements", 137: "Redirects",
    143: "MLDv2Reports",
}  # fmt: skip


class IpMib:
    """Packets and octets of one IP version in one namespace."""

    __slots__ = ("in_receives", "in_octets", "in_ecn", "in_delivers", "forwarded", "out_requests", "out_transmits", "out_octets")

    def __init__(self) -> None:
        self.in_receives = self.in_octets = self.in_delivers = 0
        #: Of those received, by the congestion bits; the first, the usual one, is the rest.
        self.in_ecn = [0, 0, 0, 0]
        self.forwarded = self.out_requests = self.out_transmits = self.out_octets = 0

    def named(self, version: int) -> dict[str, int]:
        """By the names of /proc; where IPv4's octets and ECN stand in the group IpExt."""
        base, more, forwarded = ("Ip", "IpExt", "ForwDatagrams") if version == 4 else ("Ip6", "Ip6", "OutForwDatagrams")
        counters = {
            f"{base}InReceives": self.in_receives,
            f"{base}InDelivers": self.in_delivers,
            f"{base}{forwarded}": self.forwarded,
            f"{base}OutRequests": self.out_requests,
            f"{base}OutTransmits": self.out_transmits,
            f"{more}InOctets": self.in_octets,
            f"{more}OutOctets": self.out_octets,
        }
        marked = self.in_ecn[1:]
        for name, count in zip(ECN_NAMES, (self.in_receives - sum(marked), *marked)):
            counters[more + name] = count
        return counters


def count_group(net: NetNamespace, skb: SkBuff, direction: str, kind: str, version: int) -> None:
    """Mcast and Bcast packets and octets: `direction` is In or Out, `kind` a route's ``multicast`` or ``broadcast``."""
    prefix = ("IpExt" if version == 4 else "Ip6") + direction + ("Mcast" if kind == "multicast" else "Bcast")
    net.count(prefix + "Pkts")
    net.count(prefix + "Octets", skb.len)


def count_icmp(net: NetNamespace, direction: str, kind: int) -> None:
    """One ICMP message of this type (icmp_out_count(), ICMPMSGIN_INC_STATS())."""
    counted = net.counters
    for name in _icmp_names(direction, kind):
        counted[name] = counted.get(name, 0) + 1


@lru_cache(64)
def _icmp_names(direction: str, kind: int) -> list[str]:
    names = [f"Icmp{direction}Msgs", f"IcmpMsg{direction}Type{kind}"]
    return [*names, f"Icmp{direction}{ICMP_TYPES[kind]}"] if kind in ICMP_TYPES else names


def count_icmp6(net: NetNamespace, direction: str, kind: int) -> None:
    """One ICMPv6 message of this type (ICMP6MSGOUT_INC_STATS())."""
    net.count(f"Icmp6{direction}Msgs")
    net.count(f"Icmp6{direction}Type{kind}")
    if kind in ICMP6_TYPES:
        net.count(f"Icmp6{direction}{ICMP6_TYPES[kind]}")


def count_udp(net: NetNamespace, name: str, version: int) -> None:
    """One datagram: UDP counts each IP version for itself."""
    net.count(f"Udp{name}" if version == 4 else f"Udp6{name}")


def count_no_route(net: NetNamespace, error: KernelError, version: int) -> None:
    """A look-up for a socket failed: counted where there is no route (not where one forbids it)."""
    if error.errno == ENETUNREACH:
        net.count("IpOutNoRoutes" if version == 4 else "Ip6OutNoRoutes")


def count_unsent(net: NetNamespace, sent: bool, version: int) -> bool:
    """ip_send_skb(): what a rule of LOCAL_OUT stopped; `sent` goes through."""
    if not sent:
        net.count("IpOutDiscards" if version == 4 else "Ip6OutDiscards")
    return sent


def counters(net: NetNamespace) -> dict[str, int]:
    """Everything that has been counted in a namespace, by name."""
    return {**net.counters, **net.mib4.named(4), **net.mib6.named(6)}


__all__ = ["IpMib", "count_group", "count_icmp", "count_icmp6", "count_no_route", "count_udp", "count_unsent", "counters"]
