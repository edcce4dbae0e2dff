"""What a file tree is made of: directories, files, links, and nodes whose content is computed.

A node knows its mode, owner, time and content, never its own name: names live in directories, so
hard links and bind mounts need nothing special. A virtual node's callbacks get the process that
asks (None: nobody in particular), because /proc and /sys answer differently to each.
"""

from __future__ import annotations

import stat as _stat
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EACCES, EINVAL, ENOSPC, EPERM
from kubenet_course.errors import KernelError
from kubenet_course.userland.streams import BytesReader, Reader, WriteError, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

#: What every file of the tree that nobody touched bears as its time: 2025-12-01 00:00:00 UTC, in ns.
IMAGE_TIME = 1_764_547_200 * 1_000_000_000


#: A file grows no further; then the disk is full.
MAX_SIZE = 1 << 26


class Node:
    """A file of any kind. `mtime` is in ns since 1970; `mode` holds the permission bits only."""

    __slots__ = ("mode", "uid", "gid", "mtime", "nlink", "ino")
    kind = _stat.S_IFREG
    #: No directory, or one in which is what `get` and `names` say, depending on who asks and when.
    computed = True

    def __init__(self, mode: int = 0o644, mtime: int = IMAGE_TIME, ino: int = 0):
        self.mode = mode
        self.uid = 0
        self.gid = 0
        self.mtime = mtime
        self.nlink = 1
        self.ino = ino

    def size(self, proc: Process | None) -> int:
        return 0

    def read(self, proc: Process | None) -> bytes:
        raise KernelError(EINVAL)

    def write(self, data: bytes, proc: Process | None, append: bool, now: int) -> None:
        raise KernelError(EINVAL)

    def open_reader(self, proc: Process | None) -> Reader:
        return BytesReader(self.read(proc))

    def open_writer(self, proc: Process | None, append: bool, now: int) -> Writer:
        return _CallbackWriter(self, proc, now)


class RegularFile(Node):
    """Bytes that somebody wrote."""

    __slots__ = ("data",)

    def __init__(self, data: bytes = b"", mode: int = 0o644, mtime: int = IMAGE_TIME, ino: int = 0):
        super().__init__(mode, mtime, ino)
        self.data: bytes | bytearray = data

    def size(self, proc: Process | None) -> int:
        return len(self.data)

    def read(self, proc: Process | None) -> bytes:
        return bytes(self.data)

    def write(self, data: bytes, proc: Process | None, append: bool, now: int) -> None:
        self.data = bytes(self.data) + data if append else data
        self.mtime = now

    def open_reader(self, proc: Process | None) -> Reader:
        return FileReader(self)

    def open_writer(self, proc: Process | None, append: bool, now: int) -> Writer:
        if not append:
            self.data = bytearray()
            self.mtime = now
        return FileWriter(self, append, now if proc is None else None, proc)


class Directory(Node):
    """Names and what they stand for; iteration order is that of making, `listdir` sorts."""

    __slots__ = ("entries",)
    kind = _stat.S_IFDIR
    computed = False

    def __init__(self, mode: int = 0o755, mtime: int = IMAGE_TIME, ino: int = 0):
        super().__init__(mode, mtime, ino)
        self.entries: dict[str, Node] = {}
        self.nlink = 2

    def size(self, proc: Process | None) -> int:
        return 4096

    def get(self, name: str, proc: Process | None) -> Node | None:
        return self.entries.get(name)

    def names(self, proc: Process | None) -> list[str]:
        return sorted(self.entries)

    def put(self, name: str, node: Node) -> None:
        self.entries[name] = node

    def drop(self, name: str) -> None:
        del self.entries[name]


_ENTRIES: Any = vars(Directory)["entries"]  # the slot itself


class UnreadDirectory(Directory):
    """A directory that is filled when somebody first looks into it, and from then on an ordinary one.

    `fill` makes what is in it. Most of what a machine is installed with is never looked at.
    """

    __slots__ = ()

    def __init__(self, mode: int, ino: int, nlink: int, fill: Callable[[], dict[str, Node]]):
        Node.__init__(self, mode, ino=ino)
        self.nlink = nlink
        _ENTRIES.__set__(self, fill)

    @property
    def entries(self) -> dict[str, Node]:  # type: ignore[override]
        fill = _ENTRIES.__get__(self)
        self.__class__ = Directory  # type: ignore[assignment]
        found: dict[str, Node] = fill()
        _ENTRIES.__set__(self, found)
        return found


class Symlink(Node):
    """A symbolic link; `target` as it was given."""

    __slots__ = ("target",)
    kind = _stat.S_IFLNK

    def __init__(self, target: str, mtime: int = IMAGE_TIME, ino: int = 0):
        super().__init__(0o777, mtime, ino)
        self.target = target

    def readlink(self, proc: Process | None) -> str:
        return self.target

    def size(self, proc: Process | None) -> int:
        return len(self.target.encode("utf-8", "surrogateescape"))

    def follow(self, proc: Process | None) -> Node | None:
        """The node itself where the link is magic (/proc/PID/ns/net), else None: walk the target."""
        return None


