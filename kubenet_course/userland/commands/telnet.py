"""telnet (inetutils): a line to a TCP port; negotiation is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.services import service_port
from kubenet_course.userland.sockets import background, close_socket, open_socket

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.userland.process import Process

IAC, WILL, WONT, DO, DONT, SB, SE = 255, 251, 252, 253, 254, 250, 240


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "4678acdEe:KLl:n:rX:", {"ipv4": "4", "ipv6": "6", "user=": "l"})
    except OptionError as problem:
        return problem.report(
            proc, "telnet", 64, "Try 'telnet --help' or 'telnet --usage' for more information."
        )
    if not words:
        proc.error("kubenet: telnet: the command mode is not emulated; give a host")
        return 1
    family = next((int(name) for name, _ in options if name in "46"), 0)
    host, service = words[0], words[1] if len(words) > 1 else "telnet"
    port = (
        int(service)
        if service.isascii() and service.isdigit() and int(service) < 65536
        else service_port(proc, service, "tcp")
    )
    if port is None:
        proc.print(f"Server lookup failure:  {host}:{service}, Servname not supported for ai_socktype")
        return 1
    try:
        found = await getaddrinfo(proc, host, family)
    except ResolverError as problem:
        proc.print(f"Server lookup failure:  {host}:{service}, {problem}")
        return 1
    last = ""
    for left, info in zip(reversed(range(len(found))), found):
        proc.print(f"Trying {info.address}...")
        sock = open_socket(proc, AF_INET if info.family == 4 else AF_INET6, SOCK_STREAM)
        try:
            await sock.connect(info.address, port, scope=info.scope)
        except KernelError as failure:
            close_socket(proc, sock)
            last = failure.strerror
            if left:
                proc.error(f"Connection failed: {last}")
            continue
        proc.print(f"Connected to {host}.")
        proc.print("Escape character is '^]'.")
        sender = background(proc, _send(proc, sock))
        await _receive(proc, sock)
        sender.cancel()
        close_socket(proc, sock)
        return 0
    proc.error(f"telnet: Unable to connect to remote host: {last}")
    return 1


async def _receive(proc: Process, sock: TcpSocket) -> None:
    pending = b""
    try:
        while data := await sock.recv():
            text, answer, pending = negotiate(pending + data)
            proc.stdout.write(text)
            if answer:
                await sock.send(answer)
    except KernelError as failure:
        proc.error(f"telnet: {failure.strerror}")
    proc.error("Connection closed by foreign host.")


async def _send(proc: Process, sock: TcpSocket) -> None:
    """Lines of standard input; at its end nothing more is sent."""
    try:
        while line := await proc.stdin.readline():
            await sock.send(line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        sock.shutdown()
    except KernelError:
        return


def negotiate(data: bytes) -> tuple[bytes, bytes, bytes]:
    """(text, answers that refuse every option, what is still incomplete)."""
    text, answer = bytearray(), bytearray()
    at = 0
    while at < len(data):
        if data[at] != IAC:
            text.append(data[at])
            at += 1
            continue
        if at + 1 >= len(data):
            break
        command = data[at + 1]
        if command in (WILL, WONT, DO, DONT):
            if at + 2 >= len(data):
                break
            if command in (WILL, DO):
                answer += bytes((IAC, DONT if command == WILL else WONT, data[at + 2]))
            at += 3
        elif command == SB:
            end = data.find(bytes((IAC, SE)), at)
            if end < 0:
                break
            at = end + 2
        else:
            if command == IAC:
                text.append(IAC)
            at += 2
    return bytes(text), bytes(answer), data[at:]
