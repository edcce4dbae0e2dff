"""Who listens and who talks: TCP and UDP sockets with their programs (`ss -tunap`)."""

from __future__ import annotations

from typing import Any

from kubenet_course.view import tables
from kubenet_course.view.target import resolve
from kubenet_course.widgets._table import Row, Table, TableData, table


def show(lab: Any, machine: str) -> Table:
    """Sockets of a machine or namespace, listening ones first."""
    target = resolve(lab, machine)

    def read() -> TableData:
        rows = tuple(
            Row((s.protocol, s.state, s.local, s.peer, s.program), (s.protocol, s.local, s.peer))
            for s in tables.sockets(lab, target)
        )
        columns = ("protocol", "state", "local address", "peer", "program")
        return TableData(f"Sockets of {target}", columns, rows, "no sockets: nobody listens")

    return table(lab, read)
