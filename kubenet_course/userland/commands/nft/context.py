"""Which protocols a rule has spoken of so far, and which of its matches that makes superfluous.

nft adds the matches that a field needs (``tcp dport`` needs l4proto tcp) and, when it lists a rule,
leaves out those that the next field implies, whoever wrote them: proto_ctx and payload_dependency_kill().
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Expr,
    Loc,
    Meta,
    Payload,
    Prefix,
    Range,
    SetExpr,
    Value,
)
from kubenet_course.kernel.netfilter.nf_tables.protocols import (
    L3_BY_NUMBER,
    L4_BY_NUMBER,
    LINK,
    NETWORK,
    PROTOCOLS,
    TRANSPORT,
)
from kubenet_course.kernel.netfilter.nf_tables.statements import Match, VerdictMap
from kubenet_course.userland.commands.nft.errors import NftError

OF_ICMP = {"icmp": "ip", "icmpv6": "ip6"}
QUICK = (8, 16, 32)
OF_FAMILY = {"ip": "ip", "ip6": "ip6", "arp": "arp"}


class ProtocolContext:
    def __init__(self, family: str):
        self.family = family
        self.l3: str | None = OF_FAMILY.get(family)
        self.l4: str | None = None
        self.l4_loc: Loc | None = None
        #: A set of protocols was matched: ports are allowed.
        self.l4_any = False
        #: The ICMP types that were matched, None for none.
        self.icmp_types: tuple[int, ...] | None = None
        #: The statements so far, and among them those that can be left out: by what they say.
        self.out: list[Any] = []
        self.l3_match: tuple[str, Any] | None = None
        self.l4_match: tuple[str, Any] | None = None

    # -- fields -----------------------------------------------------------------------------
    def payload(self, expr: Payload) -> Payload:
        """A field is used: check that it goes with what was said, remember its protocol."""
        protocol = PROTOCOLS[expr.protocol]
        if protocol.base == NETWORK:
            if self.l3 is not None and self.l3 != expr.protocol:
                raise NftError(f"conflicting protocols specified: {self.l3} vs. {expr.protocol}", expr.loc)
            if self.family == "inet" and expr.protocol == "arp":
                raise NftError("conflicting protocols specified: inet vs. arp", expr.loc)
            self.l3 = expr.protocol
            self._kill_network()
        elif protocol.base == TRANSPORT:
            if expr.protocol == "th":
                if self.l4 is not None and expr.name in PROTOCOLS[self.l4].fields:
                    expr = Payload(self.l4, expr.name, loc=expr.loc)
                    self._kill_transport()
                return expr
            if self.l4 is not None and self.l4 != expr.protocol:
                raise NftError(f"conflicting protocols specified: {self.l4} vs. {expr.protocol}", expr.loc)
            self.l4, self.l4_loc = expr.protocol, self.l4_loc or expr.loc
            self._kill_transport()
        return expr

    def named(self, base: str, offset: int, bits: int, loc: Loc | None) -> Expr | None:
        """A raw field that is one of a header known here."""
        candidates = {
            LINK: ("ether",) if self.family in ("bridge", "netdev") else (), NETWORK: (self.l3,),
            TRANSPORT: (self.l4 or "th",),
        }.get(base, ())  # fmt: skip
        for protocol in candidates:
            for field in PROTOCOLS[protocol].fields.values() if protocol else ():
                if (field.offset, field.bits) == (offset, bits):
                    return Payload(field.protocol, field.name, loc=loc)
        return None

    def _kill_network(self) -> None:
        if self.l3_match is None:
            return
        what, statement = self.l3_match
        if what == "meta protocol" and self.family == "inet":
            return
        self._remove(statement)
        self.l3_match = None

    def _kill_transport(self) -> None:
        if self.l4_match is not None:
            what, statement = self.l4_match
            if what == "meta l4proto" or self.family in ("ip", "ip6"):
                self._remove(statement)
                self.l4_match = None
        if self.l3_match is None:
            return
        if OF_FAMILY.get(self.family) == self.l3 or OF_ICMP.get(self.l4 or "") == self.l3:
            self._kill_network()

    def reject(self, transport: bool) -> None:
        """reject says by itself which protocol it is for."""
        if transport:
            if self.family in ("ip", "ip6"):
                self._kill_transport()
        elif self.l3_match is not None and self.family == "inet" and self.l3_match[0] == "meta nfproto":
            self._kill_network()

    def _remove(self, statement: Any) -> None:
        self.out = [other for other in self.out if other is not statement]

    # -- matches ----------------------------------------------------------------------------
    def matched(self, statement: Match) -> None:
        """A match was written: what it says of the protocols."""
        self.out.append(statement)
        left, right = statement.left, statement.right
        word = _about(left)
        if not word:
            return
        if statement.op not in ("", "=="):
            return
        if word == "icmp type":
            if isinstance(right, Value):
                self.icmp_types = (right.value,)
            elif isinstance(right, SetExpr):
                self.icmp_types = tuple(getattr(element.key, "value", -1) for element in right.elements)
            return
        if not isinstance(right, Value):
            if word in ("meta l4proto", "ip protocol", "ip6 nexthdr") and not isinstance(right, (Prefix, Range)):
                self.l4_any = True
            return
        if word in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
            name = L4_BY_NUMBER.get(right.value)
            self.l4_any = True
            if name is not None and self.l4 is None:
                self.l4, self.l4_loc = name, left.loc
                self.l4_match = (word, statement)
                if word == "meta l4proto" and OF_ICMP.get(name) == self.l3:
                    self._kill_network()
            return
        number = {2: 0x0800, 10: 0x86DD}.get(right.value, -1) if word == "meta nfproto" else right.value
        name = L3_BY_NUMBER.get(number)
        if name is not None and self.family != "arp":
            if self.l3 is None or self.l3 == name:
                self.l3_match = (word, statement)
            self.l3 = self.l3 or name

    def plain(self, statement: Any) -> None:
        """A statement that is no match: what came before it is not left out for what comes after."""
        self.out.append(statement)
        if isinstance(statement, VerdictMap):
            return
        self.l3_match = self.l4_match = None


def _about(left: Expr) -> str:
    if isinstance(left, Meta) and left.key in ("l4proto", "nfproto", "protocol"):
        return f"meta {left.key}"
    if isinstance(left, Payload):
        word = f"{left.protocol} {left.name}"
        if word in ("ip protocol", "ip6 nexthdr", "ether type"):
            return word
        if word in ("icmp type", "icmpv6 type"):
            return "icmp type"
    return ""


def merged(statements: list[Any]) -> list[Any]:
    """payload_do_merge(): fields that lie side by side and are compared one after the other are loaded at
    once, up to 32 bits, and come back in the header's order."""
    found: list[Any] = []
    run: list[Match] = []

    def close() -> None:
        found.extend(_joined(run))
        run.clear()

    for statement in statements:
        if not _mergeable(statement):
            close()
            found.append(statement)
            continue
        if run and _base(run[0]) != _base(statement):
            close()
        run.append(statement)
    close()
    return found


