"""Ctrl-C (in a notebook: ■) ends the command that runs; the lab, its shells and its history go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.lab import Lab

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]


@contextmanager
def ctrl_c(seconds: float, begun: Callable[[], bool]) -> Iterator[None]:
    """Press Ctrl-C after so many seconds, but not before the command has begun."""
    left = threading.Event()

    def press() -> None:
        time.sleep(seconds)
        while not begun() and not left.is_set():
            time.sleep(0.05)
        if not left.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("session", [None, "s"])
def test_the_lab_goes_on_after_ctrl_c(backend: str, session: str | None) -> None:
    # Virtual seconds take no time: there, only what computes runs long enough to be interrupted.
    emulated = backend == "emulated"
    command = "echo begun; touch /tmp/begun; " + ("while true; do ls / >/dev/null; done" if emulated else "sleep 1000")
    with Lab.load("single", backend=backend) as lab:
        lab.run("host", "x=1; cd /tmp", session=session)

        def begun() -> bool:
            listening = not emulated or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
            return listening and lab.backend.machines["host"].exists("/tmp/begun")

        # In reality `sleep` begins a moment after `touch` has ended, and so it must when this is replayed.
        with pytest.raises(KeyboardInterrupt) as stop, ctrl_c(0 if emulated else 1.5, begun):
            lab.run("host", command, session=session)
        assert isinstance(stop.value, Interrupted)
        assert (stop.value.result.stdout, stop.value.result.returncode) == ("begun\n", 130)
        assert 0 < stop.value.seconds < 200
        if session:
            assert lab.run("host", "echo $x; pwd; jobs", session=session).stdout == "1\n/tmp\n"
        assert lab.run("host", "touch /root/after; pgrep sleep").stdout == ""
        assert [record.command for record in lab.history][1] == command
        lab.undo()  # replays: interrupted after as long, by itself
        assert lab.history[1].result is not None and lab.history[1].result.returncode == 130
        assert not lab.machine("host").exists("/root/after")


def test_only_the_innermost_wait_is_interrupted_and_only_in_the_main_thread() -> None:
    with Lab.load("single") as lab:
        failed: list[BaseException] = []

        def elsewhere() -> None:
            try:
                assert lab.run("host", "echo a").stdout == "a\n"
            except BaseException as error:  # noqa: BLE001 — shown below
                failed.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert not failed
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
