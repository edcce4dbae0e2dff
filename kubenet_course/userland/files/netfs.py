"""/proc/net and /sys/class/net: what the network namespace of the asking process shows as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.files.nodes import Directory, VirtualDirectory

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


def proc_net(whose: Process) -> Directory:
    """/proc/PID/net."""
    return VirtualDirectory(lambda proc: [], lambda name, proc: None)
