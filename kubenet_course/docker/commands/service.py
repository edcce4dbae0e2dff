"""systemctl and service on an emulated machine: docker is their only unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands import vi
from kubenet_course.userland.surroundings import ProcessSurroundings

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("systemctl", "service")


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.docker import service

    if not service.verb_of(argv):
        return await vi.main(proc, argv)
    return await service.program(ProcessSurroundings(proc), argv)
