"""sed: edit a stream of lines (GNU sed 4.9's commands and messages)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import decode, open_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

LONG = {
    "quiet": "n", "silent": "n", "expression=": "e", "file=": "f", "in-place=?": "i", "regexp-extended": "E",
    "separate": "s", "unbuffered": "u", "null-data": "z", "debug": "debug", "posix": "posix",
    "line-length=": "l",
    "follow-symlinks": "fs", "sandbox": "sandbox",
}  # fmt: skip
USAGE = "Usage: {0} [OPTION]... {{script-only-if-no-other-script}} [input-file]..."


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.userland.commands.sed.machine import Machine
    from kubenet_course.userland.commands.sed.script import SedError, parse_script

    try:
        options, names = parse(argv, "ne:f:i::Ersul:z", LONG)
    except OptionError as error:
        return error.report(proc, argv[0], 1, USAGE.format(argv[0]))
    flags = letters(options)
    if flags & {"z", "debug"}:
        proc.error(f"kubenet: {argv[0]}: options -z and --debug are not emulated")
        return 1
    pieces: list[str] = []
    for name, text in options:
        if name == "e":
            pieces.append(text)
        elif name == "f":
            try:
                pieces.append(decode(await open_input(proc, text).read()).removesuffix("\n"))
            except KernelError as error:
                proc.error(f"{argv[0]}: couldn't open file {text}: {error.strerror}")
                return 1
    if not pieces and not flags & {"e", "f"}:
        if not names:
            proc.error(USAGE.format(argv[0]))
            return 1
        pieces.append(names.pop(0))
    try:
        commands = parse_script("\n".join(pieces), bool(flags & {"E", "r"}))
    except SedError as error:
        where = f"-e expression #1, char {error.position}: " if error.position >= 0 else ""
        proc.error(f"{argv[0]}: {where}{error}")
        return 1 if error.position >= 0 else 4
    except RecursionError:
        proc.error(f"kubenet: {argv[0]}: the script is nested too deeply")
        return 1
    machine = Machine(proc, argv[0], commands, quiet="n" in flags)
    suffix = next((text for name, text in options if name == "i"), None)
    if suffix is None and "s" not in flags:
        return await machine.run(names or ["-"])
    status = 0
    for name in names:
        status = max(status, await _one_file(proc, machine, name, suffix))
        if machine.quitting:
            break
    return machine.status or status


async def _one_file(proc: Process, machine: object, name: str, suffix: str | None) -> int:
    """-i and -s: each file on its own."""
    from kubenet_course.userland.commands.sed.machine import Machine

    assert isinstance(machine, Machine)
    machine.restart()
    if suffix is None:
        return await machine.run([name])
    if proc.files.isdir(name, proc):
        proc.error(f"{machine.name}: couldn't edit {name}: not a regular file")
        return 4
    try:
        old = proc.files.read(name, proc)
    except KernelError as error:
        proc.error(f"{machine.name}: can't read {name}: {error.strerror}")
        return 2
    machine.output = bytearray()
    status = await machine.run([name])
    if suffix:
        backup = suffix.replace("*", name.rpartition("/")[2]) if "*" in suffix else name + suffix
        proc.files.write(backup, old, proc)
    proc.files.write(name, bytes(machine.output), proc)
    machine.output = None
    return status
