"""Where a packet goes, as it is kept on the packet: what both families' answers have in common (net/core/dst.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from kubenet_course.kernel.neighbour import FAILED
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet import fib
    from kubenet_course.kernel.neighbour import Neighbour
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

Address = TypeVar("Address", bound=IpAddress)


class DstEntry(Generic[Address]):
    """One routing decision (struct dst_entry).

    `type` is the route's type; `dev` the way out; `gateway` the next hop's address, None where the
    destination is on the link; `source` the address this host would use; `route` and `rule` are
    the lines of `ip route` and `ip rule` that decided; `error` what to send back where there is no way.
    """

    __slots__ = (
        "net", "type", "dev", "gateway", "source", "destination", "route", "rule", "error", "iif",
        "redirect", "neigh", "pmtu", "forward",
    )  # fmt: skip

    def __init__(self, net: NetNamespace, kind: str, dev: NetDevice | None, destination: Address):
        self.net = net
        self.type = kind
        self.dev = dev
        self.destination = destination
        self.gateway: IpAddress | None = None
        self.route: fib.FibRoute | None = None
        self.rule: fib.FibRule | None = None
        self.error = 0
        self.iif: NetDevice | None = None
        self.redirect = False
        self.neigh: Neighbour | None = None
        self.pmtu = 0
        self.forward = False

    @property
    def mtu(self) -> int:
        """dst_mtu(): a learned path MTU, the route's, or the device's."""
        if self.pmtu:
            return self.pmtu
        if self.route is not None and "mtu" in self.route.metrics:
            return self.route.metrics["mtu"]
        assert self.dev is not None
        return self.dev.mtu

    @property
    def nexthop(self) -> IpAddress:
        """The address to ask neighbours for."""
        return self.gateway if self.gateway is not None else self.destination

    def neighbour(self) -> Neighbour:
        """dst_neigh_lookup(): the next hop's entry, kept while it is in its table and has not failed."""
        neigh = self.neigh
        if (
            neigh is None
            or neigh.state == FAILED
            or neigh.table.entries.get((neigh.ip, neigh.dev)) is not neigh
        ):
            neigh = self.neigh = self._neigh_lookup()
        return neigh

    def _neigh_lookup(self) -> Neighbour:
        raise NotImplementedError

    def link_failure(self, skb: SkBuff) -> None:
        """dst_link_failure(): the next hop did not answer; tell the sender."""
        raise NotImplementedError


def select_hop(hops: list[fib.NextHop], point: int) -> fib.NextHop:
    """The hop that `point`, below the sum of all weights, falls on (RFC 2992: hash-threshold)."""
    for hop in hops:
        point -= hop.weight
        if point < 0:
            return hop
    return hops[-1]
