"""The OpenFlow tables of one bridge, and the actions of a flow (lib/ofp-flow.c, lib/ofp-actions.c)."""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.kernel.ovs import match
from kubenet_course.kernel.ovs.match import BadFlow
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IPv4Address, MacAddress

DEFAULT_PRIORITY = 32768
Action = tuple[str, Any]
SETTINGS = {
    "mod_dl_src",
    "mod_dl_dst",
    "mod_nw_src",
    "mod_nw_dst",
    "mod_nw_tos",
    "mod_nw_ttl",
    "mod_tp_src",
    "mod_tp_dst",
}
SET_FIELDS = {
    "eth_src": "mod_dl_src", "dl_src": "mod_dl_src", "eth_dst": "mod_dl_dst", "dl_dst": "mod_dl_dst",
    "ip_src": "mod_nw_src", "nw_src": "mod_nw_src", "ip_dst": "mod_nw_dst", "nw_dst": "mod_nw_dst",
    "tcp_src": "mod_tp_src", "udp_src": "mod_tp_src", "tp_src": "mod_tp_src", "tcp_dst": "mod_tp_dst",
    "udp_dst": "mod_tp_dst", "tp_dst": "mod_tp_dst", "vlan_vid": "mod_vlan_vid",
}  # fmt: skip


class Flow:
    """One rule: `fields` is its match, `actions` its list; times are ns of the virtual clock."""

    def __init__(self, now: int) -> None:
        self.table = 0
        self.priority = DEFAULT_PRIORITY
        self.cookie = 0
        self.idle_timeout = self.hard_timeout = 0
        self.fields: dict[str, Any] = {}
        self.actions: list[Action] = []
        self.packets = self.bytes = 0
        self.created = self.used = now
        self.out_port: int | None = None
        self.table_given = self.priority_given = False

    def expired(self, now: int) -> bool:
        return bool(
            (self.hard_timeout and now >= self.created + self.hard_timeout * SECOND)
            or (self.idle_timeout and now >= self.used + self.idle_timeout * SECOND)
        )

    def text(self, now: int, stats: bool) -> str:
        """ofputil_flow_stats_format()."""
        words: list[str] = []
        if stats:
            words.append(
                f"cookie={self.cookie:#x}, duration={(now - self.created) / SECOND:.3f}s, "
                f"table={self.table}, "
            )
            words.append(f"n_packets={self.packets}, n_bytes={self.bytes}, ")
        else:
            words.append(f"cookie={self.cookie:#x}, " if self.cookie else "")
            words.append(f"table={self.table}, " if self.table else "")
        words.append(f"idle_timeout={self.idle_timeout}, " if self.idle_timeout else "")
        words.append(f"hard_timeout={self.hard_timeout}, " if self.hard_timeout else "")
        if stats:
            words.append(f"idle_age={(now - self.used) // SECOND}, ")
        described = match.describe(self.fields)
        if self.priority != DEFAULT_PRIORITY:
            described = f"priority={self.priority}" + (f",{described}" if described else "")
        return (
            " "
            + "".join(words)
            + (described + " " if described else "")
            + "actions="
            + actions_text(self.actions)
        )


def split_fields(text: str) -> list[tuple[str, str]]:
    """ofputil_parse_key_value(): ``key``, ``key=value``, ``key:value``, ``key(value)``,
    separated by commas or blanks."""
    found: list[tuple[str, str]] = []
    position = 0
    pattern = re.compile(r"[\s,]*([^\s,=:(]+)")
    while True:
        start = pattern.match(text, position)
        if start is None:
            return found
        position = start.end()
        key, value = start.group(1), ""
        if position < len(text) and text[position] in "=:":
            position += 1
            begin, depth = position, 0
            while position < len(text) and (depth or text[position] not in ", \t"):
                depth += {"(": 1, ")": -1}.get(text[position], 0)
                position += 1
            value = text[begin:position]
        elif position < len(text) and text[position] == "(":
            begin = position
            depth = 0
            while position < len(text):
                depth += {"(": 1, ")": -1}.get(text[position], 0)
                position += 1
                if not depth:
                    break
            value = text[begin + 1 : position - 1]
        found.append((key, value))


