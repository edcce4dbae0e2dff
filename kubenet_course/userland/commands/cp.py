"""cp, mv, install: copy and move files and trees."""

from __future__ import annotations

from dataclasses import dataclass

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.basename import base
from kubenet_course.userland.files import Directory, Node, Symlink
from kubenet_course.userland.modes import ModeError, change_mode
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

NAMES = ("cp", "mv", "install")
LONG = {
    "archive": "a", "recursive": "r", "force": "f", "interactive": "i", "no-clobber": "n", "verbose": "v",
    "preserve=?": "p", "dereference": "L", "no-dereference": "P", "target-directory=": "t",
    "no-target-directory": "T", "update=?": "u", "link": "l", "symbolic-link": "s", "parents": "parents",
    "mode=": "m", "directory": "d", "strip-trailing-slashes": "strip", "remove-destination": "rd",
    "backup=?": "b",
    "reflink=?": "reflink", "sparse=": "sparse", "one-file-system": "x", "no-preserve=": "np",
    "attributes-only": "ao",
    "copy-contents": "cc", "suffix=": "S", "context=?": "Z",
}  # fmt: skip


@dataclass
class _Job:
    proc: Process
    program: str
    flags: set[str]
    mode: int | None = None
    status: int = 0

    def fail(self, message: str) -> None:
        self.proc.error(f"{self.program}: {message}")
        self.status = 1

    @property
    def moving(self) -> bool:
        return self.program.rpartition("/")[2] == "mv"


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    short = {"cp": "aRrfinvpLPdHt:Tuls", "mv": "finvut:T", "install": "dDm:o:g:pvt:Tc"}[name]
    try:
        options, names = parse(argv, short, LONG, unsupported="bSxZ")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = {"r" if flag in ("R", "a") else flag for flag in letters(options)}
    if "a" in letters(options):
        flags |= {"p", "P"}
    job = _Job(proc, argv[0], flags)
    text = value(options, "m") or ("755" if name == "install" else None)
    if text is not None:
        try:
            job.mode = change_mode(text, 0, False, 0)
        except ModeError:
            proc.error(f"{argv[0]}: invalid mode {quote(text)}")
            return 1
    if name == "install" and "d" in flags:
        for path in names:
            try:
                proc.files.mkdir(path, True, proc, None, job.mode)
            except KernelError as error:
                job.fail(f"cannot create directory {quoteaf(path)}: {error.strerror}")
        return job.status
    return await _run(job, names, value(options, "t"))


async def _run(job: _Job, names: list[str], target: str | None) -> int:
    proc, program = job.proc, job.program
    hint = f"Try '{program} --help' for more information."
    if not names:
        proc.error(f"{program}: missing file operand\n{hint}")
        return 1
    if target is None:
        if len(names) == 1:
            proc.error(f"{program}: missing destination file operand after {quoteaf(names[0])}\n{hint}")
            return 1
        target = names[-1]
        names = names[:-1]
        if "T" in job.flags and len(names) > 1:
            proc.error(f"{program}: extra operand {quoteaf(names[1])}\n{hint}")
            return 1
        into = proc.files.isdir(target, proc) and "T" not in job.flags
        if not into and len(names) > 1:
            proc.error(
                f"{program}: target {quoteaf(target)}: "
                f"{'Not a directory' if proc.files.exists(target, proc) else 'No such file or directory'}"
            )
            return 1
        if (
            not into
            and target.endswith("/")
            and not proc.files.isdir(names[0], proc)
            and not proc.files.exists(target.rstrip("/"), proc)
        ):
            verb = "move" if job.moving else "create regular file"
            where = f"{quoteaf(names[0])} to {quoteaf(target)}" if job.moving else quoteaf(target)
            if not proc.files.lexists(names[0], proc):
                job.fail(f"cannot stat {quoteaf(names[0])}: No such file or directory")
                return 1
            job.fail(f"cannot {verb} {where}: Not a directory")
            return 1
    else:
        into = True
        if not proc.files.isdir(target, proc):
            proc.error(f"{program}: target directory {quoteaf(target)}: No such file or directory")
            return 1
    for name in names:
        destination = f"{target.rstrip('/')}/{base(name)}" if into else target
        await (_move if job.moving else _copy)(job, name, destination, True)
    return job.status


def _stat(job: _Job, name: str, follow: bool) -> Node | None:
    try:
        return job.proc.files.node(name, None, job.proc, follow=follow)
    except KernelError as error:
        job.fail(f"cannot stat {quoteaf(name)}: {error.strerror}")
        return None


async def _may_replace(job: _Job, source: Node, destination: str) -> bool:
    files, proc = job.proc.files, job.proc
    if not files.lexists(destination, proc):
        return True
    if "n" in job.flags:
        return False
    if "u" in job.flags:
        return source.mtime > files.stat(destination, proc).mtime
    if "i" in job.flags:
        proc.error(f"{job.program}: overwrite {quoteaf(destination)}? ", end="")
        return (await proc.stdin.readline())[:1] in (b"y", b"Y")
    return True


