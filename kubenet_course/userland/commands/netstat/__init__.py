"""netstat: routes, interfaces, groups, counters and sockets, as net-tools 2.10 shows them.

Routes are printed by `userland/inet_routes.py`, interfaces by `userland/interfaces.py`, both of which
`route` and `ifconfig` use too; `statistics.py` has the counters, `sockets.py` the sockets.
"""

from __future__ import annotations

from kubenet_course.userland import interfaces
from kubenet_course.userland.commands.netstat import sockets, statistics
from kubenet_course.userland.commands.netstat.texts import FAMILIES, USAGE, VERSION
from kubenet_course.userland.inet6_routes import print_routes6
from kubenet_course.userland.inet_routes import print_routes
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import getnameinfo

E_USAGE = 3
LETTERS = "A:CFMacdeghilnNoprstuUSvVWw64xZ?"
LONG = {
    "version": "V", "interfaces": "i", "help": "h", "route": "r", "masquerade": "M", "protocol=": "A", "tcp": "t",
    "sctp": "S", "udp": "u", "udplite": "U", "raw": "w", "unix": "x", "listening": "l", "all": "a", "timers": "o",
    "continuous": "c", "extend": "e", "programs": "p", "verbose": "v", "statistics": "s", "numeric": "n",
    "numeric-hosts": "n", "numeric-ports": "n", "numeric-users": "n", "symbolic": "N", "cache": "C", "fib": "F",
    "groups": "g", "wide": "W", "inet": "4", "inet6": "6", "ip": "4", "context": "Z",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, _ = parse(argv, LETTERS, LONG)
    except OptionError as error:
        proc.error(f"netstat: {error.message}\n{USAGE}{FAMILIES}", end="")
        return E_USAGE
    letters = [letter for letter, _ in options]
    for letter, value in options:
        if letter == "A" and value not in ("inet", "inet6", "unix"):
            proc.error(f"Unknown address family `{value}'.")
            return 1
        if letter == "A":
            letters.append({"inet": "4", "inet6": "6", "unix": "x"}[value])
        elif letter in "h?":
            proc.print(USAGE, end="")
            proc.error(FAMILIES, end="")
            return 0
        elif letter == "V":
            proc.print(VERSION, end="")
            return 0
    if sum(letter in letters for letter in "irsM") > 1:
        proc.error(USAGE + FAMILIES, end="")
        return E_USAGE
    return await _show(proc, letters)


async def _show(proc: Process, letters: list[str]) -> int:
    """The table asked for; with -c again every second."""
    while True:
        if "M" in letters:
            proc.error("netstat: no support for `ip_masquerade' on this system.")
            return 1
        if "s" in letters:
            status = statistics.show(proc, set(letters))
        elif "r" in letters:
            status = await _routes(proc, letters)
        elif "i" in letters:
            status = _interfaces(proc, letters)
        elif "g" in letters:
            status = await _groups(proc, "n" in letters)
        else:
            status = await sockets.show(proc, set(letters))
        if "c" not in letters:
            return status
        await proc.sleep(1)


async def _routes(proc: Process, letters: list[str]) -> int:
    extended = {0: 1, 1: 0}.get(letters.count("e"), 2)
    if "6" in letters:
        return await print_routes6(proc, numeric="n" in letters)
    if "C" in letters:
        proc.print("Kernel IP routing cache")
        titles = {0: "Metric Ref    Use Iface", 1: "  MSS Window  irtt Iface"}
        proc.print(
            f"{'Source':<15} {'Destination':<15} {'Gateway':<15} Flags {titles.get(extended, titles[0])}"
        )
        return 0
    return await print_routes(proc, numeric="n" in letters, extended=extended)


def _interfaces(proc: Process, letters: list[str]) -> int:
    proc.print("Kernel Interface table")
    if "e" not in letters:
        proc.print(interfaces.TABLE_HEAD.format(gap=" " * 13))
    for row in interfaces.named(proc.net, every="a" in letters):
        proc.print(interfaces.long_form(proc.net, row) if "e" in letters else interfaces.table_row(row))
    return 0


async def _groups(proc: Process, numeric: bool) -> int:
    """igmp_do_one(): /proc/net/igmp, then /proc/net/igmp6."""
    net = proc.net
    proc.print(
        "IPv6/IPv4 Group Memberships\nInterface       RefCnt Group\n" + "-" * 15 + " ------ " + "-" * 21
    )
    for dev in net.devices.values():
        if not dev.up:
            continue
        for group, users in net.ipv4.groups.get(dev, {}).items():
            proc.print(f"{dev.name:<15} {users:<6} {_four(group)}")
        proc.print(f"{dev.name:<15} {1:<6} 224.0.0.1")
    for dev in net.devices.values():
        idev = net.ipv6.devices.get(dev)
        for entry in reversed(list(idev.groups.values())) if idev is not None else ():
            name = None if numeric else await getnameinfo(proc, entry.address)
            proc.print(f"{dev.name:<15} {entry.users:<6} {name or entry.address}")
    return 0


def _four(group: int) -> str:
    return ".".join(str(byte) for byte in int(group).to_bytes(4, "big"))
