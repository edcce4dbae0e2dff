"""printenv: show the environment or some variables of it."""

from __future__ import annotations

from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "0", {"null": "0"}, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0], 2)
    end = "\0" if "0" in letters(options) else "\n"
    if not names:
        for name, text in proc.env.items():
            proc.print(f"{name}={text}", end=end)
        return 0
    for name in names:
        if name in proc.env:
            proc.print(proc.env[name], end=end)
    return int(any(name not in proc.env for name in names))
