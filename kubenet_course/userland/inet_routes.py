"""The routing table as net-tools prints it, for `route` and `netstat -r` (lib/inet_gr.c, inet6_gr.c).

/proc/net/route leaves out what is not of table main and marks a route by flags: U up, G gateway, H host,
! reject.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kubenet_course.kernel.inet import fib
from kubenet_course.userland import resolver
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address, prefix_mask

REJECTED = (fib.UNREACHABLE, fib.PROHIBIT)


class Row(NamedTuple):
    """One line of /proc/net/route."""

    destination: IPv4Address
    prefixlen: int
    gateway: IPv4Address | None
    flags: str
    metric: int
    mss: int
    window: int
    rtt: int
    device: str

    @property
    def rejects(self) -> bool:
        return "!" in self.flags


def rows(proc: Process) -> Iterator[Row]:
    """fib_route_seq_show(): the routes of table main, in the order of the trie."""
    for route in proc.net.ipv4.table(fib.RT_TABLE_MAIN):
        if route.type in (fib.BROADCAST, fib.MULTICAST):
            continue
        host = "H" if route.prefix.prefixlen == 32 else ""
        if route.type in REJECTED:
            flags = "!" + host
        else:
            flags = "U" + ("G" if route.gateway is not None else "") + host
        metrics = route.metrics
        mss = metrics.get("advmss", 0)
        yield Row(
            IPv4Address(route.prefix.address), route.prefix.prefixlen,
            route.gateway if isinstance(route.gateway, IPv4Address) else None, flags, route.metric,
            mss + 40 if mss else 0, metrics.get("window", 0), metrics.get("rtt", 0) >> 3, route.dev.name if route.dev else "*",
        )  # fmt: skip


async def name_of(proc: Process, address: IPv4Address, *, numeric: bool, network: int | None = None) -> str:
    """INET_rresolve(): `default`, a host's or a network's name, or numbers."""
    if numeric:
        return str(address)
    if network is not None and int(address) == 0:
        return "default"
    if network is not None and network < 32:
        return _network_name(proc, address) or str(address)
    if int(address) == 0:
        return "0.0.0.0"
    return await resolver.getnameinfo(proc, address) or str(address)


def _network_name(proc: Process, address: IPv4Address) -> str | None:
    """From /etc/networks: `link-local 169.254.0.0`."""
    if not proc.files.exists("/etc/networks", proc):
        return None
    for line in proc.files.read_text("/etc/networks", proc).splitlines():
        words = line.partition("#")[0].split()
        if len(words) >= 2:
            parts = words[1].split(".") + ["0"] * 4
            if ".".join(parts[:4]) == str(address):
                return words[0]
    return None


async def print_routes(proc: Process, *, numeric: bool, extended: int) -> int:
    """The table; `extended` 0 is the usual form, 1 with MSS, window and irtt, 2 with all."""
    proc.print("Kernel IP routing table")
    head = f"{'Destination':<15} {'Gateway':<15} {'Genmask':<15} "
    titles = ("Flags Metric Ref    Use Iface", "Flags   MSS Window  irtt Iface", "Flags Metric Ref    Use Iface    MSS   Window irtt")
    proc.print(head + titles[extended])
    for row in rows(proc):
        target = await name_of(proc, row.destination, numeric=numeric, network=row.prefixlen)
        if row.rejects:
            gateway = "-"
        elif row.gateway is None:
            gateway = "0.0.0.0"
        else:
            gateway = await name_of(proc, row.gateway, numeric=numeric)
        mask = IPv4Address(prefix_mask(32, row.prefixlen))
        line = f"{target[:15]:<15} {gateway[:15]:<15} {mask!s:<15} {row.flags:<6}"
        device = "-" if row.rejects else row.device
        if extended == 1:
            numbers = ("-", "-", "-") if row.rejects else (row.mss, row.window, row.rtt)
            proc.print(f"{line}{numbers[0]:>5} {numbers[1]:<5} {numbers[2]:>6} {device}")
        else:
            use = f"{row.metric:<6} {'-' if row.rejects else '0':<2} {'0':>7} {device}"
            if extended == 2:
                numbers = ("-", "-", "-") if row.rejects else (row.mss, row.window, row.rtt)
                use = f"{row.metric:<6} {'-' if row.rejects else '0':<2} {'0':>7} {device:<8} {numbers[0]:<5} {numbers[1]:<6} {numbers[2]}"
            proc.print(line + use)
    return 0
