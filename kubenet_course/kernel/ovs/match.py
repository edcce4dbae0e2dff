"""OpenFlow matches as ovs-ofctl writes them: ``ip,in_port=1,nw_src=10.0.0.0/24`` (lib/ofp-match.c,
lib/match.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.wire.addresses import IPv4Address, MacAddress, prefix_mask
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ipv4 import Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.skbuff import SkBuff

#: Keyword → (EtherType, IP protocol).
KEYWORDS = {
    "ip": (0x0800, None), "icmp": (0x0800, 1), "tcp": (0x0800, 6), "udp": (0x0800, 17), "sctp": (0x0800, 132),
    "arp": (0x0806, None), "ipv6": (0x86DD, None), "icmp6": (0x86DD, 58), "tcp6": (0x86DD, 6),
    "udp6": (0x86DD, 17),
}  # fmt: skip
ALIASES = {
    "eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type", "vlan_vid": "dl_vlan",
    "ip_src": "nw_src",
    "ip_dst": "nw_dst", "ip_proto": "nw_proto", "tcp_src": "tp_src", "tcp_dst": "tp_dst", "udp_src": "tp_src",
    "udp_dst": "tp_dst", "icmp_type": "icmp_type", "vlan_pcp": "dl_vlan_pcp",
}  # fmt: skip
ADDRESSES = ("nw_src", "nw_dst", "arp_spa", "arp_tpa")
NUMBERS = (
    "dl_vlan",
    "dl_vlan_pcp",
    "nw_proto",
    "nw_tos",
    "nw_ttl",
    "tp_src",
    "tp_dst",
    "icmp_type",
    "icmp_code",
    "arp_op",
)
ORDER = (
    "in_port", "dl_vlan", "dl_vlan_pcp", "dl_src", "dl_dst", "dl_type", "nw_src", "nw_dst", "arp_spa",
    "arp_tpa", "arp_op",
    "nw_proto", "nw_tos", "nw_ttl", "tp_src", "tp_dst", "icmp_type", "icmp_code",
)  # fmt: skip


class BadFlow(Exception):
    """What ovs-ofctl says about a flow it cannot read."""


def loose_ipv4(text: str) -> int:
    """ip_parse(): like sscanf, numbers wrap at 256."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        raise BadFlow(f"{text}: invalid IP address")
    value = 0
    for part in parts:
        value = value << 8 | int(part) & 0xFF
    return value


def parse_field(key: str, text: str, ports: dict[str, int]) -> tuple[str, Any]:
    """(field, value): numbers, (address, mask) pairs, MAC addresses; KeyError for an unknown field."""
    name = ALIASES.get(key, key)
    if name == "in_port":
        return name, port_number(text, ports)
    if name in ("dl_src", "dl_dst"):
        try:
            return name, MacAddress.parse(text)
        except ValueError:
            raise BadFlow(f"{text}: invalid Ethernet address") from None
    if name in ADDRESSES:
        address, slash, length = text.partition("/")
        value = loose_ipv4(address)
        mask = 0xFFFFFFFF
        if slash:
            mask = loose_ipv4(length) if "." in length else prefix_mask(32, min(32, int(length)))
        return name, (value & mask, mask)
    if name == "dl_type" or name in NUMBERS:
        try:
            return name, int(text, 0)
        except ValueError:
            raise BadFlow(f"{text}: not a valid number") from None
    raise KeyError(key)


RESERVED_PORTS = {
    "local": 0xFFFE, "in_port": 0xFFF8, "normal": 0xFFFA, "flood": 0xFFFB, "all": 0xFFFC,
    "controller": 0xFFFD,
    "none": 0xFFFF, "table": 0xFFF9,
}  # fmt: skip
PORT_NAMES = {number: name.upper() for name, number in RESERVED_PORTS.items()}


def port_number(text: str, ports: dict[str, int]) -> int:
    """ofputil_port_from_string(): a number, a reserved name or a port's own. Raises BadFlow."""
    if text.isdigit():
        return int(text)
    if text.lower() in RESERVED_PORTS:
        return RESERVED_PORTS[text.lower()]
    if text in ports:
        return ports[text]
    raise BadFlow(f"{text}: invalid or unknown port for in_port")


