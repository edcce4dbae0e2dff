"""`ovs-dpctl` 3.1: the kernel datapath. Here flows are looked up in the OpenFlow tables,
so there is no flow cache to dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands._ovs import OvsError, run, the_switch

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("ovs-dpctl",)


async def main(proc: Process, argv: list[str]) -> int:
    return run(proc, "ovs-dpctl", lambda: _main(proc, argv[1:]))


def _main(proc: Process, words: list[str]) -> int:
    if not words:
        raise OvsError("missing command name; use --help for help")
    if words[0] != "show":
        raise OvsError(f"kubenet: ovs-dpctl {words[0]} is not emulated")
    room = the_switch(proc)
    if room.system is None:
        return 0
    proc.print(
        "system@ovs-system:\n  lookups: hit:0 missed:0 lost:0\n  flows: 0\n"
        "  masks: hit:0 total:0 hit/pkt:0.00"
    )
    proc.print("  caches:\n    masks-cache: size:256\n  port 0: ovs-system (internal)")
    number = 0
    seen: set[str] = set()
    for bridge in room.bridges.values():
        for port in bridge.ports.values():
            dev = port.device
            if dev is None or dev.name in seen:
                continue
            seen.add(dev.name)
            number += 1
            kind = {"internal": " (internal)", "vxlan": " (vxlan: packet_type=ptap)"}.get(port.kind, "")
            proc.print(f"  port {number}: {dev.name}{kind}")
    return 0
