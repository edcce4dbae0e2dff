"""What a process sees of a file tree: a mount namespace.

A `FileView` is the tree plus mounts (a node put over a path). A view may have a parent, whose
mounts it sees as they come and go, while its own stay its own: that is what `ip netns exec` gives
a program (mount propagation `rslave`).

Every operation raises `KernelError` with the errno of the system call that it stands for. Paths
are absolute or relative to `cwd`, else to the working directory of `proc`, else to ``/``. `proc`
is who asks: /proc and /sys answer each process differently. All processes are root, so only the
executable bit is ever checked.
"""

from __future__ import annotations

import stat as _stat
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from kubenet_course.errno import (
    EBUSY,
    EEXIST,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
)
from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import (
    Directory,
    NetnsFile,
    Node,
    RegularFile,
    Symlink,
    VirtualDirectory,
)
from kubenet_course.userland.files.pattern import compile_pattern, has_magic, unescape
from kubenet_course.userland.files.walk import Found, PathWalker
from kubenet_course.userland.streams import Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree
    from kubenet_course.userland.pids import PidNamespace
    from kubenet_course.userland.process import Process


class Stat(NamedTuple):
    """What stat(2) tells; `mode` includes the file type, `mtime` is ns since 1970."""

    mode: int
    ino: int
    nlink: int
    uid: int
    gid: int
    size: int
    mtime: int


