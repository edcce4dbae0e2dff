"""Labels for what is old: one dated file, and notebooks that carry exactly what it says."""

from __future__ import annotations

import datetime
import re

import nbformat
import pytest

from kubenet_course.course.currency import load
from tests.notebooks.typed import typed
from tests.support.notebooks import notebooks

CURRENCY = load()
LINES = {entry.line: entry for entry in CURRENCY.entries.values()}


def markdown(notebook) -> list[str]:  # type: ignore[no-untyped-def]
    return [line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]


def test_the_file_is_dated_and_says_where_each_fact_comes_from() -> None:
    assert datetime.date(2026, 1, 1) <= CURRENCY.checked
    for entry in CURRENCY.entries.values():
        assert entry.source.startswith("https://")
        assert entry.note.endswith(".")
        re.compile(entry.used)


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_every_label_of_a_notebook_is_one_of_the_file_and_none_is_missing(path) -> None:  # type: ignore[no-untyped-def]
    notebook = nbformat.read(path, as_version=4)
    labels = [line for line in markdown(notebook) if line.startswith("> **")]
    assert [line for line in labels if line not in LINES] == []
    assert len(set(labels)) == len(labels)
    lines = typed(notebook)
    for entry in CURRENCY.entries.values():
        used = [line for line in lines if entry.is_used_by(line)]
        assert not used or entry.line in labels, f"{path.name} types {used[0]!r} and does not say: {entry.line}"


def test_every_label_is_used_somewhere() -> None:
    used = {line for path in notebooks() for line in markdown(nbformat.read(path, as_version=4))}
    assert [entry.name for line, entry in LINES.items() if line not in used] == []
