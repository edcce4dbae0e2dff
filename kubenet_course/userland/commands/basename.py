"""basename, dirname: parts of a path."""

from __future__ import annotations

from kubenet_course.userland.options import OptionError, extra_operand, letters, missing_operand, parse, value
from kubenet_course.userland.process import Process

NAMES = ("basename", "dirname")
LONG = {"multiple": "a", "suffix=": "s", "zero": "z"}


def base(path: str, suffix: str = "") -> str:
    """The last component."""
    stripped = path.rstrip("/")
    if not stripped:
        return "/" if path else ""
    name = stripped.rpartition("/")[2]
    return name.removesuffix(suffix) if suffix and name != suffix else name


def directory(path: str) -> str:
    """All but the last component."""
    stripped = path.rstrip("/")
    if not stripped:
        return "/" if path.startswith("/") else "."
    head, slash, _ = stripped.rpartition("/")
    if not slash:
        return "."
    return head.rstrip("/") or "/"


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    try:
        if name == "dirname":
            options, words = parse(argv, "z", {"zero": "z"})
        else:
            options, words = parse(argv, "as:z", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    if not words:
        return missing_operand(proc, argv[0])
    end = "\0" if "z" in letters(options) else "\n"
    if name == "dirname":
        for word in words:
            proc.print(directory(word), end=end)
        return 0
    suffix = value(options, "s") or ""
    if not letters(options) & {"a", "s"}:
        if len(words) > 2:
            return extra_operand(proc, argv[0], words[2])
        proc.print(base(words[0], words[1] if len(words) > 1 else ""), end=end)
        return 0
    for word in words:
        proc.print(base(word, suffix), end=end)
    return 0
