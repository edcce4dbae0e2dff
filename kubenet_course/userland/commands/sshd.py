"""sshd: listens on port 22 and greets with its banner; nobody is let in (there are no keys on an emulated machine)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_STREAM
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.sockets import EmulatedStream, adopt, background, close_socket, open_socket
from kubenet_course.userland.streams import Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket

BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
LOGIN_GRACE_TIME = 120.0
USAGE = """OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.19 27 Jan 2026
usage: sshd [-46DdeiqTtV] [-C connection_spec] [-c host_cert_file]
            [-E log_file] [-f config_file] [-g login_grace_time]
            [-h host_key_file] [-o option] [-p port] [-u len]"""


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, operands = parse(argv, "46DdeiqTtVC:c:E:f:g:h:o:p:u:")
    except OptionError as problem:
        proc.error(problem.message)
        proc.error(USAGE)
        return 1
    settings = dict(options)
    if "V" in settings:
        proc.error("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.19 27 Jan 2026")
        return 0
    if operands:
        proc.error(f"Extra argument {operands[0]}.")
        return 1
    if "t" in settings:
        return 0
    port_text = settings.get("p", "22")
    if not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        proc.error("Bad port number.")
        return 1
    families = [family for family in (4, 6) if str(family) in settings] or [4, 6]
    listeners = []
    for number, family in enumerate(families):
        try:
            listeners.append(_listen(proc, family, int(port_text), number))
        except KernelError as failure:
            if failure.errno != errno.EAFNOSUPPORT:
                where = "0.0.0.0" if family == 4 else "::"
                proc.error(f"Bind to port {port_text} on {where} failed: {failure.strerror}.\r")
    if not listeners:
        proc.error("Cannot bind any address.\r")
        return 255

    async def daemon(own: Process, _: list[str]) -> int:
        own.title = "sshd"
        for number, sock in enumerate(listeners):
            sock.owner, sock.fd = own, 3 + number  # type: ignore[attr-defined]
            own.owns(sock)
            background(own, _accept(own, sock))
        await own.loop.future()
        return 0

    if "D" in settings or "d" in settings:
        proc.resources = [resource for resource in proc.resources if resource not in listeners]
        return await daemon(proc, argv)
    for sock in listeners:
        proc.resources.remove(sock)
    proc.system.spawn(
        ["sshd: /usr/sbin/sshd [listener] 0 of 10-100 startups"], program=daemon, parent=proc.system.init, net=proc.net, files=proc.files,
        env=proc.env, cwd="/", stdin=Reader(), stdout=Writer(), stderr=Writer(),
    )  # fmt: skip
    await proc.sleep(0)
    return 0


def _listen(proc: Process, family: int, port: int, number: int) -> TcpSocket:
    sock: TcpSocket = open_socket(proc, AF_INET if family == 4 else AF_INET6, SOCK_STREAM)
    sock.reuse_address, sock.v6only = True, family == 6
    try:
        sock.bind(None, port)
        sock.listen(128)
    except KernelError:
        close_socket(proc, sock)
        raise
    return sock


async def _accept(proc: Process, listener: TcpSocket) -> None:
    while True:
        conn, _ = await listener.accept()
        background(proc, _greet(EmulatedStream(proc, adopt(proc, conn))))


async def _greet(stream: EmulatedStream) -> None:
    """The banner, then whatever the client says until it leaves or LoginGraceTime is over."""
    try:
        await stream.write(BANNER)
        while await stream.read(timeout=LOGIN_GRACE_TIME):
            pass
    except KernelError:
        return  # gone, or too slow
    finally:
        stream.close()