class FileView(PathWalker):
    """What a process sees: the tree with this view's mounts over it."""

    def __init__(
        self, tree: FileTree, mounts: dict[str, Node | str] | None = None, parent: FileView | None = None
    ):
        self.tree = tree
        self.parent: FileView | None = parent
        self._pidns: PidNamespace | None = None
        #: The number in /proc/PID/ns/mnt.
        self.inode = tree.new_mount_namespace()
        self.mounts: dict[str, Node] = {}
        self.mount_kinds: dict[str, tuple[str, str, str]] = {}
        for path, what in (mounts or {}).items():
            node = what if isinstance(what, Node) else (parent or self).node(what)
            self.mounts[path] = node

    @property
    def pidns(self) -> PidNamespace:
        """The PID namespace whose processes /proc shows: that of who mounted it."""
        if self._pidns is not None:
            return self._pidns
        return self.parent.pidns if self.parent is not None else self.tree.system.pids

    def mount_proc(self, pidns: PidNamespace) -> None:
        """`mount -t proc proc /proc` by a process of `pidns`."""
        self._pidns = pidns

    def child(self, mounts: dict[str, Node | str] | None = None) -> FileView:
        """A new mount namespace that begins like this one (unshare --mount)."""
        return FileView(self.tree, mounts, parent=self)

    # -- finding ----------------------------------------------------------------------------

    def stat(
        self, path: str, proc: Process | None = None, cwd: str | None = None, follow: bool = True
    ) -> Stat:
        node = self.node(path, cwd, proc, follow)
        return self.stat_node(node, proc)

    def stat_node(self, node: Node, proc: Process | None = None) -> Stat:
        return Stat(
            node.kind | node.mode,
            node.ino,
            node.nlink,
            node.uid,
            node.gid,
            node.size(proc),
            node.mtime,
        )

    def readlink(self, path: str, proc: Process | None = None, cwd: str | None = None) -> str:
        node = self.node(path, cwd, proc, follow=False)
        if not isinstance(node, Symlink):
            raise KernelError(EINVAL)
        return node.readlink(proc)

    def listdir(self, path: str, proc: Process | None = None, cwd: str | None = None) -> list[str]:
        """Names in a directory, sorted, without . and .."""
        node = self.node(path, cwd, proc)
        if not isinstance(node, Directory):
            raise KernelError(ENOTDIR)
        return node.names(proc)

    # -- content ----------------------------------------------------------------------------
    def read(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bytes:
        node = self.node(path, cwd, proc)
        if isinstance(node, Directory):
            raise KernelError(EISDIR)
        return node.read(proc)

    def read_text(self, path: str, proc: Process | None = None, cwd: str | None = None) -> str:
        return self.read(path, proc, cwd).decode("utf-8", "surrogateescape")

    def write(
        self,
        path: str,
        data: bytes,
        proc: Process | None = None,
        append: bool = False,
        cwd: str | None = None,
        mode: int | None = None,
    ) -> None:
        """Replace (or add to) a file's content; makes the file where it is missing."""
        node = self._node_for_writing(path, proc, cwd, mode)
        node.write(data, proc, append, self.tree.now())

    def open_reader(self, path: str, proc: Process | None = None, cwd: str | None = None) -> Reader:
        node = self.node(path, cwd, proc)
        return _DirectoryReader() if isinstance(node, Directory) else node.open_reader(proc)

    def open_writer(
        self,
        path: str,
        proc: Process | None = None,
        append: bool = False,
        exclusive: bool = False,
        cwd: str | None = None,
    ) -> Writer:
        """open(2) with O_CREAT and O_APPEND or O_TRUNC; `exclusive` refuses a regular file."""
        if exclusive:
            old = self._try(path, proc, cwd)
            if old is not None and old.kind == _stat.S_IFREG:
                raise KernelError(EEXIST)
        return self._node_for_writing(path, proc, cwd).open_writer(proc, append, self.tree.now())

    def _node_for_writing(
        self, path: str, proc: Process | None, cwd: str | None, mode: int | None = None
    ) -> Node:
        found = self.find(path, cwd, proc)
        if isinstance(found.node, Directory) or (found.node is None and path.endswith("/")):
            raise KernelError(EISDIR)
        if found.node is not None:
            return found.node
        if mode is None:
            mode = 0o666 & ~(proc.umask if proc else 0o022)
        node = RegularFile(b"", mode, self.tree.now())
        self._link(found, node)
        return node

    # -- changing the tree --------------------------------------------------------------------
    def _link(self, found: Found, node: Node) -> None:
        node.ino = node.ino or self.tree.new_ino()
        if isinstance(found.parent, VirtualDirectory):
            raise KernelError(ENOENT if found.path.startswith(("/proc", "/sys")) else EPERM)
        found.parent.put(found.name, node)
        found.parent.mtime = self.tree.now()
        if isinstance(node, Directory):
            found.parent.nlink += 1

    def _unlink(self, found: Found) -> None:
        if self._mounted(found.path) is not None:
            raise KernelError(EBUSY)
        found.parent.drop(found.name)
        found.parent.mtime = self.tree.now()
        if isinstance(found.node, Directory):
            found.parent.nlink -= 1
        elif found.node is not None:
            found.node.nlink -= 1

    def mkdir(
        self,
        path: str,
        parents: bool = False,
        proc: Process | None = None,
        cwd: str | None = None,
        mode: int | None = None,
    ) -> None:
        if mode is None:
            mode = 0o777 & ~(proc.umask if proc else 0o022)
        if parents:
            done = "/" if path.startswith("/") else "."
            for part in path.strip("/").split("/"):
                done = f"{done.rstrip('/')}/{part}" if done != "." else part
                if part and not self.isdir(done, proc, cwd):
                    self.mkdir(done, False, proc, cwd, mode)
            return
        found = self.find(path.rstrip("/") or "/", cwd, proc, follow=False)
        if found.node is not None:
            raise KernelError(EEXIST)
        self._link(found, Directory(mode, self.tree.now()))

    def remove(self, path: str, proc: Process | None = None, cwd: str | None = None) -> None:
        """unlink(2)."""
        found = self.find(path, cwd, proc, follow=False)
        if found.node is None:
            raise KernelError(ENOENT)
        if isinstance(found.node, Directory):
            raise KernelError(EISDIR)
        self._unlink(found)

    def rmdir(self, path: str, proc: Process | None = None, cwd: str | None = None) -> None:
        found = self.find(path, cwd, proc, follow=False)
        if found.node is None:
            raise KernelError(ENOENT)
        if not isinstance(found.node, Directory):
            raise KernelError(ENOTDIR)
        if path.rstrip("/").rpartition("/")[2] == ".":
            raise KernelError(EINVAL)
        if found.path == "/":
            raise KernelError(EBUSY)
        if found.node.names(proc):
            raise KernelError(ENOTEMPTY)
        self._unlink(found)

    def rmtree(self, path: str, proc: Process | None = None, cwd: str | None = None) -> None:
        """Remove a directory and everything below it."""
        found = self.find(path, cwd, proc, follow=False)
        if isinstance(found.node, Directory):
            for name in found.node.names(proc):
                self.rmtree(f"{found.path.rstrip('/')}/{name}", proc)
            self.rmdir(found.path, proc)
        else:
            self.remove(path, proc, cwd)

    def rename(self, old: str, new: str, proc: Process | None = None, cwd: str | None = None) -> None:
        """rename(2)."""
        source = self.find(old, cwd, proc, follow=False)
        target = self.find(new, cwd, proc, follow=False)
        if source.node is None:
            raise KernelError(ENOENT)
        if source.node is target.node:
            return
        if isinstance(source.node, Directory):
            if target.path == source.path or target.path.startswith(source.path + "/"):
                raise KernelError(EINVAL)
            if isinstance(target.node, Directory):
                if target.node.names(proc):
                    raise KernelError(ENOTEMPTY)
            elif target.node is not None:
                raise KernelError(ENOTDIR)
        elif isinstance(target.node, Directory):
            raise KernelError(EISDIR)
        if self._mounted(source.path) or self._mounted(target.path):
            raise KernelError(EBUSY)
        if target.node is not None:
            self._unlink(target)
        self._unlink(source)
        source.node.nlink += not isinstance(source.node, Directory)
        self._link(target, source.node)

    def symlink(self, target: str, path: str, proc: Process | None = None, cwd: str | None = None) -> None:
        found = self.find(path, cwd, proc, follow=False)
        if found.node is not None:
            raise KernelError(EEXIST)
        if not target:
            raise KernelError(ENOENT)
        self._link(found, Symlink(target, self.tree.now()))

    def link(self, old: str, new: str, proc: Process | None = None, cwd: str | None = None) -> None:
        """link(2): a second name for a file."""
        node = self.node(old, cwd, proc, follow=False)
        if isinstance(node, Directory):
            raise KernelError(EPERM)
        found = self.find(new, cwd, proc, follow=False)
        if found.node is not None:
            raise KernelError(EEXIST)
        self._link(found, node)
        node.nlink += 1

    def chmod(self, path: str, mode: int, proc: Process | None = None, cwd: str | None = None) -> None:
        self.node(path, cwd, proc).mode = mode & 0o7777

    def utime(self, path: str, mtime: int, proc: Process | None = None, cwd: str | None = None) -> None:
        self.node(path, cwd, proc).mtime = mtime

    # -- mounts -----------------------------------------------------------------------------
    def mount(self, path: str, node: Node, kind: tuple[str, str, str] = ("none", "none", "rw")) -> str:
        """Put `node` over the file or directory at `path`; (source, type, options) for /proc/mounts."""
        where = self.find(path)
        if where.node is None:
            raise KernelError(ENOENT)
        if isinstance(where.node, Directory) != isinstance(node, Directory):
            raise KernelError(ENOTDIR)
        self.mounts[where.path] = node
        self.mount_kinds[where.path] = kind
        return where.path

    def umount(self, path: str) -> Node:
        """Take away what is mounted at `path` and return it; EINVAL where nothing is."""
        where = self.find(path).path
        node = self.mounts.pop(where, None)
        if node is None:
            raise KernelError(EINVAL)
        self.mount_kinds.pop(where, None)
        if isinstance(node, NetnsFile):
            self.tree.system.release_netns(node.net)
        return node

    # -- patterns ---------------------------------------------------------------------------
    def glob(
        self, pattern: str, cwd: str = "/", proc: Process | None = None, shopts: Collection[str] = ()
    ) -> list[str]:
        """Existing paths that match, in byte order; [] where none does.

        `shopts`: which of bash's dotglob, extglob, globstar and nocaseglob are on.
        """
        parts = [part for part in pattern.split("/") if part]
        base = "/" if pattern.startswith("/") else ""
        found = list(self._glob(base, parts, pattern.endswith("/"), cwd, proc, shopts))
        return sorted(dict.fromkeys(found))

    def _glob(
        self, base: str, parts: list[str], slash: bool, cwd: str, proc: Process | None, shopts: Collection[str]
    ) -> Iterator[str]:
        part, rest = parts[0], parts[1:]
        extended, dots = "extglob" in shopts, "dotglob" in shopts
        if part == "**" and "globstar" in shopts:
            for place in self._below(base, cwd, proc, dots):
                if rest:
                    yield from self._glob(place, rest, slash, cwd, proc, shopts)
                elif place:
                    yield place if slash or place == base else place[:-1]
            if not rest and not slash:
                yield from self._files_below(base, cwd, proc, dots)
            return
        if not has_magic(part, extended) and "nocaseglob" not in shopts:
            path = base + unescape(part)
            names = [unescape(part)] if self.lexists(path, proc, cwd) else []
        else:
            node = self._try(base or ".", proc, cwd)
            match: Callable[[str], object] = compile_pattern(part, extended, "nocaseglob" in shopts).fullmatch
            names = [
                name
                for name in (node.names(proc) if isinstance(node, Directory) else ())
                if (dots or not name.startswith(".") or part.startswith((".", "\\."))) and match(name)
            ]
        for name in names:
            path = base + name
            if not rest:
                if not slash:
                    yield path
                elif self.isdir(path, proc, cwd):
                    yield path + "/"
            elif self.isdir(path, proc, cwd):
                yield from self._glob(path + "/", rest, slash, cwd, proc, shopts)

    def _below(self, base: str, cwd: str, proc: Process | None, dots: bool) -> Iterator[str]:
        """`base` and every directory under it, each with its slash; symbolic links are not followed."""
        yield base
        node = self._try(base or ".", proc, cwd)
        for name in node.names(proc) if isinstance(node, Directory) else ():
            inner = self._try(base + name, proc, cwd, follow=False)
            if isinstance(inner, Directory) and (dots or not name.startswith(".")):
                yield from self._below(f"{base}{name}/", cwd, proc, dots)

    def _files_below(self, base: str, cwd: str, proc: Process | None, dots: bool) -> Iterator[str]:
        for place in self._below(base, cwd, proc, dots):
            node = self._try(place or ".", proc, cwd)
            for name in node.names(proc) if isinstance(node, Directory) else ():
                if dots or not name.startswith("."):
                    yield place + name


class _DirectoryReader(Reader):
    """An open directory: reading it is EISDIR."""

    async def read(self, size: int = -1) -> bytes:
        raise KernelError(EISDIR)

    async def readline(self) -> bytes:
        raise KernelError(EISDIR)
