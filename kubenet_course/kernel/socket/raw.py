"""Raw IP sockets (net/ipv4/raw.c, net/ipv6/raw.c): ping, traceroute -I, and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import Vrf, bound_fits
from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out
from kubenet_course.kernel.inet.route import ip_route_output
from kubenet_course.kernel.mib import count_icmp, count_no_route, count_unsent
from kubenet_course.kernel.socket.base import Datagram, Socket
from kubenet_course.wire.addresses import IpAddress
from kubenet_course.wire.ipv4 import IPPROTO_ICMP

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class RawSocket(Socket):
    """Gets a copy of every packet of `protocol`; sends a transport header of the caller's."""

    type_name = "raw"

    def __init__(self, net: NetNamespace, family: int, protocol: int):
        super().__init__(net, family, protocol)
        self.accept: Any = None
        net.sockets.raw.append(self)

    def bind(self, address: IpAddress) -> None:
        """KernelError(EADDRNOTAVAIL) where the address is not this host's."""
        ip = self.net.ipv4 if self.family == 4 else self.net.ipv6
        if address != 0 and not ip.is_local(address, self.device):
            raise KernelError(errno.EADDRNOTAVAIL)
        self.local = address if address != 0 else None

    def connect(self, address: IpAddress, scope: str = "") -> None:
        """Set the destination and learn the source; the route's error as KernelError."""
        rt = self._route(address, scope)
        self.remote = address
        if self.local is None:
            self.local = rt.source

    def _route(self, address: IpAddress, scope: str = "") -> Any:
        """As connect(2) looks it up: that there is none is counted."""
        try:
            return self._look_up(address, scope)
        except KernelError as error:
            count_no_route(self.net, error, self.family)
            raise

    def _look_up(self, address: IpAddress, scope: str) -> Any:
        if self.family == 4:
            return ip_route_output(
                self.net, address, self.local or 0, oif=self.device, mark=self.mark, tos=self.tos, protocol=self.protocol  # type: ignore[arg-type]
            )
        from kubenet_course.kernel.inet6.route import ip6_route_output

        dev = self.device or (self.net.device(scope) if scope else None)
        return ip6_route_output(self.net, address, self.local or 0, oif=dev, mark=self.mark)  # type: ignore[arg-type]

    def send(self, transport: Any, payload: bytes, address: IpAddress | None = None, scope: str = "") -> None:
        """Send one packet; KernelError for no route, EMSGSIZE, EACCES (broadcast), EPERM (firewall)."""
        self.raise_pending()
        target = address if address is not None else self.remote
        if target is None:
            raise KernelError(errno.EDESTADDRREQ)
        # raw_sendmsg() counts no missing route, rawv6_sendmsg() does.
        rt = self._look_up(target, scope) if self.family == 4 else self._route(target, scope)
        sent = (self._send6 if self.family == 6 else self._send4)(rt, transport, payload)
        if not count_unsent(self.net, sent, self.family):
            raise KernelError(errno.EPERM)

    def _send4(self, rt: Any, transport: Any, payload: bytes) -> bool:
        """raw_sendmsg(): by default with DF set where it fits, in fragments where not."""
        if rt.type == "broadcast" and not self.broadcast:
            raise KernelError(errno.EACCES)
        size = 20 + transport.header_length + len(payload)
        if self.options.get("dont_route") and rt.gateway is not None:
            raise KernelError(errno.ENETUNREACH)
        if size > 65535 + 20:
            raise KernelError(errno.EMSGSIZE)
        if size > 65535 or (self.dont_fragment and size > rt.mtu):
            raise _too_long(rt.mtu)
        want = self.dont_fragment is None and not self.net.sysctl.get_int("net", "ipv4", "ip_no_pmtu_disc")
        df = bool(self.dont_fragment) or (want and size <= rt.mtu)
        skb = ip_build(
            self.net, rt, self.protocol, transport, payload, source=self.local, ttl=self.ttl, tos=self.tos,  # type: ignore[arg-type]
            df=df, ident=0 if self.dont_fragment else None, mark=self.mark, sk=self,
        )  # fmt: skip
        if self.protocol == IPPROTO_ICMP:
            count_icmp(self.net, "Out", transport.type)
        return ip_local_out(self.net, skb)

    def _send6(self, rt: Any, transport: Any, payload: bytes) -> bool:
        """rawv6_sendmsg(): what does not fit is split, unless that is forbidden."""
        from kubenet_course.kernel.inet6.output import ip6_build, ip6_local_out

        size = 40 + transport.header_length + len(payload)
        if self.options.get("dont_route") and rt.gateway is not None:
            raise KernelError(errno.ENETUNREACH)
        if size > 65535 or (self.dont_fragment and size > rt.mtu):
            raise _too_long(rt.mtu)
        skb = ip6_build(
            self.net, rt, self.protocol, transport, payload, source=self.local, hop_limit=self.ttl,  # type: ignore[arg-type]
            traffic_class=self.tos, flow_label=self.options.get("flow_label"), sk=self, mark=self.mark,
        )  # fmt: skip
        return ip6_local_out(self.net, skb)

    # -- receiving --------------------------------------------------------------------------
    def wants(self, skb: SkBuff) -> bool:
        """raw_v4_input(): protocol, addresses and device agree."""
        ip = skb.network
        if ip.protocol != self.protocol:
            return False
        if self.local is not None and ip.destination != self.local:
            return False
        if self.remote is not None and ip.source != self.remote:
            return False
        if isinstance(skb.in_dev, Vrf):
            if not bound_fits(self.net, self.device, skb, "raw_l3mdev_accept"):
                return False
        elif self.device is not None and came_by(skb) is not self.device:
            return False
        return self.accept is None or self.accept(skb)

    def receive(self, skb: SkBuff) -> None:
        payload = skb.payload if isinstance(skb.payload, bytes) else skb.payload.frame_bytes()
        self.deliver(
            Datagram(payload, skb.network.source, 0, skb.network, skb.transport, came_by(skb), self.net.loop.now)
        )

    def error_matches(self, inner: Any) -> bool:
        """raw_icmp_error(): the quoted packet was sent by this socket."""
        if self.remote is not None and inner.destination != self.remote:
            return False
        return self.local is None or inner.source == self.local

    def unhash(self) -> None:
        self.accept = None
        if self in self.net.sockets.raw:
            self.net.sockets.raw.remove(self)


def _too_long(mtu: int) -> KernelError:
    """EMSGSIZE; `.mtu` is what the error queue would tell (ip_local_error())."""
    failure = KernelError(errno.EMSGSIZE)
    failure.mtu = mtu  # type: ignore[attr-defined]
    return failure


def came_by(skb: SkBuff) -> Any:
    """inet_iif(), inet6_iif(): for what this host sent itself, the device of the route, not `lo`."""
    dev = skb.in_dev
    if dev is not None and dev.is_loopback and skb.dst is not None and skb.dst.iif is not None:
        return skb.dst.iif
    return dev
