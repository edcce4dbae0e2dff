"""What the real kernel traced (`kubenet-nftrace`), by packet: which base chains it passed, and what matched there.

A `Pass` is one base chain and the user's chains below it. Trace and capture are joined by what a packet
keeps from hook to hook, also where addresses and ports are rewritten (`packet_mark`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, NamedTuple

from kubenet_course.lab.backends.real.nftrace import TABLE
from kubenet_course.view.packet_decode import decode
from kubenet_course.view.target import Target
from kubenet_course.wire.icmp import ICMP_ECHO, ICMP_ECHOREPLY, IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader

#: Bytes of the payload of UDP and of a ping that the kernel traces (NFT_TRACETYPE_TRANSPORT_HSIZE less the header).
PAYLOAD = 12
_ECHO = {(IcmpHeader, ICMP_ECHO), (IcmpHeader, ICMP_ECHOREPLY), (Icmpv6Header, 128), (Icmpv6Header, 129)}


class Step(NamedTuple):
    """A rule that matched (`kind` is rule), or the policy at the end of a base chain; both name the chain."""

    family: str
    table: str
    chain: str
    kind: str
    handle: int
    verdict: str
    #: The chain that is jumped to.
    target: str = ""


class Pass(NamedTuple):
    """One packet's way through one base chain; none of `steps` where the chain is the tracer's own."""

    space: Target
    mark: tuple[Any, ...]
    #: When it was read (ns since 1970), and the headers as they were in this chain.
    time: int
    network: Any
    transport: Any
    payload: bytes
    #: (family, table, name) of the base chain.
    base: tuple[str, str, str]
    steps: list[Step]

    @property
    def own(self) -> bool:
        """The chain is the tracer's own: nothing to tell of, but the headers are as all others there see them."""
        return self.base[1] == TABLE

    @property
    def begins(self) -> bool:
        """It is the first hook that the packet meets."""
        return self.own and self.base[2] in ("prerouting", "output")


def ident_of(network: Any) -> int:
    """What IP itself says of a packet, and no router changes: the identification, in IPv6 the flow label."""
    if isinstance(network, Ipv6Header):
        return network.flow_label
    return int(getattr(network, "identification", 0))


def packet_mark(network: Any, transport: Any, payload: bytes) -> tuple[Any, ...]:
    """The same for one packet at every hook and every device, and hardly ever for two."""
    if not isinstance(network, (Ipv4Header, Ipv6Header)):
        return ()
    own = (type(network).__name__, network.protocol, ident_of(network))
    if isinstance(transport, TcpHeader):
        return (*own, transport.sequence, transport.acknowledgement, transport.flags)
    if isinstance(transport, (IcmpHeader, Icmpv6Header)):
        kind = (transport.type, transport.code)
        if (type(transport), transport.type) in _ECHO:  # NAT may give it another id
            return (*own, *kind, transport.rest & 0xFFFF, bytes(payload[:PAYLOAD]))
        return (*own, *kind)
    return (*own, bytes(payload[:PAYLOAD]))


def parse_trace(space: Target, text: str) -> list[Pass]:
    """What `kubenet-nftrace` printed; a line cut short is the end of it."""
    found: list[Pass] = []
    current: dict[int, Pass] = {}
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            break
        chain = told["family"], told["table"], told["chain"]
        if told["network"]:  # said with the first step in each base chain
            packet = _packet(told)
            own = Pass(space, packet_mark(*packet), told["time"], *packet, chain, [])
            current[told["id"]] = own
            found.append(own)
        where = current.get(told["id"])
        ends_here = told["type"] == "rule" and not told["handle"]  # the end of a chain is no rule
        if where is not None and not where.own and not ends_here:
            step = Step(*chain, told["type"], told["handle"], told["verdict"], told["target"])
            where.steps.append(step)
    return found


def _packet(told: dict[str, Any]) -> tuple[Any, Any, bytes]:
    network, transport = bytes.fromhex(told["network"]), bytes.fromhex(told["transport"])
    version = network[0] >> 4
    if (network[9:10] if version == 4 else network[6:7]) == b"\6":
        transport += bytes(40)  # room for the options, which are not traced
    return decode({4: 0x0800, 6: 0x86DD}.get(version, 0), network + transport)


class Passes:
    """Passes by the packet that they are of, for each to have its share."""

    def __init__(self, passes: list[Pass]):
        self._by_packet: dict[tuple[Target, tuple[Any, ...]], list[list[Pass]]] = defaultdict(list)
        for one in passes:
            rounds = self._by_packet[one.space, one.mark]
            if one.begins or not rounds:
                rounds.append([])
            rounds[-1].append(one)

    def shares(self, space: Target, mark: tuple[Any, ...], packets: int) -> list[list[Pass]]:
        """One list for each of the packets with this mark in this namespace, in the order of time.

        A packet has several rounds where it comes back (a loop, loopback, a bridge and the router behind it).
        """
        rounds = self._by_packet.get((space, mark), [])
        cuts = [len(rounds) * number // packets for number in range(packets + 1)]
        return [[one for each in rounds[a:b] for one in each] for a, b in zip(cuts, cuts[1:])]

    def of_others(self, seen: set[tuple[Target, tuple[Any, ...]]]) -> list[list[Pass]]:
        """The rounds of packets that no capture saw there: (namespace, mark) is not in `seen`."""
        return [each for key, rounds in self._by_packet.items() if key not in seen and key[1] for each in rounds]


__all__ = ["Pass", "Passes", "Step", "ident_of", "packet_mark", "parse_trace"]
