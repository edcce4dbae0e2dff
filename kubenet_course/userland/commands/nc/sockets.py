"""netcat's sockets: the address of a host, options, and what is said of a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM
from kubenet_course.userland.commands.nc.options import Settings, die
from kubenet_course.userland.resolver import (
    EAI_ADDRFAMILY,
    EAI_NONAME,
    AddressInfo,
    ResolverError,
    getaddrinfo,
    getnameinfo,
    numeric_address,
)
from kubenet_course.userland.sockets import open_socket
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


async def resolve(proc: Process, settings: Settings, port: str) -> list[AddressInfo]:
    """The addresses of the host; `port` is for the complaint. Exit where there is none."""
    try:
        if "n" in settings.flags:
            found = numeric_address(proc, settings.host)
            if found is None:
                raise ResolverError(EAI_NONAME)
            if settings.family and found[0].family != settings.family:
                raise ResolverError(EAI_ADDRFAMILY)
            return [AddressInfo(found[0].family, found[0], None, found[1])]
        return await getaddrinfo(proc, settings.host, settings.family)
    except ResolverError as problem:
        raise die(proc, f'getaddrinfo for host "{settings.host}" port {port}: {problem}') from None


def prepare(proc: Process, settings: Settings, family: int) -> Any:
    """A socket with the options of the command line."""
    sock = open_socket(
        proc, AF_INET if family == 4 else AF_INET6, SOCK_DGRAM if settings.udp else SOCK_STREAM
    )
    sock.tos, sock.ttl = settings.tos, settings.ttl
    sock.broadcast = "b" in settings.flags
    return sock


async def report(proc: Process, settings: Settings, what: str, address: IpAddress, port: int) -> None:
    """report_sock(): with a name where one is known."""
    name = None
    if "n" not in settings.flags:
        name = await getnameinfo(proc, address)
        if name is None and getattr(proc.system, "dns", None) is None:
            proc.error("nc: getnameinfo: Temporary failure in name resolution")
            return
    proc.error(f"{what} on {name or address} {port}")
