"""Asking a name server outside, from a container's namespace or, as dockerd does it, from the host's.

A container's resolver runs inside, so for the host's own name servers it hands the question to dockerd, through
/run/docker/resolver.sock: `udp|tcp ADDRESS LENGTH`, a newline, the query; what comes back is the answer, or nothing.

Source: moby daemon/libnetwork/resolver.go: forwardExtDNS(), dialExtDNS().
"""

from __future__ import annotations

from kubenet_course.docker.store import RUN
from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Stream
from kubenet_course.userland.surroundings import Surroundings

SOCKET = f"{RUN}/resolver.sock"
TIMEOUT_SECONDS = 4.0
#: Longer than any question about a name.
LONGEST_QUERY = 65535


async def exactly(stream: Stream, size: int) -> bytes:
    """That many bytes, or b"" if the other side ends before."""
    data = b""
    while len(data) < size:
        more = await stream.read(size - len(data))
        if not more:
            return b""
        data += more
    return data


async def ask(here: Surroundings, server: str, data: bytes, tcp: bool) -> bytes:
    """A server's answer to a query in wire format; b"" if there is none."""
    try:
        return await (_ask_tcp(here, server, data) if tcp else _ask_udp(here, server, data))
    except KernelError:
        return b""


async def _ask_udp(here: Surroundings, server: str, data: bytes) -> bytes:
    """By a connected socket: a port where nobody listens is known at once."""
    socket = await here.net.udp("::" if ":" in server else "0.0.0.0", 0, (server, 53))
    try:
        await socket.send(data, server, 53)
        while True:
            answer, _ = await socket.receive(TIMEOUT_SECONDS)
            if answer[:2] == data[:2]:
                return answer
    finally:
        socket.close()


async def _ask_tcp(here: Surroundings, server: str, data: bytes) -> bytes:
    stream = await here.net.connect(server, 53, TIMEOUT_SECONDS)
    try:
        await stream.write(len(data).to_bytes(2, "big") + data)
        head = await exactly(stream, 2)
        return await exactly(stream, int.from_bytes(head, "big"))
    finally:
        stream.close()


async def ask_from_host(here: Surroundings, server: str, data: bytes, tcp: bool) -> bytes:
    """The same by dockerd; b"" also where it does not run."""
    try:
        stream = await here.net.connect_unix(SOCKET)
    except KernelError:
        return b""
    try:
        await stream.write(f"{'tcp' if tcp else 'udp'} {server} {len(data)}\n".encode() + data)
        answer = b""
        while more := await stream.read():
            answer += more
        return answer
    except KernelError:
        return b""
    finally:
        stream.close()


async def serve(here: Surroundings, listener: object) -> None:
    """dockerd's end."""
    while True:
        here.net.spawn(_serve_one(here, await listener.accept()))  # type: ignore[attr-defined]


async def _serve_one(here: Surroundings, stream: Stream) -> None:
    try:
        head = b""
        while not head.endswith(b"\n"):
            more = await stream.read(1)
            if not more or len(head) > 100:
                return
            head += more
        words = head.decode("ascii", "replace").split()
        if len(words) != 3 or not words[2].isdecimal() or int(words[2]) > LONGEST_QUERY:
            return
        data = await exactly(stream, int(words[2]))
        if data:
            await stream.write(await ask(here, words[1], data, words[0] == "tcp"))
    except KernelError:
        return
    finally:
        stream.close()
