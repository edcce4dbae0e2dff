"""A table as a widget: rows that know what they are, so that the next reading can mark what changed.

A row's `key` says what it is about (a destination, an address), its `cells` what is shown. Of two
readings, a row whose key is new came (+), one whose cells differ changed (~), one that is missing
went (-). `count` is a counter: where only that grew, the row was hit (*).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import traitlets

from kubenet_course.widgets._base import Picture, static

MARKS = {"+": "new", "~": "changed", "-": "gone", "*": "hit"}


@dataclass(frozen=True)
class Row:
    """One line; a `section` row is a heading within the table."""

    cells: tuple[str, ...]
    key: tuple[str, ...] = ()
    count: int = 0
    section: bool = False
    mark: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        return self.key or self.cells


@dataclass(frozen=True)
class TableData:
    """A whole table: `empty` is said where there are no rows, `legend` stands below."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str = "nothing"
    legend: str = ""


def marked(before: TableData, after: TableData) -> TableData:
    """`after` with its rows marked by what changed since `before`, and what went shown where it was."""
    old = {row.identity: row for row in before.rows if not row.section and row.mark != "-"}
    rows: list[Row] = []
    for row in after.rows:
        was = old.pop(row.identity, None)
        if row.section:
            rows.append(row)
        elif was is None:
            rows.append(replace(row, mark="+"))
        elif _without_count(was, row) != row.cells:
            rows.append(replace(row, mark="~"))
        elif row.count > was.count:
            rows.append(replace(row, mark="*"))
        else:
            rows.append(row)
    order = [row.identity for row in before.rows]
    for row in old.values():
        following = set(order[order.index(row.identity) + 1 :])
        at = next((i for i, other in enumerate(rows) if other.identity in following), len(rows))
        rows.insert(at, replace(row, mark="-"))
    return replace(after, rows=tuple(rows))


def same(before: TableData, after: TableData) -> bool:
    """Whether two readings say the same (marks, and rows kept to show that they went, do not count)."""
    old = tuple(replace(row, mark="") for row in before.rows if row.mark != "-")
    return replace(before, rows=old) == after


def _without_count(was: Row, now: Row) -> tuple[str, ...]:
    """The old cells as they would be with the new counter."""
    return tuple(
        str(now.count) if cell == str(was.count) and was.count != now.count else cell for cell in was.cells
    )


def table_text(data: TableData) -> str:
    """The table in fixed columns, with a column of marks only where there are some."""
    lines = [data.caption]
    body = [row.cells for row in data.rows if not row.section]
    if not body:
        return f"{data.caption}\n  ({data.empty})"
    widths = [max(len(cells[i]) for cells in (data.columns, *body)) for i in range(len(data.columns))]
    marks = any(row.mark for row in data.rows)

    def line(cells: Sequence[str], mark: str) -> str:
        shown = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths))
        return f"{mark:1} {shown}".rstrip() if marks else f"  {shown}".rstrip()

    lines.append(line(data.columns, ""))
    lines += [f"  {row.cells[0]}" if row.section else line(row.cells, row.mark) for row in data.rows]
    if data.legend:
        lines.append(f"  {data.legend}")
    return "\n".join(lines)


class Table(Picture):
    """A `TableData`, and how to read it again."""

    _esm = static("common.js", "table.js")
    caption = traitlets.Unicode().tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    legend = traitlets.Unicode().tag(sync=True)

    def __init__(self, read: Callable[[], TableData]):
        self._read = read
        self.data = read()
        super().__init__(**self._as_traits(self.data))

    def refresh(self) -> None:
        """Read again and mark what is different from the reading before.

        Where nothing is, the marks of the last change stay.
        """
        found = self._read()
        if same(self.data, found):
            return
        self.data = marked(self.data, found)
        with self.hold_sync():
            for name, value in self._as_traits(self.data).items():
                setattr(self, name, value)

    @staticmethod
    def _as_traits(data: TableData) -> dict[str, Any]:
        rows = [
            {
                "cells": list(row.cells),
                "mark": row.mark,
                "state": MARKS.get(row.mark, ""),
                "section": row.section,
            }
            for row in data.rows
        ]
        return {
            "alt": table_text(data),
            "caption": data.caption,
            "columns": list(data.columns),
            "rows": rows,
            "empty": data.empty,
            "legend": data.legend,
        }


def table(lab: Any, read: Callable[[], TableData]) -> Table:
    """A live table of a lab."""
    widget = Table(read)
    widget.follow(lab)
    return widget
