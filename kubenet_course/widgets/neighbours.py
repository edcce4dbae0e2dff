"""The neighbour (ARP and NDP) table: `ip neigh`."""

from __future__ import annotations

from typing import Any

from kubenet_course.view import tables
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table

#: What each state means to somebody who looks at it for the first time.
STATES = {
    "INCOMPLETE": "asked, no answer yet",
    "REACHABLE": "known to be right",
    "STALE": "was right; will be checked when used",
    "DELAY": "was used; about to be checked",
    "PROBE": "is being checked",
    "FAILED": "nobody answered",
    "PERMANENT": "set by hand",
    "NOARP": "needs no asking",
}


def show(lab: Any, machine: str) -> Table:
    """Which MAC address each neighbour has, as far as this machine or namespace knows."""
    target = resolve(lab, machine)

    def read() -> TableData:
        rows = tuple(
            Row((n.address, n.dev, n.mac or "unknown", n.state, STATES.get(n.state, "")), (n.address, n.dev))
            for n in tables.neighbours(lab, target)
        )
        columns = ("address", "device", "MAC address", "state", "which means")
        return TableData(f"Neighbours of {target}", columns, rows, "no neighbours known")

    return table(lab, read)
