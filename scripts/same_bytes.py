"""Run each notebook twice and compare the bytes: with each other, and with what is committed.

    python scripts/same_bytes.py notebooks/*.ipynb

Strict nbval forgives what it cannot compare; this forgives nothing: sources, outputs, execution counts.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run(path: Path) -> str:
    """The notebook's text after a fresh run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=60, record_timing=False, resources=resources)
    client.execute()
    notebook.metadata.pop("widgets", None)  # ids of the widget manager; what widgets show is in the outputs
    return cells(notebook)


def cells(notebook: nbformat.NotebookNode) -> str:
    return nbformat.writes(nbformat.v4.new_notebook(cells=notebook.cells))


def check(path: Path) -> str:
    """What is wrong with a notebook, "" for nothing."""
    first, second = run(path), run(path)
    if first != second:
        return f"{path}: two runs differ: {difference(first, second)}"
    committed = cells(nbformat.read(path, as_version=4))
    if first != committed:
        return f"{path}: a run differs from what is committed: {difference(committed, first)}"
    return ""


def difference(one: str, two: str) -> str:
    for number, (a, b) in enumerate(zip(one.splitlines(), two.splitlines()), 1):
        if a != b:
            return f"line {number}: {a.strip()!r} and {b.strip()!r}"
    return "one is longer"


def main() -> int:
    with ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(check, map(Path, sys.argv[1:])) if problem]
    print("\n".join(problems) or f"{len(sys.argv) - 1} notebooks: same bytes on every run")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
