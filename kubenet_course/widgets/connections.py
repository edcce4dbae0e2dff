"""The connections that connection tracking knows (`conntrack -L`), and what NAT made of them."""

from __future__ import annotations

from typing import Any

from kubenet_course.view import tables
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table


def show(lab: Any, machine: str) -> Table:
    """Both directions of each connection, its state, and the addresses that were rewritten."""
    target = resolve(lab, machine)

    def read() -> TableData:
        rows = tuple(
            Row(
                (
                    c.protocol,
                    c.original,
                    c.reply,
                    " ".join(filter(None, (c.state, c.flags and f"[{c.flags}]"))),
                    c.nat or "none",
                ),
                (c.protocol, c.original),
            )
            for c in tables.connections(lab, target)
        )
        columns = ("protocol", "first packet", "answers are expected as", "state", "address change")
        return TableData(f"Connections that {target} tracks", columns, rows, "no connections")

    return table(lab, read)
