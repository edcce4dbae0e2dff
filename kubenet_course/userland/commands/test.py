"""test, [: evaluate an expression."""

from __future__ import annotations

from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote
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
        proc.error(f"{argv[0]}: {_coreutils(str(error), words)}")
        return 2


def _coreutils(message: str, words: list[str]) -> str:
    """What the program says where the shell's builtin says `message`."""
    name, _, text = message.rpartition(": ")
    if text == "integer expression expected":
        return f"invalid integer {quote(name)}"
    if text in ("unary operator expected", "binary operator expected"):
        return f"{quote(name)}: {text}"
    if message == "too many arguments":
        return f"extra argument {quote(words[-1])}"
    return message
