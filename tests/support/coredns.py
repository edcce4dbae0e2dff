"""A CoreDNS engine without sockets: a made-up world of files, a clock that is set by hand, other servers as functions."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import dns.message

from kubenet_course.dns.corefile import Files
from kubenet_course.dns.engine import Engine, Environment, Server

Exchange = Callable[[str, int, bytes, str, int], Awaitable[bytes]]


class World:
    """`files` by path; `now` in ns; what was logged; `upstream` answers what is forwarded."""

    def __init__(self, files: dict[str, str] | None = None, upstream: Exchange | None = None, **variables: str):
        self.files = {"/etc/hosts": "127.0.0.1 localhost\n", "/etc/resolv.conf": "nameserver 10.0.0.99\n", **(files or {})}
        self.now = 10**15
        self.logged: list[str] = []
        self.tasks: list[Any] = []
        self.upstream = upstream
        self.engines: list[Engine] = []
        self.environment = Environment(
            files=Files(self.files.get, self._glob), now=lambda: self.now, sleep=self._sleep, spawn=self.tasks.append,
            exchange=self._exchange, log=self.logged.append, random=Random(7), variables=variables, hostname="host",
            time=lambda: self.now / 1e9, problem=lambda path: "" if self._there(path) else "no such file or directory",
            failed=self._failed, interface=lambda name: ["127.0.0.1", "::1"] if name == "lo" else None,
        )  # fmt: skip

    def _failed(self, failure: Exception) -> None:
        raise failure

    def _glob(self, pattern: str) -> list[str]:
        return sorted(path for path in self.files if fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/"))

    def _there(self, path: str) -> bool:
        return path in self.files or any(known.startswith(f"{path.rstrip('/')}/") for known in self.files)

    async def _sleep(self, ns: int) -> None:
        self.now += ns

    async def _exchange(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        if self.upstream is None:
            raise OSError(f"read udp 10.0.0.1:40000->{server}:{port}: read: connection refused")
        return await self.upstream(server, port, wire, protocol, timeout)

    def engine(self, corefile: str, file: str = "Corefile") -> Engine:
        self.engines.append(Engine(corefile, self.environment, file=file))
        return self.engines[-1]

    def run_tasks(self) -> None:
        """What plugins have begun in the background, to its end."""
        while self.tasks:
            asyncio.run(self.tasks.pop(0))

    def close(self) -> None:
        for task in self.tasks:
            task.close()


def ask(engine: Engine, name: str, rdtype: str = "A", *, server: Server | None = None, client: str = "10.0.0.5", protocol: str = "udp",
        edns: bool = False, rdclass: str = "IN", **options: Any) -> dns.message.Message:  # fmt: skip
    """The answer to one query, through bytes."""
    query = dns.message.make_query(name, rdtype, rdclass=rdclass, use_edns=0 if edns else -1, id=4711, **options)
    wire = asyncio.run(engine.answer(server or engine.servers[0], query.to_wire(), client, 40000, protocol, "10.0.0.1"))
    assert wire is not None, "no answer was sent"
    return dns.message.from_wire(wire, one_rr_per_rrset=True)


def rows(section: Any) -> list[tuple[str, int, str, str]]:
    """(owner, TTL, type, data) of every record."""
    return [
        (rrset.name.to_text(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), rdata.to_text())
        for rrset in section
        for rdata in rrset
    ]
