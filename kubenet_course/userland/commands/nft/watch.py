"""Which events a change of the ruleset was: told by nft's transactions, found out for iptables' changes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP, Base, Ruleset

Event = tuple[Any, ...]


def _accepting(chain: Any) -> Any:
    """The chain as it was when it was new."""
    twin = copy.copy(chain)
    twin.base = Base(chain.base.type, chain.base.hook, chain.base.priority, ACCEPT)
    return twin


class Watcher:
    """A listener of a `Ruleset`: calls `tell` with the events of each change, in nf_tables' order."""

    def __init__(self, rules: Ruleset, tell: Callable[[list[Event]], object]):
        self.rules = rules
        self.tell = tell
        self.before = self._picture()

    def _picture(self) -> dict[Any, tuple[Any, dict[int, tuple[Any, Any, list[Any]]]]]:
        return {
            key: (
                table,
                {
                    id(chain): (chain, (chain.name, chain.base.policy if chain.base is not None else None), list(chain.rules))
                    for chain in table.chains.values()
                },
            )
            for key, table in self.rules.tables.items()
        }  # type: ignore[return-value]

    def __call__(self, event: str, subject: Any) -> None:
        events = list(subject) if event == "transaction" else self._difference()
        self.before = self._picture()
        self.tell(events)

    def _difference(self) -> list[Event]:
        now = self._picture()
        events: list[Event] = []
        for key, (table, chains) in now.items():
            old = self.before.get(key)
            old_chains: dict[Any, Any] = old[1] if old is not None and old[0] is table else {}
            if old is None or old[0] is not table:
                events.append(("add", "table", table))
            events += self._chains(old_chains, chains)
        for key, (table, chains) in self.before.items():
            if key not in now or now[key][0] is not table:
                for chain, _, rules in chains.values():
                    events += [("delete", "rule", rule, chain) for rule in rules]
                events += [("delete", "chain", chain) for chain, _, _ in chains.values()]
                events.append(("delete", "table", table))
        return events

    def _chains(self, old: dict[Any, Any], new: dict[Any, Any]) -> list[Event]:
        events: list[Event] = []
        gone: list[Event] = []
        for ident, (chain, look, rules) in new.items():
            before = old.get(ident)
            if before is None:
                if look[1] == DROP and chain.base is not None:  # made, then given its policy
                    events.append(("add", "chain", _accepting(chain)))
                events.append(("create" if chain.base is None else "add", "chain", chain))
            elif before[1] != look:
                events.append(("add", "chain", chain))
            known = before[2] if before is not None else []
            events += [("delete", "rule", rule, chain) for rule in known if rule not in rules]
            fresh = [rule for rule in rules if rule not in known]
            for rule in fresh:
                last = rules.index(rule) + len(fresh) - fresh.index(rule) == len(rules)
                events.append(("add" if last else "insert", "rule", rule, chain))
        for ident, (chain, _, rules) in old.items():
            if ident not in new:
                events += [("delete", "rule", rule, chain) for rule in rules]
                gone.append(("delete", "chain", chain))
        return events + gone
