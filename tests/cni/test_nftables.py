"""The rules that plugins make by nft: newer than the packaged plugins, so the one kernel beside the other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cni import side_by_side
from tests.cni.test_side_by_side import OURS

IPAM = {"type": "static", "addresses": [{"address": "10.1.0.2/24"}, {"address": "fd00:1::2/64"}]}
BRIDGE = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "isGateway": True, "ipMasq": True,
          "ipMasqBackend": "nftables", "ipam": IPAM}  # fmt: skip
PORTS = [
    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
    {"hostPort": 8081, "containerPort": 81, "protocol": "udp", "hostIP": "10.1.0.1"},
]


class Host:
    """A machine with namespaces red, the container, and out, another host."""

    def __init__(self, backend: str):
        self.lab = side_by_side.machine(backend)
        self.folder = "/opt/cni/bin" if backend == "emulated" else "/tmp/ours"
        if backend != "emulated":
            assert self.lab.run("host", ["sh", "-c", OURS]).returncode == 0
        self.run(
            "ip netns add red; ip netns add out; ip link add out type veth peer name eth0 netns out; ip link set out up; "
            "ip addr add 192.0.2.1/24 dev out; ip -n out link set eth0 up; ip -n out addr add 192.0.2.9/24 dev eth0; "
            "sysctl -qw net.ipv4.conf.all.route_localnet=1"
        )
        self.last: Any = None

    def run(self, command: str) -> str:
        return str(self.lab.run("host", command).stdout)

    def call(self, do: str, config: dict[str, Any]) -> str:
        """The result's text."""
        if self.last is not None and config["type"] != "bridge":
            config = {**config, "prevResult": self.last}
        env = {"CNI_COMMAND": do, **side_by_side.ENV, "CNI_PATH": self.folder}
        done = self.lab.run("host", [f"{self.folder}/{config['type']}"], stdin=json.dumps(config), env=env)
        assert done.returncode == 0, done
        if do == "ADD":
            self.last = json.loads(done.stdout)
        return str(done.stdout)


def story(backend: str) -> list[str]:
    """What a container with masquerading and mapped ports leaves in nft, and how its packets go."""
    host = Host(backend)
    portmap = {"cniVersion": "1.0.0", "name": "n", "type": "portmap", "backend": "nftables", "snat": True,
               "runtimeConfig": {"portMappings": PORTS}}  # fmt: skip
    try:
        names, seen = side_by_side.Names(macs=False), []
        seen += [host.call("ADD", BRIDGE), host.call("ADD", portmap), host.run("nft list ruleset")]
        host.call("CHECK", portmap)
        # the other host knows no way to the container: what comes is masqueraded
        seen.append(re.sub(r"(time|rtt).*", "", host.run("ip netns exec red ping -c 1 -W 2 192.0.2.9")))
        host.run("ip netns exec red sh -c 'ip route add default via 10.1.0.1'")
        seen.append(re.sub(r"(time|rtt).*", "", host.run("ip netns exec red ping -c 1 -W 2 192.0.2.9")))
        host.run(
            "while :; do echo red | ip netns exec red nc -l -p 80 -q 0; done > /dev/null 2>&1 & echo $! > /tmp/pid"
        )
        host.run("for i in $(seq 99); do ip netns exec red ss -Hltn | grep -q :80 && break; sleep 0.1; done")
        seen.append(host.run("ip netns exec out nc -w 2 192.0.2.1 8080 < /dev/null"))
        host.run("kill $(cat /tmp/pid)")
        seen += [host.call("DEL", portmap), host.run("nft list ruleset")]
        seen += [host.call("DEL", BRIDGE), host.run("nft list ruleset")]
        seen += [host.call("DEL", portmap), host.call("DEL", BRIDGE)]
        return [names(text) for text in seen]
    finally:
        host.lab.close()


def test_masquerading_and_mapped_ports_by_nftables() -> None:
    seen = story("emulated")
    assert "ip saddr 10.1.0.2 ip daddr != 10.1.0.0/24 masquerade" in seen[2]
    assert "tcp dport 8080 dnat to 10.1.0.2:80" in seen[2] and "dnat to [fd00:1::2]:80" in seen[2]
    assert "1 received" in seen[4] and seen[5] == "red\n"
    assert "10.1.0.2" in seen[7] and "dnat to" not in seen[7]
    assert "10.1.0.2" not in seen[9] and "chain masq_checks" in seen[9]


@pytest.mark.real
def test_the_same_on_both_kernels() -> None:
    assert story("mininet") == story("emulated")
