"""echo: print a line of text."""

from __future__ import annotations

from kubenet_course.userland.echo import echo_bytes
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    proc.stdout.write(echo_bytes(argv[1:]))
    return 0
