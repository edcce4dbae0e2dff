"""bash, sh: the shell."""

from __future__ import annotations

from kubenet_course.userland.process import Process

NAMES = ("bash", "sh", "dash", "rbash")


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.userland.shell.main import main as shell

    return await shell(proc, argv)
