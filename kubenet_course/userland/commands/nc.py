"""nc: OpenBSD's netcat as Debian ships it (1.219): connect, listen, scan, over TCP and UDP.

Not here: UNIX domain sockets (-U), proxies (-x, -X, -P), TCP MD5 (-S), DCCP (-Z), passing descriptors (-F).

Length: one program with many modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Exit
from kubenet_course.userland.resolver import (
    AddressInfo,
    ResolverError,
    address_text,
    getaddrinfo,
    getnameinfo,
)
from kubenet_course.userland.services import service_name, service_port
from kubenet_course.userland.sockets import adopt, close_socket, open_socket
from kubenet_course.wire.addresses import ANY4, ANY6

if TYPE_CHECKING:
    from kubenet_course.sim.loop import Task
    from kubenet_course.userland.process import Process

NAMES = ("nc", "netcat", "nc.openbsd")

USAGE = """usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
\t  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
\t  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
\t  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
\t  [destination] [port]"""

HELP = (
    """OpenBSD netcat (Debian patchlevel 1.219-1)
%s
\tCommand Summary:
\t\t-4\t\tUse IPv4
\t\t-6\t\tUse IPv6
\t\t-b\t\tAllow broadcast
\t\t-C\t\tSend CRLF as line-ending
\t\t-D\t\tEnable the debug socket option
\t\t-d\t\tDetach from stdin
\t\t-F\t\tPass socket fd
\t\t-h\t\tThis help text
\t\t-I length\tTCP receive buffer length
\t\t-i interval\tDelay interval for lines sent, ports scanned
\t\t-k\t\tKeep inbound sockets open for multiple connects
\t\t-l\t\tListen mode, for inbound connects
\t\t-M ttl\t\tOutgoing TTL / Hop Limit
\t\t-m minttl\tMinimum incoming TTL / Hop Limit
\t\t-N\t\tShutdown the network socket after EOF on stdin
\t\t-n\t\tSuppress name/port resolutions
\t\t-O length\tTCP send buffer length
\t\t-P proxyuser\tUsername for proxy authentication
\t\t-p port\t\tSpecify local port for remote connects
\t\t-q secs\t\tquit after EOF on stdin and delay of secs
\t\t-r\t\tRandomize remote ports
\t\t-S\t\tEnable the TCP MD5 signature option
\t\t-s sourceaddr\tLocal source address
\t\t-T keyword\tTOS value
\t\t-t\t\tAnswer TELNET negotiation
\t\t-U\t\tUse UNIX domain socket
\t\t-u\t\tUDP mode
\t\t-V rtable\tSpecify alternate routing table
\t\t-v\t\tVerbose
\t\t-W recvlimit\tTerminate after receiving a number of packets
\t\t-w timeout\tTimeout for connects and final net reads
\t\t-X proto\tProxy protocol: "4", "5" (SOCKS) or "connect"
\t\t-x addr[:port]\tSpecify proxy address and port
\t\t-Z\t\tDCCP mode
\t\t-z\t\tZero-I/O mode [used for scanning]
\tPort numbers can be individual or ranges: lo-hi [inclusive]"""
    % USAGE
)

TOS_WORDS = {
    "lowdelay": 0x10,
    "throughput": 0x08,
    "reliability": 0x04,
    "critical": 0xA0,
    "inetcontrol": 0xC0,
    "netcontrol": 0xE0,
    "ef": 0xB8,
}
UNSUPPORTED = {"F": "-F", "P": "-P", "S": "-S", "U": "-U", "V": "-V", "X": "-X", "x": "-x", "Z": "-Z"}


class Settings:
    """What the command line said."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.family = 0
        self.timeout: float | None = None
        self.quit: float | None = None
        self.interval = 0.0
        self.source = ""
        self.source_port = ""
        self.tos = 0
        self.ttl = 0
        self.limit = 0
        self.verbose = 0
        self.host = ""
        self.ports: list[int] = []

    @property
    def udp(self) -> bool:
        return "u" in self.flags

    @property
    def protocol(self) -> str:
        return "udp" if self.udp else "tcp"


def die(proc: Process, message: str) -> Exit:
    proc.error(f"nc: {message}")
    return Exit(1)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, operands = parse(argv, "46bCDdFhI:i:klM:m:NnO:P:p:q:rSs:T:tUuV:vW:w:X:x:Zz")
    except OptionError as problem:
        if problem.unsupported:
            return problem.report(proc, "nc")
        proc.error(f"nc: {problem.message}")
        proc.error(USAGE)
        return 1
    settings = Settings()
    for name, value in options:
        _option(proc, settings, name, value)
    _operands(proc, settings, operands)
    if "l" in settings.flags:
        return await listen(proc, settings)
    status = 1
    for number, port in enumerate(settings.ports):
        if number and settings.interval:
            await proc.sleep(settings.interval)
        status = await client(proc, settings, port, status)
    return status


