"""What a step of the kernel's trace means: asked of `nft list`, `iptables-save` and `ip6tables-save` afterwards.

The trace names family, table, chain and handle of a rule, but not what it says. To nftables the rules of iptables are
rules like others, in tables of fixed names; their words are those of iptables-save, at the same place of the chain.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from kubenet_course.lab.backends.real.nftrace import TABLE
from kubenet_course.view.target import Target

XTABLES = ("raw", "mangle", "nat", "filter", "security")
HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_TABLE = re.compile(r"^table (\w+) (\S+) \{")
_CHAIN = re.compile(r"^\tchain (\S+) \{")
_LISTED = re.compile(r"^\t\t(.*) # handle (\d+)$")
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")
_SAVED = re.compile(r"^-A (\S+) ?(.*)$")
Chain = tuple[str, str, str]


@dataclass
class _Ruleset:
    """Of one namespace: base chains and their hooks; the rules of each chain, (handle, nft's words), in order."""

    hooks: dict[Chain, str] = field(default_factory=dict)
    rules: dict[Chain, list[tuple[int, str]]] = field(default_factory=dict)
    #: (family, table, chain) → the words of iptables-save, for what is iptables' own.
    saved: dict[Chain, list[str]] = field(default_factory=dict)


class TracedRules:
    """The rules of the namespaces of a lab, each asked for once."""

    def __init__(self, lab: Any):
        self.lab = lab
        self._rulesets: dict[Target, _Ruleset] = {}

    def _of(self, space: Target) -> _Ruleset:
        if space not in self._rulesets:
            self._rulesets[space] = self._asked(space)
        return self._rulesets[space]

    def _ask(self, space: Target, *argv: str) -> str:
        return str(self.lab.query(space.machine, space.command(*argv)).stdout)

    def _asked(self, space: Target) -> _Ruleset:
        found = _Ruleset(all_base_chains(self.lab, space))
        table, chain = ("", ""), ("", "", "")
        for line in self._ask(space, "nft", "-a", "list", "ruleset").splitlines():
            if match := _TABLE.match(line):
                table = match[1], match[2]
            elif match := _CHAIN.match(line):
                chain = (*table, match[1])
                found.rules[chain] = []
            elif (match := _LISTED.match(line)) and chain in found.rules:
                found.rules[chain].append((int(match[2]), _COUNTED.sub("counter", match[1])))
        for family, program in (("ip", "iptables-save"), ("ip6", "ip6tables-save")):
            if any(chain[0] == family and chain[1] in XTABLES for chain in found.rules):
                self._saved(space, family, program, found)
        return found

    def _saved(self, space: Target, family: str, program: str, found: _Ruleset) -> None:
        """Chains where nft counts as many rules as iptables-save: others hold rules that only nft understands."""
        table, words = "", dict[Chain, list[str]]()
        for line in self._ask(space, program).splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                words[family, table, line[1:].split()[0]] = []
            elif match := _SAVED.match(line):
                words.setdefault((family, table, match[1]), []).append(match[2])
        found.saved = {
            **found.saved,
            **{chain: rules for chain, rules in words.items() if len(rules) == len(found.rules.get(chain, ()))},
        }

    def hook(self, space: Target, chain: Chain) -> str:
        """``INPUT`` and so on for a base chain, "" for another and for one that is gone."""
        return self._of(space).hooks.get(chain, chain[2] if chain[1] in XTABLES and chain[2] in HOOKS else "")

    def table(self, space: Target, chain: Chain) -> str:
        """``filter`` for one of iptables and ip6tables, ``inet fw`` for one of nft's own."""
        return chain[1] if chain in self._of(space).saved else f"{chain[0]} {chain[1]}"

    def rule(self, space: Target, chain: Chain, handle: int) -> tuple[int, str]:
        """(its number in the chain, its words), or (0, "") where it is gone."""
        ruleset = self._of(space)
        saved = ruleset.saved.get(chain)
        for number, (other, words) in enumerate(ruleset.rules.get(chain, ()), 1):
            if other == handle:
                return number, saved[number - 1] if saved is not None else words
        return 0, ""


def all_base_chains(lab: Any, space: Target) -> dict[Chain, str]:
    """Hooks of all base chains, those of iptables, too."""
    answer = lab.query(space.machine, space.command("nft", "-j", "list", "chains"))
    try:
        rows = json.loads(answer.stdout)["nftables"]
    except (ValueError, KeyError):
        return {}
    chains = [row["chain"] for row in rows if "hook" in row.get("chain", {})]
    return {(c["family"], c["table"], c["name"]): c["hook"].upper() for c in chains if c["table"] != TABLE}


def base_chains(lab: Any, space: Target) -> dict[Chain, str]:
    """Hooks of the base chains that are nft's own (iptables' are left out)."""
    return {
        (family, table, name): hook
        for (family, table, name), hook in all_base_chains(lab, space).items()
        if not (family in ("ip", "ip6") and table in XTABLES and name in HOOKS)
    }


def beside(lab: Any, space: Target) -> str:
    """A sentence about nft's own chains, for views that show iptables' rules; "" where there are none."""
    found = [f"{' '.join(chain)} ({hook})" for chain, hook in base_chains(lab, space).items()]
    return f"nft has chains of its own here, see `nft list ruleset`: {', '.join(found)}" if found else ""
