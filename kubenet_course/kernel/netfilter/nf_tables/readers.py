"""How a packet gives the values that rules look at: source expressions on (skb, state), or functions.

A `Reader` has the tests that must hold for there to be a value (`guards`), and the source of the value;
constants and functions it needs are in `scope`. A packet without the value does not match.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.nf_tables import fib, hashing
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Ct,
    Expr,
    Fib,
    Hash,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Osf,
    Payload,
    RawPayload,
    Rt,
    SetRef,
    Socket,
    Value,
)
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import (
    EXTENSION_HEADERS,
    IP_OPTIONS,
    TCP_KINDS,
    TCP_SYNONYMS,
)
from kubenet_course.kernel.netfilter.nf_tables.protocols import PROTOCOLS, TRANSPORT, payload_bits
from kubenet_course.kernel.netfilter.tables import NF_TRACE, Table
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

#: Classes that guards name.
CLASSES = {
    "TcpHeader": TcpHeader, "UdpHeader": UdpHeader, "IcmpHeader": IcmpHeader, "Icmpv6Header": Icmpv6Header,
    "Ipv4Header": Ipv4Header, "Ipv6Header": Ipv6Header, "ArpHeader": ArpHeader, "PORTED": frozenset((6, 17)),
    "UNTRACKED": UNTRACKED, "NF_TRACE": NF_TRACE,
}  # fmt: skip
ReadFunction = Callable[[Any, Any], Any]

_META = {
    "length": "skb.len", "protocol": "skb.ethertype", "mark": "skb.mark", "priority": "skb.priority", "cpu": "0",
    "iifname": "(state.indev.name if state.indev is not None else '')",
    "oifname": "(state.outdev.name if state.outdev is not None else '')",
    "iif": "(state.indev.ifindex if state.indev is not None else 0)",
    "oif": "(state.outdev.ifindex if state.outdev is not None else 0)",
    "nftrace": "(1 if skb.nf_flags & NF_TRACE else 0)", "cgroup": "0", "rtclassid": "0", "sdif": "0", "sdifname": "''",
    "ipsec": "0", "secmark": "0",
    "nfproto": "(2 if skb.network.__class__ is Ipv4Header else 10)",
}  # fmt: skip
_META_GUARDS = {
    "iiftype": ("state.indev is not None", "(772 if state.indev.is_loopback else 1)"),
    "oiftype": ("state.outdev is not None", "(772 if state.outdev.is_loopback else 1)"),
    "iifgroup": ("state.indev is not None", "getattr(state.indev, 'group', 0)"),
    "oifgroup": ("state.outdev is not None", "getattr(state.outdev, 'group', 0)"),
    "iifkind": ("state.indev is not None and state.indev.kind", "state.indev.kind"),
    "oifkind": ("state.outdev is not None and state.outdev.kind", "state.outdev.kind"),
    "l4proto": ("skb.network.__class__ is not ArpHeader and skb.network is not None", "skb.network[2]"),
    "skuid": ("skb.sk is not None", "getattr(skb.sk, 'uid', 0)"), "skgid": ("skb.sk is not None", "getattr(skb.sk, 'gid', 0)"),
    "ibrname": ("getattr(state.indev, 'master', None) is not None", "state.indev.master.name"),
    "obrname": ("getattr(state.outdev, 'master', None) is not None", "state.outdev.master.name"),
}  # fmt: skip


class Reader:
    """Builds the source of values; one for each rule or statement."""

    def __init__(self, table: Table):
        self.table = table
        self.net = table.ruleset.net
        self.scope: dict[str, Any] = {}
        self.guards: list[str] = []

    def constant(self, value: Any, prefix: str = "c") -> str:
        name = f"{prefix}{len(self.scope)}"
        self.scope[name] = value
        return name

    def guard(self, test: str) -> None:
        if test and test not in self.guards:
            self.guards.append(test)

    def call(self, function: ReadFunction) -> str:
        """A value by a function: None where there is none."""
        name = self.constant(function, "f")
        holder = f"v{len(self.scope)}"
        self.guards.append(f"({holder} := {name}(skb, state)) is not None")
        return holder

    # -- expressions ------------------------------------------------------------------------
    def source(self, expr: Expr) -> str:
        """The source of the expression's value, guards noted."""
        method = _METHODS.get(type(expr))
        if method is None:
            return self.call(lambda skb, state: None)
        return method(self, expr)

    def _value(self, expr: Value) -> str:
        return self.constant(expr.value)

    def _payload(self, expr: Payload) -> str:
        field = expr.field
        protocol = PROTOCOLS[expr.protocol]
        if protocol.base == TRANSPORT and expr.protocol not in ("tcp", "udp", "icmp", "icmpv6", "th"):
            number = protocol.number
            return self.call(
                lambda skb, state: payload_bits(skb, TRANSPORT, field.offset, field.bits)
                if skb.network is not None and skb.network[2] == number else None
            )  # fmt: skip
        if self.table.family not in ("ip", "ip6") or expr.protocol not in ("ip", "ip6"):
            self.guard(protocol.guard)
        if expr.protocol == "ip6" and expr.name == "nexthdr":
            return "(skb.network.extensions[0][0] if skb.network.extensions else skb.network[2])"
        if field.access:
            return field.access
        base = protocol.base
        return self.call(lambda skb, state: payload_bits(skb, base, field.offset, field.bits))

    def _raw(self, expr: RawPayload) -> str:
        base, offset, bits = expr.base, expr.offset, expr.length
        return self.call(lambda skb, state: payload_bits(skb, base, offset, bits))

    def _meta(self, expr: Meta) -> str:
        key = expr.key
        if key in _META:
            return _META[key]
        if key in _META_GUARDS:
            guard, source = _META_GUARDS[key]
            self.guard(guard)
            return source
        net = self.net
        if key == "pkttype":
            return self.call(packet_type)
        if key == "random":
            return self.call(lambda skb, state: net.host.random.getrandbits(32))
        if key in ("time", "day", "hour"):
            return self.call(lambda skb, state: clock(net.host.wall_clock(), key))
        return self.call(lambda skb, state: None)

    def _ct(self, expr: Ct) -> str:
        key = expr.key
        if key == "state":
            return "(1 if skb.nfct is None else 64 if skb.nfct is UNTRACKED else 1 << skb.ctinfo % 3 + 1)"
        self.guard("skb.nfct is not None and skb.nfct is not UNTRACKED")
        if key == "mark":
            return "skb.nfct.mark"
        if key == "status":
            return "skb.nfct.status"
        if key == "direction":
            return "(1 if skb.ctinfo >= 3 else 0)"
        direction, net = expr.direction, self.net
        return self.call(lambda skb, state: ct_value(net, skb, key, direction))

    def _rt(self, expr: Rt) -> str:
        key = expr.key
        return self.call(lambda skb, state: route_value(skb, key))

    def _fib(self, expr: Fib) -> str:
        net = self.net
        return self.call(lambda skb, state: fib.lookup(net, skb, state, expr))

    def _numgen(self, expr: Numgen) -> str:
        mod, offset, net = expr.mod, expr.offset, self.net
        if expr.mode == "random":
            return self.call(lambda skb, state: net.host.random.randrange(mod) + offset)
        turn = [mod - 1]

        def count(skb: Any, state: Any) -> int:
            turn[0] = (turn[0] + 1) % mod
            return turn[0] + offset

        return self.call(count)

    def _hash(self, expr: Hash) -> str:
        mod, offset = expr.mod, expr.offset
        if expr.expr is None:
            return self.call(lambda skb, state: hashing.symmetric(skb) * mod // 2**32 + offset)
        inner = expr.expr
        seed = expr.seed if expr.seed is not None else self.net.host.random.getrandbits(32)
        read = reader_function(inner, self.table)
        parts = inner.parts if isinstance(inner, Concat) else (inner,)

        def value(skb: Any, state: Any) -> int | None:
            found = read(skb, state)
            if found is None:
                return None
            values = found if isinstance(found, tuple) else (found,)
            data = b"".join(
                part.type.bytes_of(one, part.bits).ljust((part.bits + 31) // 32 * 4, b"\0") if len(parts) > 1
                else part.type.bytes_of(one, part.bits)
                for part, one in zip(parts, values)
            )  # fmt: skip
            return hashing.jhash(data, seed) * mod // 2**32 + offset

        return self.call(value)

    def _binop(self, expr: Binop) -> str:
        left = self.source(expr.left)
        return f"({left} {expr.op} {self.constant(expr.right.value)})"  # type: ignore[attr-defined]

    def _concat(self, expr: Concat) -> str:
        return "(" + ", ".join(self.source(part) for part in expr.parts) + ",)"

    def _map(self, expr: MapExpr) -> str:
        from kubenet_course.kernel.netfilter.nf_tables.matching import lookup_function

        read = reader_function(expr.key, self.table)
        find = lookup_function(expr.mappings, self.table)

        def value(skb: Any, state: Any) -> Any:
            key = read(skb, state)
            found = find(key, skb) if key is not None else None
            if found is None:
                return None
            data = found.data
            return tuple(data_value(part) for part in data.parts) if isinstance(data, Concat) else data_value(data)

        return self.call(value)

    def _option(self, expr: Option) -> str:
        return self.call(lambda skb, state: option_value(skb, expr))

    def _socket(self, expr: Socket) -> str:
        key, net = expr.key, self.net
        return self.call(lambda skb, state: socket_value(net, skb, key))

    def _osf(self, expr: Osf) -> str:
        """Fingerprints are not kept, so every SYN is of an unknown system."""
        return self.call(lambda skb, state: "unknown" if skb.transport.__class__ is TcpHeader and skb.transport.flags & 2 else None)


def data_value(data: Any) -> Any:
    """A map's datum: a number, a name, or (low, high) of a range."""
    value = getattr(data, "value", None)
    if value is not None and not hasattr(data, "length"):
        return value
    return data.low, data.high


_METHODS: dict[type, Callable[[Reader, Any], str]] = {
    Value: Reader._value, Payload: Reader._payload, RawPayload: Reader._raw, Meta: Reader._meta, Ct: Reader._ct,
    Rt: Reader._rt, Fib: Reader._fib, Numgen: Reader._numgen, Hash: Reader._hash, Binop: Reader._binop,
    Concat: Reader._concat, MapExpr: Reader._map, Option: Reader._option, Socket: Reader._socket, Osf: Reader._osf,
}  # fmt: skip


def reader_function(expr: Expr, table: Table) -> ReadFunction:
    """A function of (skb, state): the value, or None where the packet has none."""
    reader = Reader(table)
    source = reader.source(expr)
    test = " and ".join(reader.guards)
    body = f"{source} if {test} else None" if test else source
    scope = {**CLASSES, **reader.scope}
    return eval(compile(f"lambda skb, state: {body}", "<nft expression>", "eval"), scope)  # noqa: S307


# -- values that need more than an expression -----------------------------------------------------
def packet_type(skb: Any, state: Any) -> int:
    if state.indev is not None and state.indev.is_loopback and skb.network is not None:
        address = skb.network[1]
        return 2 if address.is_multicast else 1 if address == 0xFFFFFFFF else 0
    return skb.pkt_type


def clock(now: int, key: str) -> int:
    if key == "time":
        return now
    seconds = now // 10**9
    return (seconds // 86400 + 4) % 7 if key == "day" else seconds % 86400


def ct_value(net: Any, skb: Any, key: str, direction: str) -> Any:
    """nft_ct_get_eval()."""
    ct = skb.nfct
    tup = ct.reply if direction == "reply" else ct.orig
    if key in ("ip saddr", "ip6 saddr", "ip daddr", "ip6 daddr"):
        if (ct.family == 4) != key.startswith("ip "):
            return None
        return tup[0] if key.endswith("saddr") else tup[1]
    if key == "proto-src":
        return tup[3]
    if key == "proto-dst":
        return tup[4]
    if key == "protocol":
        return ct.orig[2]
    if key == "l3proto":
        return 2 if ct.family == 4 else 10
    if key == "expiration":
        return max(0, ct.expires - net.loop.now) // 10**6
    if key == "helper":
        return ct.helper or None
    if key == "zone":
        return ct.zone
    if key == "label":
        return ct.labels
    if key == "id":
        return ct.ident
    if key in ("packets", "bytes", "avgpkt"):
        return _counted(ct, key, direction)
    return None


def _counted(ct: Any, key: str, direction: str) -> int:
    if ct.counters is None:
        return 0
    chosen = ct.counters if not direction else [ct.counters[direction == "reply"]]
    packets, size = sum(one[0] for one in chosen), sum(one[1] for one in chosen)
    if key == "avgpkt":
        return size // packets if packets else 0
    return packets if key == "packets" else size


def route_value(skb: Any, key: str) -> Any:
    rt = skb.dst
    if rt is None:
        return None
    if key == "classid":
        return 0
    if key == "mtu":
        return max(0, rt.mtu - (40 if skb.network.__class__ is Ipv4Header else 60))
    gateway = rt.gateway
    if gateway is None:
        return skb.network[1]
    return gateway


def socket_value(net: Any, skb: Any, key: str) -> int | None:
    """nft_socket_eval(): of the socket that would take the packet; control groups are not kept."""
    from kubenet_course.kernel.netfilter.matches.socket import find_socket
    from kubenet_course.kernel.socket.tcp_minisocks import TcpTimeWait

    sock = find_socket(net, skb)
    if sock is None:
        return None
    if key == "transparent":
        return int(getattr(sock, "transparent", False))
    if isinstance(sock, TcpTimeWait):
        return None
    if key == "mark":
        return sock.mark
    return int(not sock.local) if key == "wildcard" else None


def option_value(skb: Any, expr: Option) -> int | None:
    """nft_exthdr_eval(): a field, or 1 and 0 for whether the header or option is there."""
    data = _option_bytes(skb, expr)
    field = expr.field
    if field is None:
        return int(data is not None)
    last = field.offset + field.bits
    if data is None or len(data) * 8 < last:
        return None
    end = (last + 7) // 8
    return int.from_bytes(data[field.offset // 8 : end], "big") >> (end * 8 - last) & ((1 << field.bits) - 1)


def _option_bytes(skb: Any, expr: Option) -> bytes | None:
    if expr.header == "tcp option":
        wanted = TCP_KINDS.get(TCP_SYNONYMS.get(expr.name, expr.name.rstrip("0123")))
        header = skb.transport
        return _found(header.options, int(expr.name) if wanted is None else wanted) if header.__class__ is TcpHeader else None
    if expr.header == "ip option":
        return _found(skb.network.options, IP_OPTIONS[expr.name][0]) if skb.network.__class__ is Ipv4Header else None
    if expr.header == "sctp chunk":
        return None  # there is no SCTP
    number = EXTENSION_HEADERS[expr.name if expr.header == "exthdr" else expr.header][0]
    extensions = skb.network.extensions if skb.network.__class__ is Ipv6Header else ()
    return next((body for kind, body in extensions if kind == number), None)


def _found(options: bytes, wanted: int) -> bytes | None:
    """The option's bytes, its kind and length with them."""
    at = 0
    while at < len(options):
        kind = options[at]
        size = 1 if kind < 2 or at + 1 >= len(options) else max(options[at + 1], 1)
        if kind == wanted:
            return options[at : at + size]
        if kind == 0:
            return None
        at += size
    return None


__all__ = ["CLASSES", "Reader", "SetRef", "reader_function"]
