"""The rules of iptables by table and chain, with policies and counters."""

from __future__ import annotations

from typing import Any

from kubenet_course.lab.pictures import WrongOptions
from kubenet_course.view import firewall
from kubenet_course.view.native_rules import beside
from kubenet_course.view.records import Chain
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table

ORDER = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


def show(lab: Any, machine: str, *, family: int = 4, **options: str) -> Table:
    """Rules of a machine or namespace; `table`: filter (as given), nat, mangle, raw, security or all."""
    target = resolve(lab, machine)
    name = options.pop("table", "filter")
    if options:
        raise WrongOptions(f"firewall has no option {next(iter(options))!r}")

    def read() -> TableData:
        chains = [c for c in firewall.chains(lab, target, family=family) if name in ("all", c.table)]
        places = as_passed(chains)
        chains.sort(key=lambda c: (firewall.TABLES.index(c.table) if c.table in firewall.TABLES else 9, places[c.table, c.name]))
        rows = [row for chain in chains for row in _rows(chain, name == "all")]
        which = "" if name == "filter" else f" (table {name})"
        columns = ("rule", "packets that match", "target", "hits")
        others = beside(lab, target)
        empty = f"no rules of iptables; {others}" if others else "no rules: every packet may pass"
        return TableData(f"Firewall of {target}{which}", columns, tuple(rows), empty, others if rows else "")

    return table(lab, read)


def as_passed(chains: list[Chain]) -> dict[tuple[str, str], int]:
    """The chains in the order in which a packet comes to them: the kernel's own, and each one's after it."""
    found = {(chain.table, chain.name): chain for chain in chains}
    places: dict[tuple[str, str], int] = {}
    waiting = sorted((key for key in found if key[1] in ORDER), key=lambda key: ORDER.index(key[1]))
    waiting += [key for key in found if key[1] not in ORDER]
    while waiting:
        key = waiting.pop(0)
        if key in places:
            continue
        places[key] = len(places)
        jumps = [(key[0], rule.target.split()[0]) for rule in found[key].rules if rule.target]
        waiting[:0] = [jump for jump in jumps if jump in found and jump not in places]
    return places


def _rows(chain: Chain, with_table: bool) -> list[Row]:
    name = f"{chain.table} {chain.name}" if with_table else chain.name
    head = f"{name}, policy {chain.policy}" if chain.policy else name if chain.rules else f"{name} (no rules)"
    rows = [Row((head,), ("chain", head), section=True)]
    seen: dict[str, int] = {}
    for rule in chain.rules:
        seen[rule.text] = seen.get(rule.text, 0) + 1
        key = (chain.table, chain.name, rule.text, str(seen[rule.text]))
        cells = (
            str(rule.number),
            rule.match or "every packet",
            rule.target or "(only counts)",
            str(rule.packets),
        )
        rows.append(Row(cells, key, rule.packets))
    if chain.policy:
        # A policy of nf_tables counts nothing before it was set once with -P.
        cells = ("else", "every other packet", chain.policy, str(chain.packets or "–"))
        rows.append(Row(cells, (chain.table, chain.name, "policy"), chain.packets))
    return rows
