"""Networks that are but settings (--config-only), and networks made by them (--config-from): moby's libnetwork_linux_test.go."""

from __future__ import annotations

import json

import pytest

from kubenet_course import Lab

ERROR = "Error response from daemon: "
CREATE = "docker network create "
OPERATORS = (
    "configuration network can only contain network specific fields. Network operator fields like "
    "[ ingress | internal | attachable | scope ] are not supported."
)
SPECIFIED = "user specified configurations are not supported if the network depends on a configuration network"
OPTIONS = "network driver options are not supported if the network depends on a configuration network"
REFUSED = [
    ("--config-only --internal n1", OPERATORS),
    ("--config-only --attachable n1", OPERATORS),
    ("--config-only --scope local n1", OPERATORS),
    ("--config-only --config-from set n1", "a configuration network cannot depend on another configuration network"),
    ("--config-from set --ipv4=false n1", SPECIFIED),
    ("--config-from set --ipv6 n1", SPECIFIED),
    ("--config-from set --subnet 10.9.0.0/24 n1", SPECIFIED),
    ("--config-from set --label number=two n1", SPECIFIED),
    ("--config-from set -o com.docker.network.driver.mtu=1600 n1", OPTIONS),
    ("--config-from nope n1", 'configuration network "nope" does not exist'),
    ("--config-only set", "network with name set already exists"),
]


@pytest.fixture(scope="module")
def host() -> Lab:
    """Settings `set`, with an MTU that is neither the daemon's default nor the usual one."""
    lab = Lab.load("single")
    config = {"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1234"}}}
    lab.machine("host").write("/etc/docker/daemon.json", json.dumps(config))
    done = lab.run("host", f"{CREATE} --config-only --subnet 10.7.0.0/24 -o com.docker.network.driver.mtu=1233 set")
    assert done.returncode == 0, done
    return lab


def say(lab: Lab, command: str) -> str:
    done = lab.run("host", command)
    return (done.stdout + done.stderr).removesuffix("\n")


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_refused(host: Lab, words: str, said: str) -> None:
    assert say(host, CREATE + words) == ERROR + said


def test_a_network_by_the_settings_of_another(host: Lab) -> None:
    assert say(host, "docker network ls --filter name=set --format '{{.Name}} {{.Driver}} {{.Scope}}'") == "set null local"
    assert say(host, "docker network inspect -f '{{.ConfigOnly}} {{json .IPAM.Config}}' set") == 'true [{"Subnet":"10.7.0.0/24"}]'
    assert len(say(host, f"{CREATE} --config-from set n1")) == 64
    shown = say(host, "docker network inspect -f '{{.ConfigOnly}} {{.ConfigFrom.Network}} {{json .IPAM.Config}}' n1")
    assert shown == 'false set [{"Subnet":"10.7.0.0/24","Gateway":"10.7.0.1"}]'
    assert " mtu 1233 " in say(host, "docker run --rm --network n1 busybox ip link show eth0")
    assert "cannot create endpoint on configuration-only network" in say(host, "docker run --rm --network set busybox true")
    assert say(host, "docker network rm set") == f'{ERROR}error while removing network: configuration network "set" is in use'
    assert say(host, "docker network prune -f").split() == ["Deleted", "Networks:", "n1"]
    assert say(host, "docker network rm set") == "set"
