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
    "base": (40, 4), "routed": (30, 2), "nat": (26, 2), "natted": (26, 1), "filter": (26, 1), "bridged": (24, 1),
    "vxlan": (26, 1), "failures": (24, 1), "ip6": (24, 1), "policy": (26, 2), "devices": (12, 1), "sockets": (20, 1),
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
