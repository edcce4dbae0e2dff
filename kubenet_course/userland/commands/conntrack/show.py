"""A connection as conntrack prints it: the usual line, and XML (libnetfilter_conntrack's snprintf)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.conntrack_entry import (
    ICMP,
    ICMPV6,
    IPS_ASSURED,
    IPS_SEEN_REPLY,
    WITH_PORTS,
    ConntrackEntry,
    Tuple,
)
from kubenet_course.sim.loop import SECOND

PROTOCOLS = {6: "tcp", 17: "udp", 136: "udplite", 1: "icmp", 58: "icmpv6", 132: "sctp", 47: "gre", 33: "dccp"}
NUMBERS = {name: number for number, name in PROTOCOLS.items()}


def tuple_text(family: int, tup: Tuple) -> str:
    source, destination, protocol, a, b = tup
    text = f"src={source} dst={destination}"
    if protocol in WITH_PORTS:
        return f"{text} sport={a} dport={b}"
    if protocol in (ICMP, ICMPV6):
        return f"{text} type={b >> 8} code={b & 255} id={a}"
    if protocol == 47:
        return f"{text} srckey=0x{a:x} dstkey=0x{b:x}"
    return text


def counters(ct: ConntrackEntry, direction: int) -> str:
    if ct.counters is None:
        return ""
    packets, size = ct.counters[direction]
    return f"packets={packets} bytes={size} "


def line(ct: ConntrackEntry, now: int, options: set[str], *, event: bool = False, timeout: bool = True, use: int = 1) -> str:
    """``tcp      6 431999 ESTABLISHED src=… [ASSURED] mark=0 use=1``."""
    text = f"{'ipv4' if ct.family == 4 else 'ipv6':<8} {2 if ct.family == 4 else 10} " if "extended" in options else ""
    text += f"{PROTOCOLS.get(ct.protocol, 'unknown'):<8} {ct.protocol} "
    if timeout:
        left = ct.expires - now if ct.confirmed else ct.timeout
        # Listed a moment after it was set, a full timeout shows one second less; events show it whole.
        text += f"{max(0, -(-left // SECOND) if event else (left - 1) // SECOND)} "
    if ct.tcp is not None:
        text += f"{ct.tcp.name} "
    text += tuple_text(ct.family, ct.orig) + " " + counters(ct, 0)
    if not ct.status & IPS_SEEN_REPLY:
        text += "[UNREPLIED] "
    text += tuple_text(ct.family, ct.reply) + " " + counters(ct, 1)
    if ct.status & IPS_ASSURED:
        text += "[ASSURED] "
    if ct.mark or not event:
        text += f"mark={ct.mark} "
    if ct.zone:
        text += f"zone={ct.zone} "
    if not event:
        text += f"use={use} "
    if "id" in options:
        text += f"id={ct.ident} "
    return text.rstrip(" ")


def xml(ct: ConntrackEntry, now: int) -> str:
    name = "ipv4" if ct.family == 4 else "ipv6"
    layer = 2 if ct.family == 4 else 10

    def meta(direction: int, tup: Tuple, word: str) -> str:
        ports = f"<sport>{tup[3]}</sport><dport>{tup[4]}</dport>" if tup[2] in WITH_PORTS else ""
        text = f'<meta direction="{word}"><layer3 protonum="{layer}" protoname="{name}"><src>{tup[0]}</src><dst>{tup[1]}</dst></layer3>'
        text += f'<layer4 protonum="{tup[2]}" protoname="{PROTOCOLS.get(tup[2], "unknown")}">{ports}</layer4>'
        if ct.counters is not None:
            packets, size = ct.counters[direction]
            text += f"<counters><packets>{packets}</packets><bytes>{size}</bytes></counters>"
        return text + "</meta>"

    state = f"<state>{ct.tcp.name}</state>" if ct.tcp is not None else ""
    text = "<flow>" + meta(0, ct.orig, "original") + meta(1, ct.reply, "reply")
    text += f'<meta direction="independent">{state}<timeout>{max(0, (ct.expires - now - 1) // SECOND)}</timeout>'
    text += f"<mark>{ct.mark}</mark>" + (f"<zone>{ct.zone}</zone>" if ct.zone else "") + f"<use>1</use><id>{ct.ident}</id>"
    text += "" if ct.status & IPS_SEEN_REPLY else "<unreplied/>"
    text += "<assured/>" if ct.status & IPS_ASSURED else ""
    return text + "</meta></flow>"


def procfs_line(ct: ConntrackEntry, now: int) -> str:
    """/proc/net/nf_conntrack."""
    text = line(ct, now, {"extended"})
    zone = f"mark={ct.mark} zone={ct.zone} use=2"
    return text[: text.index("mark=")] + zone
