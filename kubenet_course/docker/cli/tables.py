"""Lists as Docker prints them: a table, ids only, or each entry through a Go template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubenet_course.docker.templates import HEADER_FUNCTIONS, Template

GAP = 3
LEAST = 10


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of at least ten characters with three between them (text/tabwriter, 10, 1, 3)."""
    widths = [
        max(max(len(row[number]) for row in rows) + GAP, LEAST)
        for number in range(max(map(len, rows), default=0) - 1)
    ]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("".join([*cells, row[-1]]) + "\n")
    return "".join(lines)


class Listing:
    """`headers` maps a field of the templates to its column's title; `default` is the table's template, `go_type` what
    an unknown field's error calls an entry."""

    def __init__(
        self,
        headers: Mapping[str, str],
        default: str,
        quiet_field: str = "ID",
        go_type: str = "*formatter.context",
    ):
        self.go_type = go_type
        self.headers = headers
        self.default = default
        self.quiet_field = quiet_field

    def text(
        self,
        entries: Sequence[Mapping[str, Any]],
        layout: str = "",
        quiet: bool = False,
        json_fields: Sequence[str] = (),
    ) -> str:
        """TemplateError where `layout` is wrong."""
        if quiet:
            return "".join(f"{entry[self.quiet_field]}\n" for entry in entries)
        if layout == "json":
            layout = "{{json .}}"
        if layout in ("", "table"):
            layout = f"table {self.default}"
        if not layout.startswith("table"):
            template = self._template(layout)
            return "".join(template.render(self._entry(entry)) + "\n" for entry in entries)
        columns = layout[5:].strip().replace("\\t", "\t")
        template = self._template(columns)
        rows = [Template(columns, HEADER_FUNCTIONS).render(self._entry(self.headers)).split("\t")]
        rows += [template.render(self._entry(entry)).split("\t") for entry in entries]
        return table(rows)

    def _entry(self, fields: Mapping[str, Any]) -> _Entry:
        entry = _Entry(fields)
        entry.go_type = self.go_type
        return entry

    @staticmethod
    def _template(text: str) -> Template:
        functions: dict[str, Callable[..., Any]] = {
            "json": lambda value: (
                json.dumps(value, separators=(",", ":"), ensure_ascii=False)
                if not isinstance(value, _Entry)
                else json.dumps(dict(sorted(value.items())), separators=(",", ":"), ensure_ascii=False)
            )
        }
        return Template(text.replace("\\t", "\t").replace("\\n", "\n"), functions)


class _Entry(dict[str, Any]):
    """One entry's fields; an unknown one is an error, as a method of Go's formatters would be."""

    go_type = ""


__all__ = ["Listing", "table"]
