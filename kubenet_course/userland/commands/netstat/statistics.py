"""netstat -s: the counters of /proc/net/snmp and /proc/net/netstat in words (statistics.c).

A counter with words of its own is always shown if they are in `ALWAYS`, else where it is not 0; one
without words is shown by its name where it is not 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

ALWAYS: dict[str, dict[str, str]] = {
    "Ip": {
        "Forwarding": "Forwarding: {}", "ForwDatagrams": "{} forwarded", "InDelivers": "{} incoming packets delivered",
        "InDiscards": "{} incoming packets discarded", "InReceives": "{} total packets received",
        "OutRequests": "{} requests sent out",
    },
    "Icmp": {
        "InMsgs": "{} ICMP messages received", "InErrors": "{} input ICMP message failed",
        "OutMsgs": "{} ICMP messages sent", "OutErrors": "{} ICMP messages failed",
    },
    "Tcp": {
        "ActiveOpens": "{} active connection openings", "PassiveOpens": "{} passive connection openings",
        "AttemptFails": "{} failed connection attempts", "EstabResets": "{} connection resets received",
        "CurrEstab": "{} connections established", "InSegs": "{} segments received", "OutSegs": "{} segments sent out",
        "RetransSegs": "{} segments retransmitted", "InErrs": "{} bad segments received", "OutRsts": "{} resets sent",
    },
    "Udp": {
        "InDatagrams": "{} packets received", "NoPorts": "{} packets to unknown port received",
        "InErrors": "{} packet receive errors", "OutDatagrams": "{} packets sent",
        "RcvbufErrors": "{} receive buffer errors", "SndbufErrors": "{} send buffer errors",
    },
    "TcpExt": {"TCPHPHits": "{} packet headers predicted"},
}  # fmt: skip
OPTIONAL = {
    "Ip": {
        "FragCreates": "{} fragments created", "FragFails": "{} fragments failed", "FragOKs": "{} fragments received ok",
        "InAddrErrors": "{} with invalid addresses", "InHdrErrors": "{} with invalid headers",
        "InUnknownProtos": "{} with unknown protocol", "OutDiscards": "{} outgoing packets dropped",
        "OutNoRoutes": "{} dropped because of missing route", "ReasmFails": "{} packet reassemblies failed",
        "ReasmOKs": "{} packets reassembled ok", "ReasmReqds": "{} reassemblies required",
        "ReasmTimeout": "{} fragments dropped after timeout",
    },
}  # fmt: skip
#: Counters that are no statistics.
STATIC = frozenset({"DefaultTTL", "RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn"})
HISTOGRAM = {
    "AddrMaskReps": "address mask replies", "AddrMasks": "address mask requests", "DestUnreachs": "destination unreachable",
    "EchoReps": "echo replies", "Echos": "echo requests", "ParmProbs": "wrong parameters", "Redirects": "redirects",
    "SrcQuenchs": "source quenches", "TimeExcds": "timeout in transit", "TimestampReps": "timestamp replies",
    "Timestamps": "timestamp requests",
}  # fmt: skip
#: Titles of each kind; the last three are always there.
OF_KIND = {"t": ("Tcp", "TcpExt"), "u": ("Udp",), "w": ("Ip", "Icmp", "IcmpMsg")}
COMMON = ("UdpLite", "IpExt", "MPTcpExt")
ORDER = ("Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite", "TcpExt", "IpExt", "MPTcpExt")


def show(proc: Process, letters: set[str]) -> int:
    """parsesnmp(): what `letters` (t u w, or all) ask for."""
    if "6" in letters:
        proc.error("kubenet: netstat: the statistics of IPv6 are not emulated")
        return 1
    counters = _counters(proc)
    kinds = [letter for letter in "tuw" if letter in letters] or ["t", "u", "w"]
    wanted = {title for kind in kinds for title in OF_KIND[kind]} | set(COMMON)
    for title in ORDER:
        if title in wanted:
            proc.print(f"{title}:")
            for line in _icmp(counters) if title == "Icmp" else _lines(title, counters.get(title, {})):
                proc.print(line)
    return 0


def _counters(proc: Process) -> dict[str, dict[str, int]]:
    """Both files: pairs of lines, names and numbers, under a title."""
    found: dict[str, dict[str, int]] = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        if not proc.files.exists(path, proc):
            continue
        lines = proc.files.read_text(path, proc).splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            title, _, rest = names.partition(":")
            values = [int(number) for number in numbers.split()[1:]]
            found[title] = dict(zip(rest.split(), values))
    return found


def _lines(title: str, counters: dict[str, int]) -> list[str]:
    lines = []
    if title == "TcpExt":
        counters = {"TCPHPHits": 0, **counters}
    deep = "        " if title == "IcmpMsg" else "    "
    for name, value in counters.items():
        always = ALWAYS.get(title, {}).get(name)
        words = always or OPTIONAL.get(title, {}).get(name)
        if name in STATIC or (not value and not always):
            continue
        lines.append(deep + (words.format(value) if words else f"{name}: {value}"))
    return lines


def _icmp(counters: dict[str, dict[str, int]]) -> list[str]:
    """The messages by type follow as two histograms."""
    icmp = counters.get("Icmp", {})
    words = ALWAYS["Icmp"]
    lines = []
    for direction, title in (("In", "input"), ("Out", "output")):
        for name in (f"{direction}Msgs", f"{direction}Errors"):
            lines.append("    " + words[name].format(icmp.get(name, 0)))
        lines.append(f"    ICMP {title} histogram:")
        for name, value in icmp.items():
            kind = name.removeprefix(direction)
            if name.startswith(direction) and kind in HISTOGRAM and value:
                lines.append(f"        {HISTOGRAM[kind]}: {value}")
    return lines
