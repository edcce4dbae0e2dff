"""false: do nothing, unsuccessfully."""

from __future__ import annotations

from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    return 1
