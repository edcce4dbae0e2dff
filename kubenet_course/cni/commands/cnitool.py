"""cnitool: attach a network namespace to a network of /etc/cni/net.d, or detach it."""

from __future__ import annotations

from kubenet_course.cni import cnitool
from kubenet_course.userland.process import Process
from kubenet_course.userland.surroundings import ProcessSurroundings


async def main(proc: Process, argv: list[str]) -> int:
    return await cnitool.main(ProcessSurroundings(proc), argv)
