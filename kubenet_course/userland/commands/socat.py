"""socat's everyday addresses: TCP, TCP-LISTEN (fork), UDP, UDP-LISTEN, UDP-RECVFROM, STDIO, EXEC, SYSTEM, OPEN.

Both sides are joined until one has ended and half a second (-t) has passed, as socat does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM
from kubenet_course.userland.daemons.web import wall_seconds
from kubenet_course.userland.process import Exit
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.services import service_port
from kubenet_course.userland.sockets import adopt, background, close_socket, open_socket
from kubenet_course.userland.streams import BrokenPipe, Pipe

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

KINDS = {
    "tcp": "connect", "tcp-connect": "connect", "tcp4": "connect", "tcp6": "connect", "tcp4-connect": "connect", "tcp6-connect": "connect",
    "tcp-listen": "listen", "tcp-l": "listen", "tcp4-listen": "listen", "tcp6-listen": "listen", "udp": "udp", "udp-connect": "udp",
    "udp4": "udp", "udp6": "udp", "udp-sendto": "udp", "udp4-sendto": "udp", "udp-listen": "udp-listen", "udp-l": "udp-listen",
    "udp4-listen": "udp-listen", "udp-recv": "udp-listen", "udp-recvfrom": "udp-listen", "udp4-recvfrom": "udp-listen", "stdio": "stdio",
    "-": "stdio", "stdin": "stdio", "stdout": "stdio", "exec": "exec", "system": "system", "open": "file", "create": "file", "file": "file",
}  # fmt: skip
PARAMETERS = {
    "connect": 2,
    "listen": 1,
    "udp": 2,
    "udp-listen": 1,
    "stdio": 0,
    "exec": 1,
    "system": 1,
    "file": 1,
}
KNOWN_OPTIONS = frozenset({"fork", "reuseaddr", "reuseport", "bind", "crlf", "crnl", "max-children", "keepalive", "nodelay", "pty", "stderr",  # noqa: E501
                           "sigint", "setsid", "ctty", "shut-none", "ignoreeof", "broadcast", "backlog", "connect-timeout", "so-bindtodevice"})  # fmt: skip  # noqa: E501


class Address:
    """One side: its kind, parameters and options."""

    def __init__(self, text: str):
        head, *options = (
            text.split(",") if not text.lower().startswith(("exec:", "system:")) else _split_command(text)
        )
        word, *self.parameters = (
            head.split(":") if not text.lower().startswith(("exec:", "system:")) else head.split(":", 1)
        )
        if "[" in head and "]" in head:
            before, _, rest = head.partition("[")
            host, _, after = rest.partition("]")
            word, self.parameters = before.rstrip(":"), [host, after.removeprefix(":")]
        self.text, self.word = text, word
        self.kind = KINDS.get(word.lower(), "")
        self.options = {
            name.strip().lower(): value
            for name, _, value in (option.partition("=") for option in options if option)
        }

    @property
    def family(self) -> int:
        return 6 if "6" in self.word.lower() else 4


def _split_command(text: str) -> list[str]:
    """The command of EXEC may hold commas in quotes."""
    pieces, quote = [""], ""
    for char in text:
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        if char == "," and not quote:
            pieces.append("")
        else:
            pieces[-1] += char
    return pieces


class Log:
    def __init__(self, proc: Process):
        self.proc = proc

    def fail(self, text: str) -> Exit:
        when = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(wall_seconds(self.proc)))
        self.proc.error(f"{when} socat[{self.proc.vpid}] E {text}")
        return Exit(1)


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    linger = 0.5
    one_way = ""
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "-V":
            proc.print(
                "socat by Gerhard Rieger and contributors - see www.dest-unreach.org\nsocat version 1.7.4.4"
            )
            return 0
        if word[:2] in ("-t", "-T", "-b", "-l"):
            value = word[2:] or (words.pop(0) if words else "")
            if word[:2] == "-t":
                linger = float(value) if value.replace(".", "", 1).isdigit() else linger
        elif word in ("-u", "-U"):
            one_way = word[1]
        elif word not in ("-d", "-dd", "-v", "-x", "-4", "-6", "-s", "-D"):
            raise Log(proc).fail(f'unknown option "{word}"; use option "-h" for help')
    if len(words) != 2:
        raise Log(proc).fail(
            f'exactly 2 addresses required (there are {len(words)}); use option "-h" for help'
        )
    return await Socat(proc, Address(words[0]), Address(words[1]), linger, one_way).run()


class Socat:
    """Two addresses and the bytes between them; `linger` in s after the first end (-t)."""

    def __init__(self, proc: Process, first: Address, second: Address, linger: float, one_way: str):
        self.proc, self.first, self.second = proc, first, second
        self.linger, self.one_way = linger, one_way
        self.log = Log(proc)

    async def run(self) -> int:
        for address in (self.first, self.second):
            if not address.kind:
                raise self.log.fail(f'unknown device/address "{address.word}"')
            wanted = PARAMETERS[address.kind]
            if len(address.parameters) != wanted and not (address.kind == "stdio" and not address.parameters):
                raise self.log.fail(
                    f"{address.word}: wrong number of parameters ({len(address.parameters)} instead of {wanted})"
                )
            for option in address.options:
                if option not in KNOWN_OPTIONS:
                    raise self.log.fail(f'parseopts_table(): unknown option "{option}"')
        if self.first.kind == "listen" and "fork" in self.first.options:
            await self._fork()
        left = await self._open(self.first)
        right = await self._open(self.second)
        await self._join(left, right)
        return 0

    async def _fork(self) -> None:
        """TCP-LISTEN,fork: every connection in a task of its own."""
        listener = self._listen(self.first)
        while True:
            conn, _ = await listener.accept()
            background(self.proc, self._one(SocketEnd(self.proc, adopt(self.proc, conn))))

    async def _one(self, left: Any) -> None:
        try:
            right = await self._open(self.second)
        except Exit:
            left.close()
            return
        await self._join(left, right)

    async def _join(self, left: Any, right: Any) -> None:
        """Both directions; after the first end the other may go on for `-t` seconds."""
        loop = self.proc.loop
        tasks = []
        if self.one_way != "U":
            tasks.append(loop.spawn(_copy(left, right)))
        if self.one_way != "u":
            tasks.append(loop.spawn(_copy(right, left)))
        gate = loop.future()
        for task in tasks:
            task.add_done_callback(gate.set_result)
        try:
            await gate
            if len(tasks) > 1 and not all(task.done() for task in tasks):
                rest = loop.future()
                for task in tasks:
                    if not task.done():
                        task.add_done_callback(rest.set_result)
                timer = loop.call_later(round(self.linger * 1e9), rest.set_result, None)
                await rest
                timer.cancel()
        finally:
            for task in tasks:
                task.cancel()
            left.close()
            right.close()

    # -- opening ----------------------------------------------------------------------------
    def _port(self, text: str, protocol: str) -> int:
        if text.isascii() and text.isdigit():
            return int(text) % 65536
        found = service_port(self.proc, text, protocol)
        if found is None:
            raise self.log.fail(
                f'getaddrinfo("NULL", "{text}", {{1,0,1,6}}, {{}}): Servname not supported for ai_socktype'
            )
        return found

    async def _resolve(self, address: Address, host: str) -> Any:
        family = 6 if "6" in address.word else 4 if "4" in address.word else 0
        try:
            return (await getaddrinfo(self.proc, host, family))[0].address
        except ResolverError as problem:
            raise self.log.fail(f'getaddrinfo("{host}", "NULL", {{1,0,1,6}}, {{}}): {problem}') from None

    def _listen(self, address: Address) -> Any:
        port = self._port(address.parameters[0], "tcp")
        sock = open_socket(self.proc, AF_INET6 if address.family == 6 else AF_INET, SOCK_STREAM)
        sock.reuse_address = "reuseaddr" in address.options
        sock.reuse_port = "reuseport" in address.options
        try:
            sock.bind(None, port)
            sock.listen(5)
        except KernelError as failure:
            raise self.log.fail(f"bind(5, {{AF=2 0.0.0.0:{port}}}, 16): {failure.strerror}") from None
        return sock

    async def _open(self, address: Address) -> Any:
        if address.kind == "stdio":
            return StandardEnd(self.proc, address.word.lower())
        if address.kind in ("exec", "system"):
            return self._exec(address)
        if address.kind == "file":
            return FileEnd(self.proc, self.log, address.parameters[0])
        if address.kind == "listen":
            listener = self._listen(address)
            conn, _ = await listener.accept()
            close_socket(self.proc, listener)
            return SocketEnd(self.proc, adopt(self.proc, conn))
        if address.kind == "udp-listen":
            sock = open_socket(self.proc, AF_INET6 if address.family == 6 else AF_INET, SOCK_DGRAM)
            port = self._port(address.parameters[0], "udp")
            try:
                sock.bind(None, port)
            except KernelError as failure:
                raise self.log.fail(f"bind(5, {{AF=2 0.0.0.0:{port}}}, 16): {failure.strerror}") from None
            while not sock.queue:
                await sock.wait_ready()
            first = sock.queue[0]
            sock.connect(first.source, first.port)
            return DatagramEnd(self.proc, sock)
        host, port_text = address.parameters
        port = self._port(port_text, "tcp" if address.kind == "connect" else "udp")
        target = await self._resolve(address, host)
        kind = SOCK_STREAM if address.kind == "connect" else SOCK_DGRAM
        sock = open_socket(self.proc, AF_INET if target.family == 4 else AF_INET6, kind)
        sock.broadcast = "broadcast" in address.options
        try:
            if kind == SOCK_STREAM:
                await sock.connect(target, port)
                return SocketEnd(self.proc, sock)
            sock.connect(target, port)
        except KernelError as failure:
            af, size = (2, 16) if target.family == 4 else (10, 28)
            shown = f"[{target}]" if target.family == 6 else str(target)
            raise self.log.fail(f"connect(5, AF={af} {shown}:{port}, {size}): {failure.strerror}") from None
        return DatagramEnd(self.proc, sock)

    def _exec(self, address: Address) -> Any:
        command = address.parameters[0].strip("'\"")
        argv = ["sh", "-c", command] if address.kind == "system" else command.split()
        inward, outward = Pipe(self.proc.loop), Pipe(self.proc.loop)
        try:
            child = self.proc.spawn(argv, stdin=inward, stdout=outward)
        except KernelError as failure:
            raise self.log.fail(
                f'execvp("{argv[0] if argv else ""}", "{argv[0] if argv else ""}"): {failure.strerror}'
            ) from None
        return ProgramEnd(child, inward, outward)


async def _copy(source: Any, target: Any) -> None:
    try:
        while data := await source.read():
            await target.write(data)
        target.end()
    except (KernelError, BrokenPipe):
        return


class SocketEnd:
    """A stream socket as one side."""

    def __init__(self, proc: Process, sock: Any):
        self.proc, self.sock = proc, sock

    async def read(self) -> bytes:
        return await self.sock.recv(8192)

    async def write(self, data: bytes) -> None:
        await self.sock.send(data)

    def end(self) -> None:
        self.sock.shutdown()

    def close(self) -> None:
        close_socket(self.proc, self.sock)


class DatagramEnd(SocketEnd):
    async def read(self) -> bytes:
        return (await self.sock.recv()).data

    async def write(self, data: bytes) -> None:
        self.sock.sendto(data)

    def end(self) -> None:
        """UDP has no end to tell."""


class StandardEnd:
    """STDIO, STDIN or STDOUT as one side."""

    def __init__(self, proc: Process, word: str):
        self.proc, self.word = proc, word

    async def read(self) -> bytes:
        return b"" if self.word == "stdout" else await self.proc.stdin.read(8192)

    async def write(self, data: bytes) -> None:
        self.proc.stdout.write(data)

    def end(self) -> None:
        """Standard output stays open for the caller."""

    def close(self) -> None:
        """Nothing to do."""


class FileEnd:
    """OPEN or CREATE: a file that is read and added to."""

    def __init__(self, proc: Process, log: Log, path: str):
        try:
            self.reader = (
                proc.files.open_reader(path, proc, proc.cwd)
                if proc.files.exists(path, proc, proc.cwd)
                else None
            )
            self.writer = proc.files.open_writer(path, proc, append=True, cwd=proc.cwd)
        except KernelError as failure:
            raise log.fail(f'open("{path}", 02, 0666): {failure.strerror}') from None

    async def read(self) -> bytes:
        return await self.reader.read(8192) if self.reader is not None else b""

    async def write(self, data: bytes) -> None:
        self.writer.write(data)

    def end(self) -> None:
        """A file has no end to tell."""

    def close(self) -> None:
        self.writer.close()


class ProgramEnd:
    """EXEC or SYSTEM: a program's standard input and output as one side."""

    def __init__(self, child: Process, inward: Pipe, outward: Pipe):
        self.child, self.inward, self.outward = child, inward, outward
        self.open = True
        inward.add_writer()
        inward.close()

    async def read(self) -> bytes:
        return await self.outward.read(8192)

    async def write(self, data: bytes) -> None:
        self.inward.write(data)

    def end(self) -> None:
        if self.open:
            self.open = False
            self.inward.close()

    def close(self) -> None:
        self.end()
        self.child.kill(15)
