"""A packet on its way: immutable headers in a mutable shell.

Layers of one `SkBuff`:

    eth        EthernetHeader | None      replaced, never changed, when a device sends it
    network    Ipv4Header | Ipv6Header | ArpHeader | None
    transport  UdpHeader | TcpHeader | IcmpHeader | Icmpv6Header | None (fragment, other protocol)
    payload    bytes, or an SkBuff where one frame carries another (vxlan, ipip)

`len` is the length in bytes of the network layer with all it carries (what `ip -s link` counts,
less the 14 bytes of Ethernet). Every packet ends exactly once, in `drop(reason)` or `consume()`;
a ledger (tests) proves it. Drop reasons are the kernel's own (include/net/dropreason-core.h),
without their SKB_DROP_REASON_ prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ethernet import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, EthernetHeader
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.sim.loop import Loop

# pkt_type, include/uapi/linux/if_packet.h
PACKET_HOST = 0
PACKET_BROADCAST = 1
PACKET_MULTICAST = 2
PACKET_OTHERHOST = 3
PACKET_OUTGOING = 4

#: What each drop reason means, in words a learner can use.
DROP_REASONS = {
    "NOT_SPECIFIED": "dropped without a stated reason",
    "NO_SOCKET": "no program listens on that port",
    "PKT_TOO_SMALL": "the packet is shorter than its header says",
    "TCP_CSUM": "the TCP checksum is wrong",
    "SOCKET_FILTER": "a socket filter refused it",
    "UDP_CSUM": "the UDP checksum is wrong",
    "NETFILTER_DROP": "a firewall rule (or a chain's policy) dropped it",
    "OTHERHOST": "the frame's destination MAC is another host's",
    "IP_CSUM": "the IP header checksum is wrong",
    "IP_INHDR": "a fault in the IP header, or the TTL reached zero",
    "IP_RPFILTER": "the reverse path filter: the way back does not use this interface",
    "UNICAST_IN_L2_MULTICAST": "a unicast packet came in a broadcast frame",
    "XFRM_POLICY": "an IPsec policy refused it",
    "IP_NOPROTO": "nobody handles that IP protocol here",
    "PROTO_MEM": "out of protocol memory",
    "SOCKET_RCVBUFF": "the receiving socket's buffer is full",
    "SOCKET_BACKLOG": "the listening socket's queue is full",
    "TCP_FLAGS": "the TCP flags make no sense here",
    "TCP_OLD_DATA": "data that had been received already",
    "TCP_OVERWINDOW": "outside of the TCP window",
    "TCP_RFC7323_PAWS": "an old TCP timestamp",
    "TCP_RESET": "the connection was reset",
    "TCP_INVALID_SEQUENCE": "the sequence number is outside of the window",
    "TCP_INVALID_SYN": "a SYN in an open connection",
    "TCP_CLOSE": "the connection is closed",
    "IP_OUTNOROUTES": "no route to the destination when sending",
    "NEIGH_CREATEFAIL": "no neighbour entry could be made",
    "NEIGH_FAILED": "the neighbour did not answer (ARP or neighbour discovery failed)",
    "NEIGH_QUEUEFULL": "too many packets wait for the same neighbour",
    "NEIGH_DEAD": "the neighbour entry is gone",
    "QDISC_DROP": "the queueing discipline dropped it",
    "CPU_BACKLOG": "the input queue is full",
    "TC_INGRESS": "a tc filter dropped it",
    "UNHANDLED_PROTO": "no handler for that EtherType",
    "SKB_CSUM": "a checksum is wrong",
    "DEV_HDR": "the device could not build its header",
    "DEV_READY": "the device is down",
    "FULL_RING": "the device's ring is full",
    "NOMEM": "out of memory",
    "HDR_TRUNC": "the header is cut short",
    "INVALID_PROTO": "the protocol version is wrong",
    "IP_INADDRERRORS": "not for this host, and forwarding is off",
    "IP_INNOROUTES": "no route to the destination when forwarding",
    "IP_LOCAL_SOURCE": "the source address is one of this host's own",
    "IP_INVALID_SOURCE": "the source address is not valid",
    "IP_LOCALNET": "an address of 127.0.0.0/8 on the wire",
    "IP_INVALID_DEST": "the destination address is not valid",
    "PKT_TOO_BIG": "larger than the MTU, and it must not be fragmented",
    "DUP_FRAG": "a fragment that had arrived already",
    "FRAG_REASM_TIMEOUT": "not all fragments arrived in time",
    "FRAG_TOO_FAR": "a fragment out of range",
    "TCP_MINTTL": "the TTL is below the socket's minimum",
    "IPV6_BAD_EXTHDR": "a bad IPv6 extension header",
    "IPV6_NDISC_BAD_OPTIONS": "bad neighbour discovery options",
    "IPV6DISABLED": "IPv6 is disabled on this interface",
    "ARP_PVLAN_DISABLE": "ARP between private VLAN ports is off",
    "MAC_INVALID_SOURCE": "the source MAC address is not valid",
    "BRIDGE_INGRESS_STP_STATE": "the bridge port is not forwarding",
    "NO_TX_TARGET": "the bridge has no port to send it to",
    "VLAN_FILTER": "the VLAN is not allowed on this bridge port",
    "VXLAN_VNI_NOT_FOUND": "no vxlan device has that VNI",
    "VXLAN_NO_REMOTE": "the vxlan device knows no remote for that MAC",
    "VXLAN_ENTRY_EXISTS": "the vxlan entry says otherwise",
    "TUNNEL_TXINFO": "the tunnel does not know where to send it",
    "LOCAL_MAC": "the source MAC is one of the bridge's own",
    "ROUTE_BLACKHOLE": "a blackhole route",
    "ROUTE_UNREACHABLE": "an unreachable route",
    "ROUTE_PROHIBIT": "a prohibit route",
    "NO_CARRIER": "the cable's other end is down or missing",
    "LINK_LOSS": "lost on the link",
    "RECURSION_LIMIT": "it went round in circles inside the host",
}


class SkBuff:
    """One packet; see the module docstring for what each slot holds."""

    __slots__ = (
        "eth", "network", "transport", "payload", "ethertype", "len",
        "dev", "in_dev", "physin", "physout", "pkt_type", "dst", "mark", "nfct", "ctinfo", "nf_flags",
        "vlan_tci", "priority", "sk", "cb", "trace", "ledger", "ident", "tstamp",
    )  # fmt: skip

    eth: EthernetHeader | None
    network: Any
    transport: Any
    payload: Any
    dev: NetDevice | None

    def __init__(
        self,
        loop: Loop,
        network: Any = None,
        transport: Any = None,
        payload: Any = b"",
        *,
        ethertype: int = ETH_P_IP,
        length: int | None = None,
        eth: EthernetHeader | None = None,
        sk: Any = None,
        mark: int = 0,
    ):
        self.eth = eth
        self.network = network
        self.transport = transport
        self.payload = payload
        self.ethertype = ethertype
        self.len = length if length is not None else self.measure()
        self.dev: NetDevice | None = None
        self.in_dev: NetDevice | None = None
        self.physin: NetDevice | None = None
        self.physout: NetDevice | None = None
        self.pkt_type = PACKET_HOST
        self.dst: Any = None
        self.mark = mark
        self.nfct: Any = None
        self.ctinfo = 0
        self.nf_flags = 0
        self.vlan_tci: int | None = None
        self.priority = 0
        self.sk = sk
        self.cb: dict[str, Any] | None = None
        self.tstamp = loop.now
        self.trace = loop.tracer
        self.ident = 0
        self.ledger = loop.skb_ledger
        if self.ledger is not None:
            self.ledger.add(self)
        if self.trace is not None:
            self.trace.born(self)

    # -- the two exits ----------------------------------------------------------------------
    def drop(self, reason: str, where: Any = None) -> None:
        """The packet dies here: kfree_skb_reason(). `where` is a device or a namespace."""
        if self.trace is not None:
            self.trace.died(self, reason, where)
        if self.ledger is not None:
            self.ledger.ended(self, reason)

    def consume(self, where: Any = None) -> None:
        """The packet arrived where it should, or became another: consume_skb()."""
        if self.trace is not None:
            self.trace.arrived(self, where)
        if self.ledger is not None:
            self.ledger.ended(self, None)

    # -- copies -----------------------------------------------------------------------------
    def clone(self, loop: Loop) -> SkBuff:
        """A second packet with the same headers (skb_clone); both must end."""
        twin = _twin_of(self)
        if self.cb is not None:
            twin.cb = dict(self.cb)
        if self.ledger is not None:
            self.ledger.add(twin)
        if self.trace is not None:
            self.trace.cloned(self, twin)
        return twin

    # -- bytes ------------------------------------------------------------------------------
    def measure(self) -> int:
        """The length the headers and payload really have, in bytes, from the network layer on."""
        payload = self.payload
        size = payload.frame_length() if isinstance(payload, SkBuff) else len(payload)
        if self.transport is not None:
            size += self.transport.header_length
        if isinstance(self.network, (Ipv4Header, Ipv6Header)):
            size += self.network.header_length
        elif isinstance(self.network, ArpHeader):
            size += 28
        return size

    def frame_length(self) -> int:
        return self.len + (14 if self.eth is not None else 0) + (4 if self.vlan_tci is not None else 0)

    def network_bytes(self) -> bytes:
        """The packet from its network header on, as on the wire."""
        payload = self.payload
        body = payload.frame_bytes() if isinstance(payload, SkBuff) else bytes(payload)
        network = self.network
        if self.transport is not None:
            body = self.transport.encode(body, network.source.encode(), network.destination.encode())
        if network is None:
            return body
        return network.encode() + body

    def frame_bytes(self) -> bytes:
        """The whole frame; without an Ethernet header just the network layer (tunnels)."""
        body = self.network_bytes()
        if self.eth is None:
            return body
        head = self.eth.encode()
        if self.vlan_tci is not None:
            tag = b"\x88\xa8" if self.vlan_tci >> 16 else b"\x81\x00"
            head = head[:12] + tag + (self.vlan_tci & 0xFFFF).to_bytes(2, "big") + head[12:]
        return head + body

    def __repr__(self) -> str:
        parts = [self.network, self.transport]
        return f"<SkBuff {' / '.join(str(part) for part in parts if part is not None)} len {self.len}>"


def _slot_copier() -> Callable[[SkBuff], SkBuff]:
    """One assignment for each slot, written out from `__slots__`: a loop over them takes five times as long."""
    lines = ["twin = new(SkBuff)", *(f"twin.{slot} = skb.{slot}" for slot in SkBuff.__slots__), "return twin"]
    scope: dict[str, Any] = {"new": SkBuff.__new__, "SkBuff": SkBuff}
    exec("def twin_of(skb):\n    " + "\n    ".join(lines), scope)
    return scope["twin_of"]


_twin_of = _slot_copier()


class Ledger:
    """Proves that every packet ended: hand it to `loop.skb_ledger`, then ask `lost()`."""

    def __init__(self) -> None:
        self.live: dict[int, SkBuff] = {}
        self.twice: list[SkBuff] = []
        self.reasons: dict[str, int] = {}

    def add(self, skb: SkBuff) -> None:
        self.live[id(skb)] = skb

    def ended(self, skb: SkBuff, reason: str | None) -> None:
        if self.live.pop(id(skb), None) is None:
            self.twice.append(skb)
        if reason is not None:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def lost(self) -> list[SkBuff]:
        """Packets that neither arrived nor were dropped."""
        return list(self.live.values())


ETHERTYPE_OF = {Ipv4Header: ETH_P_IP, Ipv6Header: ETH_P_IPV6, ArpHeader: ETH_P_ARP}
