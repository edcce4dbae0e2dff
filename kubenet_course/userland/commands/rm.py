"""rm, unlink: remove files and trees."""

from __future__ import annotations

from collections.abc import Callable

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quoteaf

NAMES = ("rm", "unlink")
LONG = {
    "force": "f", "recursive": "r", "dir": "d", "verbose": "v", "interactive=?": "i", "one-file-system": "x",
    "no-preserve-root": "npr", "preserve-root=?": "pr",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "fRrdviI", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = {"r" if name == "R" else name for name in letters(options)}
    if not names:
        return 0 if "f" in flags else missing_operand(proc, argv[0])
    status = 0
    for name in names:
        status |= await _remove(proc, argv[0], name, flags)
    return status


async def _ask(proc: Process, question: str) -> bool:
    proc.error(question, end="")
    answer = await proc.stdin.readline()
    return answer[:1] in (b"y", b"Y")


async def _remove(proc: Process, program: str, name: str, flags: set[str]) -> int:
    files = proc.files
    last = name.rstrip("/").rpartition("/")[2]
    if last in (".", "..") and "r" in flags:
        proc.error(f"{program}: refusing to remove '.' or '..' directory: skipping {quoteaf(name)}")
        return 1
    try:
        node = files.node(name, None, proc, follow=False)
    except KernelError as error:
        if "f" in flags and error.strerror in ("No such file or directory", "Not a directory"):
            return 0
        proc.error(f"{program}: cannot remove {quoteaf(name)}: {error.strerror}")
        return 1
    if not isinstance(node, Directory):
        kind = "regular empty file" if not node.size(proc) else "regular file"
        if node.kind == 0o120000:
            kind = "symbolic link"
        if "i" in flags and not await _ask(proc, f"{program}: remove {kind} {quoteaf(name)}? "):
            return 0
        return _unlink(proc, program, name, files.remove, f"removed {quoteaf(name)}" if "v" in flags else "")
    return await _remove_directory(proc, program, name, node, flags)


async def _remove_directory(proc: Process, program: str, name: str, node: Directory, flags: set[str]) -> int:
    files = proc.files
    if not flags & {"r", "d"}:
        proc.error(f"{program}: cannot remove {quoteaf(name)}: Is a directory")
        return 1
    if files.resolve(name, proc.cwd, proc) == "/" and "r" in flags:
        if "npr" in flags:
            proc.error(f"kubenet: {program}: a machine without its root directory could teach nothing more")
        else:
            proc.error(f"{program}: it is dangerous to operate recursively on '/'")
            proc.error(f"{program}: use --no-preserve-root to override this failsafe")
        return 1
    status = 0
    if "r" in flags:
        for child in node.names(proc):
            status |= await _remove(proc, program, f"{name.rstrip('/')}/{child}", flags)
    if status:
        return status
    if "i" in flags and not await _ask(proc, f"{program}: remove directory {quoteaf(name)}? "):
        return 0
    return _unlink(proc, program, name, files.rmdir, f"removed directory {quoteaf(name)}" if "v" in flags else "")


def _unlink(proc: Process, program: str, name: str, how: Callable[[str, Process], None], done: str) -> int:
    """Remove one thing; `done` is what -v says of it."""
    try:
        how(name, proc)
    except KernelError as error:
        proc.error(f"{program}: cannot remove {quoteaf(name)}: {error.strerror}")
        return 1
    if done:
        proc.print(done)
    return 0
