"""What a rule does, word for word: nft's statements (include/statement.h of nftables).

Like expressions they are values; what counts (packets, tokens, quotas) is kept by the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Element,
    Expr,
    Loc,
    Payload,
    Value,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    loc: Loc | None = field(default=None, compare=False, repr=False)
    #: Where its text ends, if `loc` is its first word alone.
    end: int | None = field(default=None, compare=False, repr=False)

    def text(self, style: Style = PLAIN) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Match(Statement):
    """`op` is "" where nft writes none: equal, or for flags "has one of"."""

    left: Expr
    op: str
    right: Expr

    def text(self, style: Style = PLAIN) -> str:
        left, op, right = self.left, self.op, self.right
        if isinstance(left, Binop):
            mask = left.right
            flags = left.op == "&" and isinstance(mask, Value) and mask.type.base == "bitmask"
            if flags and op in ("==", "!=") and isinstance(right, Value):
                if mask.value & (mask.value - 1) or mask.value != right.value:  # type: ignore[attr-defined]
                    bang = "" if op == "==" else "!= "
                    return f"{left.left.text(style)} {bang}{right.text(style)} / {mask.text(style)}"
            return f"{left.text(style)} {op or '=='} {right.text(style)}"
        words = right.text(style)
        if op in ("<", ">", "<=", ">=") and isinstance(right, Value) and (right.type.base == "bitmask" or right.type.name == "iface_type"):
            words = f"0x{right.value:x}" if right.type.base == "bitmask" else str(right.value)  # its bytes were swapped: no word fits
        if op in ("!=", "==") and isinstance(right, Value) and right.type.base == "bitmask" and right.value & (right.value - 1):
            words = f"0x{right.value:x}" if isinstance(left, Payload) else words.replace(",", " | ")
        bare = op == "" or op == "==" and not (isinstance(right, Value) and right.type.base == "bitmask")
        return f"{left.text(style)} {words}" if bare else f"{left.text(style)} {op} {words}"


@dataclass(frozen=True, slots=True)
class VerdictStatement(Statement):
    verdict: Verdict

    def text(self, style: Style = PLAIN) -> str:
        return self.verdict.text(style)


@dataclass(frozen=True, slots=True)
class VerdictMap(Statement):
    key: Expr
    mappings: Expr

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.key.text(style)} vmap {self.mappings.text(style)}"


@dataclass(frozen=True, slots=True)
class Counter(Statement):
    """`packets` and `bytes`: where it starts (and, in a listing, what it says)."""

    packets: int = 0
    bytes: int = 0

    def text(self, style: Style = PLAIN) -> str:
        return "counter" if style.stateless else f"counter packets {self.packets} bytes {self.bytes}"


UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
SIZES = (("gbytes", 30), ("mbytes", 20), ("kbytes", 10))


def size_text(number: int, separator: str = " ") -> str:
    """get_rate(): in the largest unit that leaves no rest, up to mbytes."""
    for word, shift in SIZES[1:]:
        if number and number % (1 << shift) == 0:
            return f"{number >> shift}{separator}{word}"
    return f"{number}{separator}bytes"


@dataclass(frozen=True, slots=True)
class Limit(Statement):
    """`rate` packets or bytes per `unit`; `over`: match what is above."""

    rate: int
    unit: str
    burst: int = 5
    over: bool = False
    in_bytes: bool = False

    def text(self, style: Style = PLAIN) -> str:
        return f"limit {self.words()}"

    def words(self, block: bool = False) -> str:
        over = "over " if self.over else ""
        if self.in_bytes:
            rate = size_text(self.rate)
            burst = f" burst {size_text(self.burst)}" if self.burst else ""
            return f"rate {over}{rate}/{self.unit}{burst}"
        burst = f" burst {self.burst} packets" if self.burst and (self.burst != 5) else ""
        return f"rate {over}{self.rate}/{self.unit}{burst}"


@dataclass(frozen=True, slots=True)
class Quota(Statement):
    bytes: int
    over: bool = False
    used: int = 0

    def text(self, style: Style = PLAIN) -> str:
        return f"quota {self.words(style)}"

    def words(self, style: Style = PLAIN) -> str:
        words = ("over " if self.over else "") + size_text(self.bytes)
        return words + (f" used {size_text(self.used)}" if self.used and not style.stateless else "")


@dataclass(frozen=True, slots=True)
class ConnLimit(Statement):
    count: int
    over: bool = False

    def text(self, style: Style = PLAIN) -> str:
        return f"ct count {'over ' if self.over else ''}{self.count}"


@dataclass(frozen=True, slots=True)
class ObjectRef(Statement):
    """counter name "c": `kind` is counter, quota, limit, ct helper …; the name an expression."""

    kind: str
    name: Expr

    def text(self, style: Style = PLAIN) -> str:
        if self.kind in ("ct helper", "ct timeout", "ct expectation"):
            return f"{self.kind} set {self.name.text(style)}"
        if self.kind == "secmark":
            return f"meta secmark set {self.name.text(style)}"
        return f"{self.kind} name {self.name.text(style)}"


LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit")
#: Bits of the log flags, as they are printed.
LOG_FLAGS = {"tcp sequence": 1, "tcp options": 2, "ip options": 4, "skuid": 8, "ether": 32}
LOG_ALL = 47


@dataclass(frozen=True, slots=True)
class Log(Statement):
    prefix: str | None = None
    level: int | None = None
    group: int | None = None
    snaplen: int | None = None
    threshold: int | None = None
    flags: int = 0

    def text(self, style: Style = PLAIN) -> str:
        words = "log"
        if self.prefix is not None:
            words += f' prefix "{self.prefix}"'
        if self.group is not None:
            words += f" group {self.group}"
        if self.snaplen is not None and self.group is not None:
            words += f" snaplen {self.snaplen}"
        if self.threshold is not None and self.group is not None:
            words += f" queue-threshold {self.threshold}"
        if self.level is not None and self.level != 4:
            words += f" level {LEVELS[self.level]}"
        return words + "".join(f" flags {part}" for part in self.flag_words())

    def flag_words(self) -> list[str]:
        if self.flags & LOG_ALL == LOG_ALL:
            return ["all"]
        parts = []
        if self.flags & 3:
            parts.append("tcp " + ",".join(word for bit, word in ((1, "sequence"), (2, "options")) if self.flags & bit))
        return parts + [word for word, bit in LOG_FLAGS.items() if bit > 2 and self.flags & bit]


@dataclass(frozen=True, slots=True)
class Reject(Statement):
    """`kind` is tcp reset, icmp, icmpv6 or icmpx; `code` a number."""

    kind: str = ""
    code: int = 0
    #: What nft leaves out: the family's port-unreachable.
    plain: bool = False
    word: str = ""

    def text(self, style: Style = PLAIN) -> str:
        if self.kind == "tcp reset":
            return "reject with tcp reset"
        if self.plain:
            return "reject"
        word = str(self.code) if style.numeric_symbols else self.word
        return f"reject with {self.kind} {word}"


@dataclass(frozen=True, slots=True)
class Nat(Statement):
    """snat, dnat, masquerade, redirect. `family` is "", "ip" or "ip6" as it is printed."""

    kind: str
    family: str = ""
    address: Expr | None = None
    port: Expr | None = None
    flags: tuple[str, ...] = ()
    prefix: bool = False
    #: A map gives address and port.
    concat: bool = False

    def text(self, style: Style = PLAIN) -> str:
        words = self.kind
        if self.address is not None or self.kind in ("snat", "dnat"):
            words += f" {self.family}" if self.family else ""
            words += " prefix" if self.prefix else ""
            words += " to"
            if self.address is not None:
                address = self.address.text(style)
                if self.port is not None and ":" in address and self.address.type.name == "ipv6_addr":
                    address = f"[{address}]" if "-" not in address else "-".join(f"[{part}]" for part in address.split("-"))
                words += f" {address}"
            if self.port is not None:
                words += f"{'' if self.address is not None else ' '}:{self.port.text(style)}"
        elif self.port is not None:
            words += f" to :{self.port.text(style)}"
        return words + (f" {','.join(self.flags)}" if self.flags else "")


@dataclass(frozen=True, slots=True)
class Assign(Statement):
    """meta mark set …, ct mark set …, ip ttl set …, tcp option maxseg size set …."""

    target: Expr
    value: Expr

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.target.text(style)} set {self.value.text(style)}"


@dataclass(frozen=True, slots=True)
class SetUpdate(Statement):
    """add, update or delete an element of a set from the packet; of a map where `element.data` is."""

    op: str
    set: str
    element: Element
    statements: tuple[Any, ...] = ()

    def text(self, style: Style = PLAIN) -> str:
        words = f"{self.op} @{self.set} {{ {self.element.key.text(style)}"
        if self.element.timeout is not None:
            from kubenet_course.kernel.netfilter.nf_tables.datatypes import time_text

            words += f" timeout {time_text(self.element.timeout, style)}"
        words += "".join(f" {statement.text(style._replace(stateless=True))}" for statement in self.statements)
        if self.element.data is not None:
            words += f" : {self.element.data.text(style)}"
        return words + " }"


@dataclass(frozen=True, slots=True)
class Notrack(Statement):
    def text(self, style: Style = PLAIN) -> str:
        return "notrack"


@dataclass(frozen=True, slots=True)
class Dup(Statement):
    address: Expr
    device: Expr | None = None

    def text(self, style: Style = PLAIN) -> str:
        device = f" device {self.device.text(style)}" if self.device is not None else ""
        return f"dup to {self.address.text(style)}{device}"


@dataclass(frozen=True, slots=True)
class Fwd(Statement):
    """Out of a device at once (family netdev); with an address, to its neighbour there. `family` is "", ip or ip6."""

    device: Expr
    family: str = ""
    address: Expr | None = None

    def text(self, style: Style = PLAIN) -> str:
        if self.address is None:
            return f"fwd to {self.device.text(style)}"
        return f"fwd {self.family} to {self.address.text(style)} device {self.device.text(style)}"


@dataclass(frozen=True, slots=True)
class Tproxy(Statement):
    """To a local socket, whatever the destination is. `family` as it is printed."""

    family: str = ""
    address: Expr | None = None
    port: Expr | None = None

    def text(self, style: Style = PLAIN) -> str:
        words = f"tproxy {self.family} to " if self.family else "tproxy to "
        if self.address is not None:
            address = self.address.text(style)
            words += f"[{address}]" if self.address.type.name == "ipv6_addr" and isinstance(self.address, Value) else address
        return words + (f":{self.port.text(style)}" if self.port is not None else "")


@dataclass(frozen=True, slots=True)
class Synproxy(Statement):
    """Answers SYNs with cookies. Bits of `flags` as the kernel has them."""

    mss: int = 0
    wscale: int = 0
    flags: int = 0

    def text(self, style: Style = PLAIN) -> str:
        words = "synproxy"
        if self.flags & (SYN_MSS | SYN_WSCALE):
            words += f" mss {self.mss} wscale {self.wscale}"
        words += " timestamp" if self.flags & SYN_TIMESTAMP else ""
        return words + (" sack-perm" if self.flags & SYN_SACK_PERM else "")

    def flag_words(self) -> list[str]:
        bits = (("timestamp", SYN_TIMESTAMP), ("sack-perm", SYN_SACK_PERM))
        return [word for word, bit in bits if self.flags & bit]


SYN_MSS, SYN_WSCALE, SYN_SACK_PERM, SYN_TIMESTAMP = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Meter(Statement):
    """A statement that counts for each key by itself, in a set that the rule brings."""

    name: str
    size: int
    element: Element
    statement: Any

    def text(self, style: Style = PLAIN) -> str:
        from kubenet_course.kernel.netfilter.nf_tables.datatypes import time_text

        words = f"meter {self.name} size {self.size} {{ {self.element.key.text(style)}"
        if self.element.timeout is not None:
            words += f" timeout {time_text(self.element.timeout, style)}"
        return f"{words} {self.statement.text(style._replace(stateless=True))} }}"


@dataclass(frozen=True, slots=True)
class ResetOption(Statement):
    """Takes a TCP option out of the packet (it becomes NOPs)."""

    kind: int

    def text(self, style: Style = PLAIN) -> str:
        from kubenet_course.kernel.netfilter.nf_tables.exthdrs import TCP_NAMES

        return f"reset tcp option {TCP_NAMES.get(self.kind, self.kind)}"


@dataclass(frozen=True, slots=True)
class Queue(Statement):
    """To a program in user space: the kernel here has no such expression and refuses it."""

    number: Any = None
    flags: tuple[str, ...] = ()

    def text(self, style: Style = PLAIN) -> str:
        return "queue"


@dataclass(frozen=True, slots=True)
class FlowOffload(Statement):
    """To a flowtable: the kernel here has none and refuses it."""

    name: str

    def text(self, style: Style = PLAIN) -> str:
        return f"flow add @{self.name}"
