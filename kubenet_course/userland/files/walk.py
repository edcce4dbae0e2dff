"""Walking paths: how a name becomes a node, in a tree with mounts over it."""

from __future__ import annotations

import stat as _stat
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.errno import (
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
)
from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import (
    Directory,
    Node,
    Symlink,
)

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree
    from kubenet_course.userland.process import Process


MAX_LINKS = 40


class Found(NamedTuple):
    """Where a path leads: `node` is None where the last component is missing from `parent`."""

    node: Node | None
    parent: Directory
    name: str
    path: str


def _join(trail: list[tuple[str, Node]], name: str = "") -> str:
    parts = [part for part, _ in trail[1:]]
    if name:
        parts.append(name)
    return "/" + "/".join(parts)


@lru_cache(256)
def _folders(path: str) -> list[tuple[str, list[str]]]:
    """The directories of a PATH, each with the names on the way to it; not to be changed.

    An empty name, which no directory has, where two slashes follow each other and where it does not begin with one.
    """
    return [(folder, folder.split("/")[1:] if folder[:1] == "/" else [""]) for folder in path.split(":")]


class PathWalker:
    """The part of `view.FileView` that looks but does not touch."""

    tree: FileTree
    parent: Any
    mounts: dict[str, Node]

    def _mounted(self, path: str) -> Node | None:
        view: Any = self
        while view is not None:
            node = view.mounts.get(path)
            if node is not None:
                return node
            view = view.parent
        return None

    def _has_mounts(self) -> bool:
        view: Any = self
        while view is not None:
            if view.mounts:
                return True
            view = view.parent
        return False

    def find(
        self, path: str, cwd: str | None = None, proc: Process | None = None, follow: bool = True
    ) -> Found:
        """Walk to `path` as path_lookup() does; a missing last component is not an error."""
        if not path:
            raise KernelError(ENOENT)
        if len(path) > 4095:
            raise KernelError(ENAMETOOLONG)
        if path[0] != "/":
            path = f"{cwd or (proc.cwd if proc else '/')}/{path}"
        mounted = self._has_mounts()
        quick = None if mounted else self._quick(path, proc)
        if quick is not None:
            return quick
        todo = path.split("/")[::-1]
        trail: list[tuple[str, Node]] = [("", (self._mounted("/") if mounted else None) or self.tree.root)]
        links = 0
        while todo:
            name = todo.pop()
            here = trail[-1][1]
            if not isinstance(here, Directory):
                raise KernelError(ENOTDIR)
            if name in ("", "."):
                continue
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            if len(name) > 255:
                raise KernelError(ENAMETOOLONG)
            child = here.get(name, proc)
            if mounted and child is not None:
                child = self._mounted(_join(trail, name)) or child
            if child is None:
                if any(part not in ("", ".") for part in todo):
                    raise KernelError(ENOENT)
                return Found(None, here, name, _join(trail, name))
            if isinstance(child, Symlink) and (follow or todo):
                links += 1
                if links > MAX_LINKS:
                    raise KernelError(ELOOP)
                magic = child.follow(proc)
                if magic is None:
                    target = child.readlink(proc)
                    if target.startswith("/"):
                        del trail[1:]
                    todo.extend(target.split("/")[::-1])
                    continue
                child = magic
            trail.append((name, child))
        if len(trail) == 1:
            return Found(trail[0][1], self.tree.root, "", "/")
        parent = trail[-2][1]
        assert isinstance(parent, Directory)
        return Found(trail[-1][1], parent, trail[-1][0], _join(trail))

    def _quick(self, path: str, proc: Process | None) -> Found | None:
        """`find` where all on the way are plain directories and no links; None where it takes more."""
        here: Any = self.tree.root
        parts = path.split("/")
        last = len(parts) - 1
        for at in range(1, last):
            if here is None or here.computed:
                return None
            here = here.entries.get(parts[at])
        name = parts[last]
        if not isinstance(here, Directory) or len(name) > 255 or name in ("", ".", ".."):
            return None
        child = here.get(name, proc)
        return None if isinstance(child, Symlink) else Found(child, here, name, path)

    def executable(self, name: str, path: str, cwd: str) -> tuple[str, Node] | None:
        """execvp(3): the first executable file called `name` in the directories of `path`, and how it was named."""
        mounted, root = self._has_mounts(), self.tree.root
        for folder, parts in _folders(path):
            here: Any = None if mounted else root
            for part in parts:
                if here is None or here.computed:
                    here = None
                    break
                here = here.entries.get(part)
            quick = isinstance(here, Directory)  # neither a mount, a link nor a dot on the way
            node: Node | None = here.get(name, None) if quick else None
            if not quick or isinstance(node, Symlink):
                node = self._try(f"{folder or '.'}/{name}", None, cwd)
            if node is not None and node.mode & 0o111 and not isinstance(node, Directory):
                return f"{folder or '.'}/{name}", node
        return None

    def node(
        self, path: str, cwd: str | None = None, proc: Process | None = None, follow: bool = True
    ) -> Node:
        """The node at `path`; ENOENT where there is none."""
        found = self.find(path, cwd, proc, follow)
        if found.node is None:
            raise KernelError(ENOENT)
        return found.node

    def resolve(self, path: str, cwd: str | None = None, proc: Process | None = None) -> str:
        """realpath(3), except that the last component may be missing."""
        return self.find(path, cwd, proc).path

    def _try(self, path: str, proc: Process | None, cwd: str | None, follow: bool = True) -> Node | None:
        try:
            return self.find(path, cwd, proc, follow).node
        except KernelError:
            return None

    def exists(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        return self._try(path, proc, cwd) is not None

    def lexists(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        return self._try(path, proc, cwd, follow=False) is not None

    def isdir(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        return isinstance(self._try(path, proc, cwd), Directory)

    def isfile(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        node = self._try(path, proc, cwd)
        return node is not None and node.kind == _stat.S_IFREG

    def islink(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        return isinstance(self._try(path, proc, cwd, follow=False), Symlink)

    def access_x(self, path: str, proc: Process | None = None, cwd: str | None = None) -> bool:
        """Whether root may execute (or, a directory, enter) it."""
        node = self._try(path, proc, cwd)
        return isinstance(node, Directory) or (node is not None and bool(node.mode & 0o111))
