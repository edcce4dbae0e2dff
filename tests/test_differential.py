"""Random scripts give the same answers on both kernels, step by step."""

from __future__ import annotations

import os

import pytest

from kubenet_course.registry import discover
from tests.differential.compare import check_many

#: Scripts of 40 steps a family; a full run (KUBENET_DIFFERENTIAL=full, and CI) has more.
FULL = bool(os.environ.get("CI")) or os.environ.get("KUBENET_DIFFERENTIAL") == "full"
COUNTS = {"base": (120, 4), "routed": (80, 2)}
#: Not in it, to be run by hand (`python -m tests.differential --family nat`): families that do not agree everywhere
#: yet. nat: a frame that bridge netfilter's DNAT sends back to the port it came from.
FAMILIES = {name: module for name, module in discover("tests.differential.families").items() if name in COUNTS}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_both_kernels_agree_on_every_step_of_random_scripts(name: str) -> None:
    many, few = COUNTS[name]
    found = check_many(FAMILIES[name].FAMILY, range(many if FULL else few), 40, jobs=8)
    assert not found, "\n\n".join(map(str, found))
