"""Ctrl-C, or the notebook's ■: it ends the command that runs, not the lab.

A backend's `run` then ends the command as Ctrl-C in a terminal would (SIGINT, a second later SIGKILL) and
raises `Interrupted`, which is Python's KeyboardInterrupt with what the command had printed. A second
Ctrl-C before that is the plain KeyboardInterrupt.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

from kubenet_course.lab.machine import Completed


class Interrupted(KeyboardInterrupt):
    """`result` is what the command printed until then; `seconds` how long it ran, on the machine's clock."""

    def __init__(self, result: Completed, seconds: float):
        super().__init__("interrupted")
        self.result = result
        self.seconds = Pressed(seconds)


class Pressed(float):
    """As a `timeout`: the seconds after which Ctrl-C was pressed, which a shell feels too."""


class Stopping:
    """From `begin` until this is left, Ctrl-C stops the loop between two events, never within one.

    Where it would not raise KeyboardInterrupt anyway (another handler, another thread) nothing is changed.
    Changing a handler takes longer than a ping, so commands that are over at once do without.
    """

    __slots__ = ("loop", "changed")

    def __init__(self, loop: Any):
        self.loop = loop
        self.changed = False

    def __enter__(self) -> Stopping:
        return self

    def begin(self) -> None:
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._stop)
            self.changed = True

    def _stop(self, *_: Any) -> None:
        if self.loop.stopping:
            raise KeyboardInterrupt
        self.loop.stopping = True

    def __exit__(self, *_: object) -> None:
        if self.changed:
            self.loop.stopping = False
            signal.signal(signal.SIGINT, signal.default_int_handler)
