"""seq: a sequence of numbers."""

from __future__ import annotations

import re
from decimal import Decimal

from kubenet_course.userland.options import OptionError, extra_operand, missing_operand, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

LONG = {"format=": "f", "separator=": "s", "equal-width": "w"}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
BATCH = 4096


async def main(proc: Process, argv: list[str]) -> int:
    words: list[str] = []
    rest = argv[1:]
    front: list[str] = []
    while rest:
        if _NUMBER.fullmatch(rest[0]):
            words = rest
            break
        front.append(rest.pop(0))
        if front[-1] in ("-f", "-s") and rest:
            front.append(rest.pop(0))
    try:
        options, extra = parse([argv[0], *front], "f:s:w", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    words = extra + words
    if not words:
        return missing_operand(proc, argv[0])
    if len(words) > 3:
        return extra_operand(proc, argv[0], words[3])
    for word in words:
        if not _NUMBER.fullmatch(word):
            proc.error(f"{argv[0]}: invalid floating point argument: {quote(word)}")
            proc.error(f"Try '{argv[0]} --help' for more information.")
            return 1
    numbers = [Decimal(word) for word in words]
    step = numbers[1] if len(numbers) == 3 else Decimal(1)
    first = numbers[0] if len(numbers) > 1 else Decimal(1)
    if not step:
        proc.error(f"{argv[0]}: invalid Zero increment value: {quote(words[1])}")
        proc.error(f"Try '{argv[0]} --help' for more information.")
        return 1
    wide = any(name == "w" for name, _ in options)
    await _print(
        proc, first, step, numbers[-1], words, value(options, "f"), value(options, "s", "\n") or "", wide
    )
    return 0


def _places(word: str) -> int:
    return len(word.partition(".")[2].partition("e")[0])


async def _print(
    proc: Process, first: Decimal, step: Decimal, last: Decimal, words: list[str], form: str | None,
        joiner: str,
    wide: bool,
) -> None:  # fmt: skip
    places = max(_places(word) for word in words[:2]) if len(words) > 1 else 0
    width = 0
    if wide:
        width = max(len(f"{first:.{places}f}"), len(f"{last:.{places}f}"))

    def show(number: Decimal) -> str:
        if form:
            from kubenet_course.userland.printf import format_printf

            return format_printf(form, [str(number)], 0)[0].decode("utf-8", "replace")
        return (
            f"{number:.{places}f}".rjust(width, "0")
            if number >= 0
            else "-" + f"{-number:.{places}f}".rjust(width - 1, "0")
        )

    number, batch, count, any_one = first, [], 0, False
    while (number <= last) if step > 0 else (number >= last):
        batch.append(show(number))
        count += 1
        number = first + step * count
        if len(batch) >= BATCH:
            proc.stdout.write(((joiner if any_one else "") + joiner.join(batch)).encode("utf-8", "surrogateescape"))
            batch, any_one = [], True
            await proc.sleep(0.02)
    if batch:
        proc.stdout.write(((joiner if any_one else "") + joiner.join(batch)).encode("utf-8", "surrogateescape"))
        any_one = True
    if any_one:
        proc.stdout.write(b"\n")
