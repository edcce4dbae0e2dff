"""A chain of iptables as plugins keep it: its own rules, and the rules elsewhere that lead to it.

# containernetworking/plugins plugins/meta/portmap/chain.go, pkg/utils/iptables.go
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from kubenet_course.cni.errors import CniError
from kubenet_course.cni.masq import Iptables

Rule = list[str]


@dataclass
class Chain:
    """Made by `setup`, taken away by `teardown`; both may be done again and again."""

    name: str
    entry_chains: list[str] = field(default_factory=list)
    entry_rules: list[Rule] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    prepend_entry: bool = False

    def _entries(self) -> list[tuple[str, Rule]]:
        return [(chain, [*rule, "-j", self.name]) for chain in self.entry_chains for rule in self.entry_rules]

    async def setup(self, tables: Iptables) -> None:
        await tables.ensure_chain(self.name)
        for rule in self.rules:
            await tables.append_once(self.name, rule)
        for chain, rule in self._entries():
            if self.prepend_entry:
                await tables.insert_once(chain, rule)
            else:
                await tables.append_once(chain, rule)

    async def teardown(self, tables: Iptables) -> None:
        if (await tables.try_("-N", self.name)).returncode:
            await tables.do("-F", self.name)
        for chain in self.entry_chains:
            for line in await tables.rules(chain):
                if line.endswith(f" -j {self.name}"):
                    await tables.delete_quietly(chain, shlex.split(line)[2:])
        await tables.do("-X", self.name)

    async def check(self, tables: Iptables) -> None:
        """Raise CniError for a rule that is not there."""
        if self.name not in await tables.chains():
            raise CniError(f"chain {self.name} not found in iptables table {tables.table}")
        for rule in reversed(self.rules):
            if not await tables.has(self.name, rule):
                raise CniError(
                    f"rule {_shown(self.rules)} in chain {self.name} not found in table {tables.table}"
                )
        for chain, rule in reversed(self._entries()):
            if not await tables.has(chain, rule):
                raise CniError(
                    f"rule {_shown(self.entry_rules)} in chain {chain} not found in table {tables.table}"
                )


def _shown(rules: list[Rule]) -> str:
    """%s of a slice of slices."""
    return "[" + " ".join(f"[{' '.join(rule)}]" for rule in rules) + "]"
