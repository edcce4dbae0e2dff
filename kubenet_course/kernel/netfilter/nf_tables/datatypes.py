"""The types of nft's values and their words (include/datatype.h and datatype.c of nftables)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress


class Style(NamedTuple):
    """How to print: the switches of nft."""

    handle: bool = False
    stateless: bool = False
    terse: bool = False
    services: Any = None
    numeric_priority: bool = False
    numeric_protocol: bool = False
    numeric_symbols: bool = False
    numeric_time: bool = False
    names: Any = None
    guid: bool = False
    #: Between flags: "," on the right of a match, " | " elsewhere.
    joiner: str = ","


PLAIN = Style()


class DataType:
    """One type. `symbols` maps words to numbers; `base` is "integer", "bitmask", "string" or ""."""

    def __init__(
        self,
        name: str,
        description: str,
        bits: int,
        base: str = "integer",
        *,
        symbols: Mapping[str, int] | None = None,
        show: Callable[[Any, Style], str] | None = None,
        host: bool = False,
        error: str = "",
        per_line: int = 1,
        shown_hex: bool = False,
    ):
        self.name = name
        self.description = description
        self.bits = bits
        self.base = base
        self.symbols = dict(symbols or {})
        self.words: dict[int, str] = {}
        for word, number in self.symbols.items():
            self.words.setdefault(number, word)
        self._show = show
        #: Host byte order: it matters where bytes are compared or sorted.
        self.host = host
        #: What `nft` says of a word that it does not know: "Could not parse …".
        self.error = error
        #: How many elements of a named set stand on one line.
        self.per_line = per_line
        #: nft describe shows the symbols in hexadecimal.
        self.shown_hex = shown_hex

    def text(self, value: Any, style: Style = PLAIN) -> str:
        if self._show is not None:
            return self._show(value, style)
        if self.base == "string":
            return f'"{value}"'
        if self.words and not style.numeric_symbols:
            found = self.words.get(value)
            if found is not None:
                return found
        if self.name == "dscp":
            return f"0x{value:02x}"
        return f"0x{value:x}" if self.shown_hex else str(value)

    def bytes_of(self, value: Any, bits: int = 0) -> bytes:
        """As it lies in a register: for sorting and hashing."""
        if isinstance(value, str):
            data = value.encode()
            return data if bits == 0 else data.ljust(bits // 8, b"\0")
        size = ((bits or self.bits or 32) + 7) // 8
        return int(value).to_bytes(max(size, (int(value).bit_length() + 7) // 8), "little" if self.host else "big")

    def __repr__(self) -> str:
        return f"<{self.name}>"


def time_text(milliseconds: int, style: Style = PLAIN) -> str:
    """1d2h3m4s5ms; whole seconds with -T."""
    if style.numeric_time:
        return f"{milliseconds // 1000}s"
    if not milliseconds:
        return "0s"
    rest, words = milliseconds, []
    for letter, size in (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000), ("ms", 1)):
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number}{letter}")
    return "".join(words)


def _service(value: int, style: Style) -> str:
    if style.services is not None:
        name = style.services(value)
        if name:
            return f'"{name}"'
    return str(value)


def _protocol(value: int, style: Style) -> str:
    if style.numeric_protocol:
        return str(value)
    return PROTOCOL_WORDS.get(value) or str(value)


def _ether_type(value: int, style: Style) -> str:
    word = None if style.numeric_symbols else ETHER_WORDS.get(value)
    return word or f"0x{value:04x}"


def _mark(value: int, style: Style) -> str:
    return f"0x{value:08x}"


def _classid(value: int, style: Style) -> str:
    special = {0: "none", 0xFFFFFFFF: "root"}
    return special.get(value) or f"{value >> 16:x}:{value & 0xFFFF:x}"


def _bitmask(value: int, style: Style, words: Mapping[int, str], joiner: str = ",") -> str:
    if value == 0:
        return "0x0"
    parts, left = [], value
    for bit in range(value.bit_length()):
        if value >> bit & 1:
            word = words.get(1 << bit)
            if style.numeric_symbols or word is None:
                parts.append(f"0x{1 << bit:x}")
            else:
                parts.append(word)
            left &= ~(1 << bit)
    return joiner.join(parts)


def bit_text(symbols: Mapping[str, int]) -> Callable[[int, Style], str]:
    words = {number: word for word, number in symbols.items()}
    return lambda value, style: _bitmask(value, style, words, style.joiner)


def _date(value: int, style: Style) -> str:
    import datetime

    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value // 10**9)
    return f'"{moment:%Y-%m-%d %H:%M:%S}"'


def _hour(value: int, style: Style) -> str:
    hours, rest = divmod(value, 3600)
    minutes, seconds = divmod(rest, 60)
    return f'"{hours:02}:{minutes:02}"' if not seconds else f'"{hours:02}:{minutes:02}:{seconds:02}"'


def _day(value: int, style: Style) -> str:
    return str(value) if style.numeric_symbols or value not in DAY_WORDS else f'"{DAY_WORDS[value]}"'


def _user(value: Any, style: Style) -> str:
    name = style.names.user_name(value) if style.guid and style.names is not None else None
    return f'"{name}"' if name else str(value)


def _group(value: Any, style: Style) -> str:
    name = style.names.group_name(value) if style.guid and style.names is not None else None
    return f'"{name}"' if name else str(value)


def _quoted(word: str) -> Callable[[int, Style], str]:
    """Of tables in /etc/iproute2 that have one name each here: that of 0."""
    return lambda value, style: f'"{word}"' if not value and not style.numeric_symbols else str(value)


def _interface(value: Any, style: Style) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    name = style.names.device_name(value) if style.names is not None else None
    return f'"{name}"' if name else str(value)


PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44,
    "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "pim": 103, "comp": 108,
    "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136, "mobility-header": 135, "hip": 139,
}  # fmt: skip
PROTOCOL_WORDS = {
    0: "ip", 1: "icmp", 2: "igmp", 3: "ggp", 4: "ipencap", 5: "st", 6: "tcp", 8: "egp", 9: "igp", 12: "pup", 17: "udp",
    20: "hmp", 22: "xns-idp", 27: "rdp", 29: "iso-tp4", 33: "dccp", 36: "xtp", 37: "ddp", 38: "idpr-cmtp", 41: "ipv6",
    43: "ipv6-route", 44: "ipv6-frag", 45: "idrp", 46: "rsvp", 47: "gre", 50: "esp", 51: "ah", 57: "skip", 58: "ipv6-icmp",
    59: "ipv6-nonxt", 60: "ipv6-opts", 73: "rspf", 81: "vmtp", 88: "eigrp", 89: "ospf", 93: "ax.25", 94: "ipip",
    97: "etherip", 98: "encap", 103: "pim", 108: "ipcomp", 112: "vrrp", 115: "l2tp", 124: "isis", 132: "sctp", 133: "fc",
    135: "mobility-header", 136: "udplite", 137: "mpls-in-ip", 138: "manet", 139: "hip", 140: "shim6", 141: "wesp",
    142: "rohc", 143: "ethernet",
}  # fmt: skip
ETHER = {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "8021ad": 0x88A8, "vlan": 0x8100}
ETHER_WORDS = {0x0800: "ip", 0x0806: "arp", 0x86DD: "ip6", 0x8100: "8021q", 0x88A8: "8021ad"}
ICMP_TYPES = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
    "address-mask-reply": 18,
}  # fmt: skip
ICMP_CODES = {
    "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "net-prohibited": 9,
    "host-prohibited": 10, "admin-prohibited": 13, "frag-needed": 4,
}  # fmt: skip
ICMPV6_TYPES = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128,
    "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
    "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138, "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}  # fmt: skip
ICMPV6_CODES = {
    "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5, "reject-route": 6,
}  # fmt: skip
ICMPX_CODES = {"port-unreachable": 1, "admin-prohibited": 3, "no-route": 0, "host-unreachable": 2}
CT_STATES = {"invalid": 1, "new": 8, "established": 2, "related": 4, "untracked": 64}
CT_STATUS = {
    "expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "dying": 512,
}  # fmt: skip
CT_EVENTS = {
    "new": 1, "related": 2, "destroy": 4, "reply": 8, "assured": 16, "protoinfo": 32, "helper": 64, "mark": 128,
    "seqadj": 256, "secmark": 512, "label": 1024,
}  # fmt: skip
TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
DSCP = {
    "cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "df": 0, "be": 0, "lephb": 1,
    "af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30,
    "af41": 34, "af42": 36, "af43": 38, "va": 44, "ef": 46,
}  # fmt: skip
ARP_OPS = {
    "request": 1, "reply": 2, "rrequest": 3, "rreply": 4, "inrequest": 8, "inreply": 9, "nak": 10,
}  # fmt: skip
DAYS = {"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6}
DAY_WORDS = {number: word for word, number in DAYS.items()}
FIB_TYPES = {
    "unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
    "unreachable": 7, "prohibit": 8,
}  # fmt: skip
ARPHRD = {"ether": 1, "ppp": 512, "ipip": 768, "ipip6": 769, "loopback": 772, "sit": 776, "ipgre": 778}
DCCP_TYPES = {
    "request": 0, "response": 1, "data": 2, "ack": 3, "dataack": 4, "closereq": 5, "close": 6, "reset": 7, "sync": 8, "syncack": 9,
}  # fmt: skip
IGMP_TYPES = {
    "membership-query": 0x11, "membership-report-v1": 0x12, "membership-report-v2": 0x16, "membership-report-v3": 0x22,
    "leave-group": 0x17,
}  # fmt: skip

MH_TYPES = {
    "binding-refresh-request": 0, "home-test-init": 1, "careof-test-init": 2, "home-test": 3, "careof-test": 4,
    "binding-update": 5, "binding-acknowledgement": 6, "binding-error": 7, "fast-binding-update": 8,
    "fast-binding-acknowledgement": 9, "fast-binding-advertisement": 10, "experimental-mobility-header": 11,
    "home-agent-switch-message": 12,
}  # fmt: skip

INTEGER = DataType("integer", "integer", 0, "", per_line=5)
HEX = DataType("integer", "integer", 0, "", show=lambda value, style: f"0x{value:x}", per_line=5)
STRING = DataType("string", "string", 0, "")
INVALID = DataType("invalid", "invalid", 0, "")
VERDICT = DataType("verdict", "netfilter verdict", 0, "")
TYPES: dict[str, DataType] = {
    kind.name: kind
    for kind in (
        INTEGER, STRING, VERDICT,
        DataType("nf_proto", "netfilter protocol", 8, symbols={"ipv4": 2, "ipv6": 10}, host=True, error="netfilter protocol", per_line=5),
        DataType("bitmask", "bitmask", 0, "integer"),
        DataType("ll_addr", "link layer address", 0, show=lambda value, style: f"0x{value:x}"),
        DataType("ipv4_addr", "IPv4 address", 32, show=lambda value, style: str(IPv4Address(value)), per_line=2),
        DataType("ipv6_addr", "IPv6 address", 128, show=lambda value, style: str(IPv6Address(value))),
        DataType("ether_addr", "Ethernet address", 48, show=lambda value, style: str(MacAddress(value))),
        DataType("ether_type", "Ethernet protocol", 16, symbols={k: v for k, v in ETHER.items() if k != "vlan"},
            show=_ether_type, error="Ethernet protocol", shown_hex=True),
        DataType("arp_op", "ARP operation", 16, symbols=ARP_OPS, error="ARP operation", per_line=5),
        DataType("inet_proto", "Internet protocol", 8, show=_protocol, per_line=5),
        DataType("inet_service", "internet network service", 16, show=_service, per_line=5),
        DataType("icmp_type", "ICMP type", 8, symbols=ICMP_TYPES, error="ICMP type", per_line=5),
        DataType("icmp_code", "icmp code", 8, symbols=ICMP_CODES, error="icmp code", per_line=5),
        DataType("icmpv6_type", "ICMPv6 type", 8, symbols=ICMPV6_TYPES, error="ICMPv6 type", per_line=5),
        DataType("icmpv6_code", "icmpv6 code", 8, symbols=ICMPV6_CODES, error="icmpv6 code", per_line=5),
        DataType("icmpx_code", "icmpx code", 8, symbols=ICMPX_CODES, error="icmpx code", per_line=5),
        DataType("igmp_type", "IGMP type", 8, symbols=IGMP_TYPES, error="IGMP type"),
        DataType("tcp_flag", "TCP flag", 8, "bitmask", symbols=TCP_FLAGS, show=bit_text(TCP_FLAGS),
            error="TCP flag", per_line=5, shown_hex=True),
        DataType("dccp_pkttype", "DCCP packet type", 4, symbols=DCCP_TYPES, error="DCCP packet type"),
        DataType("mh_type", "Mobility Header Type", 8, symbols=MH_TYPES, error="Mobility Header Type"),
        DataType("time", "relative time", 64, show=lambda value, style: time_text(value, style), host=True),
        DataType("mark", "packet mark", 32, show=_mark, host=True, error="packet mark", per_line=5),
        DataType("iface_index", "network interface index", 32, show=_interface, host=True, per_line=5),
        DataType("iface_type", "network interface type", 16, symbols=ARPHRD, host=True, error="network interface type"),
        DataType("realm", "routing realm", 32, symbols={"cosmos": 0}, show=_quoted("cosmos"), host=True, error="routing realm", per_line=5),
        DataType("classid", "TC classid", 32, show=_classid, host=True, per_line=5),
        DataType("uid", "user ID", 32, show=_user, host=True, per_line=5),
        DataType("gid", "group ID", 32, show=_group, host=True, per_line=5),
        DataType("ct_state", "conntrack state", 32, "bitmask", symbols=CT_STATES, show=bit_text(CT_STATES),
            host=True, error="conntrack state", shown_hex=True),
        DataType("ct_dir", "conntrack direction", 8, symbols={"original": 0, "reply": 1}, host=True,
            error="conntrack direction", per_line=5),
        DataType("ct_status", "conntrack status", 32, "bitmask", symbols=CT_STATUS, show=bit_text(CT_STATUS),
            host=True, error="conntrack status", shown_hex=True),
        DataType("ct_event", "conntrack event bits", 32, "bitmask", symbols=CT_EVENTS, show=bit_text(CT_EVENTS),
            host=True, error="conntrack event bits", shown_hex=True),
        DataType("ct_label", "conntrack label", 128, "bitmask", show=lambda value, style: str(value), host=True),
        DataType("pkt_type", "packet type", 8, symbols={"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2,
            "other": 3}, host=True, error="packet type", per_line=5),
        DataType("devgroup", "devgroup name", 32, symbols={"default": 0}, show=_quoted("default"),
            host=True, error="devgroup name", per_line=5),
        DataType("dscp", "Differentiated Services Code Point", 6, symbols=DSCP,
            error="Differentiated Services Code Point", per_line=5, shown_hex=True),
        DataType("ecn", "Explicit Congestion Notification", 2, symbols={"not-ect": 0, "ect1": 1, "ect0": 2,
            "ce": 3}, error="Explicit Congestion Notification", per_line=5,
                 shown_hex=True),
        DataType("fib_addrtype", "fib address type", 32, symbols=FIB_TYPES, host=True, error="fib address type", per_line=5),
        DataType("boolean", "boolean type", 1, symbols={"exists": 1, "missing": 0}, host=True, error="boolean type", per_line=5),
        DataType("ifname", "network interface name", 128, "string", host=True),
        DataType("tcpopt", "tcp option", 8),
        DataType("day", "Day of week of packet reception", 8, symbols=DAYS, show=_day, host=True, error="Day of week of packet reception"),
        DataType("hour", "Hour of day of packet reception", 32, show=_hour, host=True),
        DataType("cgroupsv2", "cgroupsv2 path", 64, host=True),
    )
}  # fmt: skip
TYPES["day"].base = "integer"
TIME_DATE = DataType("time", "Relative time of packet reception", 64, show=_date, host=True)
OBJECT_NAME = DataType("string", "string", 0, "string")


def data_type(name: str) -> DataType | None:
    return TYPES.get(name)
