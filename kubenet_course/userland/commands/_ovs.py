"""What the Open vSwitch commands share: their errors and the way to the machine's switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.kernel.ovs.switch import OvsBridge, Switch, switch

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


class OvsError(Exception):
    """The command ends here; `message` goes to standard error behind the program's name."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message, status)
        self.message = message
        self.status = status


def the_switch(proc: Process) -> Switch:
    return switch(proc.system.host)


def find_bridge(room: Switch, name: str, message: str) -> OvsBridge:
    bridge = room.bridges.get(name)
    if bridge is None:
        raise OvsError(message)
    return bridge


def run(proc: Process, name: str, work: Callable[[], int]) -> int:
    """Run and say errors as ``NAME: MESSAGE``."""
    try:
        return work()
    except OvsError as failure:
        if failure.message:
            own = failure.message.startswith("kubenet:")
            proc.error(failure.message if own else f"{name}: {failure.message}")
        return failure.status


def check_count(command: str, words: list[str], low: int, high: int) -> None:
    """ctl_parse_command(): too few or too many arguments."""
    if len(words) < low:
        raise OvsError(f"'{command}' command requires at least {low} arguments")
    if len(words) > high:
        raise OvsError(f"'{command}' command takes at most {high} arguments")
