"""The IPv6 routing table as net-tools prints it, for `route -6` and `netstat -6r` (lib/inet6_gr.c).

It is /proc/net/ipv6_route, all tables in one; its flags are U up, ! reject, G gateway, H host, D default
and A learned by autoconfiguration, C cache, a on link, e expires, m modified, n no next hop.
"""

from __future__ import annotations

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import fib_semantics
from kubenet_course.userland import resolver
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv6Address, Network

LETTERS = (
    (0x0002, "G"), (0x0004, "H"), (0x00010000, "D"), (0x00040000, "A"), (0x01000000, "C"), (0x00020000, "a"),
    (0x00400000, "e"), (0x0020, "m"), (0x00200000, "n"), (0x02000000, "f"),
)  # fmt: skip


async def print_routes6(proc: Process, *, numeric: bool) -> int:
    """rprint_fib6()."""
    proc.print("Kernel IPv6 routing table")
    proc.print(f"{'Destination':<30} {'Next Hop':<26} Flag Met Ref  Use If")
    previous = ""
    for line in proc.files.read_text("/proc/net/ipv6_route", proc).splitlines():
        target, length, _, _, gateway, metric, _, _, flag_text, device = line.split()
        flags = int(flag_text, 16)
        null = metric == "ffffffff"
        if null and line == previous:
            continue
        previous = line if null else previous
        marks = "!" if flags & 0x200 else "U"
        marks += "".join(letter for bit, letter in LETTERS if flags & bit)
        destination = f"{await _name(proc, target, numeric)}/{int(length, 16)}"
        number = int(metric, 16)
        number -= 1 << 32 if number >> 31 else 0
        nexthop = await _name(proc, gateway, numeric)
        proc.print(f"{destination:<30} {nexthop:<26} {marks:<4} {number:<3} {1:<3}{0:>5} {device}")
    return 0


async def _name(proc: Process, digits: str, numeric: bool) -> str:
    """INET6_rresolve(): the unspecified address is ``[::]`` where names are wanted."""
    address = IPv6Address(int(digits, 16))
    if numeric:
        return str(address)
    if address == 0:
        return "[::]"
    return await resolver.getnameinfo(proc, address) or str(address)


def change(
    proc: Process, action: str, prefix: Network, gateway: IPv6Address | None, metric: int, device: str
) -> None:
    """SIOCADDRT and SIOCDELRT of an inet6 socket (rtmsg_to_fib6_config()): a metric of 1 unless said."""
    hop = fib.NextHop(proc.net.device(device) if device else None, gateway)
    route = fib.FibRoute(prefix, protocol=fib.RTPROT_BOOT, metric=metric or 1, nexthops=[hop])
    if prefix.prefixlen == 128:
        route.flags.add("host")
    if action == "add":
        fib_semantics.route_add(proc.net, route, excl=False)
        return
    fields = {"metric"} if metric else set()
    if device or gateway is not None:
        fields.add("nexthops")
    fib_semantics.route_delete(proc.net, route, fields)
