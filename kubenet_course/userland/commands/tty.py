"""tty, clear, reset, stty, mesg: there is no terminal."""

from __future__ import annotations

from kubenet_course.userland.process import Process

NAMES = ("tty", "clear", "reset", "stty")


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    if program == "tty":
        if "-s" not in argv:
            proc.print("not a tty")
        return 1
    if program == "stty":
        proc.error(f"{argv[0]}: 'standard input': Inappropriate ioctl for device")
        return 1
    return 0