def _number(proc: Process, what: str, text: str, low: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or value > 2**31 // 1000 * 1000:
        raise die(proc, f"{what} invalid: {text}")
    return value


def _option(proc: Process, settings: Settings, name: str, value: str) -> None:
    if name == "h":
        proc.error(HELP)
        raise Exit(0)
    if name == "X" and value not in ("4", "5", "connect"):
        raise die(proc, "unsupported proxy protocol")
    if name in UNSUPPORTED:
        proc.error(f"kubenet: nc: option {UNSUPPORTED[name]} is not emulated")
        raise Exit(1)
    if name in "46":
        settings.family = int(name)
    elif name == "v":
        settings.verbose += 1
    elif name == "w":
        settings.timeout = _number(proc, "timeout", value) or None
    elif name == "q":
        quit_after = _number(proc, "quit timer", value, -(2**31))
        settings.quit = quit_after if quit_after >= 0 else None
    elif name == "i":
        settings.interval = _number(proc, "interval", value)
    elif name == "p":
        settings.source_port = value
    elif name == "s":
        settings.source = value
    elif name == "W":
        settings.limit = _number(proc, "receive limit", value, 1)
    elif name == "M":
        settings.ttl = _number(proc, "ttl", value)
    elif name == "T":
        settings.tos = _tos(proc, value)
    settings.flags.add(name)


def _tos(proc: Process, word: str) -> int:
    if word.lower() in TOS_WORDS:
        return TOS_WORDS[word.lower()]
    for prefix, step, base in (("af", 0, 0), ("cs", 32, 0)):
        rest = word.lower().removeprefix(prefix)
        if word.lower().startswith(prefix) and rest.isdigit():
            if prefix == "cs" and int(rest) < 8:
                return int(rest) * step + base
            if prefix == "af" and len(rest) == 2 and rest[0] in "1234" and rest[1] in "123":
                return int(rest[0]) * 32 + int(rest[1]) * 8
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 255:
        raise die(proc, f"illegal tos value {word}")
    return value


def _operands(proc: Process, settings: Settings, operands: list[str]) -> None:
    """Which words are the host and the port (netcat's own rules)."""
    flags = settings.flags
    if "l" in flags and "z" in flags and operands:
        raise die(proc, "cannot use -z and -l")
    if "k" in flags and "l" not in flags:
        raise die(proc, "must use -l with -k")
    words = list(operands)
    if "l" in flags:
        if settings.source_port and len(words) < 2:
            if words and settings.source_port and words[0].isdigit():
                proc.error(USAGE)
                raise Exit(1)
            words.append(settings.source_port)
        if settings.source and len(words) == 1:
            words.insert(0, settings.source)
        if not words:
            raise die(proc, "missing port number")
        if len(words) == 1:
            words.insert(0, "")
    elif not words:
        proc.error(USAGE)
        raise Exit(1)
    elif len(words) == 1:
        raise die(proc, "missing port number")
    if len(words) > 2 and "l" in flags:
        proc.error(USAGE)
        raise Exit(1)
    settings.host = words[0]
    for word in words[1:]:
        settings.ports += _ports(proc, settings, word)
    if "r" in flags:
        proc.system.host.random.shuffle(settings.ports)


def _ports(proc: Process, settings: Settings, word: str) -> list[int]:
    """build_ports(): a number, a service's name, or a range."""
    port = None if "n" in settings.flags else service_port(proc, word, settings.protocol)
    if port is not None:
        return [port]
    low, dash, high = word.partition("-")
    if dash and low:
        if "l" in settings.flags:
            raise die(proc, f"cannot use -l with multiple ports: {word}")
        first, last = sorted((_port(proc, low), _port(proc, high)))
        return list(range(first, last + 1))
    return [_port(proc, word)]


def _port(proc: Process, word: str) -> int:
    try:
        value = int(word)
    except ValueError:
        raise die(proc, f"port number invalid: {word}") from None
    if value < 1 or value > 65535:
        raise die(proc, f"port number too {'small' if value < 1 else 'large'}: {word}")
    return value


async def resolve(proc: Process, settings: Settings, port: str) -> list[AddressInfo]:
    try:
        if "n" in settings.flags:
            from kubenet_course.userland.resolver import EAI_ADDRFAMILY, EAI_NONAME, numeric_address

            found = numeric_address(proc, settings.host)
            if found is None:
                raise ResolverError(EAI_NONAME)
            if settings.family and found[0].family != settings.family:
                raise ResolverError(EAI_ADDRFAMILY)
            return [AddressInfo(found[0].family, found[0], None, found[1])]
        return await getaddrinfo(proc, settings.host, settings.family)
    except ResolverError as problem:
        raise die(proc, f'getaddrinfo for host "{settings.host}" port {port}: {problem}') from None


def _prepare(proc: Process, settings: Settings, family: int) -> Any:
    """A socket with the options of the command line."""
    sock = open_socket(
        proc, AF_INET if family == 4 else AF_INET6, SOCK_DGRAM if settings.udp else SOCK_STREAM
    )
    sock.tos, sock.ttl = settings.tos, settings.ttl
    sock.broadcast = "b" in settings.flags
    return sock


# -- connecting ---------------------------------------------------------------------------------
async def client(proc: Process, settings: Settings, port: int, before: int) -> int:
    found = await resolve(proc, settings, str(port))
    sock = None
    for info in found:
        sock = _prepare(proc, settings, info.family)
        _bind_source(proc, settings, sock, info.family)
        try:
            if settings.udp:
                sock.connect(info.address, port, scope=info.scope)
            else:
                timeout = None if settings.timeout is None else round(settings.timeout * SECOND)
                await sock.connect(info.address, port, timeout, scope=info.scope)
            break
        except KernelError as failure:
            if settings.verbose:
                where = _host_text(settings, info)
                if failure.errno == errno.EINPROGRESS:
                    proc.error(
                        f"nc: connect to {where} port {port} ({settings.protocol}) timed out: {failure.strerror}"
                    )
                else:
                    proc.error(
                        f"nc: connect to {where} port {port} ({settings.protocol}) failed: {failure.strerror}"
                    )
            close_socket(proc, sock)
            sock = None
    if sock is None:
        return 1 if before else before
    if settings.verbose and settings.udp and not await _udp_test(proc, settings, sock):
        close_socket(proc, sock)
        return 1
    if settings.verbose:
        name = "*" if "n" in settings.flags else service_name(proc, port, settings.protocol) or "*"
        proc.error(
            f"Connection to {_host_text(settings, info)} {port} port [{settings.protocol}/{name}] succeeded!"
        )
    status = 0
    if "z" not in settings.flags:
        status = await Relay(proc, settings, sock).run()
    close_socket(proc, sock)
    return status


def _host_text(settings: Settings, info: AddressInfo) -> str:
    shown = address_text(info.address, info.scope)
    return settings.host if shown == settings.host or "n" in settings.flags else f"{settings.host} ({shown})"


def _bind_source(proc: Process, settings: Settings, sock: Any, family: int) -> None:
    if not settings.source and not settings.source_port:
        return
    from kubenet_course.userland.resolver import numeric_address

    address = None
    if settings.source:
        found = numeric_address(proc, settings.source)
        if found is None or found[0].family != family:
            raise die(
                proc,
                "getaddrinfo: Address family for hostname not supported"
                if found
                else "getaddrinfo: Name or service not known",
            )
        address = found[0]
    port = 0
    if settings.source_port:
        port = service_port(proc, settings.source_port, settings.protocol) or (
            int(settings.source_port) if settings.source_port.isdigit() else 0
        )
    sock.reuse_address = sock.reuse_port = True
    try:
        sock.bind(address, port)
    except KernelError as failure:
        raise die(proc, f"bind failed: {failure.strerror}") from None


async def _udp_test(proc: Process, settings: Settings, sock: Any) -> bool:
    """udptest(): whether some datagrams, two at once and one a second (-w, else three), bring no ICMP error."""
    seconds = 3 if settings.timeout is None else int(settings.timeout)
    for number in range(2 + seconds):
        if number > 1:
            await proc.sleep(1)
        try:
            sock.sendto(b"X")
        except KernelError as failure:
            if not number or failure.errno == errno.ECONNREFUSED:
                return False
        await proc.sleep(0)
    return True


# -- listening ----------------------------------------------------------------------------------
async def listen(proc: Process, settings: Settings) -> int:
    port = settings.ports[0]
    if settings.host:
        info = (await resolve(proc, settings, str(port)))[0]
        family, address = info.family, info.address
    else:
        family, address = settings.family or 4, None  # type: ignore[assignment]
    while True:
        sock = _prepare(proc, settings, family)
        sock.reuse_address = sock.reuse_port = True
        try:
            sock.bind(address, port)
            if not settings.udp:
                sock.listen(1)
        except KernelError as failure:
            raise die(proc, failure.strerror) from None
        if settings.verbose:
            await _report(
                proc,
                settings,
                "Listening",
                address if address is not None else ANY4 if family == 4 else ANY6,
                port,
            )
        if settings.udp:
            status = await _serve_udp(proc, settings, sock)
        else:
            status = await _serve_tcp(proc, settings, sock)
        close_socket(proc, sock)
        if "k" not in settings.flags:
            return status


async def _serve_udp(proc: Process, settings: Settings, sock: Any) -> int:
    """With -k from anybody, else from the first who sends."""
    if "k" in settings.flags:
        return await Relay(proc, settings, sock).run()
    while not sock.queue:
        await sock.wait_ready()
        sock.raise_pending()
    first = sock.queue[0]
    if settings.verbose:
        await _report(proc, settings, "Connection received", first.source, first.port)
    sock.connect(first.source, first.port)
    return await Relay(proc, settings, sock).run()


async def _serve_tcp(proc: Process, settings: Settings, sock: Any) -> int:
    status = 0
    while True:
        conn, (address, port) = await sock.accept()
        adopt(proc, conn)
        if settings.verbose:
            await _report(proc, settings, "Connection received", address, port)
        status = await Relay(proc, settings, conn).run()
        close_socket(proc, conn)
        if "k" not in settings.flags:
            return status


async def _report(proc: Process, settings: Settings, what: str, address: Any, port: int) -> None:
    """report_sock(): with a name where one is known."""
    name = None
    if "n" not in settings.flags:
        name = await getnameinfo(proc, address)
        if name is None and getattr(proc.system, "dns", None) is None:
            proc.error("nc: getnameinfo: Temporary failure in name resolution")
            return
    proc.error(f"{what} on {name or address} {port}")


# -- both ways ----------------------------------------------------------------------------------
class Relay:
    """readwrite(): standard input to the network, the network to standard output, until both are done."""

    def __init__(self, proc: Process, settings: Settings, sock: Any):
        self.proc, self.settings, self.sock = proc, settings, sock
        self.udp = settings.udp
        self.done = proc.loop.future()
        self.input_open = "d" not in settings.flags
        self.net_open = True
        self.active = proc.loop.now
        self.packets = 0

    async def run(self) -> int:
        loop = self.proc.loop
        tasks: list[Task[Any]] = [loop.spawn(self._receive())]
        if self.input_open:
            tasks.append(loop.spawn(self._send()))
        if self.settings.timeout is not None:
            tasks.append(loop.spawn(self._idle()))
        try:
            return await self.done
        finally:
            for task in tasks:
                if not task.done():
                    task.cancel()

    def _finish(self, status: int) -> None:
        self.done.set_result(status)

    async def _idle(self) -> None:
        limit = round((self.settings.timeout or 0) * SECOND)
        while True:
            left = self.active + limit - self.proc.loop.now
            if left <= 0:
                self._finish(0)
                return
            await self.proc.loop.sleep(left)

    async def _send(self) -> None:
        settings, proc = self.settings, self.proc
        try:
            while True:
                data = await (proc.stdin.readline() if settings.interval else proc.stdin.read(16384))
                if not data:
                    break
                self.active = proc.loop.now
                if "C" in settings.flags:
                    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                if self.udp:
                    self.sock.sendto(data)
                else:
                    await self.sock.send(data)
                if settings.interval:
                    await proc.sleep(settings.interval)
        except KernelError:
            self._finish(1)
            return
        self.input_open = False
        if "N" in settings.flags and not self.udp:
            try:
                self.sock.shutdown()
            except KernelError:
                self._finish(0)
                return
        if not self.net_open:
            self._finish(0)
        elif settings.quit is not None:
            await proc.sleep(settings.quit)
            self._finish(0)

    async def _receive(self) -> None:
        settings = self.settings
        try:
            while True:
                if self.udp:
                    data = (await self.sock.recv()).data
                else:
                    data = await self.sock.recv(16384)
                    if not data:
                        break
                self.active = self.proc.loop.now
                self.proc.stdout.write(data)
                self.packets += 1
                if settings.limit and self.packets >= settings.limit:
                    self._finish(0)
                    return
        except KernelError:
            if not self.udp:
                self._finish(1)
                return
        self.net_open = False
        if not self.input_open or "l" in settings.flags:
            self._finish(0)
