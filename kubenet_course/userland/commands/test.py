"""test, [: evaluate an expression."""

from __future__ import annotations

from kubenet_course.userland.process import Process
from kubenet_course.userland.testexpr import TestError, evaluate_test

NAMES = ("test", "[")


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    if argv[0].endswith("["):
        if words[-1:] != ["]"]:
            proc.error(f"{argv[0]}: missing ‘]’")
            return 2
        words = words[:-1]
    try:
        return int(not evaluate_test(proc, words))
    except TestError as error:
        proc.error(f"{argv[0]}: {error}")
        return 2
