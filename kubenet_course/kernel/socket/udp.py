"""UDP over IPv4 and IPv6 (net/ipv4/udp.c, net/ipv6/udp.c, RFC 768)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import bound_fits
from kubenet_course.kernel.mib import count_no_route, count_udp, count_unsent
from kubenet_course.kernel.socket.base import Datagram, Socket, SocketError
from kubenet_course.wire import icmp as wire_icmp
from kubenet_course.wire import icmpv6 as wire_icmpv6
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address
from kubenet_course.wire.ipv4 import IPPROTO_UDP
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class UdpSocket(Socket):
    """A UDP socket; ports are in host order, 0 chooses a free one."""

    type_name = "udp"

    def __init__(self, net: NetNamespace, family: int):
        super().__init__(net, family, IPPROTO_UDP)

    # -- names ------------------------------------------------------------------------------
    def bind(self, address: IpAddress | None, port: int, *, scope: str = "") -> None:
        """KernelError: EADDRINUSE, EADDRNOTAVAIL, EINVAL (bound already)."""
        if self.local_port:
            raise KernelError(errno.EINVAL)
        wanted = address if address is not None and address != 0 else None
        ip = self.net.ipv4 if self.family == 4 else self.net.ipv6
        if wanted is not None and not self.freebind and not ip.is_local(wanted, self.device) and not wanted.is_multicast:
            if not (self.family == 4 and any(ip.is_broadcast(wanted, dev) for dev in self.net.devices.values())):  # type: ignore[union-attr]
                raise KernelError(errno.EADDRNOTAVAIL)
        if scope:
            self.device = self.net.device(scope)
        if not port:
            port = self.net.sockets.ephemeral_port(self.net.sockets.udp)
        for other in self.net.sockets.udp.get(port, ()):
            if self._conflicts(other, wanted):
                raise KernelError(errno.EADDRINUSE)
        self.local, self.local_port = wanted, port
        self.net.sockets.udp.setdefault(port, []).append(self)

    def _conflicts(self, other: UdpSocket, wanted: IpAddress | None) -> bool:
        """inet_rcv_saddr_equal(), with SO_REUSEADDR and SO_REUSEPORT."""
        if (self.reuse_address and other.reuse_address) or (self.reuse_port and other.reuse_port):
            return False
        if self.device is not None and other.device is not None and self.device is not other.device:
            return False
        if self.family != other.family:
            six, address = (self, wanted) if self.family == 6 else (other, other.local)
            return not six.v6only and address is None
        return wanted is None or other.local is None or wanted == other.local

    def connect(self, address: IpAddress, port: int, *, scope: str = "") -> None:
        """Fix the destination; the route's error as KernelError."""
        if address.family == 6 and address.is_link_local and self.device is None and not scope:
            raise KernelError(errno.EINVAL)  # __ip6_datagram_connect(): such an address needs an interface
        rt = self._route(address, port, scope, connect=True)
        if rt.type == "broadcast" and not self.broadcast:
            raise KernelError(errno.EACCES)
        if not self.local_port:
            self.bind(None, 0)
        if self.local is None:
            self.local = rt.source
        self.remote, self.remote_port = address, port

    def _route(
        self, address: IpAddress, port: int, scope: str = "", source: IpAddress | None = None, *, connect: bool = False
    ) -> Any:
        try:
            return self._look_up(address, port, scope, source, connect)
        except KernelError as error:
            count_no_route(self.net, error, address.family)
            raise

    def _look_up(self, address: IpAddress, port: int, scope: str, source: IpAddress | None, connect: bool) -> Any:
        local = source or self.local or 0
        if isinstance(address, IPv4Address):
            from kubenet_course.kernel.inet.route import ip_route_connect, ip_route_output

            return (ip_route_connect if connect else ip_route_output)(
                self.net, address, local, oif=self.device, mark=self.mark, tos=self.tos,
                protocol=IPPROTO_UDP, source_port=self.local_port, destination_port=port,
            )  # fmt: skip
        from kubenet_course.kernel.inet6.route import ip6_route_output

        dev = self.device or (self.net.device(scope) if scope else None)
        return ip6_route_output(self.net, address, local, oif=dev, mark=self.mark)

    # -- data -------------------------------------------------------------------------------
    def sendto(
        self, data: bytes, address: IpAddress | None = None, port: int = 0, *, scope: str = "", source: IpAddress | None = None
    ) -> None:
        """Send one datagram; `source` is the address it comes from (IP_PKTINFO), else the socket's or the route's.

        KernelError: EDESTADDRREQ, EMSGSIZE, ECONNREFUSED (an earlier answer), no route, EACCES
        (broadcast without SO_BROADCAST), EPERM (a firewall rule of OUTPUT).
        """
        self.raise_pending()
        target, target_port = (address, port) if address is not None else (self.remote, self.remote_port)
        if target is None:
            raise KernelError(errno.EDESTADDRREQ)
        if address is not None and port == 0:
            raise KernelError(errno.EINVAL)
        if len(data) > 65507:
            raise KernelError(errno.EMSGSIZE)
        source = source or self.local
        rt = self._route(target, target_port, scope, source)
        if not self.local_port:
            self.bind(None, 0)
        header = UdpHeader(self.local_port, target_port, 8 + len(data))
        if isinstance(target, IPv6Address):
            from kubenet_course.kernel.inet6.output import ip6_build, ip6_local_out

            source6 = source if isinstance(source, IPv6Address) else None
            skb = ip6_build(self.net, rt, IPPROTO_UDP, header, data, source=source6, hop_limit=self.ttl, sk=self, mark=self.mark)
            sent = ip6_local_out(self.net, skb)
        else:
            sent = self._send4(rt, header, data, source if isinstance(source, IPv4Address) else None)
        count_udp(self.net, "OutDatagrams", target.family)
        if not count_unsent(self.net, sent, target.family):
            raise KernelError(errno.EPERM)

    def _send4(self, rt: Any, header: UdpHeader, data: bytes, source: IPv4Address | None) -> bool:
        from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out

        if rt.type == "broadcast" and not self.broadcast:
            raise KernelError(errno.EACCES)
        df = self.dont_fragment
        if df is None:
            df = False
        skb = ip_build(
            self.net, rt, IPPROTO_UDP, header, data, source=source, ttl=self.ttl, tos=self.tos,
            df=df or (self.dont_fragment is None and not (rt.mtu < 28 + len(data))), mark=self.mark, sk=self,
        )  # fmt: skip
        if self.dont_fragment and skb.len > rt.mtu:
            skb.drop("PKT_TOO_BIG", rt.dev)
            raise KernelError(errno.EMSGSIZE)
        return ip_local_out(self.net, skb)

    def unhash(self) -> None:
        sockets = self.net.sockets.udp.get(self.local_port)
        if sockets and self in sockets:
            sockets.remove(self)
            if not sockets:
                del self.net.sockets.udp[self.local_port]


