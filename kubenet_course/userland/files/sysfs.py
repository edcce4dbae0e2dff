"""/sys: /sys/class/net and what else network tools look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.files.nodes import Directory

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree


def root(tree: FileTree) -> Directory:
    """The directory /sys."""
    return Directory(0o555)
