"""tar: archives of files (GNU tar 1.34's usual options; the same tree gives the same bytes)."""

from __future__ import annotations

import io
import stat
import tarfile
import time

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.gzip import compress, decompress
from kubenet_course.userland.files import Directory, Node, RegularFile, Symlink
from kubenet_course.userland.files.pattern import matches
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.owners import group_name, user_name
from kubenet_course.userland.process import Process

LONG = {
    "create": "c", "extract": "x", "get": "x", "list": "t", "append": "r", "file=": "f", "gzip": "z",
    "gunzip": "z",
    "verbose": "v", "directory=": "C", "strip-components=": "strip", "exclude=": "exclude", "overwrite": "o",
    "keep-old-files": "k", "preserve-permissions": "p", "same-permissions": "p", "same-owner": "so",
    "no-same-owner": "nso", "to-stdout": "O", "absolute-names": "P", "auto-compress": "a", "touch": "m",
    "numeric-owner": "no", "wildcards": "wildcards", "bzip2": "j", "xz": "J", "owner=": "owner",
    "group=": "group",
    "mtime=": "mtime", "sort=": "sort", "one-top-level=?": "otl",
}  # fmt: skip
FATAL = "Error is not recoverable: exiting now"
DELAYED = "Exiting with failure status due to previous errors"


class _Fatal(Exception):
    """A message after which tar stops."""