def udp_lookup(
    net: NetNamespace, source: Any, source_port: int, destination: Any, port: int, skb: SkBuff | None
) -> UdpSocket | None:
    """__udp4_lib_lookup(): the socket that fits best (compute_score())."""
    best, best_score = None, -1
    for sock in net.sockets.udp.get(port, ()):
        score = _score(sock, source, source_port, destination, skb)
        if score > best_score:
            best, best_score = sock, score
    return best


def _score(sock: UdpSocket, source: Any, source_port: int, destination: Any, skb: SkBuff | None) -> int:
    if sock.family != destination.family:
        if sock.family == 4 or sock.v6only or sock.local is not None:
            return -1
        score = 1
    else:
        score = 2
    if sock.local is not None:
        if sock.local != destination:
            return -1
        score += 4
    if sock.remote is not None:
        if sock.remote != source or sock.remote_port != source_port:
            return -1
        score += 8
    if not bound_fits(sock.net, sock.device, skb, "udp_l3mdev_accept"):
        return -1
    if sock.device is not None:
        score += 4
    return score


def udp_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """__udp4_lib_rcv(): to a socket, to many for multicast and broadcast, or "port unreachable"."""
    header = skb.transport
    if not isinstance(header, UdpHeader):
        skb.drop("PKT_TOO_SMALL", net)
        return
    ip = skb.network
    tunnel = net.rooms.get("udp_tunnels")
    if tunnel is not None:
        receive = tunnel.get((ip.destination.family, header.destination_port))
        if receive is not None and receive(net, skb):
            return
    rt = skb.dst
    if ip.destination.is_multicast or (rt is not None and rt.type in ("broadcast", "multicast")):
        _deliver_group(net, skb, header)
        return
    sock = udp_lookup(net, ip.source, header.source_port, ip.destination, header.destination_port, skb)
    if sock is not None:
        count_udp(net, "InDatagrams", ip.destination.family)
        _deliver(net, sock, skb, header)
        return
    count_udp(net, "NoPorts", ip.destination.family)
    if ip.destination.family == 4:
        from kubenet_course.kernel.inet.icmp import icmp_send

        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_PORT_UNREACH)
    else:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        icmpv6_send(net, skb, wire_icmpv6.ICMPV6_DEST_UNREACH, wire_icmpv6.ICMPV6_PORT_UNREACH)
    skb.drop("NO_SOCKET", net)


def _deliver(net: NetNamespace, sock: UdpSocket, skb: SkBuff, header: UdpHeader) -> None:
    ip = skb.network
    datagram = Datagram(bytes(skb.payload), ip.source, header.source_port, ip, header, skb.in_dev, net.loop.now)
    if sock.deliver(datagram):
        skb.consume(sock)
    else:
        count_udp(net, "RcvbufErrors", ip.destination.family)
        count_udp(net, "InErrors", ip.destination.family)
        skb.drop("SOCKET_RCVBUFF", net)


def _deliver_group(net: NetNamespace, skb: SkBuff, header: UdpHeader) -> None:
    """__udp4_lib_mcast_deliver()."""
    ip = skb.network
    took = False
    for sock in list(net.sockets.udp.get(header.destination_port, ())):
        local = sock.local
        if sock.family != ip.destination.family or (local is not None and local != ip.destination):
            continue
        if sock.remote is not None and (sock.remote != ip.source or sock.remote_port != header.source_port):
            continue
        if not bound_fits(net, sock.device, skb, "udp_l3mdev_accept"):
            continue
        took = True
        sock.deliver(Datagram(bytes(skb.payload), ip.source, header.source_port, ip, header, skb.in_dev, net.loop.now))
    if took:
        skb.consume(net)
    else:
        count_udp(net, "IgnoredMulti", ip.destination.family)
        skb.drop("NO_SOCKET", net)


def udp_err(net: NetNamespace, family: int, error: SocketError, hard: bool) -> None:
    """__udp4_lib_err(): an ICMP error about a datagram of ours."""
    inner, header = error.network, error.transport
    sock = udp_lookup(net, inner.destination, header.destination_port, inner.source, header.source_port, None)
    if sock is None:
        for candidate in net.sockets.udp.get(header.source_port, ()):
            if candidate.local is None or candidate.local == inner.source:
                sock = candidate
    if sock is None:
        net.count("IcmpInErrors" if family == 4 else "Icmp6InErrors")
        return
    if sock.recv_errors or hard and sock.remote is not None:
        sock.report(error, hard)
