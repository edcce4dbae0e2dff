"""dockerd's options: what moby's integration tests start daemons with, and what is wrong with a command line."""

from __future__ import annotations

import pytest

from kubenet_course import Lab
from kubenet_course.docker.config import DEFAULTS
from kubenet_course.docker.daemon_flags import conflicts, parse
from kubenet_course.docker.errors import DaemonError

LINES = [
    ("-H fd:// --containerd=/run/containerd/containerd.sock -D", {"debug": True}),
    ("--bip 10.9.0.1/24 --fixed-cidr=10.9.0.128/25 --icc=false --mtu 1400", {"bip": "10.9.0.1/24", "fixed-cidr": "10.9.0.128/25", "icc": False, "mtu": 1400}),
    ("-b none --dns 127.127.127.1 --dns 8.8.8.8 --dns-opt ndots:1", {"bridge": "none", "dns": ["127.127.127.1", "8.8.8.8"], "dns-opts": ["ndots:1"]}),
    ("--ipv6 --fixed-cidr-v6=fd00:1::/64 --ip6tables=false", {"ipv6": True, "fixed-cidr-v6": "fd00:1::/64", "ip6tables": False}),
    ("--ip-forward-no-drop --userland-proxy=F --firewall-backend=nftables", {"ip-forward-no-drop": True, "userland-proxy": False, "firewall-backend": "nftables"}),
    ("--default-address-pool base=10.0.0.0/8,size=24 --default-address-pool base=fd00::/56,size=64",
     {"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}, {"base": "fd00::/56", "size": 64}]}),
    ("--default-network-opt bridge=com.docker.network.driver.mtu=1234 --default-network-opt=bridge=a=b",
     {"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1234", "a": "b"}}}),
    ("--host-gateway-ip 192.0.2.1 --host-gateway-ip 2001:db8::1", {"host-gateway-ips": ["192.0.2.1", "2001:db8::1"]}),
]  # fmt: skip
WRONG = [
    ("--bip", "flag needs an argument: --bip"),
    ("--mtu x", 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'),
    ("--icc=perhaps", 'invalid argument "perhaps" for "--icc" flag: strconv.ParseBool: parsing "perhaps": invalid syntax'),
    ("--userns-remap=default", "kubenet: dockerd: option --userns-remap is not emulated"),
    ("word", "kubenet: dockerd: option word is not emulated"),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_line(line: str, expected: dict[str, object]) -> None:
    assert parse(line.split(), DEFAULTS) == expected


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_wrong_line(line: str, said: str) -> None:
    with pytest.raises(DaemonError) as failure:
        parse(line.split(), DEFAULTS)
    assert failure.value.message == said


def test_a_key_in_both_places() -> None:
    assert conflicts({"mtu": 1400, "icc": True}, {"mtu": 1300, "dns": []}) == (
        "the following directives are specified both as a flag and in the configuration file: mtu: (from flag: 1400, from file: 1300)"
    )


def test_a_daemon_by_hand() -> None:
    def say(command: str) -> str:
        done = lab.run("host", command)
        return done.stdout + done.stderr

    with Lab.load("single") as lab:
        say("dockerd --bip 10.9.0.1/24 --fixed-cidr 10.9.0.128/25 --mtu 1400 --ip-forward-no-drop >/dev/null 2>&1 &")
        assert say("docker run --rm busybox ip -o -4 addr show eth0").split()[3] == "10.9.0.128/24"
        assert " mtu 1400 " in say("ip link show docker0")
        assert "-P FORWARD ACCEPT" in say("iptables -S FORWARD")
        assert "is still running" in say("dockerd")
        say("service docker stop; service docker start")
        assert "mtu 1500" in say("docker run --rm busybox ip link show eth0")
        say("service docker stop")
        lab.machine("host").write("/etc/docker/daemon.json", '{"mtu": 1300}')
        assert say("dockerd --mtu 1400") == (
            "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives are specified "
            "both as a flag and in the configuration file: mtu: (from flag: 1400, from file: 1300)\n"
        )
        assert "mtu 1300" in say("docker run --rm busybox ip link show eth0")
