"""Open vSwitch's bridges: their ports, and what they have learned. `ip` and `bridge` do not tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubenet_course.view.records import FdbEntry, Link

#: The device of a datapath, in the kernel and in Open vSwitch's own process: no bridge to its user.
DATAPATHS = ("ovs-system", "ovs-netdev")
KIND = "openvswitch"


def bridges(lab: Any, machine: str) -> list[str]:
    """The names of its bridges; [] where Open vSwitch does not run."""
    done = lab.query(machine, ["ovs-vsctl", "list-br"])
    return done.stdout.split() if done.returncode == 0 else []


def ports(lab: Any, machine: str, bridge: str) -> list[str]:
    """The ports of one of them, as `ovs-vsctl list-ports`."""
    return str(lab.query(machine, ["ovs-vsctl", "list-ports", bridge]).stdout).split()


def plugged(lab: Any, machine: str, links: list[Link]) -> list[Link]:
    """A machine's interfaces, those of Open vSwitch with their bridge as master, and without its datapath's device."""
    if not any(link.name in DATAPATHS for link in links):
        return links
    names = bridges(lab, machine)
    master = {port: name for name in names for port in ports(lab, machine, name)}
    return [
        replace(link, kind=KIND if link.name in names else link.kind, master=master.get(link.name, link.master))
        for link in links
        if link.name not in DATAPATHS
    ]


def learned(lab: Any, machine: str, bridge: str) -> list[FdbEntry]:
    """`ovs-appctl fdb/show`, with the ports' names in place of their numbers; LOCAL is the bridge's own."""
    number = {
        lab.query(machine, ["ovs-vsctl", "get", "Interface", port, "ofport"]).stdout.strip(): port
        for port in ports(lab, machine, bridge)
    }
    found = []
    for line in lab.query(machine, ["ovs-appctl", "fdb/show", bridge]).stdout.splitlines()[1:]:
        port, vlan, mac, _ = line.split()
        found.append(FdbEntry(mac, number.get(port, bridge), bridge, vlan if vlan != "0" else ""))
    return sorted(found, key=lambda entry: (entry.port, entry.mac, entry.vlan))
