"""docker, and the programs that it needs, as commands of an emulated machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kubenet_course.userland.surroundings import ProcessSurroundings

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = (
    "docker", "dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy", "docker-resolver", "docker-app",
)  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.docker.programs import PROGRAMS

    name = argv[0].rpartition("/")[2]
    module = importlib.import_module(PROGRAMS[name])
    return int(await module.program(ProcessSurroundings(proc), [name, *argv[1:]]))
