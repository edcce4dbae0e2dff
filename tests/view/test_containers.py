"""Docker's containers in pictures, tables and journeys: by their names, whether `ip netns` knows them or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubenet_course import Lab
from kubenet_course.errors import LabError
from kubenet_course.view import netmap
from kubenet_course.view.target import Target, spaces

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
STARTED = (
    "docker run -d --name web nginx",
    "docker run -d --network none --name alone nginx",
    "docker run -d --network host --name onhost nginx",
    "docker network create shop-net",
    "docker run -d --network shop-net --name app busybox sleep 1000",
    "docker network connect shop-net web",
    "docker create --name later busybox",
)


@pytest.fixture(scope="module", params=BACKENDS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab.load("docker", backend=request.param) as opened:
        for command in STARTED:
            assert opened.run("host", command).returncode == 0, command
        yield opened


def joined(lab: Lab) -> set[tuple[str, str, str]]:
    """(container, its interface, the bridge that its cable ends in), of all cables of the host."""
    found = netmap.read(lab)
    links = dict(found.ports())
    ends = [(a, b) for cable in found.cables for a, b in ((cable.a, cable.b), (cable.b, cable.a))]
    return {(a.namespace, a.device, links[b].master) for a, b in ends if a.namespace and not b.namespace}


def test_a_running_container_is_a_box_with_its_name_and_its_cables(lab: Lab) -> None:
    bridge = lab.run("host", "docker network inspect -f 'br-{{slice .Id 0 12}}' shop-net").stdout.strip()
    assert joined(lab) == {("web", "eth0", "docker0"), ("web", "eth1", bridge), ("app", "eth0", bridge)}
    text = str(netmap.read(lab))
    for name in ("web", "alone", "app"):
        assert f"\n  container {name}\n" in text
    assert "onhost" not in text and "later" not in text
    assert lab.run("host", "ip netns").stdout == ""


def test_a_link_in_run_netns_shows_the_same_container_once(lab: Lab) -> None:
    lab.run("host", "mkdir -p /run/netns; ln -s $(docker inspect -f '{{.NetworkSettings.SandboxKey}}' web) /run/netns/mine")
    try:
        assert [space for space in spaces(lab, "host") if space.namespace in ("web", "mine")] == [Target("host", "mine")]
        assert "\n  namespace mine (web)\n" in str(netmap.read(lab))
        assert ("mine", "eth0", "docker0") in joined(lab)
        assert str(lab.routes("web")) == str(lab.routes("mine"))
        assert "host[mine]" in str(lab.explain("host", "docker exec web ping -c 1 172.17.0.1"))
    finally:
        lab.run("host", "rm /run/netns/mine")
    assert lab.run("host", "ip netns").stdout == ""


def test_a_container_is_asked_by_its_name(lab: Lab) -> None:
    assert "default        172.17.0.1" in str(lab.routes("web"))
    assert str(lab.routes("host/web")) == str(lab.routes("web"))
    with pytest.raises(LabError, match="no machine or namespace 'onhost'"):
        lab.routes("onhost")


def test_a_journey_names_the_container_and_a_command_that_works_there(lab: Lab) -> None:
    works = str(lab.explain("client", "ping -c 1 192.168.1.10")) + str(lab.explain("app", "ping -c 1 172.18.0.1"))
    assert "host[app] → host" in works
    fails = lab.explain("host", "docker exec app ping -c 1 172.18.0.99")
    assert str(fails).startswith("host[app] asks on eth0 who has 172.18.0.99, and nobody answers.")
    prompt, _, command = fails.command.partition("$ ")
    assert prompt == "host"
    assert "FAILED" in lab.run("host", command).stdout
    assert lab.run("host", "ip netns").stdout == ""


def test_two_of_one_name_stay_two(lab: Lab) -> None:
    lab.run("host", "ip netns add app")
    try:
        text = str(netmap.read(lab))
        assert "\n  namespace app\n" in text and " (app)\n" in text
    finally:
        lab.run("host", "ip netns del app")


def test_a_container_that_only_runs_meanwhile(lab: Lab) -> None:
    command = "docker run --rm busybox ping -c 1 8.8.8.8"
    if lab.backend_name == "emulated":
        assert str(lab.explain("host", command)).startswith("It works: ")
        return
    with pytest.raises(LabError, match="only a container that runs already can be followed"):
        lab.explain("host", command)