def port_text(number: int) -> str:
    return PORT_NAMES.get(number, str(number))


def normalise(fields: dict[str, Any]) -> dict[str, Any]:
    """ofputil_normalize_match(): a keyword where one says it, and no masks of /0."""
    return {key: value for key, value in fields.items() if not (key in ADDRESSES and value[1] == 0)}


def describe(fields: dict[str, Any]) -> str:
    """match_format(), without the priority."""
    words: list[str] = []
    hidden: set[str] = set()
    dl_type, nw_proto = fields.get("dl_type"), fields.get("nw_proto")
    keyword = next((word for word, pair in KEYWORDS.items() if pair == (dl_type, nw_proto)), None)
    if keyword is None:
        keyword = next((word for word, pair in KEYWORDS.items() if pair == (dl_type, None)), None)
        hidden = {"dl_type"} if keyword else set()
    else:
        hidden = {"dl_type", "nw_proto"}
    if keyword is not None:
        words.append(keyword)
    for key in ORDER:
        if key not in fields or key in hidden:
            continue
        value = fields[key]
        if key == "in_port":
            words.append(f"in_port={port_text(value)}")
        elif key == "dl_type":
            words.append(f"dl_type=0x{value:04x}")
        elif key in ADDRESSES:
            address, mask = value
            suffix = ""
            if mask != 0xFFFFFFFF:
                length = mask.bit_count()
                suffix = f"/{length}" if mask == prefix_mask(32, length) else f"/{IPv4Address(mask)}"
            words.append(f"{key}={IPv4Address(address)}{suffix}")
        else:
            words.append(f"{key}={value}")
    return ",".join(words)


def matches(fields: dict[str, Any], port: int, skb: SkBuff) -> bool:
    """Whether the packet has every field's value."""
    eth, network, transport = skb.eth, skb.network, skb.transport
    for key, value in fields.items():
        if key == "in_port":
            found: Any = port
        elif key in ("dl_src", "dl_dst"):
            assert eth is not None
            found = eth.source if key == "dl_src" else eth.destination
        elif key == "dl_type":
            found = skb.ethertype
        elif key == "dl_vlan":
            found = skb.vlan_tci & 0xFFF if skb.vlan_tci is not None else 0xFFFF
        elif key == "dl_vlan_pcp":
            found = skb.vlan_tci >> 13 & 7 if skb.vlan_tci is not None else None
        elif key in ADDRESSES:
            address = _address(key, network)
            if address is None or address & value[1] != value[0]:
                return False
            continue
        elif key == "nw_proto":
            found = (
                network.operation if isinstance(network, ArpHeader) else getattr(network, "protocol", None)
            )
        elif key == "arp_op":
            found = getattr(network, "operation", None)
        elif key == "nw_tos":
            found = getattr(network, "tos", 0) & 0xFC
        elif key == "nw_ttl":
            found = getattr(network, "ttl", None)
        elif key in ("icmp_type", "icmp_code"):
            found = getattr(transport, key[5:], None)
        else:
            found = getattr(transport, "source_port" if key == "tp_src" else "destination_port", None)
        if found != value:
            return False
    return True


def _address(key: str, network: Any) -> int | None:
    if isinstance(network, Ipv4Header) and key.startswith("nw"):
        return network.source if key == "nw_src" else network.destination
    if isinstance(network, ArpHeader):
        return network.sender_ip if key in ("arp_spa", "nw_src") else network.target_ip
    return None


def covers(wide: dict[str, Any], narrow: dict[str, Any]) -> bool:
    """Whether every packet of `narrow` is one of `wide` (loose matching of del-flows and dump-flows)."""
    for key, value in wide.items():
        if key not in narrow:
            return False
        if key in ADDRESSES:
            address, mask = narrow[key]
            if mask & value[1] != value[1] or address & value[1] != value[0]:
                return False
        elif narrow[key] != value:
            return False
    return True
