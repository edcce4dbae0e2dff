"""“did you mean …?”: a name that is nearly the one that was not found (misspell.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.tables import Ruleset
from kubenet_course.userland.commands.nft.commands import Command


def suggestion(ruleset: Ruleset, command: Command) -> str:
    """``chain ‘in’ in table ip ‘t’``, or "" where nothing is near."""
    spec = command.spec
    table = ruleset.table(spec.af, spec.table)
    if table is None:
        best = _nearest(spec.table, [(one.name, one) for one in ruleset.tables.values()])
        return f"table ‘{best.name}’ in family {best.family}" if best is not None else ""
    if command.obj in ("chain", "rule"):
        if spec.name in table.chains:
            return ""
        chains = [(chain.name, chain) for one in ruleset.tables.values() if one.family == spec.af for chain in one.chains.values()]
        best = _nearest(spec.name, chains)
        return f"chain ‘{best.name}’ in table {best.table.family} ‘{best.table.name}’" if best is not None else ""
    if command.obj in ("set", "map"):
        sets = [(found.name, found) for one in ruleset.tables.values() if one.family == spec.af for found in one.sets.values()]
        best = _nearest(spec.name, sets)
        kind = "map" if best is not None and best.is_map else "set"
        return f"{kind} ‘{best.name}’ in table {best.table.family} ‘{best.table.name}’" if best is not None else ""
    if command.obj in ("counter", "quota", "limit"):
        found = [
            (name, (name, one)) for one in ruleset.tables.values() for kind, name in one.objects if kind == command.obj
        ]
        best = _nearest(spec.name, found)
        return f"obj ‘{best[0]}’ in table {best[1].family} ‘{best[1].name}’" if best is not None else ""
    return ""


def _nearest(wanted: str, candidates: list[tuple[str, Any]]) -> Any:
    best, least = None, 1 << 30
    for name, thing in candidates:
        if name == wanted:
            continue
        distance = edit_distance(wanted, name)
        if distance <= _cutoff(wanted, name) and distance < least:
            best, least = thing, distance
    return best


def _cutoff(one: str, two: str) -> int:
    longest, shortest = max(len(one), len(two)), min(len(one), len(two))
    if longest <= 1:
        return 0
    if longest - shortest <= 1:
        return max(longest // 3, 1)
    return (longest + 2) // 3


def edit_distance(one: str, two: str) -> int:
    """Insertions, deletions, changes and swaps of neighbours."""
    rows = [list(range(len(two) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, other in enumerate(two, 1):
            cost = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                cost = min(cost, rows[i - 2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
