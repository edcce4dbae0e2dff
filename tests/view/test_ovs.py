"""Open vSwitch's bridges in pictures and tables, as `ovs-vsctl` and `ovs-appctl` know them."""

from __future__ import annotations

import pytest

from kubenet_course import Lab
from kubenet_course.view import netmap
from kubenet_course.view.tables import fdb, find_bridge

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
MADE = "ovs-vsctl add-br v-net-0 -- set bridge v-net-0 datapath_type=netdev"


@pytest.mark.parametrize("backend", BACKENDS)
def test_its_ports_are_in_the_bridge_and_what_it_learned_is_told_by_their_names(backend: str) -> None:
    with Lab.load("open-vswitch", backend=backend) as lab:
        for command in (MADE, "ovs-vsctl add-port v-net-0 veth-red-br", "ovs-vsctl add-port v-net-0 veth-blue-br"):
            assert lab.run("host", command).returncode == 0
        assert lab.run("host", "ip netns exec red ping -c 2 192.168.15.2").returncode == 0
        text = str(netmap.read(lab))
        lines = [line.split() for line in text.splitlines()]
        assert ["v-net-0", "(openvswitch)"] in lines  # its own port is down, and it switches all the same
        assert ["port", "veth-red-br", "up", "──", "host/red:veth-red"] in lines
        assert ["port", "veth-blue-br", "up", "──", "host/blue:veth-blue"] in lines
        assert "ovs-system" not in text and "ovs-netdev" not in text
        target, bridge = find_bridge(lab, "v-net-0")
        macs = {name: lab.run("host", f"ip netns exec {name} cat /sys/class/net/veth-{name}/address").stdout.strip()
                for name in ("red", "blue")}  # fmt: skip
        learned = {(entry.mac, entry.port) for entry in fdb(lab, target, bridge)}
        assert {(macs["red"], "veth-red-br"), (macs["blue"], "veth-blue-br")} <= learned
        assert "host/red veth-red" in str(lab.fdb("v-net-0"))
