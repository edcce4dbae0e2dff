"""A rule of nft in the words of iptables, as far as iptables-nft reads it (xtables-monitor, traces)."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import PROTOCOL_WORDS
from kubenet_course.kernel.netfilter.nf_tables.expressions import Meta, Payload, Prefix, Range, Value
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.tables import Rule
from kubenet_course.kernel.netfilter.xt import quote


def xt_words(rule: Rule) -> str:
    """What would stand behind ``-A CHAIN``; parts that iptables has no words for are left out."""
    if isinstance(rule, XtRule):
        return rule.spec()
    head: dict[str, str] = {}
    matches: dict[str, list[str]] = {}
    verdict = ""
    for statement in rule.statements:  # type: ignore[attr-defined]
        if isinstance(statement, st.Match):
            _match(statement, head, matches)
        elif isinstance(statement, st.VerdictStatement):
            kind = statement.verdict.kind
            target = statement.verdict.chain or kind.upper()
            verdict = f"-{'g' if kind == 'goto' else 'j'} {target}" if kind != "continue" else ""
        elif isinstance(statement, st.Assign) and isinstance(statement.target, Meta) and statement.target.key == "nftrace":
            verdict = "-j TRACE"
    words = [head[key] for key in ("saddr", "daddr", "iifname", "oifname", "protocol") if key in head]
    for name, options in matches.items():
        words.append(" ".join([f"-m {name}", *options]))
    comment = getattr(rule, "comment", "")
    if comment:
        words.append(f"-m comment --comment {quote(comment)}")
    return " ".join([*words, *([verdict] if verdict else [])])


def _match(statement: st.Match, head: dict[str, str], matches: dict[str, list[str]]) -> None:
    left, right = statement.left, statement.right
    bang = "! " if statement.op == "!=" else ""
    if statement.op not in ("", "==", "!="):
        return
    if isinstance(left, Meta) and left.key in ("iifname", "oifname") and isinstance(right, Value):
        head[left.key] = f"{bang}-{left.key[0]} {str(right.value).replace('*', '+')}"
    elif isinstance(left, Meta) and left.key == "l4proto" or isinstance(left, Payload) and left.name in ("protocol", "nexthdr"):
        if isinstance(right, Value):
            head["protocol"] = f"{bang}-p {PROTOCOL_WORDS.get(right.value, right.value)}"
    elif isinstance(left, Payload):
        _payload(left, right, bang, head, matches)


def _payload(left: Payload, right: Any, bang: str, head: dict[str, str], matches: dict[str, list[str]]) -> None:
    if left.name in ("saddr", "daddr") and left.protocol in ("ip", "ip6"):
        if isinstance(right, (Value, Prefix)):
            bits = right.length if isinstance(right, Prefix) else 32 if left.protocol == "ip" else 128
            head[left.name] = f"{bang}-{left.name[0]} {right.text().partition('/')[0]}/{bits}"
    elif left.protocol in ("tcp", "udp"):
        head.setdefault("protocol", f"-p {left.protocol}")
        if left.name in ("sport", "dport") and isinstance(right, (Value, Range)):
            ports = f"{right.low}:{right.high}" if isinstance(right, Range) else str(right.value)
            matches.setdefault(left.protocol, []).append(f"{bang}--{left.name} {ports}")
    elif left.protocol == "icmp":
        head.setdefault("protocol", "-p icmp")
        if left.name == "type" and isinstance(right, Value):
            matches.setdefault("icmp", []).append(f"{bang}--icmp-type {right.value}")