def parse_flow(text: str, ports: dict[str, int], now: int, *, need_actions: bool) -> Flow:
    """parse_ofp_str(); BadFlow with ovs-ofctl's sentence."""
    flow = Flow(now)
    head, separator, tail = text.partition("actions=")
    if not separator:
        head, separator, tail = text.partition("action=")
    if need_actions and not separator:
        raise BadFlow("must specify an action")
    for key, value in split_fields(head):
        if key in match.KEYWORDS:
            dl_type, nw_proto = match.KEYWORDS[key]
            flow.fields["dl_type"] = dl_type
            if nw_proto is not None:
                flow.fields["nw_proto"] = nw_proto
        elif key in ("table", "priority", "idle_timeout", "hard_timeout", "cookie", "out_port", "duration",
        "n_packets",
                     "n_bytes", "idle_age"):  # fmt: skip
            _setting(flow, key, value, ports)
        else:
            try:
                name, parsed = match.parse_field(key, value, ports)
            except KeyError:
                raise BadFlow(f"unknown keyword {key}") from None
            flow.fields[name] = parsed
    flow.fields = match.normalise(flow.fields)
    if separator:
        flow.actions = parse_actions(tail, ports)
    return flow


def _setting(flow: Flow, key: str, value: str, ports: dict[str, int]) -> None:
    if key == "out_port":
        flow.out_port = match.port_number(value, ports)
        return
    try:
        number = int(value.partition("/")[0], 0)
    except ValueError:
        if key in ("table", "priority", "cookie", "idle_timeout", "hard_timeout"):
            raise BadFlow(
                f'invalid {key} "{value}"' if key in ("table", "priority") else f"{value}: invalid {key}"
            ) from None
        return
    if key in ("table", "priority", "idle_timeout", "hard_timeout", "cookie"):
        setattr(flow, key, number)
        if key in ("table", "priority"):
            setattr(flow, key + "_given", True)


def parse_actions(text: str, ports: dict[str, int]) -> list[Action]:
    """ofpacts_parse()."""
    found: list[Action] = []
    for key, value in split_fields(text):
        low = key.lower()
        if low == "drop":
            continue
        if low == "output":
            found.append(("output", _port(value, ports)))
        elif low in ("normal", "flood", "all", "local", "in_port"):
            found.append(("output", match.RESERVED_PORTS[low]))
        elif low == "controller":
            raise BadFlow("kubenet: action controller is not emulated")
        elif low in SETTINGS:
            found.append((low, _value(low, value)))
        elif low == "mod_vlan_vid" or low == "set_vlan_vid":
            found.append(("mod_vlan_vid", int(value, 0)))
        elif low in ("strip_vlan", "pop_vlan"):
            found.append(("strip_vlan", None))
        elif low == "push_vlan":
            found.append(("push_vlan", int(value, 0)))
        elif low in ("set_field", "load") and "->" in value:
            found.append(_set_field(value))
        elif low == "goto_table":
            found.append(("resubmit", (None, int(value, 0))))
        elif low == "resubmit":
            port, _, table = value.partition(",")
            found.append(("resubmit", (_port(port, ports) if port else None, int(table, 0) if table else 0)))
        elif low.isdigit() or low in ports or key in ports:
            found.append(("output", _port(key, ports)))
        else:
            raise BadFlow(f"unknown action {key}")
    return found


def _port(text: str, ports: dict[str, int]) -> int:
    try:
        return match.port_number(text, ports)
    except BadFlow:
        raise BadFlow(f"{text}: output to unknown port") from None


def _value(action: str, text: str) -> Any:
    if action.startswith("mod_dl"):
        try:
            return MacAddress.parse(text)
        except ValueError:
            raise BadFlow(f"{text}: invalid Ethernet address") from None
    if action in ("mod_nw_src", "mod_nw_dst"):
        return IPv4Address(match.loose_ipv4(text))
    try:
        return int(text, 0)
    except ValueError:
        raise BadFlow(f"{text}: invalid number") from None


def _set_field(value: str) -> Action:
    text, _, field = value.partition("->")
    action = SET_FIELDS.get(field)
    if action is None:
        raise BadFlow(f"kubenet: set_field of {field} is not emulated")
    if action == "mod_vlan_vid":
        return action, int(text, 0) & 0xFFF
    return action, _value(action, text)


def actions_text(actions: list[Action]) -> str:
    """ofpacts_format()."""
    words = []
    for name, value in actions:
        if name == "output":
            words.append(match.port_text(value) if value in match.PORT_NAMES else f"output:{value}")
        elif name == "resubmit":
            port, table = value
            words.append(f"resubmit({match.port_text(port) if port is not None else ''},{table})")
        elif name == "strip_vlan":
            words.append(name)
        elif name == "push_vlan":
            words.append(f"push_vlan:{value:#06x}")
        else:
            words.append(f"{name}:{value}")
    return ",".join(words) or "drop"
