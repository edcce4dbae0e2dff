"""What a bridge or switch knows: behind which of its ports each MAC address is (`bridge fdb`)."""

from __future__ import annotations

from typing import Any

from kubenet_course.view import tables
from kubenet_course.view.target import spaces
from kubenet_course.widgets._table import Row, Table, TableData, table


def show(lab: Any, bridge: str, *, own: bool = False) -> Table:
    """A switch of the lab, or a bridge by name (``host:v-net-0`` where several have one).

    `own`: also the MAC addresses of the bridge's own ports.
    """
    target, name = tables.find_bridge(lab, bridge)

    def read() -> TableData:
        owners = _owners(lab)
        rows = tuple(
            Row(
                (
                    entry.mac,
                    entry.port + (f" → {entry.destination}" if entry.destination else ""),
                    owners.get(entry.mac, ""),
                    "the bridge's own" if entry.own else entry.state or "learned",
                    entry.vlan,
                ),
                (entry.mac, entry.vlan),
            )
            for entry in tables.fdb(lab, target, name)
            if own or not entry.own
        )
        where = "" if str(target) == name else f" on {target}"
        columns: tuple[str, ...] = ("MAC address", "behind port", "which is", "how", "VLAN")
        if not any(row.cells[4] for row in rows):
            columns = columns[:4]
            rows = tuple(Row(row.cells[:4], row.key) for row in rows)
        return TableData(f"Forwarding database of {name}{where}", columns, rows, "no MAC address learned yet")

    return table(lab, read)


def _owners(lab: Any) -> dict[str, str]:
    """MAC address → whose interface it is, as a learner would look it up."""
    found: dict[str, str] = {}
    for machine in lab.machines:
        for target in spaces(lab, machine):
            for link in tables.links(lab, target):
                if link.mac and not link.master:
                    found.setdefault(link.mac, f"{target} {link.name}")
    return found
