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
from kubenet_course.userland.files.tree import FileTree
from kubenet_course.userland.files.view import FileView, Stat
from kubenet_course.userland.files.walk import Found

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
