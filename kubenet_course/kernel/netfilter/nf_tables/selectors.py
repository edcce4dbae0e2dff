"""What of a packet a rule looks at: fields, meta data, connection, routes, numbers made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.base import Expr
from kubenet_course.kernel.netfilter.nf_tables.datatypes import (
    HEX,
    INTEGER,
    INVALID,
    PLAIN,
    TIME_DATE,
    TYPES,
    DataType,
    Style,
)
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import (
    IP_OPTIONS,
    SCTP_CHUNKS,
    TCP_FIELDS,
    OptionField,
    extension_field,
)


@dataclass(frozen=True, slots=True)
class Payload(Expr):
    protocol: str
    name: str

    @property
    def field(self) -> Any:
        from kubenet_course.kernel.netfilter.nf_tables.protocols import PROTOCOLS

        return PROTOCOLS[self.protocol].fields[self.name]

    @property
    def type(self) -> DataType:
        return self.field.type

    @property
    def bits(self) -> int:
        return self.field.bits

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.protocol} {self.name}"


@dataclass(frozen=True, slots=True)
class RawPayload(Expr):
    """@base,offset,length in bits."""

    base: str
    offset: int
    length: int

    @property
    def type(self) -> DataType:
        return HEX

    @property
    def bits(self) -> int:
        return self.length

    def text(self, style: Style = PLAIN) -> str:
        return f"@{self.base},{self.offset},{self.length}"


#: Where the option has a name beside its header's.
NAMED = ("tcp option", "ip option", "sctp chunk", "exthdr")


@dataclass(frozen=True, slots=True)
class Option(Expr):
    """A field of a TCP option, IP option, SCTP chunk or IPv6 extension header; no field: whether it is there.

    `header` is "tcp option", "ip option", "sctp chunk", "exthdr" (is it there?) or the extension header's own name."""

    header: str
    name: str
    part: str = ""
    #: Of an option by number: (offset, bits).
    raw: tuple[int, int] | None = None

    @property
    def field(self) -> OptionField | None:
        if self.raw is not None:
            return OptionField(*self.raw)
        if not self.part:
            return None
        if self.header == "tcp option":
            return TCP_FIELDS.get(self.name, {}).get(self.part, OptionField(8, 8))
        if self.header == "ip option":
            return IP_OPTIONS[self.name][1][self.part]
        if self.header == "sctp chunk":
            return SCTP_CHUNKS[self.name][self.part]
        return extension_field(self.header, self.part)

    @property
    def type(self) -> DataType:
        field = self.field
        return field.type if field is not None else TYPES["boolean"]

    @property
    def bits(self) -> int:
        field = self.field
        return field.bits if field is not None else 1

    def text(self, style: Style = PLAIN) -> str:
        if self.raw is not None:
            return f"{self.header} @{self.name},{self.raw[0]},{self.raw[1]}"
        words = (self.header, self.name, self.part) if self.header in NAMED else (self.header, self.part)
        return " ".join(word for word in words if word)


#: key → type; those of `UNQUALIFIED` stand without "meta" before them.
META_TYPES: dict[str, DataType] = {
    "length": INTEGER, "protocol": TYPES["ether_type"], "priority": TYPES["classid"], "mark": TYPES["mark"],
    "iif": TYPES["iface_index"], "oif": TYPES["iface_index"], "iifname": TYPES["ifname"], "oifname": TYPES["ifname"],
    "iiftype": TYPES["iface_type"], "oiftype": TYPES["iface_type"], "skuid": TYPES["uid"], "skgid": TYPES["gid"],
    "nftrace": INTEGER, "rtclassid": TYPES["realm"], "secmark": INTEGER, "nfproto": TYPES["nf_proto"],
    "l4proto": TYPES["inet_proto"], "ibrname": TYPES["ifname"], "obrname": TYPES["ifname"], "pkttype": TYPES["pkt_type"],
    "cpu": INTEGER, "iifgroup": TYPES["devgroup"], "oifgroup": TYPES["devgroup"], "cgroup": INTEGER, "random": INTEGER,
    "ipsec": TYPES["boolean"], "iifkind": TYPES["ifname"], "oifkind": TYPES["ifname"], "ibrpvid": INTEGER,
    "ibrvproto": TYPES["ether_type"], "time": TIME_DATE, "day": TYPES["day"], "hour": TYPES["hour"],
    "sdif": TYPES["iface_index"], "sdifname": TYPES["ifname"],
}  # fmt: skip
META_BITS = {"length": 32, "nftrace": 1, "secmark": 32, "cpu": 32, "cgroup": 32, "random": 32, "ibrpvid": 16}
UNQUALIFIED = frozenset({"iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"})
OLD_UNQUALIFIED = UNQUALIFIED | {"iiftype", "oiftype", "mark", "skuid", "skgid", "nftrace", "rtclassid"}


@dataclass(frozen=True, slots=True)
class Meta(Expr):
    key: str

    @property
    def type(self) -> DataType:
        return META_TYPES[self.key]

    @property
    def bits(self) -> int:
        return META_BITS.get(self.key) or self.type.bits

    def text(self, style: Style = PLAIN) -> str:
        return self.key if self.key in UNQUALIFIED else f"meta {self.key}"


