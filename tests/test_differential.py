"""Random scripts give the same answers on both kernels, step by step."""

from __future__ import annotations

import os

import pytest

from kubenet_course.registry import discover
from tests.differential.compare import check_many

#: Scripts of 40 steps a family; a full run (KUBENET_DIFFERENTIAL=full, and CI) has more. What is not run here is for
#: the command line: `python -m tests.differential --family natted --seeds 200-299`.
FULL = bool(os.environ.get("CI")) or os.environ.get("KUBENET_DIFFERENTIAL") == "full"
COUNTS = {
    "base": (60, 4), "routed": (40, 2), "nat": (30, 2), "natted": (16, 1), "filter": (16, 1), "bridged": (16, 1),
    "vxlan": (24, 1), "failures": (16, 1), "ip6": (12, 1), "policy": (20, 1), "devices": (12, 1),
}  # fmt: skip
FAMILIES = {name: module for name, module in discover("tests.differential.families").items() if not name.startswith("_")}


def test_every_family_is_counted() -> None:
    assert set(FAMILIES) == set(COUNTS)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_both_kernels_agree_on_every_step_of_random_scripts(name: str) -> None:
    many, few = COUNTS[name]
    found = check_many(FAMILIES[name].FAMILY, range(many if FULL else few), 40, jobs=12)
    assert not found, "\n\n".join(map(str, found))