class _Tar:
    def __init__(self, proc: Process, program: str, flags: set[str], options: list[tuple[str, str]]):
        self.proc = proc
        self.program = program
        self.flags = flags
        self.options = options
        self.failed = False
        self.cwd = proc.cwd
        self.exclude = [text for name, text in options if name == "exclude"]
        self.to_stdout = False
        self.told = False

    def complain(self, message: str) -> None:
        self.proc.error(f"{self.program}: {message}")

    def say(self, text: str) -> None:
        """What -v prints."""
        if self.to_stdout:
            self.proc.error(text)
        else:
            self.proc.print(text)

    def excluded(self, name: str) -> bool:
        return any(
            matches(name, one) or matches(name.rstrip("/").rpartition("/")[2], one) for one in self.exclude
        )

    # -- reading ----------------------------------------------------------------------------
    async def load(self, name: str) -> bytes:
        try:
            if name == "-":
                data = await self.proc.stdin.read()
            else:
                data = self.proc.files.read(name, self.proc, self.proc.cwd)
        except KernelError as error:
            what = "Cannot open" if error.strerror != "Is a directory" else "Cannot read"
            raise _Fatal(f"{name}: {what}: {error.strerror}") from None
        if "z" in self.flags or data[:2] == b"\x1f\x8b":
            plain = decompress(data)
            if plain is None:
                self.proc.error("\ngzip: stdin: not in gzip format")
                raise _Fatal("Child returned status 1")
            return plain
        return data

    def members(self, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
                found = []
                for info in archive.getmembers():
                    file = archive.extractfile(info) if info.isreg() else None
                    found.append((info, file.read() if file is not None else b""))
                return found
        except (tarfile.TarError, ValueError, OSError, EOFError, UnicodeError):
            self.complain("This does not look like a tar archive")
            self.failed = True
            return []

    def _wanted(self, info: tarfile.TarInfo, names: list[str], hit: set[str]) -> bool:
        path = _shown(info)
        if self.excluded(path):
            return False
        if not names:
            return True
        found = False
        for name in names:
            plain = name.rstrip("/")
            if (
                path.rstrip("/") == plain
                or path.startswith(plain + "/")
                or ("wildcards" in self.flags and matches(path, name))
            ):
                hit.add(name)
                found = True
        return found

    async def read(self, archive: str, names: list[str]) -> None:
        """-t and -x."""
        hit: set[str] = set()
        for info, content in self.members(await self.load(archive)):
            if not self._wanted(info, names, hit):
                continue
            if "t" in self.flags:
                self.say(self._long(info) if "v" in self.flags else _shown(info))
            else:
                self._extract(info, content)
        for name in names:
            if name not in hit:
                self.complain(f"{name}: Not found in archive")
                self.failed = True

    def _long(self, info: tarfile.TarInfo) -> str:
        kind = stat.S_IFDIR if info.isdir() else stat.S_IFLNK if info.issym() else stat.S_IFREG
        owner = f"{info.uname or info.uid}/{info.gname or info.gid}"
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(info.mtime))
        size = str(info.size).rjust(max(1, 18 - len(owner)))
        link = f" -> {info.linkname}" if info.issym() else f" link to {info.linkname}" if info.islnk() else ""
        return f"{stat.filemode(kind | info.mode)} {owner} {size} {when} {_shown(info)}{link}"

    def _extract(self, info: tarfile.TarInfo, content: bytes) -> None:
        proc, files = self.proc, self.proc.files
        if "v" in self.flags:
            self.say(_shown(info))
        if "O" in self.flags:
            proc.stdout.write(content)
            return
        path = info.name if "P" in self.flags else info.name.lstrip("/")
        strip = value(self.options, "strip", "0") or "0"
        parts = path.split("/")[int(strip) if strip.isdecimal() else 0 :]
        if not parts or not any(parts):
            return
        if ".." in parts and "P" not in self.flags:
            self.complain(f"{info.name}: Member name contains '..'")
            self.failed = True
            return
        path = "/".join(parts)
        try:
            if "/" in path.rstrip("/"):
                files.mkdir(path.rstrip("/").rpartition("/")[0], True, proc, self.cwd)
            self._place(info, path, content)
        except KernelError as error:
            self.complain(f"{path}: Cannot open: {error.strerror}")
            self.failed = True

    def _place(self, info: tarfile.TarInfo, path: str, content: bytes) -> None:
        proc, files, cwd = self.proc, self.proc.files, self.cwd
        mode = (
            info.mode & 0o7777
            if "p" in self.flags or proc.user == "root"
            else info.mode & 0o777 & ~proc.umask
        )
        if info.isdir():
            files.mkdir(path, True, proc, cwd, mode)
        elif info.issym() or info.islnk():
            if files.lexists(path, proc, cwd):
                if "k" in self.flags:
                    raise KernelError(17)
                files.remove(path, proc, cwd)
            if info.issym():
                files.symlink(info.linkname, path, proc, cwd)
                return
            files.link(info.linkname, path, proc, cwd)
        else:
            if "k" in self.flags and files.exists(path, proc, cwd):
                raise KernelError(17)
            if files.islink(path, proc, cwd):
                files.remove(path, proc, cwd)
            files.write(path, content, proc, cwd=cwd, mode=mode)
        node = files.node(path, cwd, proc)
        node.mode = mode
        if "m" not in self.flags:
            node.mtime = int(info.mtime) * 10**9
        node.uid, node.gid = info.uid, info.gid

    # -- writing ----------------------------------------------------------------------------
    def create(self, archive: str, names: list[str]) -> None:
        if not names:
            raise _Fatal("Cowardly refusing to create an empty archive")
        buffer = io.BytesIO()
        self.to_stdout = archive == "-"
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as out:
            for name in names:
                try:
                    node = self.proc.files.node(name, self.cwd, self.proc, follow=False)
                except KernelError as error:
                    self.complain(f"{name}: Cannot stat: {error.strerror}")
                    self.failed = True
                    continue
                self._add(out, name, node)
        data = buffer.getvalue()
        if "z" in self.flags or ("a" in self.flags and archive.endswith((".gz", ".tgz"))):
            data = compress(data)
        if archive == "-":
            self.proc.stdout.write(data)
            return
        try:
            self.proc.files.write(archive, data, self.proc)
        except KernelError as error:
            raise _Fatal(f"{archive}: Cannot open: {error.strerror}") from None

    def _add(self, out: tarfile.TarFile, name: str, node: Node) -> None:
        if self.excluded(name):
            return
        stored = name
        if name.startswith("/") and "P" not in self.flags:
            stored = name.lstrip("/")
            if not self.told:
                self.complain("Removing leading `/' from member names")
                self.told = True
        info = tarfile.TarInfo(stored or ".")
        info.mode, info.uid, info.gid = node.mode, node.uid, node.gid
        info.uname, info.gname = user_name(self.proc, node.uid), group_name(self.proc, node.gid)
        info.mtime = node.mtime // 10**9
        content = b""
        if isinstance(node, Directory):
            info.type = tarfile.DIRTYPE
        elif isinstance(node, Symlink):
            info.type, info.linkname = tarfile.SYMTYPE, node.readlink(self.proc)
        elif isinstance(node, RegularFile) or node.kind == stat.S_IFREG:
            try:
                content = node.read(self.proc)
            except KernelError as error:
                self.complain(f"{name}: Cannot open: {error.strerror}")
                self.failed = True
                return
            info.size = len(content)
        else:
            self.complain(f"{name}: file type is not supported; ignored")
            return
        if "v" in self.flags:
            self.say(name.rstrip("/") + "/" if isinstance(node, Directory) else name)
        out.addfile(info, io.BytesIO(content))
        if isinstance(node, Directory):
            for child in node.names(self.proc):
                path = f"{name.rstrip('/')}/{child}"
                self._add(out, path, self.proc.files.node(path, self.cwd, self.proc, follow=False))


