"""Process 1 of a real lab: it watches, and its end is the end of everything in the lab.

    python -m kubenet_course.lab.backends.real.guardian PIDFD

Started by `unshare --fork --kill-child` in fresh namespaces. It starts the worker, reaps what the
lab's processes leave behind, and ends when the notebook's process ends (descriptor PIDFD becomes
readable, or standard input hangs up) or when the worker does. As process 1 of a process namespace,
its end makes the kernel kill every process of the lab; namespaces, devices, mounts and files in
memory go with them. So nothing has to be tidied up, also after SIGKILL of any of the three.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def main() -> None:
    lifeline = int(sys.argv[1]) if len(sys.argv) > 1 else -1
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    worker = os.fork()
    if worker == 0:
        from kubenet_course.lab.backends.real import worker as worker_module

        os.close(wake_read)
        os.close(wake_write)
        worker_module.main()
        os._exit(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    poller = select.poll()
    poller.register(0, 0)  # hang-up is reported always
    poller.register(wake_read, select.POLLIN)
    if lifeline >= 0:
        poller.register(lifeline, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor != wake_read:
                os._exit(0)
            os.read(wake_read, 4096)
            if worker in _reaped():
                os._exit(0)


def _reaped() -> set[int]:
    found: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.add(pid)


if __name__ == "__main__":
    main()
