"""What a line of the kernel's TRACE means where the rule is one of nft's own: asked of `nft list` afterwards.

`xtables-monitor --trace` names family, table, chain and handle of such a rule, but not what it says.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kubenet_course.view.target import Target

XTABLES = ("raw", "mangle", "nat", "filter", "security")
HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
FAMILIES = {"0": "", "1": "inet", "2": "ip", "3": "arp", "5": "netdev", "7": "bridge", "10": "ip6"}
_LISTED = re.compile(r"^\t\t(.*) # handle (\d+)$")
_COUNTED = re.compile(r"\bcounter packets \d+ bytes \d+")
Chain = tuple[str, str, str]


def is_native(family: str, table: str, chain: str, kind: str, rule: str) -> bool:
    """Not one of iptables': of another family or table, without iptables' words, or of a chain iptables does not have."""
    if family not in ("", "ip", "ip6") or table not in XTABLES:
        return True
    return not rule if kind == "rule" else kind == "policy" and chain not in HOOKS


class NativeRules:
    """The base chains and rules of nft in the namespaces of a lab, each asked for once."""

    def __init__(self, lab: Any):
        self.lab = lab
        self._hooks: dict[Target, dict[Chain, str]] = {}
        self._rules: dict[tuple[Target, Chain], dict[int, tuple[int, str]]] = {}

    def hook(self, space: Target, chain: Chain) -> str:
        """``INPUT`` and so on for a base chain, "" for another."""
        if space not in self._hooks:
            self._hooks[space] = base_chains(self.lab, space)
        return self._hooks[space].get(chain, "")

    def rule(self, space: Target, chain: Chain, handle: int) -> tuple[int, str]:
        """(its number in the chain, its words), or (0, "") where it is gone."""
        if (space, chain) not in self._rules:
            found: dict[int, tuple[int, str]] = {}
            listed = self.lab.query(space.machine, space.command("nft", "-a", "list", "chain", *chain)).stdout
            for line in listed.splitlines():
                match = _LISTED.match(line)
                if match is not None:
                    found[int(match[2])] = (len(found) + 1, _COUNTED.sub("counter", match[1]))
            self._rules[space, chain] = found
        return self._rules[space, chain].get(handle, (0, ""))


def base_chains(lab: Any, space: Target) -> dict[Chain, str]:
    """Hooks of the base chains that are nft's own (iptables' are left out)."""
    answer = lab.query(space.machine, space.command("nft", "-j", "list", "chains"))
    try:
        rows = json.loads(answer.stdout)["nftables"]
    except (ValueError, KeyError):
        return {}
    found = {}
    for row in rows:
        chain = row.get("chain", {})
        if "hook" in chain and not (chain["family"] in ("ip", "ip6") and chain["table"] in XTABLES and chain["name"] in HOOKS):
            found[chain["family"], chain["table"], chain["name"]] = chain["hook"].upper()
    return found


def beside(lab: Any, space: Target) -> str:
    """A sentence about nft's own chains, for views that show iptables' rules; "" where there are none."""
    found = [f"{' '.join(chain)} ({hook})" for chain, hook in base_chains(lab, space).items()]
    return f"nft has chains of its own here, see `nft list ruleset`: {', '.join(found)}" if found else ""
