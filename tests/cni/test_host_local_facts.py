"""What host-local's own tests say of ranges, of the search for an address and of a configuration.

A gateway outside its network is refused by the newest host-local; the packaged one (1.1.1) takes it, and so do we.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest

from kubenet_course.cni import hostlocal
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.hostlocal import Allocator
from kubenet_course.cni.plugins import host_local
from tests.cni.machine import Machine
from tests.cni.test_oracles import Memory, range_of, set_of

SMALL, WIDE = "10.0.0.0/30", "10.0.0.0/29"

# -- allocator_test.go ------------------------------------------------------------------------------
NEXT = [
    (WIDE, "", "", "10.0.0.2"),
    ("2001:db8:1::0/64", "", "", "2001:db8:1::2"),
    (SMALL, "", "", "10.0.0.2"),
    (WIDE, "2", "", "10.0.0.3"),
    (WIDE, "", "10.0.0.5", "10.0.0.6"),
    (WIDE, "4 5", "10.0.0.3", "10.0.0.6"),
    (WIDE, "6", "10.0.0.5", "10.0.0.2"),
    (WIDE, "2", "10.0.0.128", "10.0.0.3"),
    (WIDE, "2 4 5 6", "10.0.0.3", "10.0.0.3"),
    (f"{SMALL} 10.0.1.0/30", "", "", "10.0.0.2"),
    (f"{SMALL} 10.0.1.0/30", "", "10.0.0.2", "10.0.1.2"),
    (f"{SMALL} 10.0.1.0/30 10.0.2.0/30", "", "10.0.2.2", "10.0.0.2"),
    (SMALL, "2", "", None),
    (WIDE, "2 3 4 5 6", "", None),
    (f"{SMALL} 10.0.1.0/30", "2 10.0.1.2", "", None),
]


def pool(subnets: str, taken: str = "", last: str = "") -> Allocator:
    words = [word if "." in word else f"10.0.0.{word}" for word in taken.split()]
    return Allocator(set_of(subnets.split()), Memory(dict.fromkeys(words, "id"), last or None), 0)


@pytest.mark.parametrize(("subnets", "taken", "last", "expect"), NEXT)
def test_next_address(subnets: str, taken: str, last: str, expect: str | None) -> None:
    allocator = pool(subnets, taken, last)
    if expect is not None:
        assert str(allocator.get("ID", "eth0").address.ip) == expect
        return
    with pytest.raises(CniError, match="^no IP addresses available in range set"):
        allocator.get("ID", "eth0")


@pytest.mark.parametrize(("last", "order"), [("", "23456"), ("6", "23456"), ("3", "45623"), ("1", "23456")])
def test_iteration(last: str, order: str) -> None:
    found = [str(prefix.ip) for prefix, _ in pool("192.168.1.0/29", "", last and f"192.168.1.{last}").candidates()]
    assert found == [f"192.168.1.{digit}" for digit in order]


def test_broadcast_address_is_not_given() -> None:
    allocator = pool("192.168.1.0/29")
    for number in range(2, 7):
        assert str(allocator.get(f"ID{number}", "eth0").address) == f"192.168.1.{number}/29"
    with pytest.raises(CniError):
        allocator.get("ID8", "eth0")


def test_released_address_waits() -> None:
    allocator = pool("192.168.1.0/29")
    assert str(allocator.get("ID", "eth0").address) == "192.168.1.2/29"
    allocator.release("ID", "eth0")
    assert str(allocator.get("ID", "eth0").address) == "192.168.1.3/29"


def test_requested_address() -> None:
    allocator = pool("192.168.1.0/29")
    wanted = ip_address("192.168.1.5")
    assert allocator.get("ID", "eth0", wanted).address.ip == wanted
    with pytest.raises(CniError) as failure:
        allocator.get("ID", "eth0", wanted)
    assert failure.value.msg == "requested IP address 192.168.1.5 is not available in range set 192.168.1.1-192.168.1.6"


@pytest.mark.parametrize(("more", "address"), [({"rangeEnd": "192.168.1.4"}, "5"), ({"rangeStart": "192.168.1.3"}, "2")])
def test_requested_outside(more: dict[str, str], address: str) -> None:
    allocator = Allocator(set_of([{"subnet": "192.168.1.0/29", **more}]), Memory({}, None), 0)
    with pytest.raises(CniError):
        allocator.get("ID", "eth0", ip_address(f"192.168.1.{address}"))


# -- range_test.go ----------------------------------------------------------------------------------
HOST_BITS = "Network has host bits set. For a subnet mask of length {} the network address is {}"
RANGES: list[tuple[str, str]] = [
    ("192.0.2.0/24", "192.0.2.1 192.0.2.254 192.0.2.1"),
    ("192.0.2.0/25", "192.0.2.1 192.0.2.126 192.0.2.1"),
    ("10.0.0.0/24 gateway=10.0.0.254", "10.0.0.1 10.0.0.254 10.0.0.254"),
    ("10.0.0.0/24 gateway=192.168.1.1", "10.0.0.1 10.0.0.254 192.168.1.1"),
    ("192.0.2.12/24", HOST_BITS.format(24, "192.0.2.0")),
    ("2001:DB8:1::24:19ff:fee1:c44a/64", HOST_BITS.format(64, "2001:db8:1::")),
    ("2001:DB8:24:19ff::/63", HOST_BITS.format(63, "2001:db8:24:19fe::")),
    ("192.168.127.0/23", HOST_BITS.format(23, "192.168.126.0")),
    ("2001:DB8:1::/64", "2001:db8:1::1 2001:db8:1:0:ffff:ffff:ffff:ffff 2001:db8:1::1"),
    ("192.0.2.0/31", "Network 192.0.2.0/31 too small to allocate from"),
    ("192.0.2.0/32", "Network 192.0.2.0/32 too small to allocate from"),
    ("2001:db8::/127", "Network 2001:db8::/127 too small to allocate from"),
    ("192.0.2.0/24 rangeStart=192.0.3.0", "RangeStart 192.0.3.0 not in network 192.0.2.0/24"),
    ("192.0.2.0/24 rangeEnd=192.0.4.0", "RangeEnd 192.0.4.0 not in network 192.0.2.0/24"),
    ("192.0.2.0/24 rangeStart=192.0.2.50 rangeEnd=192.0.2.40", "RangeStart 192.0.2.50 not in network 192.0.2.0/24"),
    (
        "192.0.2.0/24 rangeStart=192.0.2.40 rangeEnd=192.0.2.50 gateway=192.0.2.254",
        "192.0.2.40 192.0.2.50 192.0.2.254",
    ),
]


def words_of(text: str) -> dict[str, str]:
    subnet, *rest = text.split()
    return {"subnet": subnet, **dict(word.split("=") for word in rest)}


@pytest.mark.parametrize(("text", "expect"), RANGES)
def test_range(text: str, expect: str) -> None:
    try:
        found = range_of(words_of(text))
    except CniError as error:
        assert error.msg == expect
    else:
        assert f"{found.start} {found.end} {found.gateway}" == expect


CONTAINS = [
    ("192.0.2.0/24 rangeStart=192.0.2.40 rangeEnd=192.0.2.50 gateway=192.0.2.254", "192.0.3.0 192.0.2.39 192.0.2.51", "192.0.2.40 192.0.2.50"),
    ("2001:DB8:1::/64 rangeStart=2001:db8:1::40 rangeEnd=2001:db8:1::50", "2001:db8:2:: 2001:db8:1::39 2001:db8:1::51", "2001:db8:1::40 2001:db8:1::50"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "outside", "inside"), CONTAINS)
def test_membership(text: str, outside: str, inside: str) -> None:
    found = range_of(words_of(text))
    assert [address for address in (outside + " " + inside).split() if found.contains(ip_address(address))] == inside.split()


OVERLAPS = [
    ("10.0.0.0/24", "10.0.1.0/24", False),
    ("0.0.0.0/24", "::/24", False),
    ("10.0.0.0/24", "10.0.0.0/24", True),
    ("10.0.0.0/20", "10.0.1.0/24", True),
    ("10.0.0.0/24 rangeEnd=10.0.0.127", "10.0.0.0/24 rangeStart=10.0.0.128", False),
    ("10.0.0.0/24 rangeEnd=10.0.0.127", "10.0.0.0/24 rangeStart=10.0.0.127", True),
]


@pytest.mark.parametrize(("one", "other", "expect"), OVERLAPS)
def test_overlap(one: str, other: str, expect: bool) -> None:
    a, b = range_of(words_of(one)), range_of(words_of(other))
    assert a.overlaps(b) is b.overlaps(a) is expect


# -- range_set_test.go ------------------------------------------------------------------------------
def test_set_membership() -> None:
    ranges = set_of(["192.168.0.0/24", "172.16.1.0/24"])
    inside = ip_address("192.168.0.55")
    assert ranges.contains(inside)
    assert ranges.range_for(inside) == ranges[0]
    with pytest.raises(CniError) as failure:
        ranges.range_for(ip_address("192.168.99.99"))
    assert failure.value.msg == "192.168.99.99 not in range set 192.168.0.1-192.168.0.254,172.16.1.1-172.16.1.254"


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        (["192.168.0.0/20", "192.168.2.0/24"], "subnets 192.168.0.1-192.168.15.254 and 192.168.2.1-192.168.2.254 overlap"),
        ([], "empty range set"),
        (["10.0.0.0/24", "2001:db8::/64"], "mixed address families"),
    ],
)
def test_bad_set(items: list[str], problem: str) -> None:
    with pytest.raises(CniError) as failure:
        set_of(items)
    assert failure.value.msg == problem


def test_sets_overlap() -> None:
    a, b = set_of(["192.168.0.0/20"]), set_of(["192.168.2.0/24"])
    assert a.overlaps(b)
    assert b.overlaps(a)


# -- config_test.go ---------------------------------------------------------------------------------
ONE = {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.30"}
TWO = {"subnet": "11.1.2.0/24", "rangeStart": "11.1.2.9", "rangeEnd": "11.1.2.20", "gateway": "11.1.2.30"}
SHOWN_ONE, SHOWN_TWO = "10.1.2.9-10.1.2.20", "11.1.2.9-11.1.2.20"


def load(ipam: Any, version: str = "0.3.1", env: str = "", **more: Any) -> host_local.Config:
    config = {"cniVersion": version, "name": "mynet", "type": "ipvlan", "master": "foo0", "ipam": {"type": "host-local", **ipam}, **more}
    return host_local.load(json.dumps(config).encode(), env)


@pytest.mark.parametrize(
    ("ipam", "more", "expect"),
    [
        (ONE, {}, [SHOWN_ONE]),
        ({"ranges": [[ONE, {"subnet": "10.1.4.0/24"}], [TWO]]}, {}, [f"{SHOWN_ONE},10.1.4.1-10.1.4.254", SHOWN_TWO]),
        ({**ONE, "ranges": [[TWO]]}, {}, [SHOWN_ONE, SHOWN_TWO]),
        ({}, {"runtimeConfig": {"ipRanges": [[ONE], [TWO]]}}, [SHOWN_ONE, SHOWN_TWO]),
        ({"ranges": [[TWO]]}, {"runtimeConfig": {"ipRanges": [[ONE]]}}, [SHOWN_ONE, SHOWN_TWO]),
        ({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/48"}]]}, {"cniVersion": "0.2.0"}, ["10.1.2.1-10.1.2.254", "2001:db8:1::1-2001:db8:1:ffff:ffff:ffff:ffff:ffff"]),
        ({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "11.1.2.0/24"}]]}, {"cniVersion": "0.2.0"}, "CNI version 0.2.0 does not support more than 1 address per family"),
        ({"ranges": [[{"subnet": "10.1.2.0/24", "rangeEnd": "10.1.2.128"}], [{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.15"}]]}, {}, "range set 0 overlaps with 1"),
        ({"ranges": [[{"subnet": "10.1.2.0/24", "rangeEnd": "10.1.2.128"}, {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.15"}]]}, {}, "invalid range set 0: subnets 10.1.2.1-10.1.2.128 and 10.1.2.15-10.1.2.254 overlap"),
        ({"ranges": [[{"subnet": "10.1.2.0/24"}, {"subnet": "2001:db8:1::/64"}]]}, {}, "invalid range set 0: mixed address families"),
        ({"ranges": [[]]}, {}, "invalid range set 0: empty range set"),
        ({}, {}, "no IP ranges specified"),
    ],
)  # fmt: skip
def test_config(ipam: dict[str, Any], more: dict[str, Any], expect: list[str] | str) -> None:
    try:
        found = load(ipam, **{"version": more.pop("cniVersion", "0.3.1")} | more)
    except CniError as error:
        assert error.msg == expect
    else:
        assert [str(ranges) for ranges in found.ranges] == expect


IPS = {"ips": ["10.1.2.11", "11.11.11.11", "2001:db8:1::11"]}


@pytest.mark.parametrize(
    ("env", "more", "expect"),
    [
        ("IP=10.1.2.10", {}, "10.1.2.10"),
        ("IP=10.1.2.10", {"args": {"cni": IPS}}, "10.1.2.10 10.1.2.11 11.11.11.11 2001:db8:1::11"),
        ("IP=10.1.2.10/24", {"args": {"cni": {"ips": ["10.1.2.11/24", "2001:db8:1::11/64"]}}}, "10.1.2.10 10.1.2.11 2001:db8:1::11"),
        ("", {"runtimeConfig": IPS}, "10.1.2.11 11.11.11.11 2001:db8:1::11"),
        ("IP=10.1.2.10", {"runtimeConfig": {"ips": ["11.1.2.10"]}, "args": {"cni": {"ips": ["10.1.2.12"]}}}, "10.1.2.10 10.1.2.12 11.1.2.10"),
    ],
)  # fmt: skip
def test_requested(env: str, more: dict[str, Any], expect: str) -> None:
    found = load({"ranges": [[ONE], [TWO], [{"subnet": "2001:db8:1::/64"}]]}, env=env, **more)
    assert " ".join(map(str, found.requested)) == expect


# -- host_local_test.go -----------------------------------------------------------------------------
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def network(name: str, subnet: str, version: str, **more: Any) -> dict[str, Any]:
    ipam = {"type": "host-local", "dataDir": "/tmp/data", "ranges": [[{"subnet": subnet}]]}
    return {"cniVersion": version, "name": name, "type": "ipvlan", "master": "foo0", "ipam": ipam, **more}


def first(machine: Machine, config: dict[str, Any], container: str, ifname: str = "eth0") -> str:
    done = machine.plugin("host-local", "ADD", config, {"CNI_CONTAINERID": container, "CNI_IFNAME": ifname})
    if done.returncode:
        return str(done.data["msg"])
    if "ips" in done.data:
        return str(done.data["ips"][0]["address"])
    return str(done.data["ip4"]["ip"])


@pytest.mark.parametrize("version", VERSIONS)
def test_interfaces_and_networks_apart(version: str) -> None:
    machine = Machine()
    one, two = network("mynet0", "10.1.2.0/24", version), network("mynet1", "10.2.2.0/24", version)
    assert first(machine, one, "dummy") == "10.1.2.2/24"
    assert first(machine, two, "dummy", "eth1") == "10.2.2.2/24"
    assert machine.read("/tmp/data/mynet0/10.1.2.2") == "dummy\r\neth0"
    machine.plugin("host-local", "DEL", one, {"CNI_CONTAINERID": "dummy"})
    assert machine.run("test -e /tmp/data/mynet0/10.1.2.2").returncode == 1
    assert machine.read("/tmp/data/mynet1/10.2.2.2") == "dummy\r\neth1"
    machine.plugin("host-local", "DEL", two, {"CNI_CONTAINERID": "dummy", "CNI_IFNAME": "eth1"})
    assert machine.run("test -e /tmp/data/mynet1/10.2.2.2").returncode == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_add_is_refused(version: str) -> None:
    machine = Machine()
    config = network("mynet0", "10.1.2.0/24", version)
    twice = "failed to allocate for range 0: 10.1.2.2 has been allocated to dummy, duplicate allocation is not allowed"
    assert first(machine, config, "dummy") == "10.1.2.2/24"
    assert first(machine, config, "dummy") == twice
    assert first(machine, config, "dummy1") == "10.1.2.3/24"
    assert first(machine, config, "dummy") == twice
    for container in ("dummy", "dummy1"):
        assert machine.plugin("host-local", "DEL", config, {"CNI_CONTAINERID": container}).returncode == 0
    assert first(machine, config, "dummy") == "10.1.2.4/24"


@pytest.mark.parametrize("version", VERSIONS[2:])
@pytest.mark.parametrize(
    ("ranges", "ips", "expect"),
    [
        ([["10.1.2.0/24"], ["10.1.3.0/24"]], "10.1.2.88 10.1.3.77", "10.1.2.88/24 10.1.3.77/24"),
        ([["10.1.2.0/24"], ["10.1.3.0/24"]], "10.1.3.77 10.1.2.88", "10.1.2.88/24 10.1.3.77/24"),
        ([["10.1.2.0/24"], ["2001:db8:1::/24"]], "10.1.2.88 2001:db8:1::999", "Network has host bits set"),
        ([["10.1.2.0/24"], ["2001:db8:1::/48"]], "2001:db8:1::999", "10.1.2.2/24 2001:db8:1::999/48"),
        ([["10.1.2.0/24"], ["10.1.3.0/24"]], "10.1.2.88 10.1.2.77", "failed to allocate all requested IPs: 10.1.2.77"),
    ],
)
def test_asked_addresses(version: str, ranges: list[list[str]], ips: str, expect: str) -> None:
    machine = Machine()
    config = network("mynet", "10.0.0.0/8", version, args={"cni": {"ips": ips.split()}})
    config["ipam"]["ranges"] = [[{"subnet": subnet} for subnet in one] for one in ranges]
    done = machine.plugin("host-local", "ADD", config, {"CNI_CONTAINERID": "dummy"})
    if done.returncode:
        assert expect in done.data["msg"]
        assert machine.run("ls /tmp/data/mynet/10.1.2.88").returncode != 0
    else:
        assert " ".join(item["address"] for item in done.data["ips"]) == expect


# -- cidr_test.go -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.168.0.1", "192.168.0.2"),
        ("192.168.0.255", "192.168.1.0"),
        ("0.1.0.5", "0.1.0.6"),
        ("ab12::123", "ab12::124"),
        ("ab12::ffff", "ab12::1:0"),
        ("::123", "::124"),
    ],
)
def test_neighbours(one: str, other: str) -> None:
    assert str(hostlocal.next_ip(ip_address(one))) == other
    assert str(hostlocal.prev_ip(ip_address(other))) == one
    assert hostlocal.cmp(ip_address(one), ip_address(other)) == -1
    assert hostlocal.cmp(ip_address(other), ip_address(one)) == 1
    assert hostlocal.cmp(ip_address(one), ip_address(one)) == 0
