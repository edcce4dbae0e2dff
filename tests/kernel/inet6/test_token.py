"""`ip token`: an autoconfigured address takes the token for its interface identifier."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kubenet_course.kernel.inet6 import ra
from kubenet_course.wire.addresses import IPv6Address, Network
from tests.support.replay import Machine


def test_an_address_from_a_prefix_ends_with_the_token() -> None:
    machine = Machine()
    machine.run("ip link add e0 type veth peer e1; ip link set e0 up; ip link set e1 up; sleep 3; ip token set ::77 dev e0")
    net = machine.host.init_net
    info: Any = SimpleNamespace(valid=3600, preferred=1800, autonomous=True)
    ra._autoconf_address(net, net.device("e0"), Network(IPv6Address.parse("2001:db8::"), 64), info)
    machine.run("sleep 3")
    out, _, _ = machine.run("ip -6 -br addr show dev e0")
    assert "2001:db8::77/64" in out
