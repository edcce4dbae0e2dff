"""One machine's file tree, and what a process sees of it.

`FileTree` holds the nodes. `FileView` is a mount namespace: the tree plus mounts (a node put over
a path). A view may have a parent, whose mounts it sees as they come and go, while its own stay
its own: that is what `ip netns exec` gives a program (mount propagation `rslave`).

Every operation raises `KernelError` with the errno of the system call that it stands for. Paths
are absolute or relative to `cwd`, else to the working directory of `proc`, else to ``/``. `proc`
is who asks: /proc and /sys answer each process differently. All processes are root, so only the
executable bit is ever checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.sim.loop import EPOCH
from kubenet_course.userland.files import loader, populate
from kubenet_course.userland.files.nodes import (
    Directory,
    NetnsFile,
    Node,
)
from kubenet_course.userland.files.view import FileView

if TYPE_CHECKING:
    from kubenet_course.userland.process import Program
    from kubenet_course.userland.system import System


class FileTree:
    """The nodes of one machine. Others add computed files with `mount_virtual(path, node)`."""

    def __init__(self, system: System):
        self.system = system
        self._last_ino = 1
        self._mount_namespaces = 0
        self._root = Directory(ino=1)
        self._populated = True
        #: What was written below /proc/sys outside of net.
        self.settings: dict[tuple[str, ...], str] = {}
        #: The mount namespace of everything that was not given its own.
        self.view = FileView(self)

    def populate(self) -> None:
        """Fill the tree with what a minimal Debian 12 has, and with the machine's programs.

        It is done when somebody first looks: most machines of a large lab are never looked into.
        """
        self._populated = False

    @property
    def root(self) -> Directory:
        """The directory ``/``."""
        if not self._populated:
            self._populated = True
            populate.populate(self)
        return self._root

    def now(self) -> int:
        """Nanoseconds since 1970 on the machine's clock."""
        return EPOCH + self.system.loop.now

    def new_mount_namespace(self) -> int:
        """A number for /proc/PID/ns/mnt; the first is the machine's own."""
        self._mount_namespaces += 1
        return 4026531840 + self._mount_namespaces + (390 if self._mount_namespaces > 1 else 0)

    def new_ino(self) -> int:
        self._last_ino += 1
        return self._last_ino

    def fill_root(self, entries: dict[str, Node], nlink: int, last_ino: int) -> None:
        """What `populate` has made; `last_ino` is the largest inode number that is taken then."""
        self._root.entries, self._root.nlink, self._last_ino = entries, nlink, last_ino

    def mount_virtual(self, path: str, node: Node) -> None:
        """Put `node` at `path`, making the directories above it; replaces what is there."""
        parent, _, name = path.rstrip("/").rpartition("/")
        directory = self.directory(parent or "/")
        node.ino = node.ino or self.new_ino()
        directory.put(name, node)

    def directory(self, path: str) -> Directory:
        """The directory at `path`, made with its parents where it is missing."""
        self.view.mkdir(path, parents=True)
        node = self.view.node(path)
        assert isinstance(node, Directory)
        return node

    def load_program(
        self, argv: list[str], env: dict[str, str], cwd: str, files: FileView
    ) -> tuple[Program, list[str]]:
        """execvp(3): see `loader.load_program`."""
        return loader.load_program(self.system, argv, env, cwd, files)

    def netns_mounted(self, net: object) -> bool:
        """Whether some mount of the machine's own view keeps a network namespace alive."""
        return any(isinstance(node, NetnsFile) and node.net is net for node in self.view.mounts.values())
