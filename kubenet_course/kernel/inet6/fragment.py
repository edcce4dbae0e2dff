"""Putting IPv6 fragments together again (net/ipv6/reassembly.c, RFC 8200 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet.fragment import FragmentQueue
from kubenet_course.kernel.packets import decode_transport
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.ethernet import ETH_P_IPV6
from kubenet_course.wire.icmpv6 import ICMPV6_TIME_EXCEED
from kubenet_course.wire.ipv6 import NEXTHDR_FRAGMENT

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class FragmentQueues6:
    """All packets being reassembled in one namespace, by (source, destination, id, user)."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.queues: dict[tuple, FragmentQueue] = {}

    def collect(self, skb: SkBuff, user: str = "local") -> SkBuff | None:
        """Take a fragment; the whole packet when it was the last missing one, else None."""
        ip = skb.network
        fragment = ip.fragment
        assert fragment is not None
        key = (ip.source, ip.destination, fragment.identification, user)
        self.net.count("Ip6ReasmReqds")
        if skb.transport is not None:
            skb.payload = skb.network_bytes()[ip.header_length :]
            skb.transport = None
        if not fragment.offset and not fragment.more:
            return self._finish(key, skb, {0: skb}, len(skb.payload))
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = FragmentQueue()
            seconds = self.net.sysctl.get_int("net", "ipv6", "ip6frag_time")
            queue.timer = self.net.loop.call_later(seconds * SECOND, self._expire, key)
        if fragment.offset in queue.pieces:
            skb.drop("DUP_FRAG", self.net)
            return None
        queue.pieces[fragment.offset] = skb
        if not fragment.more:
            queue.total = fragment.offset + len(skb.payload)
        if not queue.complete():
            return None
        return self._finish(key, skb, queue.pieces, queue.total or 0)

    def _finish(self, key: tuple, last: SkBuff, pieces: dict[int, SkBuff], total: int) -> SkBuff:
        queue = self.queues.pop(key, None)
        if queue is not None and queue.timer is not None:
            queue.timer.cancel()
        first = pieces[0]
        body = bytearray(total)
        largest = 0
        for at, piece in pieces.items():
            body[at : at + len(piece.payload)] = piece.payload
            largest = max(largest, piece.len)
        extensions = tuple(ext for ext in first.network.extensions if ext[0] != NEXTHDR_FRAGMENT)
        size = total + sum(len(data) for _, data in extensions)
        header = first.network._replace(payload_length=size, extensions=extensions)
        transport, payload = decode_transport(header.protocol, bytes(body), 6)
        whole = SkBuff(
            self.net.loop,
            header,
            transport,
            payload,
            ethertype=ETH_P_IPV6,
            length=header.total_length,
            mark=first.mark,
        )
        for slot in (
            "eth",
            "dev",
            "in_dev",
            "pkt_type",
            "dst",
            "nfct",
            "ctinfo",
            "physin",
            "physout",
            "trace",
        ):
            setattr(whole, slot, getattr(last if slot == "dst" else first, slot))
        whole.cb = {"frag_max_size": largest}
        for piece in pieces.values():
            piece.consume(self.net)
        self.net.count("Ip6ReasmOKs")
        return whole

    def _expire(self, key: tuple[Any, ...]) -> None:
        """ip6frag_expire_frag_queue(): 60 s are up; tell the sender if the first piece is here."""
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        queue = self.queues.pop(key, None)
        if queue is None:
            return
        self.net.count("Ip6ReasmTimeout")
        self.net.count("Ip6ReasmFails")
        first = queue.pieces.get(0)
        if first is not None and key[3] == "local":
            icmpv6_send(self.net, first, ICMPV6_TIME_EXCEED, 1)
        for piece in queue.pieces.values():
            piece.drop("FRAG_REASM_TIMEOUT", self.net)
