"""Facts from Docker's own tests (the repository's neighbour folder `shared`), where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[3] / "shared"


def facts(name: str) -> Any:
    """The content of an oracle; the module that asks is skipped where there is none."""
    path = SHARED / "oracles" / name
    if not path.exists():
        pytest.skip(f"{path.name} is not here", allow_module_level=True)
    return json.loads(path.read_text(encoding="utf-8"))
