"""Everything that was done to the lab so far, in order."""

from __future__ import annotations

from typing import Any

from kubenet_course.widgets._table import Row, Table, TableData, table


def show(lab: Any) -> Table:
    """Each action with its machine and status, who did it, and the checkpoints between them."""

    def read() -> TableData:
        marks: dict[int, list[str]] = {}
        for mark in lab.history.checkpoints.values():
            marks.setdefault(mark.position, []).append(mark.name)
        rows: list[Row] = []
        for number, record in enumerate(lab.history, 1):
            rows += [Row((f"checkpoint {name}",), section=True) for name in marks.get(number - 1, ())]
            status = "" if record.result is None else str(record.result.returncode)
            command = record.command.replace("\n", " ⏎ ")
            command = command if len(command) <= 100 else command[:99] + "…"
            rows.append(
                Row((str(number), record.machine, command, status, record.origin), (str(number), command))
            )
        rows += [Row((f"checkpoint {name}",), section=True) for name in marks.get(len(lab.history), ())]
        if not any(row.cells[4] for row in rows if not row.section):
            rows = [row if row.section else Row(row.cells[:4], row.key) for row in rows]
            return TableData(
                f"History of {lab.name}", ("#", "machine", "command", "status"), tuple(rows), "nothing yet"
            )
        columns = ("#", "machine", "command", "status", "done by")
        return TableData(f"History of {lab.name}", columns, tuple(rows), "nothing yet")

    return table(lab, read)