class VirtualSymlink(Symlink):
    """A link whose target depends on who asks (/proc/self); may lead straight to a node."""

    __slots__ = ("_link", "_node")

    def __init__(
        self,
        link: Callable[[Process | None], str],
        node: Callable[[Process | None], Node] | None = None,
    ):
        super().__init__("")
        self._link = link
        self._node = node

    def readlink(self, proc: Process | None) -> str:
        return self._link(proc)

    def size(self, proc: Process | None) -> int:
        return 0

    def follow(self, proc: Process | None) -> Node | None:
        return self._node(proc) if self._node else None


class VirtualFile(Node):
    """A file computed on reading: `read(proc) -> bytes`, `write(proc, bytes)`; either may be None."""

    __slots__ = ("_read", "_write")

    def __init__(
        self,
        read: Callable[[Process | None], bytes] | None,
        write: Callable[[Process | None, bytes], object] | None = None,
        mode: int | None = None,
    ):
        if mode is None:
            mode = (0o444 if read else 0) | (0o200 if write else 0)
        super().__init__(mode)
        self._read = read
        self._write = write

    def read(self, proc: Process | None) -> bytes:
        if self._read is None:
            raise KernelError(EACCES)
        return self._read(proc)

    def write(self, data: bytes, proc: Process | None, append: bool, now: int) -> None:
        if self._write is None:
            raise KernelError(EACCES)
        self._write(proc, data)

    def open_writer(self, proc: Process | None, append: bool, now: int) -> Writer:
        if self._write is None:
            raise KernelError(EACCES)
        return _CallbackWriter(self, proc, now)


class VirtualDirectory(Directory):
    """A directory computed on asking: `names(proc)` and `get(name, proc)`; nothing can be made in it."""

    __slots__ = ("_names", "_get")
    computed = True

    def __init__(
        self,
        names: Callable[[Process | None], Iterable[str]],
        get: Callable[[str, Process | None], Node | None],
        mode: int = 0o555,
    ):
        super().__init__(mode)
        self._names = names
        self._get = get

    def size(self, proc: Process | None) -> int:
        return 0

    def get(self, name: str, proc: Process | None) -> Node | None:
        return self._get(name, proc)

    def names(self, proc: Process | None) -> list[str]:
        return sorted(self._names(proc))

    def put(self, name: str, node: Node) -> None:
        raise KernelError(EPERM)

    def drop(self, name: str) -> None:
        raise KernelError(EPERM)


class CharDevice(VirtualFile):
    """A device file; `reader` and `writer` open streams (of the asking process, for /dev/stdin)."""

    __slots__ = ("device", "_reader", "_writer")
    kind = _stat.S_IFCHR

    def __init__(
        self,
        device: tuple[int, int],
        reader: Callable[[Process | None], Reader] | None = None,
        writer: Callable[[Process | None], Writer] | None = None,
        read: Callable[[Process | None], bytes] | None = None,
    ):
        super().__init__(read or (lambda proc: b""), lambda proc, data: None, 0o666)
        self.device = device
        self._reader = reader
        self._writer = writer

    def open_reader(self, proc: Process | None) -> Reader:
        return self._reader(proc) if self._reader else super().open_reader(proc)

    def open_writer(self, proc: Process | None, append: bool, now: int) -> Writer:
        return self._writer(proc) if self._writer else Writer()


class NetnsFile(Node):
    """A handle on a network namespace: what /run/netns/NAME and /proc/PID/ns/net lead to (nsfs)."""

    __slots__ = ("net",)

    def __init__(self, net: Any):
        super().__init__(0o444, ino=net.inode)
        self.net = net


class _CallbackWriter(Writer):
    """Hands each write to a virtual file at once, as write(2) does."""

    def __init__(self, node: Node, proc: Process | None, now: int):
        self.node = node
        self.proc = proc
        self.now = now

    def write(self, data: bytes) -> None:
        if data:
            try:
                self.node.write(data, self.proc, True, self.now)
            except KernelError as error:
                raise WriteError(error.errno, error.extack) from None


class FileReader(Reader):
    """An open regular file, read from its own position; sees what is appended later."""

    def __init__(self, node: RegularFile):
        self.node = node
        self.position = 0

    async def read(self, size: int = -1) -> bytes:
        data = self.node.data
        end = len(data) if size < 0 else min(len(data), self.position + size)
        chunk = bytes(data[self.position : end])
        self.position = max(end, self.position)
        return chunk

    async def readline(self) -> bytes:
        data = self.node.data
        newline = data.find(b"\n", self.position)
        end = len(data) if newline < 0 else newline + 1
        chunk = bytes(data[self.position : end])
        self.position = max(end, self.position)
        return chunk


class FileWriter(Writer):
    """An open regular file, written at its own position, or always at the end (`append`)."""

    def __init__(self, node: RegularFile, append: bool, now: int | None, proc: Process | None):
        self.node = node
        self.append = append
        self.position = 0
        self.now = now
        self.proc = proc

    def write(self, data: bytes) -> None:
        node = self.node
        if len(node.data) + len(data) > MAX_SIZE:
            raise WriteError(ENOSPC)
        if not isinstance(node.data, bytearray):
            node.data = bytearray(node.data)
        if self.append or self.position == len(node.data):
            node.data += data
            self.position = len(node.data)
        else:
            if self.position > len(node.data):
                node.data += bytes(self.position - len(node.data))
            node.data[self.position : self.position + len(data)] = data
            self.position += len(data)
        if self.proc is not None:
            node.mtime = self.proc.system.files.now()
        elif self.now is not None:
            node.mtime = self.now
