"""IPv4 ping (iputils ping/ping.c)."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet.route import ip_route_connect
from kubenet_course.kernel.mib import count_no_route
from kubenet_course.kernel.packets import decode_network, decode_transport
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.kernel.socket import AF_INET, SOCK_RAW, make_socket
from kubenet_course.kernel.socket.base import Datagram, SocketError
from kubenet_course.userland.commands.ping.session import Fatal, PingSession
from kubenet_course.wire import icmp as wire
from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.ethernet import ETH_P_IP
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.ipv4 import IPPROTO_ICMP, IPPROTO_UDP, Ipv4Header

#: The port that the source address is asked for with.
PROBE_PORT = 1025

UNREACHABLE = (
    "Destination Net Unreachable",
    "Destination Host Unreachable",
    "Destination Protocol Unreachable",
    "Destination Port Unreachable",
    "Frag needed and DF set (mtu = {info})",
    "Source Route Failed",
    "Destination Net Unknown",
    "Destination Host Unknown",
    "Source Host Isolated",
    "Destination Net Prohibited",
    "Destination Host Prohibited",
    "Destination Net Unreachable for Type of Service",
    "Destination Host Unreachable for Type of Service",
    "Packet filtered",
    "Precedence Violation",
    "Precedence Cutoff",
)
REDIRECTS = (
    "Redirect Network",
    "Redirect Host",
    "Redirect Type of Service and Network",
    "Redirect Type of Service and Host",
)


class Ping4(PingSession):
    """ping over IPv4 (iputils: ping.c)."""

    target: IPv4Address

    def open(self) -> None:
        """The part of ping4_run() before the header line: source, device, socket options."""
        options, net = self.options, self.proc.net
        if options.unsupported:
            raise Fatal(2, f"kubenet: {self.name}: {options.unsupported} is not emulated")
        if options.source is not None and options.source.family != 4:
            raise Fatal(2, f"{options.source}: Address family for hostname not supported")
        self.source = options.source
        device = None
        if options.device:
            if options.device not in net.devices:
                raise Fatal(2, f"SO_BINDTODEVICE {options.device}: No such device")
            device = net.devices[options.device]
        if self.source is None or self.source == 0:
            self._probe_source(device or self.proc.vrf_device)
        elif not net.ipv4.is_local(self.source, device):
            raise Fatal(2, f"bind: {errno.strerror(errno.EADDRNOTAVAIL)}")
        if self.target == 0:
            self.target = IPv4Address(self.source or 0)
        sock = self.sock = make_socket(net, AF_INET, SOCK_RAW, IPPROTO_ICMP)
        sock.accept = self._wanted  # type: ignore[attr-defined]
        sock.recv_errors = True
        sock.broadcast = options.broadcast
        sock.mark = options.mark
        sock.tos = options.tos
        sock.queue_limit = 1 << 16
        sock.options["multicast_loop"] = not options.no_loop
        sock.options["dont_route"] = options.dont_route
        device = device or self.proc.vrf_device
        if device is not None:
            sock.device = device
        if options.strict_source:
            sock.local = self.source
        self.multicast = options.broadcast or self.target.is_multicast
        pmtudisc = options.pmtudisc or ("do" if self.multicast else "")
        sock.dont_fragment = {"do": True, "dont": False}.get(pmtudisc)
        if options.ttl is not None:
            if options.ttl == 0:
                sock.close()
                raise Fatal(2, f"cannot set unicast time-to-live: {errno.strerror(errno.EINVAL)}")
            sock.ttl = options.ttl

    def _probe_source(self, device: object) -> None:
        """connect(2) a datagram socket to learn the source address."""
        options, net = self.options, self.proc.net
        try:
            rt = ip_route_connect(
                net, self.target, oif=device, mark=options.mark, tos=options.tos, protocol=IPPROTO_UDP, destination_port=PROBE_PORT  # type: ignore[arg-type]
            )
            if rt.type == "broadcast" and not options.broadcast:
                raise Fatal(
                    2, "Do you want to ping broadcast? Then -b. If not, check your local firewall rules"
                )
        except KernelError as failure:
            count_no_route(net, failure, 4)
            if failure.errno == errno.EACCES and not options.broadcast:
                raise Fatal(
                    2, "Do you want to ping broadcast? Then -b. If not, check your local firewall rules"
                ) from None
            raise Fatal(2, f"connect: {failure.strerror}") from None
        if rt.type == "broadcast":
            self.proc.error("WARNING: pinging broadcast address")
        self.source = rt.source
        if options.device and not any(
            a.local == self.source for a in net.ipv4.addresses[net.devices[options.device]]
        ):
            self.proc.error(
                f"{self.name}: Warning: source address might be selected on device other than: {options.device}"
            )

    def _wanted(self, skb: SkBuff) -> bool:
        return getattr(skb.transport, "type", -1) in (wire.ICMP_ECHOREPLY, wire.ICMP_REDIRECT)

    async def header(self) -> str:
        options = self.options
        text = f"PING {self.hostname} ({self.target}) "
        if options.device or options.strict_source:
            text += f"from {self.source} {options.device}: "
        return text + f"{options.size}({options.size + 28}) bytes of data.\n"

    def send_probe(self, sequence: int, payload: bytes) -> None:
        self.sock.send(IcmpHeader(wire.ICMP_ECHO, 0, self.ident << 16 | sequence), payload, self.target)  # type: ignore[operator]

    def local_error(self, mtu: int) -> str:
        return f"local error: message too long, mtu={mtu}"

    async def reply(self, datagram: Datagram) -> None:
        """ping4_parse_reply()."""
        header = datagram.transport
        if header.type == wire.ICMP_ECHOREPLY:
            if header.identifier == self.ident:
                await self.gather(
                    datagram.source,
                    "",
                    header.sequence,
                    datagram.data,
                    datagram.network.ttl,
                    datagram.time,  # type: ignore[arg-type]
                )
            return
        try:
            inner, transport, _ = decode_network(ETH_P_IP, datagram.data)
        except ValueError:
            return
        if transport is None and isinstance(inner, Ipv4Header) and not inner.fragment_offset:
            transport, _ = decode_transport(inner.protocol, datagram.data[inner.header_length :], 4)
        if not isinstance(inner, Ipv4Header) or not self._mine(inner, transport):
            return
        if self.options.quiet or self.options.flood:
            return
        text = f"{self._stamp()}From {await self.peer_text(datagram.source)}: icmp_seq={transport.sequence} "
        gateway = await self.peer_text(IPv4Address(header.rest))
        text += _name(REDIRECTS, header.code, "Redirect, Bad Code: {code}") + f"(New nexthop: {gateway})\n"
        self._print(text + (_quoted(inner) if self.options.verbose else ""))

    def _mine(self, inner: Ipv4Header, transport: object) -> bool:
        return (
            isinstance(transport, IcmpHeader)
            and transport.type == wire.ICMP_ECHO
            and transport.identifier == self.ident
            and inner.destination == self.target
        )

    async def network_error(self, error: SocketError) -> bool:
        """ping4_receive_error_msg(): True where it was about a packet of this session."""
        if not self._mine(error.network, error.transport) or error.offender is None:
            return False
        if error.type == wire.ICMP_REDIRECT:
            return False
        sequence = error.transport.sequence
        self.acknowledge(sequence)
        self.errors += 1
        if self.options.quiet:
            return True
        if self.options.flood:
            self._print("\bE")
            return True
        sender = await self.peer_text(error.offender)
        self._print(
            f"{self._stamp()}From {sender} icmp_seq={sequence} {icmp_text(error.type, error.code, error.info)}\n"
        )
        return True


def _name(table: tuple[str, ...], code: int, other: str) -> str:
    return table[code] if code < len(table) else other.format(code=code)


def icmp_text(kind: int, code: int, info: int) -> str:
    """pr_icmph(): what an ICMP error says."""
    if kind == wire.ICMP_DEST_UNREACH:
        return _name(UNREACHABLE, code, "Dest Unreachable, Bad Code: {code}").format(info=info & 0xFFFF)
    if kind == wire.ICMP_TIME_EXCEEDED:
        words = ("Time to live exceeded", "Frag reassembly time exceeded")
        return _name(words, code, "Time exceeded, Bad Code: {code}")
    if kind == wire.ICMP_PARAMETERPROB:
        return f"Parameter problem: pointer = {info >> 24}"
    return f"Bad ICMP type: {kind}"


def _quoted(inner: Ipv4Header) -> str:
    """pr_iph(): the quoted header, its numbers as a little-endian host reads them."""
    raw = inner.encode()

    def word(at: int) -> int:
        return raw[at] | raw[at + 1] << 8

    flags = word(6)
    return (
        "Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src      Dst Data\n"
        f" {raw[0] >> 4:1x}  {raw[0] & 15:1x}  {raw[1]:02x} {word(2):04x} {word(4):04x}   {(flags & 0xE000) >> 13:1x} "
        f"{flags & 0x1FFF:04x}  {raw[8]:02x}  {raw[9]:02x} {word(10):04x} {inner.source}  {inner.destination} \n"
    )
