"""The shape of `surroundings.Surroundings` on the computer's own kernel, with asyncio.

For programs of ours that run as processes inside a real machine of the lab. Nothing of the emulated
kernel is imported but the shape.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.userland.real_sockets import RealSockets
from kubenet_course.userland.surroundings import Finished, as_bytes, exit_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubenet_course.userland.sockets import Network
    from kubenet_course.userland.surroundings import Surroundings


@contextmanager
def _kernel_errors() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise KernelError(failure.errno or errno.EIO) from None


class RealChild:
    """`Child` as a process of this computer."""

    def __init__(self, popen: subprocess.Popen[bytes]):
        self.popen = popen
        self.pid = popen.pid

    def poll(self) -> int | None:
        status = self.popen.poll()
        return None if status is None else exit_status(status)

    async def wait(self) -> int:
        while self.popen.poll() is None:
            await asyncio.sleep(0.005)
        return exit_status(self.popen.returncode)

    def kill(self, signum: int = 15) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signum)


class RealSurroundings:
    """`Surroundings` of this very process; use it inside a running event loop."""

    def __init__(self) -> None:
        self.env: Mapping[str, str] = os.environ
        self.cwd = os.getcwd()
        self.pid = os.getpid()
        self.net: Network = cast("Network", RealSockets())

    # -- programs ---------------------------------------------------------------------------
    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Finished:
        with _kernel_errors():
            child = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if env is None else dict(env),
                cwd=cwd,
            )
            out, err = await child.communicate(as_bytes(stdin))
        texts = [data.decode("utf-8", "surrogateescape") for data in (out, err)]
        return Finished(texts[0], texts[1], exit_status(child.returncode or 0))

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        log: str = "",
    ) -> RealChild:
        with _kernel_errors(), open(log or os.devnull, "ab") as sink:
            popen = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
            if stdin and popen.stdin:
                popen.stdin.write(as_bytes(stdin))
                popen.stdin.close()
        return RealChild(popen)

    # -- files ------------------------------------------------------------------------------
    def read(self, path: str) -> bytes:
        with _kernel_errors(), open(path, "rb") as handle:
            return handle.read()

    def write(
        self, path: str, data: str | bytes, *, mode: int = 0o644, append: bool = False, exclusive: bool = False
    ) -> None:
        how = os.O_EXCL if exclusive else os.O_APPEND if append else os.O_TRUNC
        with _kernel_errors(), open(os.open(path, os.O_WRONLY | os.O_CREAT | how, mode), "wb") as handle:
            handle.write(as_bytes(data))

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def isdir(self, path: str) -> bool:
        return os.path.isdir(path)

    def listdir(self, path: str) -> list[str]:
        with _kernel_errors():
            return sorted(os.listdir(path))

    def mkdir(self, path: str) -> None:
        with _kernel_errors():
            os.makedirs(path, exist_ok=True)

    def remove(self, path: str) -> None:
        with _kernel_errors():
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)

    def rename(self, old: str, new: str) -> None:
        with _kernel_errors():
            os.replace(old, new)

    def symlink(self, target: str, path: str) -> None:
        with _kernel_errors():
            os.symlink(target, path)

    def readlink(self, path: str) -> str:
        with _kernel_errors():
            return os.readlink(path)

    # -- streams ----------------------------------------------------------------------------
    async def stdin(self) -> bytes:
        return await asyncio.to_thread(sys.stdin.buffer.read)

    def out(self, text: str | bytes) -> None:
        sys.stdout.buffer.write(as_bytes(text))
        sys.stdout.buffer.flush()

    def err(self, text: str | bytes) -> None:
        sys.stderr.buffer.write(as_bytes(text))
        sys.stderr.buffer.flush()

    def on_signal(self, signum: int, handler: object) -> None:
        asyncio.get_running_loop().add_signal_handler(signum, cast("Callable[[], Any]", handler))

    async def signalled(self, *signums: int) -> int:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[int] = loop.create_future()

        def handler(signum: int) -> None:
            if not came.done():
                came.set_result(signum)

        for signum in signums:
            loop.add_signal_handler(signum, handler, signum)
        return await came

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def time(self) -> float:
        return time.time()

    def random(self, size: int) -> bytes:
        return os.urandom(size)


def run_here(main: Callable[[Surroundings, list[str]], Any], argv: list[str]) -> int:
    """Run a program of ours as this process; its status. A Ctrl-C ends it with 130."""

    async def run() -> int:
        return await main(cast("Surroundings", RealSurroundings()), argv)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any more: what SIGPIPE does to other programs
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