#: A word in quotes: a helper.
NAME = DataType("string", "string", 0, "string")
CT_TYPES: dict[str, DataType] = {
    "state": TYPES["ct_state"], "direction": TYPES["ct_dir"], "status": TYPES["ct_status"], "mark": TYPES["mark"],
    "expiration": TYPES["time"], "helper": NAME, "l3proto": TYPES["nf_proto"], "protocol": TYPES["inet_proto"],
    "saddr": INTEGER, "daddr": INTEGER, "ip saddr": TYPES["ipv4_addr"], "ip daddr": TYPES["ipv4_addr"],
    "ip6 saddr": TYPES["ipv6_addr"], "ip6 daddr": TYPES["ipv6_addr"], "proto-src": TYPES["inet_service"],
    "proto-dst": TYPES["inet_service"], "zone": INTEGER, "packets": INTEGER, "bytes": INTEGER, "avgpkt": INTEGER,
    "label": TYPES["ct_label"], "event": TYPES["ct_event"], "id": INTEGER, "secmark": INTEGER,
}  # fmt: skip
CT_BITS = {"expiration": 32, "zone": 16, "packets": 64, "bytes": 64, "avgpkt": 64, "id": 32, "secmark": 32, "helper": 128}


@dataclass(frozen=True, slots=True)
class Ct(Expr):
    """`direction` is "", "original" or "reply"."""

    key: str
    direction: str = ""
    #: Ports of a protocol that nothing has said.
    unknown: bool = False
    #: Typed without the family, which JSON leaves out again.
    short: bool = False

    @property
    def type(self) -> DataType:
        return INVALID if self.unknown else CT_TYPES[self.key]

    @property
    def bits(self) -> int:
        return CT_BITS.get(self.key) or self.type.bits

    def text(self, style: Style = PLAIN) -> str:
        return f"ct {self.direction} {self.key}" if self.direction else f"ct {self.key}"


RT_TYPES = {
    "classid": TYPES["realm"], "nexthop": INTEGER, "ip nexthop": TYPES["ipv4_addr"], "ip6 nexthop": TYPES["ipv6_addr"],
    "mtu": INTEGER, "ipsec": TYPES["boolean"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rt(Expr):
    key: str

    @property
    def type(self) -> DataType:
        return RT_TYPES[self.key]

    @property
    def bits(self) -> int:
        return 16 if self.key == "mtu" else self.type.bits

    def text(self, style: Style = PLAIN) -> str:
        return f"rt {self.key}"


@dataclass(frozen=True, slots=True)
class Socket(Expr):
    """`level` is that of a control group's ancestor."""

    key: str
    level: int | None = None

    @property
    def type(self) -> DataType:
        return {"mark": TYPES["mark"], "cgroupv2": TYPES["cgroupsv2"]}.get(self.key, INTEGER)

    @property
    def bits(self) -> int:
        return {"mark": 32, "cgroupv2": 64}.get(self.key, 1)

    def text(self, style: Style = PLAIN) -> str:
        return f"socket {self.key}" + (f" level {self.level}" if self.level is not None else "")


@dataclass(frozen=True, slots=True)
class Osf(Expr):
    """Which operating system sent a SYN: `key` is name or version, `ttl` "", loose or skip."""

    key: str
    ttl: str = ""

    @property
    def type(self) -> DataType:
        return NAME

    @property
    def bits(self) -> int:
        return 128

    def text(self, style: Style = PLAIN) -> str:
        return f"osf ttl {self.ttl} {self.key}" if self.ttl else f"osf {self.key}"


@dataclass(frozen=True, slots=True)
class Ipsec(Expr):
    """What IPsec did with the packet: `direction` in or out, `number` of the transform, key reqid, spi, ip saddr …."""

    direction: str
    number: int
    key: str

    @property
    def type(self) -> DataType:
        return {"ip ": TYPES["ipv4_addr"], "ip6": TYPES["ipv6_addr"]}.get(self.key[:3], INTEGER)

    @property
    def bits(self) -> int:
        return self.type.bits or 32

    def text(self, style: Style = PLAIN) -> str:
        spnum = f" spnum {self.number}" if self.number else ""
        return f"ipsec {self.direction}{spnum} {self.key}"


@dataclass(frozen=True, slots=True)
class Fib(Expr):
    """`flags` in the order in which they are printed; result oif, oifname or type; `exists` of oif."""

    flags: tuple[str, ...]
    result: str
    exists: bool = False

    @property
    def type(self) -> DataType:
        if self.exists:
            return TYPES["boolean"]
        return {"oif": TYPES["iface_index"], "oifname": TYPES["ifname"], "type": TYPES["fib_addrtype"]}[self.result]

    def text(self, style: Style = PLAIN) -> str:
        return f"fib {' . '.join(self.flags)} {self.result}"


@dataclass(frozen=True, slots=True)
class Numgen(Expr):
    mode: str
    mod: int
    offset: int = 0

    @property
    def bits(self) -> int:
        return 32

    def text(self, style: Style = PLAIN) -> str:
        return f"numgen {self.mode} mod {self.mod}" + (f" offset {self.offset}" if self.offset else "")


@dataclass(frozen=True, slots=True)
class Hash(Expr):
    """jhash of an expression, or symhash (expr None)."""

    mod: int
    expr: Expr | None = None
    seed: int | None = None
    offset: int = 0

    @property
    def bits(self) -> int:
        return 32

    def text(self, style: Style = PLAIN) -> str:
        words = f"jhash {self.expr.text(style)} mod {self.mod}" if self.expr is not None else f"symhash mod {self.mod}"
        if self.seed is not None:
            words += f" seed 0x{self.seed:x}"
        return words + (f" offset {self.offset}" if self.offset else "")
