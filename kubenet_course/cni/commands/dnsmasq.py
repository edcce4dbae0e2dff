"""dnsmasq: a DHCP server (its DNS is not emulated)."""

from __future__ import annotations

from kubenet_course.cni.dhcp import dnsmasq
from kubenet_course.userland.process import Process
from kubenet_course.userland.surroundings import ProcessSurroundings


async def main(proc: Process, argv: list[str]) -> int:
    return await dnsmasq.main(ProcessSurroundings(proc), argv)
