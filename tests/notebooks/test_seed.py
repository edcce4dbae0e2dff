"""Every command of the study notes runs in its notebook, and none is one that the lab does not know."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks.typed import has, typed
from tests.support.notebooks import notebooks

TABLE = [
    tuple(line.split(" ", 1))
    for line in (Path(__file__).parent / "seed_commands.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
TYPED = {path.name[:2]: typed(nbformat.read(path, as_version=4)) for path in notebooks()}


@pytest.mark.parametrize(("number", "command"), TABLE)
def test_a_command_of_the_notes_is_typed(number: str, command: str) -> None:
    assert any(has(command, line) for line in TYPED[number]), f"notebook {number} does not run: {command}"


def test_nothing_is_typed_that_the_lab_cannot_do() -> None:
    for path in notebooks():
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                assert "kubenet: " not in output.get("text", ""), f"{path.name}: {cell.source!r}"
