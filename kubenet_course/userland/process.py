"""Processes of an emulated machine.

A program is `async def main(proc: Process, argv: list[str]) -> int`: it reads `proc.stdin`,
writes `proc.stdout` and `proc.stderr`, awaits `proc.sleep(seconds)` or its sockets, and returns
its exit status. It sees the machine only through its process: `proc.net` (its network
namespace), `proc.files` (its view of the file tree), `proc.env`, `proc.cwd`, `proc.system`.

A process that fails in Python is a defect of ours, never a learner's: it ends with status 70 and
one line on standard error (`kubenet: <program>: internal error …`), not with a traceback.
"""

from __future__ import annotations

import signal as _signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.socket.base import Socket
from kubenet_course.sim.loop import SECOND, Cancelled, Future, Loop, Task
from kubenet_course.userland.streams import BrokenPipe, Reader, WriteError, Writer

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.host import Host
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.userland.files import FileView
    from kubenet_course.userland.pids import PidNamespace
    from kubenet_course.userland.system import System

Program = Callable[["Process", list[str]], Awaitable[int]]


_STOPS = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)


class Signalled(BaseException):
    """Thrown into a program that got a signal it has no handler for (a program may catch it)."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


class Exit(BaseException):
    """Raised by a program to end with `status` from any depth."""

    def __init__(self, status: int = 0):
        super().__init__(status)
        self.status = status


class UtsNamespace:
    """A host name of its own (unshare --uts); the machine's is kept by its `kernel.host.Host`."""

    def __init__(self, hostname: str):
        self.hostname = hostname


