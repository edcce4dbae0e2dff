"""What a name server needs of the machine it runs on, besides sockets; the same on both kernels.

`commands/_host.py` gives it for an emulated process, `real_host.py` for a process of a real machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from random import Random
from typing import Any, Protocol

from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Network


class Host(Protocol):
    """Files are named by whole paths, or from the program's directory `cwd`."""

    network: Network
    variables: Mapping[str, str]
    hostname: str
    cwd: str
    pid: int
    random: Random

    def read(self, path: str) -> str | None:
        """A file's text; None where there is none (or it cannot be read)."""

    def problem(self, path: str) -> str:
        """Why `read` gave None, in Go's words: ``no such file or directory``."""

    async def stdin(self) -> str:
        """All of standard input."""

    def failed(self, failure: Exception) -> None:
        """A defect of the program, which goes on."""

    def glob(self, pattern: str) -> list[str]:
        """The paths that match, sorted."""

    def write(self, path: str, text: str) -> str:
        """Write a file; "" or why it could not be, in Go's words."""

    def remove(self, path: str) -> None: ...

    def out(self, text: str) -> None:
        """A line on standard output."""

    def err(self, text: str) -> None:
        """A line on standard error."""

    def now(self) -> int:
        """ns of a clock that only moves forward."""

    async def next_signal(self) -> int:
        """The next of SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGHUP that comes."""

    def raise_signal(self, number: int) -> None:
        """As if a signal had come; 0 ends the program with status 1."""

    def addresses(self) -> list[str]:
        """The machine's own addresses, loopback first."""

    def interface_addresses(self, name: str) -> list[str] | None:
        """The addresses of one interface; None where there is no such interface."""


def go_error(failure: KernelError | OSError) -> str:
    """An errno in Go's words, which begin with a small letter."""
    text = failure.strerror or str(failure)
    return text[:1].lower() + text[1:]


async def exchange(network: Network, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
    """Ask a DNS server once over UDP or TCP, for at most `timeout` ns.

    OSError (text as Go's net package words it) where it cannot be asked, TimeoutError where it is silent.
    """
    seconds = timeout / 1e9
    place = f"[{server}]:{port}" if ":" in server else f"{server}:{port}"
    if protocol == "tcp":
        return await _exchange_tcp(network, server, port, place, wire, seconds)
    try:
        socket = await network.udp(remote=(server, port))
    except KernelError as failure:
        raise OSError(f"dial udp {place}: connect: {go_error(failure)}") from None
    mine = f"[{socket.local[0]}]" if ":" in socket.local[0] else socket.local[0]
    way = f"{mine}:{socket.local[1]}->{place}"
    try:
        await socket.send(wire, server, port)
        deadline = network.time() + seconds
        while True:
            data, _ = await socket.receive(max(0.000001, deadline - network.time()))
            if data[:2] == wire[:2]:
                return data
    except KernelError as failure:
        if failure.errno == 11:
            raise TimeoutError(f"read udp {way}: i/o timeout") from None
        raise OSError(f"read udp {way}: read: {go_error(failure)}") from None
    finally:
        socket.close()


async def _exchange_tcp(network: Network, server: str, port: int, place: str, wire: bytes, seconds: float) -> bytes:
    deadline = network.time() + seconds
    try:
        stream = await network.connect(server, port, seconds)
    except KernelError as failure:
        if failure.errno in (11, 110):
            raise TimeoutError(f"dial tcp {place}: i/o timeout") from None
        raise OSError(f"dial tcp {place}: connect: {go_error(failure)}") from None
    try:
        await stream.write(len(wire).to_bytes(2, "big") + wire)
        data = await read_frame(stream, lambda: max(0.000001, deadline - network.time()))
    except KernelError as failure:
        if failure.errno == 11:
            raise TimeoutError(f"read tcp {place}: i/o timeout") from None
        raise OSError(f"read tcp {place}: read: {go_error(failure)}") from None
    finally:
        stream.close()
    if data is None:
        raise OSError("EOF")
    return data


async def transfer(network: Network, server: str, port: int, wire: bytes, timeout: int) -> AsyncIterator[bytes]:
    """The messages that a query over TCP is answered with, until the server ends or is silent for `timeout` ns."""
    seconds = timeout / 1e9
    try:
        stream = await network.connect(server, port, seconds)
        try:
            await stream.write(len(wire).to_bytes(2, "big") + wire)
            while (data := await read_frame(stream, lambda: seconds)) is not None:
                yield data
        finally:
            stream.close()
    except KernelError as failure:
        raise OSError(go_error(failure)) from None


async def read_frame(stream: Any, left: Any) -> bytes | None:
    """One message of a TCP connection (RFC 1035 4.2.2); None when the other side has ended."""
    buffer = b""
    need = 2
    while len(buffer) < need:
        data = await stream.read(need - len(buffer), left())
        if not data:
            return None
        buffer += data
        if need == 2 and len(buffer) == 2:
            need = 2 + int.from_bytes(buffer, "big")
            if need == 2:
                return b""
    return buffer[2:]
