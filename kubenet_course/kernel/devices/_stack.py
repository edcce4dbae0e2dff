"""What devices on top of others share: copying the lower one's carrier, and packets in packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.sim.loop import Loop

#: A packet that was put into another this often within one host has gone round in circles
#: (dev_xmit_recursion(), IP_TUNNEL_RECURSION_LIMIT).
NESTING_LIMIT = 8


class Encapsulated:
    """The payload of a tunnel's packet: `header` and the packet `inner`, made bytes only where bytes matter.

    `inner` has ended (it became the outer packet); whoever takes it out makes a clone.
    """

    __slots__ = ("header", "inner", "nesting", "_length")

    def __init__(self, header: Any, inner: SkBuff):
        self.header = header
        self.inner = inner
        self._length = (header.header_length if header is not None else 0) + inner.frame_length()
        inside = inner.payload
        self.nesting: int = inside.nesting + 1 if isinstance(inside, Encapsulated) else 1

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        body = self.inner.frame_bytes()
        if self.header is None:
            return body
        try:
            return bytes(self.header.encode(body)) + body
        except TypeError:
            return bytes(self.header.encode()) + body

    def __getitem__(self, item: Any) -> Any:
        return bytes(self)[item]

    def take_out(self, loop: Loop, dev: NetDevice) -> SkBuff:
        """The inner packet as it comes in at `dev`: skb_scrub_packet()."""
        return scrub(self.inner.clone(loop), dev)


def scrub(skb: SkBuff, dev: NetDevice) -> SkBuff:
    """skb_scrub_packet(): forget route, conntrack entry, socket and where it came from."""
    skb.dst = None
    skb.nfct = None
    skb.ctinfo = 0
    skb.nf_flags = 0
    skb.sk = None
    skb.physin = skb.physout = None
    skb.cb = None
    skb.in_dev = None
    skb.dev = dev
    return skb


def too_deep(skb: SkBuff) -> bool:
    """Whether `skb` is nested so often that it must be going round in circles."""
    return isinstance(skb.payload, Encapsulated) and skb.payload.nesting >= NESTING_LIMIT


def transfer_operstate(lower: NetDevice, upper: NetDevice) -> None:
    """netif_stacked_transfer_operstate(): the upper device has carrier when the lower has."""
    upper.set_carrier(lower.carrier)


def refuse_open(dev: NetDevice, code: int) -> NoReturn:
    """ndo_open() failed: the device stays down."""
    dev.up = False
    raise KernelError(code)


def cross_namespace(skb: SkBuff, came: NetDevice, to: NetDevice) -> None:
    """What a packet loses where a stacked device and its lower one are in different namespaces."""
    skb.dst = None
    skb.nfct = None
    if came.net is not to.net:
        skb.mark = 0
        skb.sk = None


def need_link(link: NetDevice | None, message: str = "") -> NetDevice:
    """The device after ``link``; KernelError(EINVAL) where none was said."""
    if link is None:
        raise KernelError(errno.EINVAL, message)
    return link


def check_pmtu(net: NetNamespace, skb: SkBuff, mtu: int) -> None:
    """skb_tunnel_check_pmtu(): what does not fit into the tunnel teaches its own route the tunnel's MTU."""
    if skb.len <= mtu or skb.dst is None:
        return
    if skb.ethertype == ETH_P_IP:
        from kubenet_course.kernel.inet.route import update_pmtu

        update_pmtu(net, skb.network.destination, mtu)
    elif skb.ethertype == ETH_P_IPV6:
        from kubenet_course.kernel.inet6.route import update_pmtu as update_pmtu6

        update_pmtu6(net, skb.network.destination, mtu)
