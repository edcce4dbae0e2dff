"""`host.Host` for a process of an emulated machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random

from kubenet_course.dns.host import go_error
from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.userland.sockets import Network, Sockets
from kubenet_course.userland.streams import BrokenPipe, WriteError

SIGNALS = (1, 2, 3, 10, 15)


class EmulatedHost:
    def __init__(self, proc: Process):
        self.proc = proc
        self.network: Network = Sockets(proc)
        self.variables: Mapping[str, str] = proc.env
        self.hostname = proc.system.host.hostname
        self.cwd = proc.cwd
        self.pid = proc.vpid
        self.random = Random(proc.loop.random.getrandbits(64))
        self._came: list[int] = []
        self._waiting = proc.loop.future()
        for number in SIGNALS:
            proc.handlers[number] = partial(self.raise_signal, number)

    def raise_signal(self, number: int) -> None:
        self._came.append(number)
        if not self._waiting.done():
            self._waiting.set_result(None)

    async def next_signal(self) -> int:
        if not self._came:
            self._waiting = self.proc.loop.future()
            await self._waiting
        return self._came.pop(0)

    def read(self, path: str) -> str | None:
        try:
            return self.proc.files.read(path, self.proc, self.proc.cwd).decode("utf-8", "replace")
        except KernelError:
            return None

    def problem(self, path: str) -> str:
        try:
            self.proc.files.read(path, self.proc, self.proc.cwd)
        except KernelError as failure:
            return go_error(failure)
        return ""

    async def stdin(self) -> str:
        data = b""
        while piece := await self.proc.stdin.read(65536):
            data += piece
        return data.decode("utf-8", "replace")

    def failed(self, failure: Exception) -> None:
        self.proc.system.defects.append((self.proc.argv, failure))

    def glob(self, pattern: str) -> list[str]:
        return sorted(self.proc.files.glob(pattern, self.proc.cwd))

    def write(self, path: str, text: str) -> str:
        try:
            self.proc.files.write(path, text.encode("utf-8", "surrogateescape"), self.proc, cwd=self.proc.cwd)
        except KernelError as failure:
            return go_error(failure)
        return ""

    def remove(self, path: str) -> None:
        if self.proc.files.lexists(path, self.proc, self.proc.cwd):
            self.proc.files.remove(path, self.proc, self.proc.cwd)

    def out(self, text: str) -> None:
        try:
            self.proc.print(text)
        except (BrokenPipe, WriteError):
            return  # nobody reads the log any more; a server goes on

    def err(self, text: str) -> None:
        self.proc.error(text)

    def now(self) -> int:
        return self.proc.loop.now

    def addresses(self) -> list[str]:
        found = []
        for name in self.proc.net.devices:
            found += self.interface_addresses(name) or []
        return found

    def interface_addresses(self, name: str) -> list[str] | None:
        dev = self.proc.net.devices.get(name)
        if dev is None:
            return None
        net = self.proc.net
        found = [str(item.local) for item in net.ipv4.device_addresses(dev)]
        return found + [str(item.local) for item in net.ipv6.device_addresses(dev)]
