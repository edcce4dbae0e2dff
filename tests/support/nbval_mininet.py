"""A pytest plugin: the course's notebooks on real namespaces.

    pytest -p tests.support.nbval_mininet --nbval --nbval-sanitize-with tests/notebooks/sanitize.cfg notebooks

Labs that name no backend are Mininet's (KUBENET_BACKEND). A cell that cannot hold on a real kernel
has one of the tags of `TAGS`, and in its metadata, as "on-mininet", one sentence why:

    nbval-skip-on-mininet     it is not run (with the first code cell, the whole notebook is not)
    nbval-ignore-on-mininet   it is run, its output is not compared
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from kubenet_course.lab.backends.real.probe import probe

SKIP, IGNORE = "nbval-skip-on-mininet", "nbval-ignore-on-mininet"
TAGS = {SKIP: ("skip", True), IGNORE: ("check", False)}
REASON = "on-mininet"


def pytest_configure(config: pytest.Config) -> None:
    os.environ["KUBENET_BACKEND"] = "mininet"


def pytest_collection_modifyitems(items: list[Any]) -> None:
    if probe() is None:
        reason = "this computer does not let us make network namespaces"
        if os.environ.get("CI"):
            raise pytest.UsageError(f"skipped in CI: {reason}")
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))
    whole: set[Any] = set()
    for item in items:
        if not hasattr(item, "cell"):
            continue
        tags = item.cell.metadata.get("tags", [])
        if SKIP in tags and item.cell_num == 0:
            whole.add(item.parent)
        if item.parent in whole:
            tags = [SKIP]
        for tag in tags:
            if tag in TAGS:
                option, value = TAGS[tag]
                item.options[option] = value
