"""/proc/net/snmp, snmp6 and netstat: what the kernel counted (net/ipv4/proc.c, net/ipv6/proc.c).

The names and their order are those of Linux 6.18. A counter of something that the emulated kernel never does
(fast open, MD5 signatures, multipath TCP) is 0, as it is on a machine that never does it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel import mib
from kubenet_course.registry import text_of

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


@cache
def names() -> dict[str, Any]:
    """``snmp`` and ``netstat``: names by group; ``snmp6``: names. Each a text of words."""
    found: dict[str, Any] = json.loads(text_of("kubenet_course.userland.files", "mib.json"))
    return found


def _settings(net: NetNamespace) -> dict[str, int]:
    """What stands among the counters and is none: settings, limits, and the connections there are."""
    established = net.sockets.tcp_established.values()
    return {
        "IpForwarding": 1 if net.sysctl.get_int("net", "ipv4", "ip_forward") else 2,
        "IpDefaultTTL": net.sysctl.get_int("net", "ipv4", "ip_default_ttl"),
        "TcpRtoAlgorithm": 1,
        "TcpRtoMin": 200,
        "TcpRtoMax": 120000,
        "TcpMaxConn": -1,
        "TcpCurrEstab": sum(getattr(sock, "state", "") in ("ESTABLISHED", "CLOSE_WAIT") for sock in established),
    }


def _group(group: str, words: str, values: dict[str, int]) -> str:
    numbers = " ".join(str(values.get(group + word, 0)) for word in words.split())
    return f"{group}: {words}\n{group}: {numbers}\n"


def snmp(net: NetNamespace) -> str:
    """/proc/net/snmp."""
    values = {**mib.counters(net), **_settings(net)}
    text = ""
    for group, words in names()["snmp"].items():
        text += _group(group, words, values)
        if group == "Icmp":
            text += _icmp_messages(values)
    return text


def _icmp_messages(values: dict[str, int]) -> str:
    """icmpmsg_put(): the ICMP types that there were, in the order of their numbers, received before sent."""
    seen = [f"{way}Type{kind}" for way in ("In", "Out") for kind in range(256) if values.get(f"IcmpMsg{way}Type{kind}")]
    return _group("IcmpMsg", " ".join(seen), values) if seen else ""


def netstat(net: NetNamespace) -> str:
    """/proc/net/netstat."""
    values = mib.counters(net)
    return "".join(_group(group, words, values) for group, words in names()["netstat"].items())


def snmp6(net: NetNamespace) -> str:
    """/proc/net/snmp6: a line a counter; ICMPv6 types by number before UDP's, where there were any."""
    values = mib.counters(net)
    rows: list[tuple[str, int]] = []
    for name in names()["snmp6"].split():
        if name == "Udp6InDatagrams":
            kinds = [f"Icmp6{way}Type{kind}" for way in ("In", "Out") for kind in range(256)]
            rows += [(kind, values[kind]) for kind in kinds if values.get(kind)]
        rows.append((name, values.get(name, 0)))
    return "".join(f"{name:<32}\t{value}\n" for name, value in rows)


__all__ = ["netstat", "snmp", "snmp6"]
