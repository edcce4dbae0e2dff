"""The rules that rewrite addresses: the nat table of iptables, in words and with their counters."""

from __future__ import annotations

from typing import Any

from kubenet_course.view import firewall
from kubenet_course.view.native_rules import beside
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table
from kubenet_course.widgets.firewall import as_passed


def show(lab: Any, machine: str, *, family: int = 4) -> Table:
    """NAT rules of a machine or namespace; a rule that was hit since the last look is marked."""
    target = resolve(lab, machine)

    def read() -> TableData:
        chains = firewall.chains(lab, target, family=family)
        places = as_passed(chains)
        found = sorted(firewall.nat_rules(chains), key=lambda rule: places["nat", rule.chain])
        rows = tuple(
            Row(
                (rule.chain, str(rule.number), rule.match, rule.change, str(rule.packets)),
                (rule.chain, rule.match, rule.target),
                rule.packets,
            )
            for rule in found
        )
        columns = ("chain", "rule", "packets that match", "what happens", "hits")
        others = beside(lab, target)
        empty = f"no rules of iptables; {others}" if others else "no rules: no address is rewritten"
        return TableData(f"NAT rules of {target}", columns, rows, empty, others if rows else "")

    return table(lab, read)
