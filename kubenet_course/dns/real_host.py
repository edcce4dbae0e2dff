"""`host.Host` for a process of a real machine: its files, its clock, asyncio's signals."""

from __future__ import annotations

import asyncio
import glob
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from kubenet_course.dns.host import Host, go_error
from kubenet_course.userland.real_sockets import RealSockets
from kubenet_course.userland.sockets import Network

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTERM)


class RealHost:
    def __init__(self) -> None:
        self.network: Network = RealSockets()
        self.variables: Mapping[str, str] = os.environ
        self.hostname = socket.gethostname()
        self.cwd = os.getcwd()
        self.pid = os.getpid()
        self.random = random.Random()
        self._signals: asyncio.Queue[int] = asyncio.Queue()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._signals.put_nowait, int(number))

    async def next_signal(self) -> int:
        return await self._signals.get()

    def raise_signal(self, number: int) -> None:
        self._signals.put_nowait(number)

    def read(self, path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                return handle.read()
        except OSError:
            return None

    def problem(self, path: str) -> str:
        try:
            with open(path, "rb") as handle:
                handle.read()
        except OSError as failure:
            return go_error(failure)
        return ""

    async def stdin(self) -> str:
        return sys.stdin.read()

    def failed(self, failure: Exception) -> None:
        traceback.print_exception(failure)

    def glob(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern))

    def write(self, path: str, text: str) -> str:
        try:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
        except OSError as failure:
            return go_error(failure)
        return ""

    def remove(self, path: str) -> None:
        if os.path.lexists(path):
            os.remove(path)

    def out(self, text: str) -> None:
        _print(text, sys.stdout)

    def err(self, text: str) -> None:
        _print(text, sys.stderr)

    def now(self) -> int:
        return time.monotonic_ns()

    def addresses(self) -> list[str]:
        found: list[str] = []
        for _, name in socket.if_nameindex():
            found += self.interface_addresses(name) or []
        return found

    def interface_addresses(self, name: str) -> list[str] | None:
        if name not in {known for _, known in socket.if_nameindex()}:
            return None
        return [*_ipv4_addresses(name), *_ipv6_addresses(name)]


def _print(text: str, stream: Any) -> None:
    try:
        print(text, file=stream, flush=True)
    except (BrokenPipeError, ValueError):
        return  # nobody reads it any more; a server goes on


def _ipv4_addresses(name: str) -> list[str]:
    """By `ip`, the only way to all addresses of an interface without a netlink library."""
    import json
    import subprocess

    try:
        done = subprocess.run(["ip", "-j", "-4", "addr", "show", "dev", name], capture_output=True, check=False)
        links = json.loads(done.stdout or b"[]")
    except (OSError, ValueError):
        return []
    return [entry["local"] for link in links for entry in link.get("addr_info", [])]


def _ipv6_addresses(name: str) -> list[str]:
    try:
        with open("/proc/net/if_inet6") as table:
            rows = [line.split() for line in table]
    except OSError:
        return []
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[5] == name]


def main(program: str, run: Callable[[Host, list[str]], Coroutine[Any, Any, int]]) -> int:
    """Run a program of this room as a process of this computer; `program` is its name in ps and ss."""
    try:
        with open("/proc/self/comm", "w") as comm:
            comm.write(program)
    except OSError:
        pass  # no Linux: the name stays python's

    async def work() -> int:
        return await run(RealHost(), [os.environ.get("KUBENET_ARGV0", program), *sys.argv[1:]])

    return asyncio.run(work())
