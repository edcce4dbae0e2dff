"""mkdir, rmdir: make and remove directories."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.modes import ModeError, change_mode
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

NAMES = ("mkdir", "rmdir")
LONG = {"mode=": "m", "parents": "p", "verbose": "v", "context=?": "Z"}
RMDIR = {"parents": "p", "verbose": "v", "ignore-fail-on-non-empty": "ignore"}


async def main(proc: Process, argv: list[str]) -> int:
    remove = argv[0].rpartition("/")[2] == "rmdir"
    try:
        options, names = parse(argv, "pv" if remove else "m:pv", RMDIR if remove else LONG, unsupported="Z")
    except OptionError as error:
        return error.report(proc, argv[0])
    if not names:
        return missing_operand(proc, argv[0])
    flags = letters(options)
    if remove:
        return max([_rmdir(proc, argv[0], name, flags) for name in names])
    mode = None
    text = value(options, "m")
    if text is not None:
        try:
            mode = change_mode(
                text, 0o777 & ~proc.umask if not text[0].isdecimal() else 0o777, True, proc.umask
            )
        except ModeError:
            proc.error(f"{argv[0]}: invalid mode {quote(text)}")
            return 1
    return max([_mkdir(proc, argv[0], name, flags, mode) for name in names])


def _mkdir(proc: Process, program: str, name: str, flags: set[str], mode: int | None) -> int:
    files = proc.files
    steps = [name]
    if "p" in flags:
        steps = []
        at = name.find("/", 1)
        while at > 0 and name[at:].strip("/"):
            steps.append(name[:at])
            at = name.find("/", at + 1)
        steps.append(name)
    for step in steps:
        try:
            if "p" in flags and files.isdir(step, proc):
                continue
            files.mkdir(step, False, proc, None, mode if step == name else None)
        except KernelError as error:
            proc.error(f"{program}: cannot create directory {quote(step)}: {error.strerror}")
            return 1
        if "v" in flags:
            proc.print(f"{program}: created directory {quoteaf(step)}")
    return 0


def _rmdir(proc: Process, program: str, name: str, flags: set[str]) -> int:
    path = name
    while path:
        if "v" in flags:
            proc.print(f"{program}: removing directory, {quoteaf(path)}")
        try:
            proc.files.rmdir(path, proc)
        except KernelError as error:
            if "ignore" in flags and error.strerror == "Directory not empty":
                return 0
            kind = "directory " if path != name else ""
            proc.error(f"{program}: failed to remove {kind}{quoteaf(path)}: {error.strerror}")
            return 1
        if "p" not in flags:
            break
        path = path.rstrip("/").rpartition("/")[0]
    return 0
