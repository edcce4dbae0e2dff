"""yes: print a line again and again; a millisecond passes for every block of lines."""

from __future__ import annotations

from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    try:
        _, words = parse(argv, "", permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    line = (" ".join(words or ["y"]) + "\n").encode("utf-8", "surrogateescape")
    block = line * max(1, 1024 // len(line))
    while True:
        proc.stdout.write(block)
        await proc.sleep(0.001)
