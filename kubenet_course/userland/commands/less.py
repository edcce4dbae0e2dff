"""less, more, pager: shown in full, as there is no terminal to page on."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import open_input
from kubenet_course.userland.process import Process

NAMES = ("less", "more", "pager")


async def main(proc: Process, argv: list[str]) -> int:
    names = [word for word in argv[1:] if not word.startswith(("-", "+")) or word == "-"]
    status = 0
    for name in names or ["-"]:
        try:
            reader = open_input(proc, name)
            while chunk := await reader.read(65536):
                proc.stdout.write(chunk)
        except KernelError as error:
            if error.strerror == "Is a directory":
                proc.error(f"{name} is a directory")
            else:
                proc.error(f"{name}: {error.strerror}")
            status = 1
    return status
