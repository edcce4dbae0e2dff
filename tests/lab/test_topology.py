"""Topologies: building, checking, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubenet_course.errors import LabError
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.scenarios import find_topology, scenario_names
from kubenet_course.lab.topology import Topology, duration


def gateway() -> Topology:
    return (
        Topology("gateway", title="A gateway")
        .switch("s1")
        .host("A", "192.168.1.10/24", "fd00::10/64", default="192.168.1.1", files={"/etc/motd": "hi\n"})
        .router("R", eth0="192.168.1.1/24", eth1=("10.0.0.1/24", "10.0.0.2/24"), routes=["10.9.0.0/16 via 10.0.0.9"])
        .host("B", "10.0.0.10/24", default="10.0.0.1", commands=["true"], sysctls={"net.ipv4.ip_default_ttl": "32"})
        .link("A", "s1")
        .link("R:eth0", "s1")
        .link("R:eth1", "B", delay="5ms", loss=1, bw=10, mtu=1400)
    )


def test_a_topology_never_changes() -> None:
    empty = Topology()
    assert empty.host("A") is not empty
    assert not empty.nodes


def test_links_plug_into_the_next_free_interface() -> None:
    topology = Topology().switch("s1").host("A").host("B").link("A", "s1").link("A", "s1").link("s1", "B")
    ends = [(str(link.a), str(link.b)) for link in topology.links]
    assert ends == [("A:eth0", "s1:s1-eth1"), ("A:eth1", "s1:s1-eth2"), ("s1:s1-eth3", "B:eth0")]


def test_every_interface_gets_the_same_mac_every_time() -> None:
    macs = [i.mac for node in gateway().completed() for i in node.interfaces]
    assert macs == [i.mac for node in gateway().completed() for i in node.interfaces]
    assert len(set(macs)) == len(macs)
    assert all(mac.startswith("02:00:00:") for mac in macs)


def test_ip_batch_is_what_one_would_type() -> None:
    assert gateway().node("A").ip_batch() == [
        "addr add 192.168.1.10/24 brd + dev eth0",
        "addr add fd00::10/64 dev eth0",
        "link set eth0 up",
        "route add default via 192.168.1.1",
    ]


def test_yaml_gives_the_same_topology_back(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    gateway().save(str(path))
    assert Topology.load(str(path)) == gateway()
    assert find_topology(str(path)) == gateway()


def test_yaml_may_be_short() -> None:
    text = "nodes: {A: {interfaces: {eth0: 10.0.0.1/24}}, s1: {kind: switch}}\nlinks: [[A, s1]]\n"
    assert Topology.from_yaml(text).node("A").interfaces[0].addresses == ("10.0.0.1/24",)


@pytest.mark.parametrize(("value", "expected"), [("5ms", 5_000_000), ("0.2s", 200_000_000), ("7us", 7000), (3, 3000)])
def test_durations_are_nanoseconds(value: object, expected: int) -> None:
    assert duration(value) == expected


WRONG = [
    (lambda t: t, "at least one machine"),
    (lambda t: t.host("A").host("A"), "two machines are named A"),
    (lambda t: t.host("-a"), "cannot be a machine's name"),
    (lambda t: t.host("A", "10.0.0.1"), "needs its prefix length"),
    (lambda t: t.host("A", "10.0.0.300/24"), "10.0.0.300"),
    (lambda t: t.host("A", "10.0.0.1/24"), "eth0 has no cable"),
    (lambda t: t.host("A").link("A", "B"), "no machine 'B'"),
    (lambda t: t.host("A").host("B").link("A", "B", dealy="5ms"), "'dealy' is not known"),
    (lambda t: t.host("A").host("B").link("A", "B", delay="soon"), "a delay is a number"),
    (lambda t: t.host("A").host("B").link("A", "B", loss=101), "a percentage"),
    (lambda t: t.host("A").host("B").link("A", "B", mtu=9), "an mtu is"),
    (lambda t: t.host("A").host("B").link("A:eth0", "B").link("A:eth0", "B"), "has a cable already"),
    (lambda t: t.host("A", colour=7), "neither an interface"),
    (lambda t: t.host("A", files={"motd": ""}), "needs its whole path"),
    (lambda t: t.host("A", daemons=["oven"]), "no daemon 'oven'"),
    (lambda t: t.switch("a-very-long-switch"), "at most 15 characters"),
]


@pytest.mark.parametrize(("build", "message"), WRONG)
def test_what_is_wrong_is_said(build, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LabError, match=message):
        build(Topology()).check()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "written as names with values"),
        ("nodes: {A: [1]}", "A is written as names"),
        ("nodes: {A: {colour: red}}", "'colour' is not known"),
        ("nodes: {A: {}}\nlinks: [[A]]", "two ends"),
        ("nodes: {A: {}}\nroads: []", "'roads' is not known"),
        ("a: [", "not YAML"),
    ],
)
def test_wrong_yaml_is_said(text: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        Topology.from_yaml(text)


def test_a_missing_file_or_lab_is_said() -> None:
    with pytest.raises(LabError, match="No such file"):
        Topology.load("/nonexistent.yaml")
    with pytest.raises(LabError, match="there is no lab 'nowhere'; there are: .*switching"):
        Lab.load("nowhere")


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_is_sound_and_has_a_title(name: str) -> None:
    topology = find_topology(name)
    topology.check()
    assert topology.name == name
    assert Lab.scenarios()[name] == topology.title != ""
    assert Topology.from_yaml(topology.to_yaml()) == topology