def _shown(info: tarfile.TarInfo) -> str:
    return info.name.rstrip("/") + "/" if info.isdir() else info.name


def _old_style(argv: list[str]) -> list[str]:
    """``tar xzf FILE`` as ``tar -x -z -f FILE``."""
    if len(argv) < 2 or argv[1].startswith("-"):
        return argv
    rest = list(argv[2:])
    words = [argv[0]]
    for letter in argv[1]:
        words.append(f"-{letter}")
        if letter in "fC" and rest:
            words.append(rest.pop(0))
    return words + rest


async def main(proc: Process, argv: list[str]) -> int:
    hint = f"Try '{argv[0]} --help' or '{argv[0]} --usage' for more information."
    try:
        options, names = parse(_old_style(argv), "cxtrf:zvC:okpOPamjJ", LONG, unsupported="AduWsSNhTXIZ")
    except OptionError as error:
        return error.report(proc, argv[0], 2 if error.unsupported else 64, hint)
    flags = letters(options)
    modes = flags & {"c", "x", "t", "r"}
    if not modes:
        proc.error(
            f"{argv[0]}: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options\n{hint}"
        )
        return 2
    if len(modes) > 1:
        proc.error(
            f"{argv[0]}: You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' "
            f"option\n{hint}"
        )
        return 2
    if flags & {"r", "j", "J"}:
        proc.error(f"kubenet: {argv[0]}: options -r, -j and -J are not emulated")
        return 2
    archive = value(options, "f")
    if archive is None:
        archive = "-"
        if "c" not in flags:
            proc.error(
                f"{argv[0]}: Refusing to read archive contents from terminal (missing -f "
                f"option?)\n{argv[0]}: {FATAL}"
            )
            return 2
    tar = _Tar(proc, argv[0], flags, options)
    directory = value(options, "C")
    if directory is not None:
        if not proc.files.isdir(directory, proc):
            proc.error(f"{argv[0]}: {directory}: Cannot open: No such file or directory\n{argv[0]}: {FATAL}")
            return 2
        tar.cwd = proc.files.resolve(directory, proc.cwd, proc)
    try:
        if "c" in flags:
            tar.create(archive, names)
        else:
            await tar.read(archive, names)
    except _Fatal as error:
        tar.complain(str(error))
        proc.error(hint if "Cowardly" in str(error) else f"{argv[0]}: {FATAL}")
        return 2
    if tar.failed:
        tar.complain(DELAYED)
        return 2
    return 0
