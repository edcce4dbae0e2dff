"""envsubst: ``$NAME`` and ``${NAME}`` of the environment put into a text (gettext's)."""

from __future__ import annotations

import re

from kubenet_course.userland.files_io import decode, encode
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "v", {"variables": "v"})
    except OptionError as error:
        return error.report(proc, argv[0])
    if len(names) > 1:
        proc.error(f"{argv[0]}: too many arguments")
        return 1
    if "v" in letters(options):
        if not names:
            proc.error(f"{argv[0]}: missing arguments")
            return 1
        for match in _VARIABLE.finditer(names[0]):
            proc.print(match[1] or match[2])
        return 0
    only = {match[1] or match[2] for match in _VARIABLE.finditer(names[0])} if names else None

    def put(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return match[0] if only is not None and name not in only else proc.env.get(name, "")

    proc.stdout.write(encode(_VARIABLE.sub(put, decode(await proc.stdin.read()))))
    return 0
