"""printf: format and print."""

from __future__ import annotations

from kubenet_course.userland.options import missing_operand
from kubenet_course.userland.printf import format_printf
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return missing_operand(proc, argv[0])
    data, errors = format_printf(words[0], words[1:], proc.system.files.now())
    proc.stdout.write(data)
    for message in errors:
        proc.error(f"{argv[0]}: {message}")
    return int(bool(errors))
