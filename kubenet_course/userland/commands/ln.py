"""ln: make links."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.basename import base
from kubenet_course.userland.files import Directory
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quoteaf

LONG = {
    "symbolic": "s", "force": "f", "no-dereference": "n", "verbose": "v", "target-directory=": "t",
    "no-target-directory": "T", "relative": "r", "interactive": "i",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "sfnvit:TrLP", LONG, unsupported="bSdF")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if not names:
        return missing_operand(proc, argv[0], kind="file operand")
    target = value(options, "t")
    if target is None:
        target = names.pop() if len(names) > 1 else "."
    into = proc.files.isdir(target, proc) and "T" not in flags
    if "n" in flags and proc.files.islink(target, proc):
        into = False
    if not into and len(names) > 1:
        proc.error(f"{argv[0]}: target {quoteaf(target)}: Not a directory")
        return 1
    status = 0
    for name in names:
        place = f"{target.rstrip('/')}/{base(name)}" if into else target
        status |= _link(proc, argv[0], name, place, flags)
    return status


def _relative(proc: Process, name: str, place: str) -> str:
    source = proc.files.resolve(name, proc.cwd, proc).strip("/").split("/")
    here = proc.files.resolve(place, proc.cwd, proc).strip("/").split("/")[:-1]
    while source and here and source[0] == here[0]:
        source, here = source[1:], here[1:]
    return "/".join([".."] * len(here) + source) or "."


def _link(proc: Process, program: str, name: str, place: str, flags: set[str]) -> int:
    files = proc.files
    symbolic = "s" in flags
    kind = "symbolic link" if symbolic else "hard link"
    try:
        if not symbolic:
            node = files.node(name, None, proc, follow=False)
            if isinstance(node, Directory):
                proc.error(f"{program}: {name}: hard link not allowed for directory")
                return 1
    except KernelError as error:
        proc.error(f"{program}: failed to access {quoteaf(name)}: {error.strerror}")
        return 1
    try:
        if "f" in flags and files.lexists(place, proc):
            files.remove(place, proc)
        if symbolic:
            files.symlink(_relative(proc, name, place) if "r" in flags else name, place, proc)
        else:
            files.link(name, place, proc)
    except KernelError as error:
        arrow = "" if symbolic else f" => {quoteaf(name)}"
        proc.error(f"{program}: failed to create {kind} {quoteaf(place)}{arrow}: {error.strerror}")
        return 1
    if "v" in flags:
        proc.print(f"{quoteaf(place)} {'->' if symbolic else '=>'} {quoteaf(name)}")
    return 0
