"""IPv6 ping (iputils ping/ping6_common.c)."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet6.route import ip6_route_output
from kubenet_course.kernel.mib import count_no_route
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.kernel.socket import AF_INET6, SOCK_RAW, make_socket
from kubenet_course.kernel.socket.base import Datagram, SocketError
from kubenet_course.userland.commands.ping.session import Fatal, PingSession
from kubenet_course.wire import icmpv6 as wire
from kubenet_course.wire.addresses import ANY6, IpAddress, IPv6Address
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6

UNREACHABLE = {
    0: "No route",
    1: "Administratively prohibited",
    2: "Beyond scope of source address",
    3: "Address unreachable",
    4: "Port unreachable",
}


class Ping6(PingSession):
    """ping over IPv6 (iputils: ping6_common.c)."""

    target: IPv6Address
    source: IpAddress

    def open(self) -> None:
        """The part of ping6_run() before the header line."""
        options, net = self.options, self.proc.net
        device = None
        if options.device:
            if options.device not in net.devices:
                raise Fatal(2, f"unknown iface: {options.device}")
            device = net.devices[options.device]
        scoped = net.devices.get(self.scope) if self.scope else None
        if options.source is not None and options.source.family == 6:
            self.source = options.source
            if self.source.is_link_local and device is None:
                raise Fatal(2, f"bind icmp socket: {errno.strerror(errno.EINVAL)}")
            if not net.ipv6.is_local(self.source):
                raise Fatal(2, f"bind icmp socket: {errno.strerror(errno.EADDRNOTAVAIL)}")
        else:
            self.source = self._probe_source(scoped or device or self.proc.vrf_device)
        self.multicast = self.target.is_multicast
        sock = self.sock = make_socket(net, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
        sock.accept = self._wanted  # type: ignore[attr-defined]
        sock.recv_errors = True
        sock.mark = options.mark
        sock.tos = options.tos
        sock.queue_limit = 1 << 16
        sock.device = device or scoped or self.proc.vrf_device
        if options.strict_source and self.source != 0:
            sock.local = self.source
        sock.dont_fragment = {"do": True}.get(options.pmtudisc, False)
        sock.options["multicast_loop"] = not options.no_loop
        if options.flow_label:
            sock.options["flow_label"] = options.flow_label
        if options.ttl is not None:
            sock.ttl = options.ttl or 1

    def _probe_source(self, device: object) -> IpAddress:
        """connect(2) a datagram socket to learn the source address."""
        options, net = self.options, self.proc.net
        link = self.target.is_link_local or (self.target.is_multicast and self.target >> 112 & 0xF <= 2)
        try:
            rt = ip6_route_output(net, self.target, oif=device, mark=options.mark)  # type: ignore[arg-type]
        except KernelError as failure:
            if link:  # for these it connects to no family at all, which always succeeds
                return ANY6
            count_no_route(net, failure, 6)
            raise Fatal(2, f"connect: {failure.strerror}") from None
        if options.device:
            # iputils asks getifaddrs(3) for an address that fits; a link-local one never does.
            on_device = [a.local for a in net.ipv6.addresses.get(net.devices[options.device], ()) if a.usable]
            if link or rt.source not in on_device:
                self.proc.error(
                    f"{self.name}: Warning: source address might be selected on device other than: {options.device}"
                )
            return ANY6 if link else rt.source
        return rt.source

    def _wanted(self, skb: SkBuff) -> bool:
        return getattr(skb.transport, "type", -1) == wire.ICMPV6_ECHO_REPLY

    async def header(self) -> str:
        options = self.options
        text = f"PING {self.hostname}({await self.peer_text(self.target, self.scope)}) "
        if options.flow_label:
            text += f", flow 0x{options.flow_label:05x}, "
        if options.device or options.strict_source:
            scope = options.device if self.source.is_link_local else ""
            text += f"from {await self.peer_text(self.source, scope)} {options.device}: "
        return text + f"{options.size} data bytes\n"

    def send_probe(self, sequence: int, payload: bytes) -> None:
        header = Icmpv6Header(wire.ICMPV6_ECHO_REQUEST, 0, self.ident << 16 | sequence)  # type: ignore[operator]
        self.sock.send(header, payload, self.target)

    def local_error(self, mtu: int) -> str:
        return f"local error: message too long, mtu: {mtu}"

    async def reply(self, datagram: Datagram) -> None:
        header = datagram.transport
        if header.identifier != self.ident:
            return
        source = datagram.source
        scope = datagram.dev.name if datagram.dev is not None and source.is_link_local else ""
        await self.gather(source, scope, header.sequence, datagram.data, datagram.network.ttl, datagram.time)

    async def network_error(self, error: SocketError) -> bool:
        """ping6_receive_error_msg()."""
        header = error.transport
        if not isinstance(header, Icmpv6Header) or header.type != wire.ICMPV6_ECHO_REQUEST:
            return False
        if (
            header.identifier != self.ident
            or error.offender is None
            or error.network.destination != self.target
        ):
            return False
        self.acknowledge(header.sequence)
        self.errors += 1
        if self.options.quiet:
            return True
        if self.options.flood:
            self._print("\bE")
            return True
        sender = await self.peer_text(error.offender)
        text = icmp6_text(error.type, error.code, error.info)
        self._print(f"{self._stamp()}From {sender} icmp_seq={header.sequence} {text}\n")
        return True


def icmp6_text(kind: int, code: int, info: int) -> str:
    """pr_icmph6()."""
    if kind == wire.ICMPV6_DEST_UNREACH:
        return "Destination unreachable: " + UNREACHABLE.get(code, f"Unknown code {code}")
    if kind == wire.ICMPV6_PKT_TOOBIG:
        return f"Packet too big: mtu={info}" + (f", code={code}" if code else "")
    if kind == wire.ICMPV6_TIME_EXCEED:
        return "Time exceeded: " + {0: "Hop limit", 1: "Defragmentation failure"}.get(code, f"code {code}")
    if kind == wire.ICMPV6_PARAMPROB:
        what = {0: "Wrong header field ", 1: "Unknown header ", 2: "Unknown option "}.get(
            code, f"code {code} "
        )
        return f"Parameter problem: {what}at {info}"
    return f"unknown icmp type: {kind}"
