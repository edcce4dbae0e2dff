"""Standard input to the network and back (netcat.c: readwrite())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.sim.loop import Task
    from kubenet_course.userland.commands.nc.options import Settings
    from kubenet_course.userland.process import Process


class Relay:
    """Standard input to the network, the network to standard output, until both are done."""

    def __init__(self, proc: Process, settings: Settings, sock: Any):
        self.proc, self.settings, self.sock = proc, settings, sock
        self.udp = settings.udp
        self.done = proc.loop.future()
        self.input_open = "d" not in settings.flags
        self.net_open = True
        self.active = proc.loop.now
        self.packets = 0

    async def run(self) -> int:
        loop = self.proc.loop
        tasks: list[Task[Any]] = [loop.spawn(self._receive())]
        if self.input_open:
            tasks.append(loop.spawn(self._send()))
        if self.settings.timeout is not None:
            tasks.append(loop.spawn(self._idle()))
        try:
            return await self.done
        finally:
            for task in tasks:
                if not task.done():
                    task.cancel()

    def _finish(self, status: int) -> None:
        self.done.set_result(status)

    async def _idle(self) -> None:
        limit = round((self.settings.timeout or 0) * SECOND)
        while True:
            left = self.active + limit - self.proc.loop.now
            if left <= 0:
                self._finish(0)
                return
            await self.proc.loop.sleep(left)

    async def _send(self) -> None:
        settings, proc = self.settings, self.proc
        try:
            while True:
                data = await (proc.stdin.readline() if settings.interval else proc.stdin.read(16384))
                if not data:
                    break
                self.active = proc.loop.now
                if "C" in settings.flags:
                    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                if self.udp:
                    self.sock.sendto(data)
                else:
                    await self.sock.send(data)
                if settings.interval:
                    await proc.sleep(settings.interval)
        except KernelError:
            self._finish(1)
            return
        self.input_open = False
        if "N" in settings.flags and not self.udp:
            try:
                self.sock.shutdown()
            except KernelError:
                self._finish(0)
                return
        if not self.net_open:
            self._finish(0)
        elif settings.quit is not None:
            await proc.sleep(settings.quit)
            self._finish(0)

    async def _receive(self) -> None:
        settings = self.settings
        try:
            while True:
                if self.udp:
                    data = (await self.sock.recv()).data
                else:
                    data = await self.sock.recv(16384)
                    if not data:
                        break
                self.active = self.proc.loop.now
                self.proc.stdout.write(data)
                self.packets += 1
                if settings.limit and self.packets >= settings.limit:
                    self._finish(0)
                    return
        except KernelError:
            if not self.udp:
                self._finish(1)
                return
        self.net_open = False
        if not self.input_open or "l" in settings.flags:
            self._finish(0)