async def _copy(job: _Job, name: str, destination: str, top: bool) -> None:
    proc, files = job.proc, job.proc.files
    keep_links = (
        "P" in job.flags
        or ("r" in job.flags and "L" not in job.flags and (not top or "P" in job.flags))
        or "d" in job.flags
    )
    if "r" in job.flags and top and "H" not in job.flags and "L" not in job.flags:
        keep_links = True
    node = _stat(job, name, not keep_links)
    if node is None:
        return
    if isinstance(node, Directory):
        if "r" not in job.flags:
            job.fail(f"-r not specified; omitting directory {quoteaf(name)}")
            return
        await _copy_directory(job, name, node, destination)
        return
    try:
        existing = files.node(destination, None, proc)
        if existing is node:
            job.fail(f"{quoteaf(name)} and {quoteaf(destination)} are the same file")
            return
        if isinstance(existing, Directory):
            job.fail(f"cannot overwrite directory {quoteaf(destination)} with non-directory")
            return
    except KernelError:
        existing = None
    if not await _may_replace(job, node, destination):
        return
    try:
        _copy_file(job, node, name, destination)
    except KernelError as error:
        job.fail(f"cannot create regular file {quoteaf(destination)}: {error.strerror}")
        return
    if "v" in job.flags:
        proc.print(f"{quoteaf(name)} -> {quoteaf(destination)}")


def _copy_file(job: _Job, node: Node, name: str, destination: str) -> None:
    proc, files = job.proc, job.proc.files
    if isinstance(node, Symlink):
        if files.lexists(destination, proc):
            files.remove(destination, proc)
        files.symlink(node.readlink(proc), destination, proc)
        return
    if "l" in job.flags:
        files.link(name, destination, proc)
        return
    if "s" in job.flags:
        files.symlink(name, destination, proc)
        return
    data = node.read(proc)
    mode = job.mode if job.mode is not None else node.mode & 0o777 & ~(0 if "p" in job.flags else proc.umask)
    new = not files.exists(destination, proc)
    files.write(destination, data, proc, mode=mode)
    copy = files.node(destination, None, proc)
    if job.mode is not None or "p" in job.flags:
        copy.mode = mode if job.mode is not None else node.mode
    elif new:
        copy.mode = mode
    if "p" in job.flags:
        copy.mtime, copy.uid, copy.gid = node.mtime, node.uid, node.gid


async def _copy_directory(job: _Job, name: str, node: Directory, destination: str) -> None:
    proc, files = job.proc, job.proc.files
    source_path = files.resolve(name, proc.cwd, proc)
    try:
        target_path = files.resolve(destination, proc.cwd, proc)
    except KernelError as error:
        job.fail(f"cannot create directory {quoteaf(destination)}: {error.strerror}")
        return
    if target_path == source_path or target_path.startswith(source_path.rstrip("/") + "/"):
        job.fail(f"cannot copy a directory, {quoteaf(name)}, into itself, {quoteaf(destination)}")
        return
    if files.exists(destination, proc):
        if not files.isdir(destination, proc):
            job.fail(f"cannot overwrite non-directory {quoteaf(destination)} with directory {quoteaf(name)}")
            return
    else:
        try:
            files.mkdir(destination, False, proc, None, node.mode)
        except KernelError as error:
            job.fail(f"cannot create directory {quoteaf(destination)}: {error.strerror}")
            return
        if "v" in job.flags:
            proc.print(f"{quoteaf(name)} -> {quoteaf(destination)}")
    for child in node.names(proc):
        await _copy(job, f"{name.rstrip('/')}/{child}", f"{destination.rstrip('/')}/{child}", False)
    if "p" in job.flags:
        copy = files.node(destination, None, proc)
        copy.mtime, copy.mode = node.mtime, node.mode


async def _move(job: _Job, name: str, destination: str, top: bool) -> None:
    proc, files = job.proc, job.proc.files
    node = _stat(job, name.rstrip("/") or "/", False)
    if node is None:
        return
    try:
        existing: Node | None = files.node(destination, None, proc, follow=False)
    except KernelError:
        existing = None
    if existing is node:
        job.fail(f"{quoteaf(name)} and {quoteaf(destination)} are the same file")
        return
    if isinstance(existing, Directory) and not isinstance(node, Directory):
        job.fail(f"cannot overwrite directory {quoteaf(destination)} with non-directory")
        return
    if existing is not None and isinstance(node, Directory) and not isinstance(existing, Directory):
        job.fail(f"cannot overwrite non-directory {quoteaf(destination)} with directory {quoteaf(name)}")
        return
    if not await _may_replace(job, node, destination):
        return
    try:
        files.rename(name.rstrip("/"), destination.rstrip("/"), proc)
    except KernelError as error:
        if error.strerror == "Invalid argument":
            job.fail(f"cannot move {quoteaf(name)} to a subdirectory of itself, {quoteaf(destination)}")
        else:
            job.fail(f"cannot move {quoteaf(name)} to {quoteaf(destination)}: {error.strerror}")
        return
    if "v" in job.flags:
        proc.print(f"renamed {quoteaf(name)} -> {quoteaf(destination)}")
