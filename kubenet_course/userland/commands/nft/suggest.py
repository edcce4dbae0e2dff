"""“did you mean …?”: a name that is nearly the one that was not found (misspell.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import Loc
from kubenet_course.kernel.netfilter.tables import Ruleset
from kubenet_course.userland.commands.nft.commands import Command, Spec
from kubenet_course.userland.commands.nft.errors import NftError, no_such


class SetCache(dict[str, Any]):
    """The sets of a rule's table by name, as nft knows them; NftError where there is no such table."""

    def __init__(self, ruleset: Ruleset, spec: Spec):
        self.ruleset, self.spec = ruleset, spec
        table = ruleset.table(spec.af, spec.table)
        self.known = table is not None
        super().__init__(table.sets if table is not None else {})

    def find(self, name: str, place: Loc | None) -> Any:
        """The set; else set_not_found() or table_not_found()."""
        if not self.known:
            raise table_not_found(self.ruleset, self.spec)
        if name in self:
            return self[name]
        sets = [(it.name, (one, it)) for one in self.ruleset.tables.values() for it in one.sets.values() if not it.meter]
        best = _nearest(name, sets)
        if best is None:
            raise no_such(place)
        table, found = best
        kind = "map" if found.is_map else "set"
        raise NftError(f"No such file or directory; did you mean {kind} ‘{found.name}’ in table {table.family} ‘{table.name}’?", place)


def table_not_found(ruleset: Ruleset, spec: Spec) -> NftError:
    near = near_table(ruleset, spec.table)
    return NftError("No such file or directory" + (f"; did you mean {near}?" if near else ""), spec.table_loc)


def near_table(ruleset: Ruleset, name: str) -> str:
    """table_lookup_fuzzy(): ``table ‘filter’ in family ip``, also where only the family is another; "" for none."""
    best = _nearest(name, [(one.name, one) for one in ruleset.tables.values()])
    return f"table ‘{best.name}’ in family {best.family}" if best is not None else ""


def suggestion(ruleset: Ruleset, command: Command) -> str:
    """``chain ‘in’ in table ip ‘t’``, or "" where nothing is near (cmd.c: nft_cmd_enoent()).

    What has the name, or nearly so, is looked for in every table; where it is in another one, that table is meant.
    """
    spec = command.spec
    if command.obj == "table":
        return near_table(ruleset, spec.table)
    tables = ruleset.tables.values()
    named: list[tuple[str, Any]]
    if command.obj in ("chain", "rule"):
        named = [(chain.name, (one, "chain", chain.name)) for one in tables for chain in one.chains.values()]
    elif command.obj in ("set", "map"):
        named = [(it.name, (one, "map" if it.is_map else "set", it.name)) for one in tables for it in one.sets.values() if not it.meter]
    elif command.obj in ("counter", "quota", "limit"):
        named = [(name, (one, "obj", name)) for one in tables for kind, name in one.objects if kind == command.obj]
    else:
        return ""
    best = _nearest(spec.name, named)
    if best is None:
        return ""
    table, kind, name = best
    if (table.name, table.family) != (spec.table, spec.af):
        return f"table ‘{table.name}’ in family {table.family}"
    if name == spec.name:
        return ""  # it is there: something else was not found
    return f"{kind} ‘{name}’ in table {table.family} ‘{table.name}’"


def _nearest(wanted: str, candidates: list[tuple[str, Any]]) -> Any:
    best, least = None, 1 << 30
    for name, thing in candidates:
        distance = edit_distance(name, wanted)
        if distance <= _cutoff(wanted, name) and distance < least:
            best, least = thing, distance
    return best


def _cutoff(one: str, two: str) -> int:
    longest, shortest = max(len(one), len(two)), min(len(one), len(two))
    if longest <= 1:
        return -1
    if longest - shortest <= 1:
        return max(-(-longest // 3), 1)
    return -(-(longest + 2) // 3)


def edit_distance(one: str, two: str) -> int:
    """string_distance(): insertions, deletions, changes and swaps of neighbours.

    As nft counts: a row of its table begins where the last place of the row before is, and the first letters
    are left out for what ends the names, so names that have little in common may count as near.
    """
    width = len(two)
    first, second = one + "\0", two + "\0"
    cells = [0] * ((len(one) + 1) * (width + 1))
    for i in range(len(one) + 1):
        cells[i * width] = i
    for j in range(width + 1):
        cells[j] = j
    for i in range(1, len(one) + 1):
        for j in range(1, width + 1):
            differs = first[i] != second[j]
            here = (i - 1) * width + j
            cost = min(cells[here] + 1, cells[here + width - 1] + 1, cells[here - 1] + differs)
            if i > 1 and j > 1 and first[i] == second[j - 1] and first[i - 1] == second[j]:
                cost = min(cost, cells[(i - 2) * width + j - 2] + differs)
            cells[here + width] = cost
    return cells[len(one) * width + width]
