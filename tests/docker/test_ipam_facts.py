"""Which subnet and which address: every fact of Docker's address_space_test.go and allocator_test.go."""

from __future__ import annotations

import itertools
from ipaddress import ip_address, ip_network

import pytest

from kubenet_course.docker import ipam
from kubenet_course.docker.errors import DaemonError

A, B, C = "10.20.0.0/16:24 192.168.0.0/16:24", "192.168.0.0/16:24", "172.16.0.0/15:16"
D = f"{C} 192.168.0.0/23:24"
FULL = ipam.NO_MORE_SUBNETS
#: Pools BASE:SIZE, networks of Docker's, routes of the host's, what comes of it.
CHOICES = [
    (B, "192.168.255.0/24", "", "192.168.0.0/24"),
    (f"10.0.0.0/8:24 {B}", "10.0.0.0/8", "10.0.0.0/7", "192.168.0.0/24"),
    (A, "10.0.0.0/8 192.168.128.0/24", "", "192.168.0.0/24"),
    (A, "10.0.0.0/8 192.168.0.0/24 192.168.128.0/24", "", "192.168.1.0/24"),
    (f"10.20.0.0/22:24 {B}", "10.20.0.0/24 10.20.1.0/24 10.20.2.0/24 192.168.128.0/24", "10.20.3.0/24", "192.168.0.0/24"),
    (A, "10.20.0.0/17 10.20.128.0/17", "200.1.2.0/24", "192.168.0.0/24"),
    (f"10.10.0.0/22:24 {B}", "10.10.0.0/24 10.10.1.0/24 10.10.2.0/24 10.10.3.0/24", "10.10.3.0/24", "192.168.0.0/24"),
    (B, "192.168.0.0/24 192.168.1.0/24 192.168.2.0/23 192.168.4.3/30", "", "192.168.5.0/24"),
    (f"10.0.0.0/31:31 {B}", "10.0.0.0/32 100.0.0.0/32 200.0.0.0/32", "", "192.168.0.0/24"),
    (B, "192.168.0.0/24 192.168.1.0/24 192.168.2.3/30", "192.168.2.4/30 192.168.3.0/30 192.168.4.0/23", "192.168.6.0/24"),
    (B, "192.168.0.0/24", "192.168.0.0/24", "192.168.1.0/24"),
    (f"10.0.0.0/8:24 {B}", "10.0.0.0/24", "192.168.0.0/24", "10.0.1.0/24"),
    (f"10.0.0.0/8:24 10.0.0.0/16:24 10.10.0.0/16:24 {B}", "", "10.0.0.0/8", "192.168.0.0/24"),
    (C, "172.16.0.0/16", "", "172.17.0.0/16"),
    (f"{C} {B}", "172.16.0.0/16 172.17.0.0/17", "", "192.168.0.0/24"),
    (C, "172.16.0.0/16 172.17.0.0/17", "", FULL),
    (C, "172.16.0.0/16 172.17.0.0/16 192.168.0.0/24", "", FULL),
    (C, "172.16.0.0/16 172.17.0.0/16", "192.168.0.0/24", FULL),
    (D, "172.16.0.0/16 172.17.0.0/16 192.168.0.0/24 192.168.1.0/24", "", FULL),
    (D, "172.16.0.0/16 172.17.128.0/17 192.168.0.1/32 192.168.1.0/24", "", FULL),
    (D, "172.16.0.0/16 172.17.128.0/17 172.17.128.0/17 172.17.128.0/17", "", "192.168.0.0/24"),
    (D, "172.16.0.0/16 172.16.120.0/24 172.17.128.0/17 172.17.128.0/17 172.17.128.0/24 172.17.128.0/17", "", "192.168.0.0/24"),
]  # fmt: skip


def pools(text: str) -> list[ipam.Pool]:
    return [ipam.Pool.of(base, int(size)) for base, size in (word.rsplit(":", 1) for word in text.split())]


@pytest.mark.parametrize(("predefined", "allocated", "reserved", "expect"), CHOICES)
def test_choice(predefined: str, allocated: str, reserved: str, expect: str) -> None:
    taken, routes = ([ip_network(one, strict=False) for one in text.split()] for text in (allocated, reserved))
    try:
        found = str(ipam.choose_subnet(pools(predefined), taken, routes))
    except DaemonError as problem:
        found = problem.message
    assert found == expect


#: a: another network, -N: network N (the first is 1) is gone.
SEQUENCES = [
    ("10.0.0.0/24:24 10.0.1.0/24:24 10.1.0.0/16:24", "10.0.0.0/16", "a a", "10.1.0.0/24 10.1.1.0/24"),
    ("10.0.0.0/8:24", "", "a a a -1 a a", "10.0.0.0/24 10.0.1.0/24 10.0.2.0/24 10.0.0.0/24 10.0.3.0/24"),
    ("10.0.0.0/8:24", "", "a a a a -2 -3 a a a", "10.0.0.0/24 10.0.1.0/24 10.0.2.0/24 10.0.3.0/24 10.0.1.0/24 10.0.2.0/24 10.0.4.0/24"),
]  # fmt: skip


