"""Ctrl-C, or the notebook's ■: it ends the command that runs, not the lab.

A backend's `run` then ends the command as Ctrl-C in a terminal would (SIGINT, a second later SIGKILL) and
raises `Interrupted`, which is Python's KeyboardInterrupt with what the command had printed. A second
Ctrl-C before that is the plain KeyboardInterrupt.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def stopping(loop: Any) -> Iterator[None]:
    """While this is open, Ctrl-C stops the loop between two events, never within one.

    Where it would not raise KeyboardInterrupt anyway (another handler, another thread) nothing is changed.
    """
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return

    def stop(*_: Any) -> None:
        if loop.stopping:
            raise KeyboardInterrupt
        loop.stopping = True

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.stopping = False
        signal.signal(signal.SIGINT, usual)
