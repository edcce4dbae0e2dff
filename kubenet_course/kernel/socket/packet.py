"""Packet sockets (net/packet/af_packet.c): tcpdump, arping, DHCP."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.skbuff import PACKET_OUTGOING, SkBuff
from kubenet_course.kernel.socket.base import Datagram, Socket
from kubenet_course.wire.addresses import ANY4
from kubenet_course.wire.ethernet import EthernetHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

ETH_P_ALL = 3


class Captured(NamedTuple):
    """One frame as a packet socket saw it; headers are immutable, so this is a snapshot."""

    time: int
    dev: NetDevice
    pkt_type: int
    eth: Any
    ethertype: int
    network: Any
    transport: Any
    payload: Any
    vlan_tci: int | None
    length: int

    def frame_bytes(self) -> bytes:
        skb = SkBuff.__new__(SkBuff)
        skb.eth, skb.network, skb.transport = self.eth, self.network, self.transport
        skb.payload, skb.vlan_tci = self.payload, self.vlan_tci
        return skb.frame_bytes()


class PacketSocket(Socket):
    """Sees every frame of one device, or of all; `filter(Captured) -> bool` is its BPF program."""

    type_name = "packet"

    def __init__(self, net: NetNamespace, protocol: int = ETH_P_ALL):
        super().__init__(net, 0, protocol)
        self.filter: Callable[[Captured], bool] | None = None
        self.frames: deque[Captured] = deque()
        self.seen = 0
        self.received = 0
        self.bound: NetDevice | None = None
        net.sockets.packet.append(self)
        net.taps.append(self)

    def bind(self, device: str) -> None:
        """Listen on one device only; KernelError(ENODEV)."""
        dev = self.net.device(device)
        self._untap()
        self.bound = dev
        dev.taps.append(self)

    def packet(self, dev: NetDevice, skb: SkBuff, pkt_type: int) -> None:
        """Called for each frame in or out of a tapped device."""
        if self.protocol not in (ETH_P_ALL, skb.ethertype):
            return
        if self.protocol != ETH_P_ALL and pkt_type == PACKET_OUTGOING:
            return
        eth = skb.eth
        frame = Captured(
            self.net.loop.now, dev, pkt_type, eth, skb.ethertype, skb.network, skb.transport, skb.payload, skb.vlan_tci, skb.frame_length()
        )
        if self.filter is not None and not self.filter(frame):
            return
        self.received += 1
        self.frames.append(frame)
        self.ready.notify()

    async def next_frame(self, timeout: int | None = None) -> Captured:
        """The next frame; KernelError(EAGAIN) after `timeout` ns."""
        deadline = None if timeout is None else self.net.loop.now + timeout
        while not self.frames:
            if self.closed:
                raise KernelError(errno.ENETDOWN)
            left = None if deadline is None else deadline - self.net.loop.now
            if left is not None and left <= 0:
                raise KernelError(errno.EAGAIN)
            await self.wait_ready(left)
        return self.frames.popleft()

    def send(self, eth: EthernetHeader, network: Any, transport: Any = None, payload: Any = b"") -> None:
        """Put a frame on the bound device's wire; KernelError(ENXIO, ENETDOWN)."""
        if self.bound is None:
            raise KernelError(errno.ENXIO)
        if not self.bound.up:
            raise KernelError(errno.ENETDOWN)
        skb = SkBuff(self.net.loop, network, transport, payload, ethertype=eth.ethertype, eth=eth, sk=self)
        self.bound.queue_xmit(skb)

    async def recv(self, timeout: int | None = None) -> Datagram:
        frame = await self.next_frame(timeout)
        return Datagram(frame.frame_bytes(), ANY4, 0, frame.network, frame.transport, frame.dev, frame.time)

    def _untap(self) -> None:
        for taps in (self.net.taps, self.bound.taps if self.bound is not None else []):
            if self in taps:
                taps.remove(self)

    def unhash(self) -> None:
        self._untap()
        if self in self.net.sockets.packet:
            self.net.sockets.packet.remove(self)