@pytest.mark.parametrize(("predefined", "reserved", "calls", "expect"), SEQUENCES)
def test_given_and_given_back(predefined: str, reserved: str, calls: str, expect: str) -> None:
    routes = [ip_network(one) for one in reserved.split()]
    given: dict[int, ipam.Net] = {}
    shown: list[str] = []
    numbers = itertools.count(1)
    for call in calls.split():
        if call == "a":
            net = ipam.choose_subnet(pools(predefined), list(given.values()), routes)
            given[next(numbers)] = net
            shown.append(str(net))
        else:
            del given[-int(call)]
    assert shown == expect.split()


OVERLAPS = """
10.0.0.0/8 11.0.0.0/8 yes           74.0.0.0/7 9.111.99.72/30 yes        110.192.0.0/10 16.0.0.0/10 yes
10.0.0.0/8 10.0.0.0/8 no            0.0.0.0/1 16.182.0.0/15 no           16.0.0.0/4 17.11.66.0/23 no
64.0.0.0/6 64.0.0.0/3 no            112.0.0.0/6 112.0.0.0/4 no           96.0.0.0/3 0.0.0.0/1 no
192.0.0.0/2 128.0.0.0/1 no          95.0.0.0/8 92.0.0.0/6 no             10.0.0.0/8 10.0.0.0/6 no
10.0.0.0/8 8.0.0.0/6 no             8000::/1 8fe8:e7c4:5779::/49 no      f000::/4 ffc7:6000::/19 no
::/3 ::/1 no                        ::/6 ::/5 no                         c000::/2 8000::/1 no
7c00::/6 ::/1 no                    cf80::/9 c000::/4 no                 10.0.0.0/8 10.20.2.0/24 no
9287:2e20:5134:fab6:9061:a0c6:bfe3:9400/119 8000::/1 no                  10.0.0.0/8 10.128.0.0/9 no
3ea1:bfa9:8691:d1c6:8c46:519b:db6d:e700/120 3000::/4 no                  1003:1:2:3:4:5:6::/112 1003:1:2:3::/64 no
""".split()


@pytest.mark.parametrize(("one", "other", "free"), list(zip(OVERLAPS[::3], OVERLAPS[1::3], OVERLAPS[2::3], strict=True)))
def test_overlap(one: str, other: str, free: str) -> None:
    existing = ip_network(one, strict=False)
    assert ipam.overlaps(ip_network(other, strict=False), [existing]) is (free == "no")


@pytest.mark.parametrize(
    ("subnet", "count", "last"),
    [
        ("192.168.59.0/24", 254, "192.168.59.254"),
        ("192.168.240.0/20", 255, "192.168.240.255"),
        ("192.168.0.0/16", 255, "192.168.0.255"),
        ("192.168.0.0/16", 256, "192.168.1.0"),
        ("10.16.0.0/16", 255, "10.16.0.255"),
        ("10.128.0.0/12", 255, "10.128.0.255"),
        ("10.0.0.0/8", 256, "10.0.1.0"),
        ("192.168.128.0/18", 1023, "192.168.131.255"),
    ],
)
def test_many_addresses(subnet: str, count: int, last: str) -> None:
    taken: list[ipam.Address] = []
    for _ in range(count):
        found = ipam.next_address(ip_network(subnet), taken)
        assert found is not None
        taken.append(found)
    assert str(taken[-1]) == last


@pytest.mark.parametrize(
    ("pool", "sub", "last", "again"),
    [
        ("172.28.0.0/16", "172.28.30.0/24", "172.28.30.255", "172.28.30.97"),
        ("10.0.0.0/16", "10.0.0.0/24", "10.0.0.255", "10.0.0.79"),
        ("192.168.0.0/23", "192.168.0.0/23", "192.168.1.254", "192.168.1.32"),
        ("172.18.0.0/16", "172.18.0.0/29", "172.18.0.7", "172.18.0.1"),
    ],
)
def test_all_addresses_of_a_range(pool: str, sub: str, last: str, again: str) -> None:
    taken: list[ipam.Address] = []
    while (found := ipam.next_address(ip_network(pool), taken, ip_network(sub))) is not None:
        taken.append(found)
    assert str(taken[-1]) == last
    taken.remove(ip_address(again))
    assert str(ipam.next_address(ip_network(pool), taken, ip_network(sub))) == again


@pytest.mark.parametrize("prefix", range(24, 32))
def test_small_subnets(prefix: int) -> None:
    net = ip_network(f"10.0.0.0/{prefix}")
    taken: list[ipam.Address] = []
    while (found := ipam.next_address(net, taken)) is not None:
        taken.append(found)
    assert len(taken) == (2 if prefix == 31 else 2 ** (32 - prefix) - 2)


def test_the_same_address_twice() -> None:
    net, wanted = ip_network("192.168.100.0/24"), ip_address("192.168.100.250")
    assert ipam.check_address(net, wanted, []) == wanted
    with pytest.raises(DaemonError):
        ipam.check_address(net, wanted, [wanted])
    with pytest.raises(DaemonError):
        ipam.check_address(ip_network("192.168.0.0/16"), ip_address("172.17.0.23"), [])