def _base(match: Any) -> str:
    return PROTOCOLS[match.left.protocol].base


def _worth(one: int, two: int) -> bool:
    """Loads of 8, 16 and 32 bits are quick by themselves."""
    return one + two <= 32 or one + two <= 128 and not (one in QUICK and two in QUICK)


def _joined(run: list[Match]) -> list[Match]:
    groups: list[list[Match]] = []
    for match in sorted(run, key=lambda match: match.left.field.offset):  # type: ignore[attr-defined]
        field = match.left.field  # type: ignore[attr-defined]
        if groups:
            last = groups[-1]
            first, end = last[0].left.field, last[-1].left.field  # type: ignore[attr-defined]
            together = end.offset + end.bits - first.offset
            if end.offset + end.bits == field.offset and _worth(together, field.bits):
                last.append(match)
                continue
        groups.append([match])
    # A group stands where its first field stood.
    order = {id(match): place for place, match in enumerate(run)}
    groups.sort(key=lambda group: order[id(group[0])])
    return [match for group in groups for match in group]


def _mergeable(statement: Any) -> bool:
    return (
        isinstance(statement, Match) and statement.op in ("", "==") and isinstance(statement.left, Payload)
        and isinstance(statement.right, Value) and statement.left.type.base != "bitmask"
        and statement.left.field.offset % 8 == 0 and statement.left.bits % 8 == 0
    )  # fmt: skip
