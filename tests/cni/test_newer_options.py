"""What plugins have learnt since the packaged 1.1.1: facts of the upstream tests of bridge, tuning and tap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cni.machine import Machine

BRIDGE: dict[str, Any] = {"cniVersion": "1.0.0", "name": "web", "type": "bridge", "bridge": "cni0"}
IPAM = {"type": "host-local", "subnet": "10.1.2.0/24"}


def in_red(machine: Machine, command: str) -> Any:
    return machine.json(f"ip netns exec red {command}")


def test_a_bridge_port_that_is_isolated_talks_to_none_that_is_too() -> None:
    machine = Machine("red", "blue", "green")
    for name, isolated in (("red", True), ("blue", True), ("green", False)):
        config = {**BRIDGE, "portIsolation": isolated, "ipam": IPAM}
        env = {"CNI_NETNS": f"/var/run/netns/{name}", "CNI_CONTAINERID": name}
        done = machine.plugin("bridge", "ADD", config, env)
        assert done.returncode == 0, done
        port = done.data["interfaces"][1]["name"]
        assert machine.json(f"bridge -d -j link show dev {port}")[0]["isolated"] is isolated
    ping = "ip netns exec red ping -c1 -W1 10.1.2."
    assert machine.run(f"{ping}3").returncode == 1
    assert machine.run(f"{ping}4").returncode == 0


def test_the_containers_end_stays_down_where_it_is_to() -> None:
    machine = Machine("red")
    config = {**BRIDGE, "disableContainerInterface": True}
    done = machine.plugin("bridge", "ADD", config)
    assert done.returncode == 0, done
    assert [one["name"] for one in done.data["interfaces"]][::2] == ["cni0", "eth0"]
    assert "ips" not in done.data
    assert in_red(machine, "ip -j link show eth0")[0]["operstate"] == "DOWN"
    assert machine.plugin("bridge", "DEL", config).returncode == 0
    refused = machine.plugin("bridge", "ADD", {**config, "ipam": IPAM})
    assert refused.returncode == 1
    assert refused.data["msg"] == "cannot use IPAM when DisableContainerInterface flag is set"


@pytest.mark.parametrize("how", ["txQLen", "args"])
def test_tuning_sets_the_length_of_the_transmit_queue(how: str) -> None:
    machine = Machine("red")
    machine.run("ip -n red link add eth0 type dummy")
    before = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/var/run/netns/red"}]}
    config: dict[str, Any] = {"cniVersion": "1.0.0", "name": "web", "type": "tuning", "prevResult": before}
    config |= {"txQLen": 20000} if how == "txQLen" else {"txQLen": 7, "args": {"cni": {"txQLen": 20000}}}
    assert machine.plugin("tuning", "ADD", config).returncode == 0
    assert in_red(machine, "ip -j link show eth0")[0]["txqlen"] == 20000
    assert '"txQLen": 1000' in machine.read("/run/cni/tuning/dummy_eth0.json")
    assert machine.plugin("tuning", "CHECK", config).returncode == 0
    machine.run("ip -n red link set eth0 txqueuelen 5")
    assert machine.plugin("tuning", "CHECK", config).data["msg"] == (
        "Error: Tuning configured Transmit Queue Length of eth0 is 20000, current value is 5"
    )
    assert machine.plugin("tuning", "DEL", config).returncode == 0
    assert in_red(machine, "ip -j link show eth0")[0]["txqlen"] == 1000


@pytest.mark.parametrize("kind", ["", "host-local"])
def test_a_tap_device_in_the_container(kind: str) -> None:
    machine = Machine("red")
    config: dict[str, Any] = {"cniVersion": "1.0.0", "name": "web", "type": "tap", "mtu": 1400, "mac": "c2:11:22:33:44:55"}
    if kind:
        config["ipam"] = IPAM
    done = machine.plugin("tap", "ADD", config)
    assert done.returncode == 0, done
    assert done.data["interfaces"] == [{"name": "eth0", "mac": "c2:11:22:33:44:55", "sandbox": "/var/run/netns/red"}]
    device = in_red(machine, "ip -d -j addr show eth0")[0]
    assert (device["linkinfo"]["info_kind"], device["linkinfo"]["info_data"]["type"], device["mtu"]) == ("tun", "tap", 1400)
    assert "UP" in device["flags"]
    assert [one["local"] for one in device["addr_info"] if one["family"] == "inet"] == (["10.1.2.2"] if kind else [])
    again = {**config, "prevResult": done.data}
    assert machine.plugin("tap", "CHECK", again).returncode == 0
    assert machine.plugin("tap", "CHECK", config).data["msg"] == "Required prevResult missing"
    for _ in range(2):
        assert machine.plugin("tap", "DEL", config).returncode == 0
    assert machine.run("ip -n red link show eth0").returncode == 1
    assert machine.run("ls /var/lib/cni/networks/web").stdout.split() == (["last_reserved_ip.0", "lock"] if kind else [])
