"""jq: filter JSON (jq 1.6; `def`, modules, streaming and SQL operators are not emulated)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import decode, read_input
from kubenet_course.userland.process import Process

LONG = {
    "compact-output": "c", "raw-output": "r", "join-output": "j", "null-input": "n", "slurp": "s",
    "raw-input": "R",
    "exit-status": "e", "sort-keys": "S", "ascii-output": "a", "tab": "tab", "color-output": "C",
    "monochrome-output": "M", "from-file": "f", "unbuffered": "u",
}  # fmt: skip


class _Usage(Exception):
    pass


class _ParseError(Exception):
    pass


def _options(proc: Process, words: list[str]) -> tuple[set[str], list[str], dict[str, Any], dict[str, str]]:
    """(flags, operands, variables, other values)."""
    flags: set[str] = set()
    operands: list[str] = []
    variables: dict[str, Any] = {}
    named: dict[str, Any] = {}
    values: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "--":
            operands += words
            break
        if word in ("--arg", "--argjson"):
            if len(words) < 2:
                raise _Usage(
                    f"{word} takes two parameters (e.g. {word} varname "
                    f"{'value' if word == '--arg' else 'text'})"
                )
            name, text = words.pop(0), words.pop(0)
            try:
                variables[name] = named[name] = text if word == "--arg" else json.loads(text)
            except ValueError:
                raise _Usage(f"Invalid JSON text passed to {word}") from None
        elif word in ("--args", "--jsonargs", "--slurpfile", "--rawfile", "--stream", "--seq", "-L"):
            raise _Usage(f"kubenet: the option {word} is not emulated")
        elif word == "--indent":
            values["indent"] = words.pop(0) if words else ""
        elif word.startswith("--"):
            if word[2:] not in LONG:
                raise _Usage(f"Unknown option {word}")
            flags.add(LONG[word[2:]])
        elif word.startswith("-") and len(word) > 1:
            for letter in word[1:]:
                if letter not in "crjnsReSaCMfuh":
                    raise _Usage(f"Unknown option {word}")
                flags.add(letter)
        else:
            operands.append(word)
    variables["__named__"] = named
    del proc
    return flags, operands, variables, values


def _documents(text: str) -> Iterator[Any]:
    """The JSON values of a text, one after the other."""
    decoder = json.JSONDecoder()
    at = 0
    while True:
        at = re.compile(r"[ \t\r\n\x1e]*").match(text, at).end()  # type: ignore[union-attr]
        if at >= len(text):
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise _ParseError(_where(text, at)) from None
        yield value


def _where(text: str, start: int) -> str:
    """jq's words for where parsing failed, as near as a different parser can tell."""
    decoder = json.JSONDecoder()
    try:
        decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            line = text.count("\n") + 1
            return f"Unfinished JSON term at EOF at line {line}, column {len(text) - text.rfind(chr(10)) - 1}"
        word = re.compile(r"[A-Za-z0-9_.+-]*").match(text, error.pos)
        end = word.end() if word is not None else error.pos
        return (
            f"Invalid numeric literal at line {error.lineno}, column {error.colno + max(end - error.pos, 1)}"
        )
    except RecursionError:
        return "Exceeds depth limit for parsing"
    return "Invalid literal"


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.userland.commands.jq.functions import NotDefined, check
    from kubenet_course.userland.commands.jq.parser import JqSyntaxError, parse

    try:
        flags, operands, variables, values = _options(proc, list(argv[1:]))
    except _Usage as error:
        if str(error).startswith("kubenet:"):
            proc.error(f"kubenet: jq: {str(error).removeprefix('kubenet: ')}")
        else:
            proc.error(f"jq: {error}\nUse jq --help for help with command-line options,\n"
                       "or see the jq manpage, or online docs  at https://stedolan.github.io/jq")  # fmt: skip
        return 2
    if not operands:
        proc.error("Usage:\tjq [OPTIONS] FILTER [FILES...]")
        return 2
    source = operands.pop(0)
    if "f" in flags:
        try:
            source = decode(await read_input(proc, source))
        except KernelError as error:
            proc.error(f"jq: error: Could not open {source}: {error.strerror}")
            return 2
    try:
        program = parse(source)
        check(program)
    except JqSyntaxError as error:
        if str(error).startswith("kubenet:"):
            proc.error(f"kubenet: jq: {str(error).removeprefix('kubenet: ')}")
        else:
            proc.error(f"jq: error: {error} at <top-level>, line 1:\n{source} \njq: 1 compile error")
        return 3
    except NotDefined as error:
        proc.error(
            f"jq: error: {error} is not defined at <top-level>, line 1:\n{source}\njq: 1 compile error"
        )
        return 3
    except RecursionError:
        proc.error("kubenet: jq: the filter is nested too deeply")
        return 3
    text, status = await _input(proc, operands)
    return _run(proc, program, text, status, flags, variables, values)


async def _input(proc: Process, names: list[str]) -> tuple[str, int]:
    text, status = "", 0
    for name in names or ["-"]:
        try:
            text += decode(await read_input(proc, name))
        except KernelError as error:
            proc.error(f"jq: error: Could not open file {name}: {error.strerror}")
            status = 2
    return text, status


def _run(
    proc: Process,
    program: tuple,
    text: str,
    status: int,
    flags: set[str],
    variables: dict[str, Any],
    values: dict[str, str],
) -> int:
    from kubenet_course.userland.commands.jq.machine import Machine
    from kubenet_course.userland.commands.jq.values import JqError, dump, truth

    indent: str | None = "\t" if "tab" in flags else "  "
    if values.get("indent", "").isdecimal():
        indent = " " * min(int(values["indent"]), 7) or None
    if "c" in flags:
        indent = None
    if "R" in flags:
        lines = text.split("\n")
        source: Iterator[Any] = iter([text] if "s" in flags else lines if lines[-1] else lines[:-1])
    else:
        source = _documents(text)
    last: Any = None
    machine = Machine(source, proc.env, proc.system.files.now())
    try:
        if "n" in flags:
            inputs: Iterator[Any] = iter([None])
        elif "s" in flags and "R" not in flags:
            inputs = iter([list(source)])
        else:
            inputs = source
        for value in inputs:
            try:
                for last in machine.run(program, value, variables):
                    if flags & {"r", "j"} and isinstance(last, str):
                        shown = last
                    else:
                        shown = dump(last, indent, "S" in flags, "a" in flags)
                    proc.print(shown, end="" if "j" in flags else "\n")
            except JqError as error:
                where = "<unknown>" if "n" in flags else f"<stdin>:{text.count(chr(10))}"
                proc.error(
                    f"jq: error (at {where}){'' if isinstance(error.value, str) else ' (not a string)'}: "
                    f"{error.message.removesuffix(' (not a string)')}"
                )
                status = 5
    except _ParseError as error:
        proc.error(f"parse error: {error}")
        return 4
    except RecursionError:
        proc.error("kubenet: jq: the data or the filter is nested too deeply")
        return 5
    if "e" in flags and not status:
        return 0 if truth(last) else 1
    return status
