"""What every notebook of the course must have, so that strict comparison compares something."""

from __future__ import annotations

import re

import nbformat
import pytest

from kubenet_course.course.quiz import names as quiz_names
from kubenet_course.course.session import exercises, faults
from tests.support import nbval_mininet
from tests.support.notebooks import notebooks

NOTEBOOKS = notebooks()


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    return request.param, nbformat.read(request.param, as_version=4)


def test_there_are_notebooks_and_their_numbers_are_unique() -> None:
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert len(numbers) >= 5
    assert len(set(numbers)) == len(numbers)


def test_it_is_short_and_valid(notebook) -> None:  # type: ignore[no-untyped-def]
    _, content = notebook
    nbformat.validate(content)
    assert len(content.cells) <= 60
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert len(code) <= 30
    for cell in code:
        assert len(cell.source.splitlines()) <= 14, cell.source


def test_every_code_cell_was_run_so_strict_comparison_is_on(notebook) -> None:  # type: ignore[no-untyped-def]
    path, content = notebook
    for number, cell in enumerate((c for c in content.cells if c.cell_type == "code"), 1):
        assert cell.execution_count == number, f"{path.name}: {cell.source!r} was not run"
        assert not any(output.output_type == "error" for output in cell.outputs), cell.source
        silent = cell.source.startswith("%load_ext") or re.search(r"# your commands? here", cell.source)
        assert cell.outputs or silent or "ip " in cell.source, f"{path.name}: {cell.source!r} shows nothing"


def test_it_opens_with_objectives_and_closes_with_summary_and_quiz(notebook) -> None:  # type: ignore[no-untyped-def]
    path, content = notebook
    first = content.cells[0].source
    assert first.startswith(f"# {path.name[:2]} · ")
    assert "After it you can" in first and re.search(r"\*About \d+ minutes", first)
    words = "\n".join(cell.source for cell in content.cells)
    assert "## Summary" in words
    assert "**Predict:**" in words
    assert re.search(r"^%quiz ", words, re.M)
    assert "## Exercises" in words or "## An exercise" in words


def test_what_it_names_exists(notebook) -> None:  # type: ignore[no-untyped-def]
    path, content = notebook
    words = "\n".join(cell.source for cell in content.cells)
    known = {*exercises(), *faults()}
    for name in re.findall(r"%(?:exercise|break) (\w+)", words):
        assert name in known or name == "NAME", name
    for name in re.findall(r"^%quiz (\S+)", words, re.M):
        assert name in quiz_names()
    for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", words):
        assert (path.parent / link).exists(), f"{path.name} leads to {link}, which is not there"


def test_what_does_not_hold_on_a_real_kernel_says_why(notebook) -> None:  # type: ignore[no-untyped-def]
    path, content = notebook
    for cell in content.cells:
        tags, reason = cell.metadata.get("tags", []), cell.metadata.get(nbval_mininet.REASON, "")
        assert not any(tag.startswith("nbval-") and tag not in nbval_mininet.TAGS for tag in tags), "strictly compared, all of it"
        assert bool(set(tags) & set(nbval_mininet.TAGS)) == bool(reason), f"{path.name}: {cell.source!r}: {tags}, but {reason!r}"
        assert not reason or reason.endswith(".") and len(reason.split()) > 4, reason


def test_it_tells_nothing_of_the_computer_it_was_run_on(notebook) -> None:  # type: ignore[no-untyped-def]
    path, _ = notebook
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|Users|root/\.|work|tmp/pip)[/\w]*", text.replace("/root/port", ""))
    assert "widget-state" not in text and '"iopub' not in text
