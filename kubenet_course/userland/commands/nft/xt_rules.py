"""How nft lists the rules that iptables made: in its own words where the kernel holds them so, else by
the extension's translation (or its name alone)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.expressions import Verdict
from kubenet_course.kernel.netfilter.nf_tables.rule import NftRule
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.tables import Rule
from kubenet_course.kernel.netfilter.xt import Extension, prefix_of
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

#: Extensions by another name than iptables'.
KERNEL_NAMES = {"state": "conntrack", "NOTRACK": "CT"}


@dataclass(frozen=True, slots=True)
class XtStatement(st.Statement):
    kind: str
    name: str
    words: str

    def text(self, style: Style = PLAIN) -> str:
        return self.words


def native_text(rule: Rule, style: Style) -> str:
    """The rule's line in a listing."""
    if isinstance(rule, NftRule):
        return rule.text(style)
    return " ".join(statement.text(style) for statement in statements_of(rule))


def json_of(rule: Rule) -> list[Any]:
    from kubenet_course.userland.commands.nft.json_statements import statement_json

    found = []
    for statement in statements_of(rule):
        if isinstance(statement, XtStatement):
            found.append({"xt": {"type": statement.kind, "name": statement.name}})
        else:
            found.append(statement_json(statement))
    return found


def is_foreign(rule: Rule) -> bool:
    """Some part of it is an extension of iptables."""
    return isinstance(rule, XtRule) and any(isinstance(statement, XtStatement) for statement in statements_of(rule))


def statements_of(rule: Any) -> list[Any]:
    """An iptables rule as nft's statements, with what it has counted."""
    family = "ip" if rule.family == 4 else "ip6"
    found = []
    for statement in _statements(family, _pieces(rule)):
        if isinstance(statement, st.Counter):
            statement = st.Counter(rule.packets, rule.bytes)
        found.append(statement)
    return found


def _pieces(rule: XtRule) -> tuple[Any, ...]:
    """Words in nft's language, and what is no language of nft's, in their order."""
    pieces: list[Any] = [*_head(rule)]
    for match in rule.matches:
        words = _native_match(match, rule)
        pieces.append(words if words is not None else _xt("match", match, rule))
    pieces.append("counter")
    if rule.target is not None:
        words = _native_target(rule.target, rule)
        pieces.append(words if words is not None else _xt("target", rule.target, rule))
    elif rule.jump:
        kind = rule.jump.lower() if rule.jump in ("ACCEPT", "DROP", "RETURN") else "goto" if rule.goto else "jump"
        pieces.append(Verdict(kind, rule.jump if kind in ("goto", "jump") else ""))
    return tuple(pieces)


def _xt(kind: str, extension: Extension, rule: XtRule) -> XtStatement:
    words = extension.nft(rule)
    name = KERNEL_NAMES.get(extension.name, extension.name)
    return XtStatement(kind, name, f"xt {kind} {name}" if words is None else words)


def _head(rule: XtRule) -> list[str]:
    words = []
    for field, device, inverted in (
        ("iifname", rule.indev, rule.indev_inverted), ("oifname", rule.outdev, rule.outdev_inverted),
    ):  # fmt: skip
        if device and not (device == "+" and not inverted):
            name = f"{device[:-1]}*" if device.endswith("+") else device
            words.append(f'{field} {"!= " if inverted else ""}"{name}"')
    if rule.protocol:
        words.append(f"meta l4proto {'!= ' if rule.protocol_inverted else ''}{rule.protocol}")
    family, bits = ("ip", 32) if rule.family == 4 else ("ip6", 128)
    for field, (address, mask), inverted in (
        ("saddr", rule.source, rule.source_inverted), ("daddr", rule.destination, rule.destination_inverted),
    ):  # fmt: skip
        if not mask and not inverted:
            continue
        op = "!= " if inverted else ""
        length = prefix_of(mask, bits)
        if length is None:
            shown = IPv4Address(mask) if bits == 32 else IPv6Address(mask)
            words.append(f"{family} {field} & {shown} {op or '== '}{address}")
        else:
            words.append(f"{family} {field} {op}{address}/{length}")
    if rule.fragment:
        words.append(f"ip frag-off & 0x1fff {'==' if rule.fragment_inverted else '!='} 0")
    return words


def _native_match(match: Extension, rule: XtRule) -> str | None:
    if match.name in ("tcp", "udp"):
        words = match.nft(rule)
        if not words or "option" in words:
            return None
        return words
    if match.name in ("limit", "mark"):
        return match.nft(rule)
    return None


def _native_target(target: Extension, rule: XtRule) -> str | None:
    return target.nft(rule) if target.name in ("TRACE", "NFLOG") else None


@lru_cache(4096)
def _statements(family: str, pieces: tuple[Any, ...]) -> tuple[Any, ...]:
    from kubenet_course.userland.commands.nft.commands import RuleData
    from kubenet_course.userland.commands.nft.errors import Sources
    from kubenet_course.userland.commands.nft.evaluate import RuleEvaluator
    from kubenet_course.userland.commands.nft.parse import Parser
    from kubenet_course.userland.commands.nft.rhs import Constants

    statements: list[Any] = []
    for piece in pieces:
        if isinstance(piece, XtStatement):
            statements.append(piece)
        elif isinstance(piece, Verdict):
            statements.append(st.VerdictStatement(piece))
        else:
            parser = Parser(Sources(), lambda words: [])
            commands = parser.parse("", f"add rule {family} t c {piece}\n")
            statements += commands[0].data.statements if commands else [XtStatement("match", "", piece)]
    evaluator = RuleEvaluator(family, {}, Constants(_NoNames(), {}))
    return evaluator.rule(RuleData(statements))


class _NoNames:
    """Rules of iptables hold numbers: nothing is looked up."""

    def service_port(self, name: str, protocol: str | None = None) -> int | None:
        return None

    def protocol_number(self, name: str) -> int | None:
        return None

    def user_id(self, name: str) -> int | None:
        return None

    def group_id(self, name: str) -> int | None:
        return None

    def host_addresses(self, name: str, family: int) -> list[Any]:
        return []

    def device_index(self, name: str) -> int | None:
        return None
