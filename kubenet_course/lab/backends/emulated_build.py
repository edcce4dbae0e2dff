"""Builds a lab on the emulated kernel: cables, bridges, addresses, routes, daemons, commands.

In the order in which `real/builder.py` does it, so that indexes and addresses are the same. Nothing is
run in a shell unless the topology has commands, so a hundred machines take milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError, LabError
from kubenet_course.kernel.devices.bridge import Bridge, BridgePort
from kubenet_course.kernel.devices.veth import Veth
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.devinet import InetAddress, address_add
from kubenet_course.kernel.inet.fib_semantics import route_add
from kubenet_course.kernel.netns import NetNamespace
from kubenet_course.lab import daemons
from kubenet_course.lab.topology import Link, Node, Topology
from kubenet_course.wire.addresses import IPv4Address, MacAddress, Network

if TYPE_CHECKING:
    from kubenet_course.lab.backends.emulated import EmulatedBackend, EmulatedMachine


_DAD = ("net", "ipv6", "conf")


def build(topology: Topology, backend: EmulatedBackend) -> None:
    """Cables, bridges, files, addresses, routes, daemons and commands, as `real/builder.py` orders them."""
    machines = backend.machines
    for node in topology.nodes:
        net = machines[node.name].net
        for name in ("all", "default"):
            net.sysctl.write((*_DAD, name, "accept_dad"), "0")
        net.loopback.set_up()
    for link in topology.links:
        _connect(topology, link, backend)
    for node in topology.nodes:
        if node.kind == "switch":
            _make_switch(node, machines[node.name])
    quiet = _quiet_ports(topology, machines)
    for port in quiet:
        port.mcast_flood = False
    for node in topology.nodes:
        _configure(node, machines[node.name], topology)
    backend.loop.run_soon()
    for port in quiet:
        port.mcast_flood = True
    for node in topology.nodes:
        net = machines[node.name].net
        for name in (*net.devices, "default"):
            if name != "lo":
                net.sysctl.write((*_DAD, name, "accept_dad"), "1")
    for node in topology.nodes:
        for name in node.daemons:
            daemon = daemons.find(name)
            if daemon is not None and machines[node.name].run(daemon.start).returncode:
                raise LabError(f"{node.name}: {name} does not start")
    backend.loop.run_soon()
    for node in topology.nodes:
        for command in node.commands:
            result = machines[node.name].run(command)
            if result.returncode:
                raise LabError(f"{node.name}: {command}: {result.output.strip()}")


def _quiet_ports(topology: Topology, machines: Mapping[str, EmulatedMachine]) -> list[BridgePort]:
    """Switch ports that lead to plain hosts.

    A device that comes up announces itself by IPv6 multicast. Switches learn from that, routers note the
    neighbour; hosts ignore each other's, which with a hundred of them is ten thousand packets. So while
    the lab is built, these are not flooded to hosts.
    """
    ports = []
    for link in topology.links:
        for here, there in ((link.a, link.b), (link.b, link.a)):
            port = machines[here.node].net.device(here.interface).port
            if isinstance(port, BridgePort) and topology.node(there.node).kind == "host":
                ports.append(port)
    return ports


def _connect(topology: Topology, link: Link, backend: EmulatedBackend) -> None:
    nets = [backend.machines[end.node].net for end in (link.a, link.b)]
    macs = [
        MacAddress.parse(topology.node(end.node).interface(end.interface).mac) for end in (link.a, link.b)
    ]
    ends = Veth.pair(nets[0], link.a.interface, nets[1], link.b.interface, macs[0], macs[1])
    for here, there in (nets, nets[::-1]):
        here.nsid_of(there)  # in the order of links, as on the real kernel
    for dev in ends:
        dev.delay = link.delay
        if link.mtu:
            dev.set_mtu(link.mtu)
    rest = {
        word: value
        for word, value in (("jitter", link.jitter), ("loss", link.loss), ("bandwidth", link.bandwidth))
        if value
    }
    if rest:
        _shape(link, rest, backend)


def _shape(link: Link, wanted: dict[str, float], backend: EmulatedBackend) -> None:
    """Loss, jitter and bandwidth by `tc`, where this installation has it."""
    netem = [f"delay 0us {link.jitter // 1000}us"] if link.jitter else []
    netem += [f"loss {link.loss:g}%"] if link.loss else []
    for end in (link.a, link.b):
        machine = backend.machines[end.node]
        base = f"tc qdisc add dev {end.interface}"
        lines = [f"{base} root handle 10: netem {' '.join(netem)}"] if netem else []
        if link.bandwidth:
            parent = "parent 10:1" if netem else "root"
            lines.append(
                f"{base} {parent} handle 5: tbf rate {link.bandwidth:g}mbit burst 15000 latency 50ms"
            )
        for line in lines:
            if "tc" not in machine.system.programs or machine.run(line.split()).returncode:
                what = "bandwidth" if "tbf" in line else "loss and jitter" if link.jitter else "loss"
                backend.notices.append(f"{end}: {what} cannot be had on the emulated kernel.")


def _make_switch(node: Node, machine: EmulatedMachine) -> None:
    if node.implementation == "ovs":
        lines = [f"ovs-vsctl add-br {node.name} -- set bridge {node.name} datapath_type=netdev"]
        lines += [f"ovs-vsctl add-port {node.name} {i.name}" for i in node.interfaces]
        for line in lines:
            result = machine.run(line)
            if result.returncode:
                raise LabError(f"{node.name}: {line}: {result.output.strip()}")
        return
    bridge = Bridge(machine.net, node.name)
    bridge.mac_set = False
    machine.net.add_device(bridge)
    bridge.stp = node.stp
    for interface in node.interfaces:
        bridge.add_port(machine.net.device(interface.name))
    bridge.set_up()


def _configure(node: Node, machine: EmulatedMachine, topology: Topology) -> None:
    for path, content in node.files.items():
        machine.write(path, content)
    for key, value in node.all_sysctls.items():
        machine.net.sysctl.write(tuple(key.replace("/", ".").split(".")), str(value))
    for interface in node.interfaces:
        dev = machine.net.device(interface.name)
        for address in interface.addresses:
            if ":" in address:
                _ip(machine, f"addr add {address} dev {interface.name}")
            else:
                _add_ipv4(machine.net, dev, address)
        dev.set_up()
    default = node.default.split()
    if (
        default
        and ":" not in node.default
        and (len(default) == 1 or (len(default) == 2 and default[0] == "via"))
    ):
        _add_default(machine, default[-1], node)
    elif default:
        words = node.default if len(default) > 1 else f"via {default[0]}"
        _ip(machine, f"{'-6 ' if ':' in node.default else ''}route add default {words}")
    for route in node.routes:
        _ip(machine, f"{'-6 ' if ':' in route.split()[0] else ''}route add {route}")


def _add_ipv4(net: NetNamespace, dev: Any, text: str) -> None:
    """`ip addr add TEXT brd + dev DEV`."""
    local, _, length = text.partition("/")
    address, prefixlen = IPv4Address.parse(local), int(length)
    broadcast = Network.of(address, prefixlen).broadcast if prefixlen < 31 else None
    address_add(net, dev, InetAddress(address, prefixlen, dev.name, address, broadcast=broadcast))  # type: ignore[arg-type]


def _add_default(machine: EmulatedMachine, gateway: str, node: Node) -> None:
    """`ip route add default via GATEWAY`."""
    hop = fib.NextHop(gateway=IPv4Address.parse(gateway))
    try:
        route_add(machine.net, fib.FibRoute(Network(IPv4Address(0), 0), nexthops=[hop]))
    except KernelError as error:
        raise LabError(
            f"{node.name}: route add default via {gateway}: {error.extack or error.strerror}"
        ) from None


def _ip(machine: EmulatedMachine, line: str) -> None:
    result = machine.run(["ip", *line.split()])
    if result.returncode:
        raise LabError(f"{machine.name}: ip {line}: {result.output.strip()}")
