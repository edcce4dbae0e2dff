"""What the last commands changed, on every machine."""

from __future__ import annotations

from typing import Any

from kubenet_course.widgets._table import Row, Table, TableData

_SIGNS = {"+": "came", "-": "went", "~": "changed"}


def show(lab: Any, steps: int = 1, **options: Any) -> Table:
    """The same facts as `lab.diff(steps, since=…)`, as a table; it stays as it is."""
    if options.get("since") is not None:
        lab.history.position_of(options["since"])
    found = lab.diff(steps, **options)
    rows = tuple(
        Row(
            (
                change.machine + (f"/{change.namespace}" if change.namespace else ""),
                _SIGNS[change.sign],
                change.kind,
                change.text,
            ),
            mark=change.sign,
        )
        for change in found
    )
    what = "the last action" if steps == 1 else f"the last {steps} actions"
    if options.get("since") is not None:
        what = f"everything since {options['since']}"
    data = TableData(f"What {what} changed", ("where", "it", "kind", "what"), rows, "nothing changed")
    return Table(lambda: data)
