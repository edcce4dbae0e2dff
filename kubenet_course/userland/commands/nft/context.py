"""Which protocols a rule has spoken of so far, and which of its matches that makes superfluous.

nft adds the matches that a field needs (``tcp dport`` needs l4proto tcp) and, when it lists a rule,
leaves out those that the next field implies, whoever wrote them: proto_ctx and payload_dependency_kill().
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import TYPES
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Ct,
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
L4_WORDS = ("meta l4proto", "ip protocol", "ip6 nexthdr", "ct protocol")
QUICK = (8, 16, 32)
OF_IPV4: dict[str, tuple[Expr, int]] = {
    "inet": (Meta("nfproto"), 2), "bridge": (Payload("ether", "type"), 0x0800), "netdev": (Meta("protocol"), 0x0800),
}
OF_FAMILY = {"ip": "ip", "ip6": "ip6", "arp": "arp"}


class ProtocolContext:
    def __init__(self, family: str):
        self.family = family
        self.l3: str | None = OF_FAMILY.get(family)
        self.l3_loc: Loc | None = None
        self.l4: str | None = None
        self.l4_loc: Loc | None = None
        #: A set of protocols was matched: ports are allowed.
        self.l4_any = False
        #: All protocols that were spoken of, in order; and the keys of the set that is matched now, as typed.
        self.l4_all: list[str] = []
        self.typed_keys: list[Any] = []
        #: The ICMP types that were matched, None for none.
        self.icmp_types: tuple[int, ...] | None = None
        #: The statements so far, and among them those that can be left out: by what they say.
        self.out: list[Any] = []
        self.l3_match: tuple[str, Any] | None = None
        self.l4_match: tuple[str, Any] | None = None
        #: meta iiftype ether, which every header says again.
        self.link_match: Any = None

    # -- fields -----------------------------------------------------------------------------
    def payload(self, expr: Payload) -> Payload:
        """A field is used: check that it goes with what was said, remember its protocol."""
        protocol = PROTOCOLS[expr.protocol]
        network = protocol.base == NETWORK or expr.protocol in OF_ICMP and self.l4_match is None
        if self.link_match is not None and (protocol.base == LINK or network and self.family == "inet"):
            self._remove(self.link_match)
            self.link_match = None
        if protocol.base == NETWORK:
            if self.l3 is not None and self.l3 != expr.protocol:
                raise NftError(f"conflicting protocols specified: {self.l3} vs. {expr.protocol}", expr.loc)
            if self.family == "inet" and expr.protocol == "arp":
                raise NftError("conflicting protocols specified: inet vs. arp", expr.loc)
            self.l3, self.l3_loc = expr.protocol, self.l3_loc or expr.loc
            self._kill_network()
        elif protocol.base == TRANSPORT:
            if expr.protocol == "th":
                if self.l4_match is not None and self.l4_match[0] == "ct protocol" and self.family == "inet":
                    self._remove(self.l4_match[1])
                    self.l4_match = self.l4 = None
                    self.l4_all.clear()
                named = self._of_transport(expr) if self.l4 is not None else None
                if named is not None:
                    self._kill_transport()
                return named or expr
            other = next((name for name in self.l4_all if name != expr.protocol), None)
            if other is not None:
                raise NftError(f"conflicting protocols specified: {other} vs. {expr.protocol}", expr.loc)
            if self.family == "arp" and self.l4_match is None and self.l3_match is None:
                raise NftError(f"conflicting protocols specified: arp vs. {expr.protocol}", expr.loc)
            if expr.protocol == "igmp" and self.l4_match is None:
                self._say_ip()
            self.l4_all.append(expr.protocol)
            self.l4, self.l4_loc = expr.protocol, self.l4_loc or expr.loc
            self._kill_transport()
            if self.l3 is None:
                self.l3 = OF_ICMP.get(expr.protocol)
        return expr

    def _say_ip(self) -> None:
        """IGMP is of IPv4 only, and nft says so."""
        again = self.family == "inet" and self.l3_match is not None and self.l3_match[0] == "meta protocol"
        if self.family not in OF_IPV4 or self.l3 is not None and not again:
            return
        left, number = OF_IPV4[self.family]
        self.matched(Match(left, "", Value(left.type, number, left.bits)))

    def _of_transport(self, expr: Payload) -> Payload | None:
        """What stands at that place in the header that is known to be there."""
        place = expr.field.offset, expr.field.bits
        for field in PROTOCOLS[self.l4 or ""].fields.values():
            if (field.offset, field.bits) == place and field.type is expr.type:
                return Payload(field.protocol, field.name, loc=expr.loc)
        return None

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

    def _says_family(self, *words: str) -> bool:
        """What was said of the protocol, in one of these words, is no more than what the table's family says."""
        return self.l3_match is not None and self.l3_match[0] in words and OF_FAMILY.get(self.family) == self.l3

    def _unsaid(self, word: str, statement: Match) -> None:
        """What was said of the packet before goes without saying now."""
        one = statement.op in ("", "==") and isinstance(statement.right, Value)
        if word == "meta l4proto" and self._says_family("meta protocol", *(("ether type",) if one else ())):
            self._kill_network()
        elif word == "ct protocol" and self.l3_match is not None and self.l3_match[0] == "meta protocol":
            self._remove(self.l3_match[1])
            self.l3_match = None
        elif word == "meta nfproto" and self.link_match is not None and one:
            self._remove(self.link_match)
            self.link_match = None

    def _kill_transport(self) -> None:
        if self.l4_match is not None:
            what, statement = self.l4_match
            if what == "meta l4proto" or self.family in ("ip", "ip6"):
                self._remove(statement)
                self.l4_match = None
        if self.l3_match is None:
            return
        if self.l3_match[0].startswith("another"):
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
        self._unsaid(word, statement)
        if statement.op not in ("", "=="):
            return
        if word == "meta iiftype":
            self.link_match = statement if isinstance(right, Value) and right.value == 1 else None
            return
        if word == "icmp type":
            if isinstance(right, Value):
                self.icmp_types = (right.value,)
            elif isinstance(right, SetExpr):
                self.icmp_types = tuple(getattr(element.key, "value", -1) for element in right.elements)
            return
        if not isinstance(right, Value):
            if word in L4_WORDS and not isinstance(right, (Prefix, Range)):
                self.l4_any = True
                if isinstance(right, SetExpr):
                    names = (L4_BY_NUMBER.get(getattr(key, "value", -1)) for key in self.typed_keys)
                    self.l4_all += [name for name in names if name is not None]
                    self.l4_loc = statement.loc
            return
        if word in L4_WORDS:
            name = L4_BY_NUMBER.get(right.value)
            self.l4_any = True
            if name is not None:
                if word != "ct protocol" or self.family != "inet":
                    self.l4_all.append(name)
                self.l4, self.l4_loc = name, statement.loc
                self.l4_match = (word, statement)
                if word == "meta l4proto" and OF_ICMP.get(name) == self.l3:
                    self._kill_network()
            return
        number = {2: 0x0800, 10: 0x86DD}.get(right.value, -1) if word in ("meta nfproto", "ct l3proto") else right.value
        name = L3_BY_NUMBER.get(number)
        if name is not None and self.family != "arp":
            self.l3 = self.l3 or name
            self.l3_match = (word if self.l3 == name else f"another {word}", statement)

    def plain(self, statement: Any) -> None:
        """A statement that is no match: what came before it is not left out for what comes after."""
        if self._says_family("meta protocol"):
            self._kill_network()
        self.out.append(statement)
        if isinstance(statement, VerdictMap):
            return
        self.l3_match = self.l4_match = self.link_match = None


