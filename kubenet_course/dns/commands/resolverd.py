"""resolverd: this course's recursive name server (see `dns/resolverd.py` for its configuration)."""

from __future__ import annotations

from kubenet_course.dns.commands._host import EmulatedHost
from kubenet_course.dns.resolverd import run
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    return await run(EmulatedHost(proc), argv)
