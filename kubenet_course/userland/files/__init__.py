"""A machine's files: the tree, views of it, and the nodes they are made of."""

from kubenet_course.userland.files.nodes import (
    CharDevice,
    Directory,
    NetnsFile,
    Node,
    RegularFile,
    Symlink,
    VirtualDirectory,
    VirtualFile,
    VirtualSymlink,
)
from kubenet_course.userland.files.tree import FileTree, FileView, Found, Stat

__all__ = [
    "CharDevice",
    "Directory",
    "FileTree",
    "FileView",
    "Found",
    "NetnsFile",
    "Node",
    "RegularFile",
    "Stat",
    "Symlink",
    "VirtualDirectory",
    "VirtualFile",
    "VirtualSymlink",
]
