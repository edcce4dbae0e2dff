"""What a program of ours that runs on both kernels sees of its machine.

An engine (Docker, a CNI plugin, a CNI runtime, a DHCP server) is made of ordinary commands and files:
it runs `ip` and `iptables`, keeps its state in files, and talks through sockets. It takes an object of
the shape of `Surroundings` and uses nothing else, so the same code is a program on an emulated machine
(`ProcessSurroundings`, below) and a process of a real one (`RealSurroundings`, in `real_surroundings.py`).

    async def main(here: Surroundings, argv: list[str]) -> int:
        done = await here.run(["ip", "-j", "link", "show", "docker0"])
        if done.returncode:
            here.err(done.stderr)
        here.write("/var/lib/demo/state", b"1")
        return 0

Paths are whole or relative to the working directory. What fails is KernelError(errno), on either kernel.
Programs are found as execvp(3) finds them; one that cannot be started is KernelError too.
"""

from __future__ import annotations

import stat as _stat
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kubenet_course.errno import EEXIST, ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.userland.sockets import Network, Sockets
from kubenet_course.userland.streams import BytesReader, Capture, Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.sim.loop import Future
    from kubenet_course.userland.process import Process


class Finished(NamedTuple):
    """How a program ended: its output as text, and its status (128+N after signal N)."""

    stdout: str
    stderr: str
    returncode: int


class Child(Protocol):
    """A program that was started and goes on by itself."""

    pid: int

    def poll(self) -> int | None:
        """Its status (128+N after signal N), None while it runs."""

    async def wait(self) -> int:
        """Its status, once it has ended."""

    def kill(self, signum: int = 15) -> None:
        """Send it a signal; nothing happens if it has ended."""


class Surroundings(Protocol):
    """Files, programs, streams and sockets of one machine, as one process sees them."""

    net: Network

    @property
    def env(self) -> Mapping[str, str]: ...

    @property
    def cwd(self) -> str: ...

    @property
    def pid(self) -> int: ...

    # -- programs
    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Finished:
        """Run a program to its end. `env` replaces the whole environment where it is given."""

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        log: str = "",
    ) -> Child:
        """Start a program that goes on by itself; both outputs are added to the file `log` (none: thrown away)."""

    # -- files
    def read(self, path: str) -> bytes: ...

    def write(
        self, path: str, data: str | bytes, *, mode: int = 0o644, append: bool = False, exclusive: bool = False
    ) -> None:
        """Replace a file's content, or add to it; with `exclusive` it must not be there yet (EEXIST)."""

    def exists(self, path: str) -> bool: ...

    def isdir(self, path: str) -> bool: ...

    def listdir(self, path: str) -> list[str]:
        """Names in a folder, sorted."""

    def mkdir(self, path: str) -> None:
        """Make a folder and those above it; one that is there is no error."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder."""

    def rename(self, old: str, new: str) -> None: ...

    def symlink(self, target: str, path: str) -> None: ...

    def readlink(self, path: str) -> str: ...

    # -- streams
    async def stdin(self) -> bytes:
        """All of standard input."""

    def out(self, text: str | bytes) -> None:
        """Write to standard output, nothing added."""

    def err(self, text: str | bytes) -> None:
        """Write to standard error, nothing added."""

    def on_signal(self, signum: int, handler: object) -> None:
        """Call `handler()` when the signal comes, instead of ending."""

    async def signalled(self, *signums: int) -> int:
        """Wait, for ever if need be, until one of these signals comes; which one."""

    async def sleep(self, seconds: float) -> None: ...

    def time(self) -> float:
        """Seconds since 1970."""

    def random(self, size: int) -> bytes:
        """Random bytes: the simulation's own on the emulated kernel."""


def as_bytes(data: str | bytes) -> bytes:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data


class ProcessChild:
    """`Child` on an emulated machine."""

    def __init__(self, process: Process):
        self.process = process
        self.pid = process.parent.pidns.number(process) if process.parent is not None else process.pid

    def poll(self) -> int | None:
        return None if self.process.returncode is None else exit_status(self.process.returncode)

    async def wait(self) -> int:
        return exit_status(await self.process.exited)

    def kill(self, signum: int = 15) -> None:
        self.process.kill(signum)


