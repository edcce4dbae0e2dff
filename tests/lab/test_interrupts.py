"""Ctrl-C (in a notebook: ■) ends the command that runs; the lab, its shells and its history go on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.lab import Lab

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]


@contextmanager
def ctrl_c(seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("session", [None, "s"])
def test_the_lab_goes_on_after_ctrl_c(backend: str, session: str | None) -> None:
    # Virtual seconds take no time: there, only what computes runs long enough to be interrupted.
    command = "echo begun; while true; do ls / >/dev/null; done" if backend == "emulated" else "echo begun; sleep 1000"
    with Lab.load("single", backend=backend) as lab:
        lab.run("host", "x=1; cd /tmp", session=session)
        with ctrl_c(0.2 if backend == "emulated" else 1.5), pytest.raises(KeyboardInterrupt) as stop:
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
