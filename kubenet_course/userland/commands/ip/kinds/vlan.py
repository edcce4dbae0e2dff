"""``type vlan`` (ip/iplink_vlan.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, invarg, matches, u16

FLAGS = {
    "reorder_hdr": "REORDER_HDR", "gvrp": "GVRP", "mvrp": "MVRP", "loose_binding": "LOOSE_BINDING",
    "bridge_binding": "BRIDGE_BINDING",
}  # fmt: skip


def parse(words: Words, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    flags: dict[str, bool] = {}
    while words.more:
        word = words.take()
        flag = next((name for name in FLAGS if matches(word, name)), None)
        if matches(word, "protocol"):
            text = words.value()
            if text.lower() not in ("802.1q", "802.1ad"):
                invarg("protocol is invalid", text)
            found["protocol"] = "802.1Q" if text.lower() == "802.1q" else "802.1ad"
        elif matches(word, "id"):
            text = words.value()
            number = u16(text)
            if number is None:
                invarg("id is invalid", text)
            found["id"] = number
        elif flag is not None:
            text = words.value()
            if text not in ("on", "off"):
                raise Quit(1, f'Error: argument of "{flag}" must be "on" or "off", not "{text}"\n')
            flags[FLAGS[flag]] = text == "on"
        elif matches(word, "ingress-qos-map"):
            found["ingress_qos"] = _qos_map(words, "ingress-qos-map")
        elif matches(word, "egress-qos-map"):
            found["egress_qos"] = _qos_map(words, "egress-qos-map")
        elif matches(word, "help"):
            raise Quit(1, usage_text("ip", "link vlan"))
        else:
            raise Quit(1, f'vlan: unknown command "{word}"?\n' + usage_text("ip", "link vlan"))
    if flags:
        found["flags"] = flags
    return found


def _qos_map(words: Words, what: str) -> dict[int, int]:
    """vlan_parse_qos_map(): FROM:TO as long as there are such words."""
    found: dict[int, int] = {}
    first = True
    while words.more or first:
        text = words.value() if first else words.peek
        start, colon, end = text.partition(":")
        if not colon:
            if first:
                words.back()
            break
        low, high = c_number(start), c_number(end)
        if low is None or high is None:
            invarg(f"invalid {what}", start)
        found[low] = high
        if not first:
            words.take()
        first = False
    return found


def show(info: dict[str, Any]) -> str:
    text = f"protocol {info['protocol']} id {info['id']} <{','.join(info['flags'])}> "
    for key, name in (("ingress_qos", "ingress-qos-map"), ("egress_qos", "egress-qos-map")):
        if key in info:
            pairs = " ".join(f"{pair['from']}:{pair['to']}" for pair in info[key])
            text += f"\n      {name} {{ {pairs} }} "
    return text