def exit_status(returncode: int) -> int:
    """A shell's $? for a return code that is -N after signal N."""
    return returncode if returncode >= 0 else 128 - returncode


class ProcessSurroundings:
    """`Surroundings` of a process of an emulated machine."""

    def __init__(self, proc: Process):
        self.proc = proc
        self.net: Network = Sockets(proc)

    @property
    def env(self) -> Mapping[str, str]:
        return self.proc.env

    @property
    def cwd(self) -> str:
        return self.proc.cwd

    @property
    def pid(self) -> int:
        return self.proc.vpid

    # -- programs ---------------------------------------------------------------------------
    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Finished:
        out, err = Capture(), Capture()
        child = self.proc.spawn(
            list(argv),
            stdin=BytesReader(as_bytes(stdin)),
            stdout=out,
            stderr=err,
            env=None if env is None else dict(env),
            cwd=cwd,
        )
        status = await child.exited
        return Finished(_text(out), _text(err), exit_status(status))

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        log: str = "",
    ) -> ProcessChild:
        def sink() -> Writer:
            return self.proc.files.open_writer(log, self.proc, append=True) if log else Writer()

        reader: Reader = BytesReader(as_bytes(stdin)) if stdin else Reader()
        child = self.proc.spawn(
            list(argv),
            stdin=reader,
            stdout=sink(),
            stderr=sink(),
            env=None if env is None else dict(env),
            cwd=cwd,
        )
        return ProcessChild(child)

    # -- files ------------------------------------------------------------------------------
    def read(self, path: str) -> bytes:
        return self.proc.files.read(path, self.proc)

    def write(
        self, path: str, data: str | bytes, *, mode: int = 0o644, append: bool = False, exclusive: bool = False
    ) -> None:
        if exclusive and self.proc.files.lexists(path, self.proc):
            raise KernelError(EEXIST)
        self.proc.files.write(path, as_bytes(data), self.proc, append=append, mode=mode)

    def exists(self, path: str) -> bool:
        return self.proc.files.exists(path, self.proc)

    def isdir(self, path: str) -> bool:
        return self.proc.files.isdir(path, self.proc)

    def listdir(self, path: str) -> list[str]:
        return self.proc.files.listdir(path, self.proc)

    def mkdir(self, path: str) -> None:
        if not self.isdir(path):
            self.proc.files.mkdir(path, parents=True, proc=self.proc)

    def remove(self, path: str) -> None:
        files, proc = self.proc.files, self.proc
        if not files.lexists(path, proc):
            raise KernelError(ENOENT)
        if _stat.S_ISDIR(files.stat(path, proc, follow=False).mode):
            files.rmdir(path, proc)
        else:
            files.remove(path, proc)

    def rename(self, old: str, new: str) -> None:
        self.proc.files.rename(old, new, self.proc)

    def symlink(self, target: str, path: str) -> None:
        self.proc.files.symlink(target, path, self.proc)

    def readlink(self, path: str) -> str:
        return self.proc.files.readlink(path, self.proc)

    # -- streams ----------------------------------------------------------------------------
    async def stdin(self) -> bytes:
        return await self.proc.stdin.read()

    def out(self, text: str | bytes) -> None:
        self.proc.stdout.write(as_bytes(text))

    def err(self, text: str | bytes) -> None:
        self.proc.stderr.write(as_bytes(text))

    def on_signal(self, signum: int, handler: object) -> None:
        self.proc.handlers[int(signum)] = handler  # type: ignore[assignment]
        self.proc.ignored.discard(int(signum))

    async def signalled(self, *signums: int) -> int:
        came: Future[int] = self.proc.loop.future()

        def handler(signum: int) -> Callable[[], None]:
            return lambda: None if came.done() else came.set_result(signum)

        for signum in signums:
            self.proc.handlers[signum] = handler(signum)
            self.proc.ignored.discard(signum)
        return await came

    async def sleep(self, seconds: float) -> None:
        await self.proc.sleep(seconds)

    def time(self) -> float:
        return self.net.time()

    def random(self, size: int) -> bytes:
        return self.proc.loop.random.randbytes(size)


def _text(capture: Capture) -> str:
    return capture.data.decode("utf-8", "surrogateescape")
