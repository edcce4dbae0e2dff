"""Any Mininet Topo is a lab, on either kernel, as its users know it."""

from __future__ import annotations

from typing import Any

import pytest

from kubenet_course.errors import LabError
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology

mininet_topo = pytest.importorskip("mininet.topo", reason="Mininet is not installed")
from mininet.node import Node  # noqa: E402
from mininet.nodelib import LinuxBridge  # noqa: E402
from mininet.topo import LinearTopo, SingleSwitchTopo, Topo  # noqa: E402
from mininet.topolib import TreeTopo  # noqa: E402

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]


class LinuxRouter(Node):
    """As in Mininet's examples/linuxrouter.py."""

    def config(self, **params: Any) -> None:
        super().config(**params)
        self.cmd("sysctl net.ipv4.ip_forward=1")
        self.cmd("echo", self.name, "> /tmp/configured")

    def terminate(self) -> None:
        self.cmd("sysctl net.ipv4.ip_forward=0")
        super().terminate()


class RouterTopo(Topo):
    """As NetworkTopo of that example, with two of its three networks."""

    def build(self, **_: Any) -> None:
        router = self.addNode("r0", cls=LinuxRouter, ip="192.168.1.1/24")
        s1, s2 = (self.addSwitch(name) for name in ("s1", "s2"))
        self.addLink(s1, router, intfName2="r0-eth1", params2={"ip": "192.168.1.1/24"})
        self.addLink(s2, router, intfName2="r0-eth2", params2={"ip": "172.16.0.1/12"})
        for name, ip, gateway, switch in (
            ("h1", "192.168.1.100/24", "192.168.1.1", s1),
            ("h2", "172.16.0.100/12", "172.16.0.1", s2),
        ):
            self.addLink(self.addHost(name, ip=ip, defaultRoute=f"via {gateway}"), switch)


class Shaped(Topo):
    """Link parameters and node parameters."""

    def build(self, **_: Any) -> None:
        self.addHost("a", ip="10.1.0.1/24", mac="00:00:00:00:00:0a")
        self.addHost("b", ip="10.1.0.2/24")
        self.addSwitch("sw", cls=LinuxBridge, stp=False)
        self.addLink("a", "sw", delay="5ms")
        self.addLink("b", "sw", bw=10)


def test_names_addresses_and_ports_are_mininets() -> None:
    topology = Topology.from_mininet(TreeTopo(depth=2, fanout=3))
    hosts = [node for node in topology if node.kind == "host"]
    assert [(node.name, node.interfaces[0].name, node.interfaces[0].addresses) for node in hosts[:2]] == [
        ("h1", "h1-eth0", ("10.0.0.1/8",)),
        ("h2", "h2-eth0", ("10.0.0.2/8",)),
    ]
    assert len(hosts) == 9
    assert [i.name for i in topology.node("s2").interfaces] == ["s2-eth1", "s2-eth2", "s2-eth3", "s2-eth4"]
    topology.check()


def test_parameters_of_links_and_hosts_are_taken_over() -> None:
    topology = Topology.from_mininet(Shaped())
    assert [(link.delay, link.bandwidth) for link in topology.links] == [(5_000_000, 0), (0, 10)]
    assert topology.node("a").interfaces[0].mac == "00:00:00:00:00:0a"
    assert topology.node("sw").implementation == "bridge"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("topo", [SingleSwitchTopo(3), LinearTopo(3), TreeTopo(2, 2)], ids=["single", "linear", "tree"])
def test_ping_all_works_as_in_mininet(topo: Topo, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Lab(topo, backend=backend) as lab:
        assert lab.pingAll() == 0.0
        assert capsys.readouterr().out.startswith("*** Ping: testing ping reachability\nh1 -> h2 h3 ")
        assert lab["h1"].IP() == "10.0.0.1"
        assert "1 received" in lab["h1"].cmd("ping -c1", lab["h2"].IP())
        assert lab["h1"].cmd("cd /tmp; pwd") + lab["h1"].cmd("pwd") == "/tmp\n/tmp\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_node_class_configures_its_machine(backend: str) -> None:
    with Lab(RouterTopo(), backend=backend) as lab:
        assert lab["r0"].cmd("cat /proc/sys/net/ipv4/ip_forward; cat /tmp/configured") == "1\nr0\n"
        assert lab["r0"].cmd("ip -4 -br addr | tr -s ' '").splitlines()[1:] == [
            "r0-eth1@if3 UP 192.168.1.1/24 ",
            "r0-eth2@if3 UP 172.16.0.1/12 ",
        ]
        assert " 0% packet loss" in lab["h1"].cmd("ping -c1 172.16.0.100")
        lab.run("h1", "true")
        lab.undo()  # config() runs again for the lab that is built anew
        assert lab["r0"].cmd("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        assert len(lab.history) == 4


def test_a_node_class_that_fails_is_named() -> None:
    class Broken(Node):
        def config(self, **_: Any) -> None:
            raise ValueError("no")

    class BrokenTopo(Topo):
        def build(self, **_: Any) -> None:
            self.addHost("h1", cls=Broken)

    with pytest.raises(LabError, match=r"h1: Broken.config\(\) failed: ValueError: no"):
        Lab(BrokenTopo())


def test_terminate_is_called_when_the_lab_closes() -> None:
    heard = []

    class Heard(Node):
        def config(self, **_: Any) -> None:
            heard.append("config")

        def terminate(self) -> None:
            heard.append("terminate")

    class HeardTopo(Topo):
        def build(self, **_: Any) -> None:
            self.addHost("h1", cls=Heard)

    Lab(HeardTopo()).close()
    assert heard == ["config", "terminate"]