def _about(left: Expr) -> str:
    if isinstance(left, Meta) and left.key in ("l4proto", "nfproto", "protocol", "iiftype"):
        return f"meta {left.key}"
    if isinstance(left, Ct) and left.key in ("protocol", "l3proto"):
        return f"ct {left.key}"
    if isinstance(left, Payload):
        word = f"{left.protocol} {left.name}"
        if word in ("ip protocol", "ip6 nexthdr", "ether type"):
            return word
        if word in ("icmp type", "icmpv6 type"):
            return "icmp type"
    return ""


def merged(statements: list[Any], family: str) -> list[Any]:
    """payload_do_merge(): fields that lie side by side are loaded at once where both are compared with a value,
    up to 32 bits, and come back in the header's order, where the first of them stood. nft 1.0.6 does so across
    whatever stands between them; the match that the moved field needed then stays behind."""
    groups = _groups([statement for statement in statements if _mergeable(statement)])
    leaders = {id(group[0]): group for group in groups}
    followers = {id(match): group[0] for group in groups for match in group[1:]}
    found: list[Any] = []
    for place, statement in enumerate(statements):
        leader = followers.get(id(statement))
        if leader is None:
            found += leaders.get(id(statement), [statement])
        else:
            left = _left_behind(statements, place, leader, family)
            found += [left] if left is not None else []
    return found


def _left_behind(statements: list[Any], place: int, leader: Match, family: str) -> Match | None:
    """The match of the protocol, where a field was moved from before a statement that does something."""
    behind = statements[place + 1 :]
    where = next((number for number, one in enumerate(behind) if one is leader), -1)
    if all(isinstance(one, (Match, VerdictMap)) for one in behind[: where + 1]):
        return None
    protocol = PROTOCOLS[statements[place].left.protocol]
    same = [one for one in statements[:place] if isinstance(one, Match) and _speaks_of(one.left, protocol.base)]
    if same:
        return None
    if protocol.base == TRANSPORT:
        return Match(Meta("l4proto"), "", Value(TYPES["inet_proto"], protocol.number, 8))
    if family == "inet" and protocol.base == NETWORK:
        return Match(Meta("nfproto"), "", Value(TYPES["nf_proto"], 2 if protocol.name == "ip" else 10, 8))
    return None


def _speaks_of(left: Expr, base: str) -> bool:
    if isinstance(left, Payload):
        return PROTOCOLS[left.protocol].base == base
    return _about(left) in L4_WORDS if base == TRANSPORT else _about(left) == "meta nfproto"


def _worth(one: int, two: int) -> bool:
    """Loads of 8, 16 and 32 bits are quick by themselves."""
    return one + two <= 32 or one + two <= 128 and not (one in QUICK and two in QUICK)


def _groups(matches: list[Any]) -> list[list[Any]]:
    groups: list[list[Any]] = []
    for match in sorted(matches, key=_place):
        field = match.left.field
        if groups:
            last = groups[-1]
            first, end = last[0].left.field, last[-1].left.field
            together = end.offset + end.bits - first.offset
            same = end.protocol == field.protocol and end.offset + end.bits == field.offset
            same = same and (last[0].op == "!=") == (match.op == "!=")
            if same and _worth(together, field.bits):
                last.append(match)
                continue
        groups.append([match])
    return groups


def _place(match: Any) -> tuple[str, int]:
    return PROTOCOLS[match.left.protocol].base, match.left.field.offset


def _mergeable(statement: Any) -> bool:
    return (
        isinstance(statement, Match) and statement.op in ("", "==", "!=") and isinstance(statement.left, Payload)
        and isinstance(statement.right, Value) and statement.left.type.base != "bitmask"
        and statement.left.field.offset % 8 == 0 and statement.left.bits % 8 == 0
    )  # fmt: skip
