"""logger, lsmod, modprobe, insmod, rmmod, getconf: small programs of the system."""

from __future__ import annotations

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.files_io import decode
from kubenet_course.userland.options import OptionError, parse, value
from kubenet_course.userland.process import Process

NAMES = ("logger", "lsmod", "modprobe", "insmod", "rmmod", "udevadm", "ldconfig", "update-alternatives")
#: Modules of the real kernel whose work the emulated one does without loading anything.
MODULES = frozenset(
    """br_netfilter bridge overlay veth vxlan dummy 8021q macvlan ipvlan tun ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh
    ip_vs_lc nf_conntrack nf_conntrack_ipv4 nf_nat ip_tables ip6_tables iptable_nat iptable_filter
    iptable_mangle xt_conntrack ip_set nf_tables ipip ip_gre sch_netem sch_htb sch_tbf
    act_mirred ifb wireguard""".split()
)


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    if program == "logger":
        return await _logger(proc, argv)
    if program == "lsmod":
        proc.print("Module                  Size  Used by")
        return 0
    if program == "modprobe":
        return _modprobe(proc, argv)
    proc.error(f"kubenet: {program}: this kernel has nothing to load or configure")
    return 1


def _modprobe(proc: Process, argv: list[str]) -> int:
    try:
        _, names = parse(
            argv, "arvqnf", {"all": "a", "remove": "r", "verbose": "v", "quiet": "q", "dry-run": "n"}
        )
    except OptionError as error:
        return error.report(proc, argv[0])
    if not names:
        proc.error("modprobe: ERROR: missing parameters. See -h.")
        return 1
    name = names[0]
    if name.replace("-", "_") in MODULES:
        return 0
    proc.error(
        f"modprobe: FATAL: Module {name} not found in directory /lib/modules/{proc.system.host.release}"
    )
    return 1


async def _logger(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "t:p:isf:", {"tag=": "t", "priority=": "p", "id": "i", "stderr": "s"})
    except OptionError as error:
        return error.report(proc, argv[0])
    text = " ".join(words) if words else decode(await proc.stdin.read())
    from kubenet_course.userland.commands.date import format_date

    stamp = format_date("%b %e %H:%M:%S", proc.system.files.now() // SECOND * SECOND)
    tag = value(options, "t") or proc.user
    lines = "".join(
        f"{stamp} {proc.uts.hostname} {tag}: {line}\n" for line in text.splitlines() or [""]
    )
    proc.files.write("/var/log/syslog", lines.encode("utf-8", "surrogateescape"), proc, append=True)
    return 0
