"""The rules of iptables as records, from `iptables-save -c`, and NAT rules in words."""

from __future__ import annotations

import re
import shlex
from typing import Any

from kubenet_course.view.records import Chain, FirewallRule, NatRule
from kubenet_course.view.target import Target, ask

TABLES = ("raw", "mangle", "nat", "filter", "security")
_COUNTERS = re.compile(r"\[(\d+):(\d+)\]")


def chains(lab: Any, target: Target, *, family: int = 4) -> list[Chain]:
    """Every chain of every table that exists there."""
    return parse_save(ask(lab, target, "iptables-save" if family == 4 else "ip6tables-save", "-c"))


def parse_save(text: str) -> list[Chain]:
    """Chains in the order of the text; rules keep the words of iptables-save."""
    found: dict[tuple[str, str], list[Any]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy, counters = (line[1:].split() + ["[0:0]"])[:3]
            packets, size = _counters(counters)
            found[table, name] = ["" if policy == "-" else policy, packets, size, []]
        else:
            match = re.match(r"(\[\d+:\d+\] )?-A (\S+) ?(.*)$", line)
            if match is None:
                continue
            packets, size = _counters(match[1] or "[0:0]")
            chain = found.setdefault((table, match[2]), ["", 0, 0, []])
            condition, verdict = split_rule(match[3])
            chain[3].append(
                FirewallRule(table, match[2], len(chain[3]) + 1, condition, verdict, packets, size)
            )
    return [
        Chain(table, name, policy, packets, size, tuple(rules))
        for (table, name), (policy, packets, size, rules) in found.items()
    ]


def _counters(text: str) -> tuple[int, int]:
    match = _COUNTERS.search(text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def split_rule(text: str) -> tuple[str, str]:
    """("-p tcp --dport 80", "DNAT --to-destination 10.0.0.1") of a rule's words."""
    match = re.search(r"(?:^| )-[jg] ", _masked(text))
    if match is None:
        return text.strip(), ""
    return text[: match.start()].strip(), text[match.end() :].strip()


def _masked(text: str) -> str:
    """The same with what is in quotes made harmless, so that a comment cannot look like an option."""
    return re.sub(r'"(?:\\.|[^"\\])*"', lambda m: "_" * len(m[0]), text)


def nat_rules(found: list[Chain]) -> list[NatRule]:
    """The rules of the nat table, with what each does to a packet's addresses in words."""
    return [
        NatRule(
            rule.chain,
            rule.number,
            rule.match or "every packet",
            rule.target,
            nat_words(rule.target),
            rule.packets,
        )
        for chain in found
        if chain.table == "nat"
        for rule in chain.rules
    ]


def nat_words(target: str) -> str:
    """What a target of the nat table does, in words."""
    try:
        words = shlex.split(target)
    except ValueError:
        words = target.split()
    name = words[0] if words else ""
    options = dict(zip(words[1::2], words[2::2]))
    ports = options.get("--to-ports", "")
    if name == "MASQUERADE":
        return "source becomes the address of the way out" + (f", ports {ports}" if ports else "")
    if name == "SNAT":
        return f"source becomes {options.get('--to-source', '?')}"
    if name == "DNAT":
        return f"destination becomes {options.get('--to-destination', '?')}"
    if name == "REDIRECT":
        return "destination becomes this machine" + (f", port {ports}" if ports else "")
    if name == "NETMAP":
        return f"the network becomes {options.get('--to', '?')}"
    if name in ("ACCEPT", "RETURN"):
        return "address stays" if name == "ACCEPT" else "back to the chain before"
    return f"continue in {name}" if name else "only counts"
