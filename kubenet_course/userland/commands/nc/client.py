"""Connecting to a host, port after port (netcat.c: remote_connect(), udptest(), connection_info())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.nc.options import Settings, die
from kubenet_course.userland.commands.nc.relay import Relay
from kubenet_course.userland.commands.nc.sockets import prepare, resolve
from kubenet_course.userland.resolver import AddressInfo, address_text, numeric_address
from kubenet_course.userland.services import service_name, service_port
from kubenet_course.userland.sockets import close_socket

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


async def client(proc: Process, settings: Settings, port: int, before: int) -> int:
    """One port: 0 where it was reached and all went well; `before`, the status so far, where it was not reached."""
    found = await resolve(proc, settings, str(port))
    sock = None
    for info in found:
        sock = prepare(proc, settings, info.family)
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
        return before
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
    """-s and -p."""
    if not settings.source and not settings.source_port:
        return
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
