"""xargs: run a command with arguments read from input."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import decode, read_input
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.streams import Reader

LONG = {
    "null": "0", "arg-file=": "a", "delimiter=": "d", "replace=?": "I", "max-lines=?": "L", "max-args=": "n",
    "interactive": "p", "no-run-if-empty": "r", "verbose": "t", "exit": "x", "max-procs=": "P", "eof=?": "E",
    "max-chars=": "s",
}  # fmt: skip


class _Unmatched(Exception):
    pass


def split_words(text: str) -> list[list[str]]:
    """The words of each line, quotes and backslashes understood."""
    lines: list[list[str]] = [[]]
    word: str | None = None
    i = 0
    while i < len(text):
        char = text[i]
        if char in "'\"":
            end = text.find(char, i + 1)
            newline = text.find("\n", i + 1)
            if end < 0 or (0 <= newline < end):
                kind = "single" if char == "'" else "double"
                raise _Unmatched(
                    f"unmatched {kind} quote; by default quotes are special to xargs unless you use the "
                    "-0 option"
                )
            word = (word or "") + text[i + 1 : end]
            i = end + 1
            continue
        if char == "\\" and i + 1 < len(text):
            word = (word or "") + text[i + 1]
            i += 2
            continue
        if char in " \t\n":
            if word is not None:
                lines[-1].append(word)
                word = None
            if char == "\n" and lines[-1]:
                lines.append([])
        else:
            word = (word or "") + char
        i += 1
    if word is not None:
        lines[-1].append(word)
    return [line for line in lines if line]


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, command = parse(argv, "0a:d:I:i::L:l::n:prtxP:E:e::s:", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if "p" in flags:
        proc.error(f"kubenet: {argv[0]}: option -p is not emulated")
        return 1
    for name in ("n", "L", "l", "P"):
        text = value(options, name)
        if text is not None and text and (not text.isdecimal() or (name != "P" and int(text) < 1)):
            if text.lstrip("-").isdecimal():
                proc.error(f"{argv[0]}: value {text} for -{name} option should be >= 1")
            else:
                proc.error(f'{argv[0]}: invalid number "{text}" for -{name} option')
            proc.error(f"Try '{argv[0]} --help' for more information.")
            return 1
    try:
        text = decode(await read_input(proc, value(options, "a") or "-"))
        batches = _batches(text, options, flags)
    except KernelError as error:
        proc.error(f"{argv[0]}: Cannot open input file ‘{value(options, 'a')}’: {error.strerror}")
        return 1
    except _Unmatched as error:
        proc.error(f"{argv[0]}: {error}")
        return 1
    replace = value(options, "I") or (value(options, "i", "") or "{}" if "i" in flags else None)
    if not batches and "r" not in flags and replace is None:
        batches = [[]]
    return await _run_all(proc, argv[0], command or ["echo"], batches, replace, "t" in flags)


def _batches(text: str, options: list[tuple[str, str]], flags: set[str]) -> list[list[str]]:
    delimiter = "\0" if "0" in flags else value(options, "d")
    if flags & {"I", "i"} and delimiter is None:
        return [[line.lstrip(" \t")] for line in text.split("\n") if line.strip()]
    if delimiter is not None:
        escapes = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\\\": "\\"}
        delimiter = escapes.get(delimiter, delimiter) or "\0"
        pieces = text.split(delimiter[0])
        lines = [[piece] for piece in (pieces if pieces[-1] else pieces[:-1])]
    else:
        lines = split_words(text)
    if flags & {"I", "i"}:
        return lines
    per_line = value(options, "L", value(options, "l"))
    if per_line is not None:
        size = int(per_line or 1)
        return [sum(lines[at : at + size], []) for at in range(0, len(lines), size)]
    words = [word for line in lines for word in line]
    size = int(value(options, "n") or 0) or 5000
    return [words[at : at + size] for at in range(0, len(words), size)]


async def _run_all(
    proc: Process, program: str, command: list[str], batches: list[list[str]], replace: str | None, show: bool
) -> int:
    status = 0
    for batch in batches:
        if replace is not None:
            words = [word.replace(replace, batch[0]) for word in command]
        else:
            words = [*command, *batch]
        if show:
            proc.error(" ".join(words))
        try:
            child = proc.spawn(words, stdin=Reader())
        except KernelError as error:
            proc.error(f"{program}: {words[0]}: {error.strerror}")
            return 127 if error.strerror == "No such file or directory" else 126
        code = await child.exited
        if code == 255:
            proc.error(f"{program}: {words[0]}: exited with status 255; aborting")
            return 124
        if code < 0:
            proc.error(f"{program}: {words[0]}: terminated by signal {-code}")
            return 125
        if code:
            status = 123
    return status
