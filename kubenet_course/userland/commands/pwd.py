"""pwd: the working directory (the program; the shell has its own)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "LP", {"logical": "L", "physical": "P"})
    except OptionError as error:
        return error.report(proc, argv[0])
    if words:
        proc.error(f"{argv[0]}: ignoring non-option arguments")
    try:
        path = proc.cwd if "L" in letters(options) else proc.files.resolve(proc.cwd, "/", proc)
    except KernelError:
        proc.error(f"{argv[0]}: couldn't find directory entry in ‘..’ with matching i-node")
        return 1
    proc.print(path)
    return 0
