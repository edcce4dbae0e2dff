"""Putting fragments together again (net/ipv4/ip_fragment.c, net/ipv6/reassembly.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.sim.loop import SECOND, Timer

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class FragmentQueue:
    """The pieces of one packet, by offset in bytes."""

    def __init__(self) -> None:
        self.pieces: dict[int, SkBuff] = {}
        self.total: int | None = None
        self.timer: Timer | None = None

    def complete(self) -> bool:
        if self.total is None:
            return False
        at = 0
        for offset in sorted(self.pieces):
            if offset > at:
                return False
            at = max(at, offset + len(self.pieces[offset].payload))
        return at >= self.total


class FragmentQueues:
    """All packets being reassembled in one namespace, by (source, destination, protocol, id, user)."""

    def __init__(self, net: NetNamespace, family: int):
        self.net = net
        self.family = family
        self.queues: dict[tuple, FragmentQueue] = {}

    def collect(self, skb: SkBuff, user: str = "local") -> SkBuff | None:
        """Take a fragment; the whole packet when it was the last missing one, else None."""
        from kubenet_course.kernel.packets import decode_transport
        from kubenet_course.kernel.skbuff import SkBuff
        from kubenet_course.wire.ipv4 import IP_DF, IP_MF

        ip = skb.network
        key = (ip.source, ip.destination, ip.protocol, ip.identification, user)
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = FragmentQueue()
            seconds = self.net.sysctl.get_int("net", "ipv4", "ipfrag_time")
            queue.timer = self.net.loop.call_later(seconds * SECOND, self._expire, key)
        self.net.count("IpReasmReqds")
        offset = ip.fragment_offset
        if offset in queue.pieces:
            skb.drop("DUP_FRAG", self.net)
            return None
        if skb.transport is not None:
            skb.payload = skb.network_bytes()[ip.header_length :]
            skb.transport = None
        queue.pieces[offset] = skb
        if not ip.flags_offset & IP_MF:
            queue.total = offset + len(skb.payload)
        if not queue.complete():
            return None
        del self.queues[key]
        if queue.timer is not None:
            queue.timer.cancel()
        first = queue.pieces[0]
        body = bytearray(queue.total or 0)
        largest = 0
        for at, piece in queue.pieces.items():
            body[at : at + len(piece.payload)] = piece.payload
            largest = max(largest, piece.len)
        header = first.network._replace(
            total_length=first.network.header_length + len(body), flags_offset=first.network.flags_offset & IP_DF
        )
        transport, payload = decode_transport(header.protocol, bytes(body), 4)
        whole = SkBuff(self.net.loop, header, transport, payload, length=header.total_length, mark=first.mark)
        for slot in ("eth", "dev", "in_dev", "pkt_type", "dst", "nfct", "ctinfo", "physin", "physout", "trace", "ethertype"):
            setattr(whole, slot, getattr(skb if slot == "dst" else first, slot))
        whole.cb = {"frag_max_size": largest}
        if whole.trace is not None:
            whole.trace.merged(list(queue.pieces.values()), whole)
        for piece in queue.pieces.values():
            piece.consume(self.net)
        self.net.count("IpReasmOKs")
        return whole

    def _expire(self, key: tuple[Any, ...]) -> None:
        """ip_expire(): 30 s are up; ICMP time exceeded (reassembly) if the first piece is here."""
        queue = self.queues.pop(key, None)
        if queue is None:
            return
        from kubenet_course.kernel.inet.icmp import icmp_send
        from kubenet_course.wire.icmp import ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED

        self.net.count("IpReasmTimeout")
        self.net.count("IpReasmFails")
        first = queue.pieces.get(0)
        if first is not None and key[4] == "local":
            icmp_send(self.net, first, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME)
        for piece in queue.pieces.values():
            piece.drop("FRAG_REASM_TIMEOUT", self.net)