class Process:
    """One running program. `returncode` is None while it runs, -N after signal N."""

    returncode: int | None = None
    #: Stopped by SIGSTOP or the like, until SIGCONT.
    stopped = False
    task: Task[int] | None = None
    #: Started through a script's ``#!`` line: argv[0] is the interpreter, argv[1] the script.
    script = False
    #: The short name where the program has set its own (prctl PR_SET_NAME).
    title = ""

    def __init__(
        self,
        system: System,
        pid: int,
        argv: list[str],
        *,
        pidns: PidNamespace,
        parent: Process | None,
        env: dict[str, str],
        cwd: str,
        net: NetNamespace,
        files: FileView,
        stdin: Reader,
        stdout: Writer,
        stderr: Writer,
        user: str = "root",
    ):
        self.system = system
        #: The number in the machine's first PID namespace; `vpid` is what the program itself sees.
        self.pid = pid
        self.pidns = pidns
        self.pidns_for_children = pidns
        self.numbers: dict[PidNamespace, int] = {}
        self.argv = argv
        self.parent = parent
        self.env = env
        self.cwd = cwd
        self.net = net
        self.files = files
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.user = user
        #: The VRF that its sockets are bound to (`ip vrf exec`), "" for none.
        self.vrf: str = parent.vrf if parent else ""
        self.umask: int = parent.umask if parent else 0o022
        #: Whose `hostname` this process sees and sets.
        self.uts: UtsNamespace | Host = parent.uts if parent else system.host
        #: Open files beyond 0, 1 and 2 that the program may use as /dev/fd/N.
        self.fds: dict[int, Reader | Writer] = dict(parent.fds) if parent else {}
        self.started = system.loop.now
        self.handlers: dict[int, Callable[[], object]] = {}
        self.ignored: set[int] = set(parent.ignored) if parent else set()
        self.resources: list[Any] = []
        self.exited: Future[int] = Future(system.loop)

    # -- what programs use ------------------------------------------------------------------
    @property
    def loop(self) -> Loop:
        return self.system.loop

    def print(self, *parts: object, end: str = "\n") -> None:
        """Write text to standard output."""
        self.stdout.write((" ".join(map(str, parts)) + end).encode("utf-8", "surrogateescape"))

    def error(self, *parts: object, end: str = "\n") -> None:
        """Write text to standard error."""
        self.stderr.write((" ".join(map(str, parts)) + end).encode("utf-8", "surrogateescape"))

    def sleep(self, seconds: float) -> Future[None]:
        return self.loop.sleep(round(seconds * SECOND))

    def owns(self, resource: Any) -> Any:
        """Close `resource` (anything with close()) when the process ends; returns it."""
        self.resources.append(resource)
        if self.vrf and isinstance(resource, Socket) and resource.device is None:
            resource.device = self.vrf_device  # what the program of `ip vrf exec` does at the making of each socket
        return resource

    @property
    def vrf_device(self) -> NetDevice | None:
        """The VRF that sockets of this process belong to."""
        return self.net.devices.get(self.vrf) if self.vrf else None

    @property
    def vpid(self) -> int:
        """getpid(2): the number in the process's own PID namespace."""
        return self.pidns.number(self)

    @property
    def ppid(self) -> int:
        """getppid(2): the parent's number; init's for an orphan, 0 for init and where the parent is outside."""
        return self.pidns.parent_number(self)

    @property
    def comm(self) -> str:
        """The short name that ps and pkill know, of at most 15 characters."""
        name = self.title or (self.argv[0] if self.argv else "")
        if self.script and len(self.argv) > 1:
            name = self.argv[1]
        return name.rpartition("/")[2].lstrip("-")[:15]

    def spawn(self, argv: list[str], **changes: Any) -> Process:
        """Start a child by name, path or script; see `System.spawn` for the changes."""
        return self.system.spawn(argv, parent=self, **changes)

    async def wait(self, child: Process) -> int:
        """Wait for a child and return its status (-N after signal N)."""
        return await child.exited

    # -- signals ----------------------------------------------------------------------------
    def kill(self, signum: int, sender: Process | None = None) -> None:
        """Deliver a signal as kill(2) does; `sender` is who asks, None the kernel or the terminal."""
        if self.returncode is not None or signum == 0:
            return
        if sender is not None and self is self.pidns.init and signum not in self.handlers:
            # sig_task_ignored(), SIGNAL_UNKILLABLE: from within never, from above SIGKILL alone.
            if signum != _signal.SIGKILL or sender.pidns is self.pidns:
                return
        if signum == _signal.SIGKILL:
            self._end(-signum)
            if self.task is not None and not self.task.done():
                self.task.cancel()
        elif signum == _signal.SIGSTOP or (signum in _STOPS and signum not in self.handlers and signum not in self.ignored):
            self._stop()
        elif signum == _signal.SIGCONT and self.stopped:
            self._go_on()
        elif signum in self.ignored or signum in (_signal.SIGCHLD, _signal.SIGWINCH, _signal.SIGCONT):
            return
        elif signum in self.handlers:
            self.loop.call_soon(self.handlers[signum])
        elif self.task is not None:
            self.task.throw(Signalled(signum))

    def _tasks(self) -> list[Task[Any]]:
        beside = [getattr(resource, "task", None) for resource in self.resources]
        return [task for task in (self.task, *beside) if task is not None]

    def _stop(self) -> None:
        """SIGSTOP: no step more of it, nor of its tasks beside; its sockets go on, they are the kernel's."""
        self.stopped = True
        for task in self._tasks():
            task.hold()

    def _go_on(self) -> None:
        self.stopped = False
        for task in self._tasks():
            task.release()

    # -- life -------------------------------------------------------------------------------
    def start(self, program: Program) -> None:
        self.task = self.loop.spawn(self._run(program), " ".join(self.argv))

    async def _run(self, program: Program) -> int:
        try:
            status = await program(self, self.argv)
        except Exit as leave:
            status = leave.status
        except Signalled as signalled:
            status = -signalled.signum
        except BrokenPipe:
            status = -_signal.SIGPIPE
        except Cancelled:
            status = -_signal.SIGKILL
        except WriteError as error:
            status = self._report_write_error(error)
        except Exception as failure:  # noqa: BLE001  (a defect is kept and said, see the module)
            self.system.defects.append((self.argv, failure))
            status = 70
            try:
                self.error(f"kubenet: {self.argv[0]}: internal error: {type(failure).__name__}: {failure}")
            except (WriteError, BrokenPipe):
                status = 70
        self._end(status)
        return status

    def _report_write_error(self, error: WriteError) -> int:
        try:
            self.error(f"{self.argv[0]}: write error: {error.strerror}")
        except (WriteError, BrokenPipe):
            return 1
        return 1

    def _end(self, status: int) -> None:
        if self.returncode is not None:
            return
        self.returncode = status
        for resource in reversed(self.resources):
            resource.close()
        self.resources.clear()
        self.handlers.clear()  # they hold the program, which holds the process
        self.stdout.close()
        self.stderr.close()
        self.stdin.close_read()
        self.system.reap(self)
        self.exited.set_result(status)
