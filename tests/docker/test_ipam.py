"""Which subnet and which address: Docker's own test tables."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from kubenet_course.docker import ipam
from kubenet_course.docker.errors import DaemonError
from tests.docker.facts import facts

FACTS = facts("docker_ipam_and_dumps.json")
ERRORS = {ipam.NO_MORE_SUBNETS: "ErrNoMoreSubnets", ipam.INVALID_POOL: "ErrInvalidPool"}


def test_the_default_pools() -> None:
    assert [{"base": str(pool.base), "size": pool.size} for pool in ipam.DEFAULT_POOLS] == FACTS[
        "default_pools_local"
    ]


@pytest.mark.parametrize("case", FACTS["pool_choice"], ids=lambda case: case["id"])
def test_the_first_free_subnet_of_the_pools(case: dict[str, Any]) -> None:
    pools = [ipam.Pool.of(pool["base"], pool["size"]) for pool in case["predefined"]]
    allocated, reserved = (
        [ip_network(one, strict=False) for one in case[key]] for key in ("allocated", "reserved")
    )
    try:
        found = str(ipam.choose_subnet(pools, allocated, reserved, case.get("requested_size", 0)))
    except DaemonError as problem:
        found = ERRORS[problem.message]
    assert found == (case.get("expect") or case["error"])


@pytest.mark.parametrize(
    "case", FACTS["pool_overlap"], ids=lambda case: f"{case['existing']}+{case['request']}"
)
def test_a_subnet_that_meets_another_is_refused(case: dict[str, Any]) -> None:
    existing = [ip_network(one, strict=False) for one in case["existing"]]
    try:
        ipam.request_subnet(case["request"], existing)
    except DaemonError:
        assert not case["ok"]
    else:
        assert case["ok"]


def test_the_lowest_free_address_of_a_range() -> None:
    case = next(one for one in FACTS["addresses"] if "subpool" in one)
    pool, sub, taken = ip_network(case["pool"]), ip_network(case["subpool"]), []
    for step in case["steps"]:
        if "release" in step:
            taken.remove(ip_address(step["release"]))
            continue
        if "request" in step:
            address = ipam.check_address(pool, ip_address(step["request"]), taken)
        else:
            address = ipam.next_address(pool, taken, sub)
        taken.append(address)
        assert f"{address}/{pool.prefixlen}" == step["get"]


def test_a_pool_of_two_addresses_gives_both() -> None:
    case = next(one for one in FACTS["addresses"] if "addresses_in_order" in one)
    pool, taken = ip_network(case["pool"]), []
    for expected in case["addresses_in_order"]:
        taken.append(ipam.next_address(pool, taken))
        assert str(taken[-1]) == expected
    assert ipam.next_address(pool, taken) is None
    for outside in case["out_of_range"]:
        with pytest.raises(DaemonError):
            ipam.check_address(pool, ip_address(outside), [])
