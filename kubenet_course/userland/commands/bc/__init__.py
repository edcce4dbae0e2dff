"""bc [-l] [FILE…]: arithmetic with as many digits as one likes (GNU bc 1.07.1). Not emulated: -i, history."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.bc.machine import Machine, Quit
from kubenet_course.userland.files_io import decode
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

LONG = {"mathlib": "l", "quiet": "q", "standard": "s", "warn": "w", "interactive": "i"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "lqsw", LONG, unsupported="i")
    except OptionError as error:
        return error.report(proc, argv[0], 1, "")
    machine = Machine(proc, "l" in letters(options))
    try:
        for name in names:
            try:
                text = proc.files.read_text(name, proc)
            except KernelError:
                proc.error(f"File {name} is unavailable.")
                return 1
            await machine.run(text, name)
        text = decode(await proc.stdin.read())
        await machine.run(text, "(standard_in)")
    except Quit:
        return 0
    return 0
