"""``type bridge_slave``: a bridge port's own settings (ip/iplink_bridge_slave.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.kinds._options import explain_kind, on_or_off, text_of
from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches, number, unsupported

SWITCHES = ("hairpin", "guard", "root_block", "fastleave", "learning", "flood", "proxy_arp", "proxy_arp_wifi",
            "mcast_fast_leave", "mcast_flood", "bcast_flood", "mcast_to_unicast", "neigh_suppress", "vlan_tunnel",
            "isolated", "locked")  # fmt: skip
NUMBERS = {
    "state": 0xFF,
    "priority": 0xFFFF,
    "cost": 0xFFFFFFFF,
    "mcast_router": 0xFF,
    "group_fwd_mask": 0xFFFF,
}
ORDER = ("fdb_flush", "state", "priority", "cost", "hairpin", "guard", "root_block", "fastleave", "learning", "flood",
         "mcast_flood", "mcast_router", "mcast_fast_leave", "bcast_flood", "mcast_to_unicast", "proxy_arp",
         "proxy_arp_wifi", "neigh_suppress", "group_fwd_mask", "vlan_tunnel", "isolated", "locked", "backup_port",
         "nobackup_port")  # fmt: skip
WORDS = {"id": "port_id", "no": "port_no", "bridge_id": "designated_bridge", "root_id": "designated_root",
         "multicast_router": "mcast_router"}  # fmt: skip


def parse(words: Words, session: Session) -> dict[str, Any]:
    said: dict[str, Any] = {}
    while words.more:
        word = words.take()
        full = next(
            (name for name in ORDER if word == name or (matches(word, name) and name not in EXACT)), None
        )
        if full is None:
            if matches(word, "help"):
                explain_kind("bridge_slave", status=1)
            raise Quit(1, f'bridge_slave: unknown option "{word}"?\n' + usage_text("ip", "link bridge_slave"))
        if full == "fdb_flush":
            said[full] = 1
        elif full in SWITCHES:
            said["fastleave" if full == "mcast_fast_leave" else full] = on_or_off(full, words.value(), 1)
        elif full in NUMBERS:
            text = words.value()
            value = number(text, 0, NUMBERS[full])
            if value is None:
                invarg(f"{full} is invalid", text)
            said[full] = value
        else:
            unsupported(f"ip link type bridge_slave: {full}")
    return said


#: Words that are beginnings of others and may not be abbreviated to them.
EXACT = frozenset({"locked", "isolated"})


def show(info: dict[str, Any]) -> str:
    """As the JSON, with one word more: whether a leaving member's entry goes at once."""
    shown: dict[str, Any] = {}
    for key, value in info.items():
        shown[key] = value
        if key == "multicast_router":
            shown["mcast_fast_leave"] = info["fastleave"]
    return text_of(shown, WORDS)
