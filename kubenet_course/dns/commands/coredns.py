"""coredns: a DNS server that chains plugins, configured by a Corefile (CoreDNS 1.12)."""

from __future__ import annotations

from kubenet_course.dns.commands._host import EmulatedHost
from kubenet_course.dns.coredns import run
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    return await run(EmulatedHost(proc), argv)
