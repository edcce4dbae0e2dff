"""nc: OpenBSD's netcat as Debian ships it (1.219): connect, listen, scan, over TCP and UDP.

Not here: UNIX domain sockets (-U), proxies (-x, -X, -P), TCP MD5 (-S), DCCP (-Z), passing descriptors (-F).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.nc.client import client
from kubenet_course.userland.commands.nc.listen import listen
from kubenet_course.userland.commands.nc.options import read_options

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("nc", "netcat", "nc.openbsd")


async def main(proc: Process, argv: list[str]) -> int:
    settings = read_options(proc, argv)
    if "l" in settings.flags:
        return await listen(proc, settings)
    status = 1
    for number, port in enumerate(settings.ports):
        if number and settings.interval:
            await proc.sleep(settings.interval)
        status = await client(proc, settings, port, status)
    return status
