"""Waiting for whoever connects (netcat.c: local_listen(), the -l branch of main())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.nc.options import Settings, die
from kubenet_course.userland.commands.nc.relay import Relay
from kubenet_course.userland.commands.nc.sockets import prepare, report, resolve
from kubenet_course.userland.sockets import adopt, close_socket
from kubenet_course.wire.addresses import ANY4, ANY6, IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


async def listen(proc: Process, settings: Settings) -> int:
    """-l: serve the first who comes, or with -k everybody; the status."""
    port = settings.ports[0]
    family = settings.family or 4
    address: IpAddress | None = None
    if settings.host:
        info = (await resolve(proc, settings, str(port)))[0]
        family, address = info.family, info.address
    while True:
        sock = prepare(proc, settings, family)
        sock.reuse_address = sock.reuse_port = True
        try:
            sock.bind(address, port)
            if not settings.udp:
                sock.listen(1)
        except KernelError as failure:
            raise die(proc, failure.strerror) from None
        if settings.verbose:
            await report(
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
        await report(proc, settings, "Connection received", first.source, first.port)
    sock.connect(first.source, first.port)
    return await Relay(proc, settings, sock).run()


async def _serve_tcp(proc: Process, settings: Settings, sock: Any) -> int:
    status = 0
    while True:
        conn, (address, port) = await sock.accept()
        adopt(proc, conn)
        if settings.verbose:
            await report(proc, settings, "Connection received", address, port)
        status = await Relay(proc, settings, conn).run()
        close_socket(proc, conn)
        if "k" not in settings.flags:
            return status
