"""awk: patterns and actions on lines (Debian's mawk 1.3.4 in behaviour)."""

from __future__ import annotations

from typing import NamedTuple

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import decode, open_input
from kubenet_course.userland.process import Process

NAMES = ("awk", "mawk", "gawk")
USAGE = "Usage: mawk [Options] [Program] [file ...]"


class Wanted(NamedTuple):
    """What the command line says: -v assignments, the program, -F, and the operands."""

    assignments: list[str]
    program: str
    separator: str | None
    operands: list[str]


async def _wanted(proc: Process, name: str, words: list[str]) -> Wanted | int:
    """The command line, or the status after everything is said."""
    assignments: list[str] = []
    sources: list[str] = []
    separator: str | None = None
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        letter, rest = word[1], word[2:]
        if letter not in "Fvf":
            if letter == "W" or word.startswith("--"):
                proc.error(f"kubenet: {name}: the option {word} is not emulated")
            else:
                proc.error(f"{name}: not an option: {word}")
            return 2
        if not rest and not words:
            proc.error(f"{name}: option requires an argument -- {letter}")
            return 2
        text = rest or words.pop(0)
        if letter == "F":
            separator = text
        elif letter == "v":
            if not text.partition("=")[1] or not text.partition("=")[0].isidentifier():
                proc.error(f"{name}: improper assignment: -v {text}")
                return 2
            assignments.append(text)
        else:
            try:
                sources.append(decode(await open_input(proc, text).read()))
            except KernelError as error:
                proc.error(f"{name}: cannot open {text} ({error.strerror})")
                return 2
    if not sources:
        if not words:
            proc.error(USAGE)
            return 0
        sources.append(words.pop(0))
    return Wanted(assignments, "\n".join(sources), separator, words)


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.userland.commands.awk.control import RuntimeFault
    from kubenet_course.userland.commands.awk.lexer import AwkError
    from kubenet_course.userland.commands.awk.machine import Machine
    from kubenet_course.userland.commands.awk.parser import parse

    name = argv[0]
    wanted = await _wanted(proc, name, list(argv[1:]))
    if isinstance(wanted, int):
        return wanted
    machine = None
    try:
        machine = Machine(proc, parse(wanted.program), wanted.operands)
        if wanted.separator is not None:
            machine.assign_text("FS", wanted.separator)
        for text in wanted.assignments:
            variable, _, value = text.partition("=")
            machine.assign_text(variable, value)
        return await machine.run()
    except RuntimeFault as error:
        where = (
            f'\tFILENAME="{machine.text("FILENAME")}" FNR={machine.text("FNR")} NR={machine.text("NR")}'
            if machine
            else ""
        )
        proc.error(f"{name}: run time error: {error}\n{where}")
        return 2
    except AwkError as error:
        proc.error(f"{name}: {error}")
        return 2
    except RecursionError:
        proc.error(f"kubenet: {name}: the program is nested too deeply")
        return 2
