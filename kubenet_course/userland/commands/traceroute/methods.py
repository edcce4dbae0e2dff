"""How traceroute probes: UDP to ever new ports, ICMP echo, TCP SYN (mod-*.c).

A method opens what it needs for a probe, sends it with its TTL, and turns what comes back into the
probe's fields. `ready` is notified whenever something came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, make_socket
from kubenet_course.kernel.socket.base import SocketError
from kubenet_course.sim.loop import Signal
from kubenet_course.userland.commands.traceroute.options import TraceOptions
from kubenet_course.wire.addresses import IpAddress
from kubenet_course.wire.icmp import ICMP_ECHO, ICMP_ECHOREPLY, IcmpHeader
from kubenet_course.wire.icmpv6 import ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, Icmpv6Header
from kubenet_course.wire.ipv4 import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP
from kubenet_course.wire.tcp import ACK, CWR, ECE, RST, SYN, TcpHeader
from kubenet_course.wire.tcp_options import TcpOptions

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

UNREACHABLE4 = {
    0: "!N", 6: "!N", 8: "!N", 11: "!N", 1: "!H", 7: "!H", 12: "!H", 9: "!X", 10: "!X", 13: "!X", 3: "", 2: "!P",
    5: "!S", 14: "!V", 15: "!C",
}  # fmt: skip
UNREACHABLE6 = {0: "!N", 1: "!X", 2: "!H", 3: "!H", 4: ""}
SYN_SETTINGS = ("timestamps", "sack", "window_scaling", "ecn")


class ProbeFailed(Exception):
    """A system call failed: ``connect: Network is unreachable``."""

    def __init__(self, call: str, code: int):
        super().__init__(f"{call}: {errno.strerror(code)}")


@dataclass(eq=False)
class Probe:
    """One question. Times in ns; `done` when answered or given up, `final` when the end is reached."""

    ttl: int
    sent: int = -1
    received: int = -1
    done: bool = False
    final: bool = False
    address: IpAddress | None = None
    error: str = ""
    sequence: int = 0
    sock: Any = None
    reply_ttl: int = 0


class Method:
    """The base of all methods."""

    header = 8
    default_port = 33434

    def __init__(self, proc: Process, options: TraceOptions):
        self.proc = proc
        self.options = options
        self.ready = Signal(proc.loop)
        self.sockets: list[Any] = []
        self.family = AF_INET if options.family == 4 else AF_INET6
        self.header_length = self.header + (20 if options.family == 4 else 40)

    def begin(self) -> None:
        """Whatever is done before the first line is printed; ProbeFailed."""

    def payload(self) -> bytes:
        size = max(0, self.options.packet_length - self.header_length)
        return bytes(0x40 + (at & 0x3F) for at in range(size))

    def open(self, kind: int, protocol: int = 0) -> Any:
        """A socket with everything that was asked for, but a destination."""
        options, net = self.options, self.proc.net
        sock = self.proc.owns(make_socket(net, self.family, kind, protocol))
        self.sockets.append(sock)
        sock.ready = self.ready
        sock.recv_errors = True
        sock.mark = options.mark
        sock.tos = options.tos
        sock.dont_fragment = options.dont_fragment
        sock.options["dont_route"] = options.dont_route
        if options.flow_label:
            sock.options["flow_label"] = options.flow_label
        try:
            call = "setsockopt SO_BINDTODEVICE"
            if options.device:
                sock.bind_device(options.device)
            elif options.scope and options.scope in net.devices:
                sock.device = net.devices[options.scope]
            call = "bind"
            if options.source is not None:
                sock.bind(options.source, 0) if kind == SOCK_DGRAM else sock.bind(options.source)
            call = "connect"
            self._reachable(sock)
        except KernelError as failure:
            raise ProbeFailed(call, failure.errno) from None
        return sock

    def _reachable(self, sock: Any) -> None:
        """connect(2) fails for want of a route, for broadcasts, and for a link-local address without its interface."""
        if self.options.family == 6 and self.options.address.is_link_local and sock.device is None:
            raise KernelError(errno.EINVAL)
        rt = (
            sock._route(self.options.address, 1)
            if hasattr(sock, "sendto")
            else sock._route(self.options.address)
        )
        if rt.type == "broadcast":
            raise KernelError(errno.EACCES)
        if self.options.dont_route and rt.gateway is not None:
            raise KernelError(errno.ENETUNREACH)

    def send(self, probe: Probe) -> None:
        raise NotImplementedError

    def receive(self, probes: list[Probe]) -> None:
        """Look at everything that came, and note it in the probes."""
        raise NotImplementedError

    def expire(self, probe: Probe) -> None:
        probe.done = True

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    # -- helpers ----------------------------------------------------------------------------
    def answered(self, probe: Probe, address: IpAddress | None, when: int) -> None:
        probe.address, probe.received, probe.done = address, when, True

    def failed(self, probe: Probe, error: SocketError) -> None:
        """parse_icmp_res(): what an ICMP error says of the way."""
        self.answered(probe, error.offender, error.time)
        reply = error.reply
        probe.reply_ttl = reply.ttl if reply is not None else 0
        kind, code = error.type, error.code
        if kind == (11 if self.options.family == 4 else 3) and code == 0:
            return
        probe.final = True
        if self.options.family == 4 and kind == 3:
            probe.error = f"!F-{error.info & 0xFFFF}" if code == 4 else UNREACHABLE4.get(code, f"!<{code}>")
        elif self.options.family == 6 and kind == 1:
            probe.error = UNREACHABLE6.get(code, f"!<{code}>")
        elif self.options.family == 6 and kind == 2:
            probe.error = f"!F-{error.info}"
        else:
            probe.error = f"!<{kind}-{code}>"

    def too_long(self, probe: Probe, failure: KernelError) -> None:
        """The probe did not even leave this host."""
        mtu = getattr(failure, "mtu", 0)
        if failure.errno != errno.EMSGSIZE:
            raise ProbeFailed("send", failure.errno)
        self.answered(probe, None, self.proc.loop.now)
        probe.final, probe.error = True, f"!F-{mtu}" if mtu else "!F"


class UdpMethod(Method):
    """The default: each probe to the next port, so that its "port unreachable" tells which it was."""

    constant_port = False

    def __init__(self, proc: Process, options: TraceOptions):
        super().__init__(proc, options)
        self.next_port = options.port or self.default_port

    def send(self, probe: Probe) -> None:
        sock = probe.sock = self.open(SOCK_DGRAM)
        sock.ttl = probe.ttl
        probe.sent = self.proc.loop.now
        try:
            sock.connect(self.options.address, self.next_port or 1)
            sock.sendto(self.payload())
        except KernelError as failure:
            if failure.errno == errno.EMSGSIZE and not getattr(failure, "mtu", 0):
                failure.mtu = sock._route(self.options.address, 1).mtu  # type: ignore[attr-defined]
            self.too_long(probe, failure)
        if not self.constant_port:
            self.next_port = (self.next_port + 1) & 0xFFFF

    def receive(self, probes: list[Probe]) -> None:
        for probe in probes:
            sock = probe.sock
            if probe.done or sock is None:
                continue
            if sock.errors:
                self.failed(probe, sock.errors.popleft())
            elif sock.queue:
                datagram = sock.queue.popleft()
                self.answered(probe, datagram.source, datagram.time)
                probe.final = True
            else:
                continue
            self._drop(probe)

    def expire(self, probe: Probe) -> None:
        super().expire(probe)
        self._drop(probe)

    def _drop(self, probe: Probe) -> None:
        probe.sock.close()
        self.sockets.remove(probe.sock)
        probe.sock = None


class Udp53Method(UdpMethod):
    constant_port = True
    default_port = 53


class IcmpMethod(Method):
    """ICMP echo requests with growing sequence numbers."""

    def __init__(self, proc: Process, options: TraceOptions):
        super().__init__(proc, options)
        self.sequence = options.port or 1
        self.ident = proc.vpid & 0xFFFF
        self.sock: Any = None

    def begin(self) -> None:
        four = self.options.family == 4
        self.sock = self.open(SOCK_RAW, IPPROTO_ICMP if four else IPPROTO_ICMPV6)
        self.sock.accept = lambda skb: (
            getattr(skb.transport, "type", -1) in ((ICMP_ECHOREPLY,) if four else (ICMPV6_ECHO_REPLY,))
        )

    def send(self, probe: Probe) -> None:
        four = self.options.family == 4
        self.sock.ttl = probe.ttl
        probe.sequence = self.sequence
        self.sequence = (self.sequence + 1) & 0xFFFF
        probe.sent = self.proc.loop.now
        rest = self.ident << 16 | probe.sequence
        header = IcmpHeader(ICMP_ECHO, 0, rest) if four else Icmpv6Header(ICMPV6_ECHO_REQUEST, 0, rest)
        self.sock.so_error = 0
        try:
            self.sock.send(header, self.payload(), self.options.address)
        except KernelError as failure:
            self.too_long(probe, failure)

    def receive(self, probes: list[Probe]) -> None:
        sock = self.sock
        waiting = {probe.sequence: probe for probe in probes if probe.sent >= 0 and not probe.done}
        while sock is not None and sock.errors:
            error = sock.errors.popleft()
            header = error.transport
            if getattr(header, "identifier", None) == self.ident and header.sequence in waiting:
                self.failed(waiting.pop(header.sequence), error)
        while sock is not None and sock.queue:
            datagram = sock.queue.popleft()
            header = datagram.transport
            if header.identifier == self.ident and header.sequence in waiting:
                probe = waiting.pop(header.sequence)
                self.answered(probe, datagram.source, datagram.time)
                probe.final, probe.reply_ttl = True, datagram.network.ttl


class TcpMethod(Method):
    """TCP SYN to one port, each probe from a port of its own; SYN ACK or RST is the end.

    Its options are those of this host's own connections (mod-tcp.c: tcp_init()), and make the probe's length.
    """

    header = 20
    default_port = 80

    def __init__(self, proc: Process, options: TraceOptions):
        super().__init__(proc, options)
        self.sock: Any = None

    def begin(self) -> None:
        self.sock = self.open(SOCK_RAW, IPPROTO_TCP)
        self.sock.accept = lambda skb: (
            skb.network.source == self.options.address
            and bool(getattr(skb.transport, "flags", 0) & (RST | ACK))
        )
        setting = {key: self.proc.net.sysctl.get_int("net", "ipv4", f"tcp_{key}") for key in SYN_SETTINGS}
        self.mss = self.sock._route(self.options.address).mtu - self.header_length
        self.flags = SYN | (ECE | CWR if setting["ecn"] == 1 else 0)
        self.syn_options = TcpOptions(
            self.mss,
            2 if setting["window_scaling"] else None,
            bool(setting["sack"]),
            (0, 0) if setting["timestamps"] else None,
        )
        self.header_length += len(self.syn_options.encode())
        self.options.packet_length = self.header_length

    def send(self, probe: Probe) -> None:
        net = self.proc.net
        self.sock.ttl = probe.ttl
        probe.sequence = net.sockets.ephemeral_port(net.sockets.tcp_bound)  # type: ignore[arg-type]
        number = net.host.random.getrandbits(32)
        options = self.syn_options
        if options.timestamp is not None:
            options = options._replace(timestamp=(net.host.random.getrandbits(32), 0))
        port, window = self.options.port or self.default_port, 4 * self.mss & 0xFFFF
        header = TcpHeader(probe.sequence, port, number, 0, self.flags, window, options.encode())
        probe.sent = self.proc.loop.now
        self.sock.so_error = 0
        try:
            self.sock.send(header, b"", self.options.address)
        except KernelError as failure:
            self.too_long(probe, failure)

    def receive(self, probes: list[Probe]) -> None:
        sock = self.sock
        waiting = {probe.sequence: probe for probe in probes if probe.sent >= 0 and not probe.done}
        while sock is not None and sock.errors:
            error = sock.errors.popleft()
            port = getattr(error.transport, "source_port", None)
            if port in waiting:
                self.failed(waiting.pop(port), error)
        while sock is not None and sock.queue:
            datagram = sock.queue.popleft()
            port = datagram.transport.destination_port
            if port in waiting:
                probe = waiting.pop(port)
                self.answered(probe, datagram.source, datagram.time)
                probe.final, probe.reply_ttl = True, datagram.network.ttl


METHODS: dict[str, type[Method]] = {
    "default": UdpMethod,
    "udp": Udp53Method,
    "icmp": IcmpMethod,
    "tcp": TcpMethod,
}
