"""The whole lab at one moment: machines, their namespaces and interfaces, and what is joined to what.

The cables between machines come from the lab's topology; everything else (virtual cables between
namespaces, bridges and their ports, tunnels) is read from `ip -j -d addr` of every namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kubenet_course.view import ovs
from kubenet_course.view.records import Link
from kubenet_course.view.tables import links
from kubenet_course.view.target import Target, containers, namespaces, spaces


@dataclass(frozen=True)
class Port:
    """One interface of one namespace of one machine."""

    machine: str
    namespace: str
    device: str

    def __str__(self) -> str:
        where = f"{self.machine}/{self.namespace}" if self.namespace else self.machine
        return f"{where}:{self.device}"


@dataclass(frozen=True)
class Space:
    """One network namespace ("" is the machine's own) with its interfaces; `container` is whose it is."""

    name: str
    links: tuple[Link, ...]
    container: str = ""

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)

    @property
    def title(self) -> str:
        """Its name; where it has another one in /run/netns, behind it the container's."""
        return f"{self.name} ({self.container})" if self.container not in ("", self.name) else self.name

    @property
    def shown(self) -> tuple[Link, ...]:
        """The interfaces worth drawing: lo only where it is all there is, or has addresses of its own."""
        others = tuple(link for link in self.links if link.kind != "loopback")
        special = [
            link
            for link in self.links
            if link.kind == "loopback" and any(a.local not in ("127.0.0.1", "::1") for a in link.addresses)
        ]
        return (*special, *others) if others or special else self.links


@dataclass(frozen=True)
class MachineMap:
    name: str
    kind: str
    spaces: tuple[Space, ...]


@dataclass(frozen=True)
class Cable:
    """Two interfaces that are joined; `note` is what the lab's topology says of it ("5ms, 1% loss")."""

    a: Port
    b: Port
    up: bool
    note: str = ""


@dataclass(frozen=True)
class NetMap:
    """What `read` found; `str()` is the whole of it as text.

    `sysctl(machine, namespace, name)` is what that setting is now, "" where it is not there.
    """

    name: str
    machines: tuple[MachineMap, ...]
    cables: tuple[Cable, ...]
    sysctl: Callable[[str, str, str], str] = field(default=lambda *_: "", compare=False, repr=False)

    def machine(self, name: str) -> MachineMap:
        return next(machine for machine in self.machines if machine.name == name)

    def ports(self) -> Iterator[tuple[Port, Link]]:
        for machine in self.machines:
            for space in machine.spaces:
                for link in space.links:
                    yield Port(machine.name, space.name, link.name), link

    def peer(self, port: Port) -> Port | None:
        for cable in self.cables:
            if port in (cable.a, cable.b):
                return cable.b if port == cable.a else cable.a
        return None

    def __str__(self) -> str:
        return netmap_text(self)


def read(lab: Any) -> NetMap:
    """Ask every machine of the lab, and put the answers together."""
    machines = []
    nsids: dict[str, dict[int, str]] = {}
    targets: dict[tuple[str, str], Target] = {}
    for node in lab.spec:
        names = namespaces(lab, node.name)
        nsids[node.name] = {nsid: name for name, nsid in names.items() if nsid >= 0}
        held = containers(lab, node.name)
        owners = {one.space: one.name for one in held}
        inside = []
        for target in spaces(lab, node.name, held):
            targets[node.name, target.namespace] = target
            seen = links(lab, target)
            seen = seen if target.namespace else ovs.plugged(lab, node.name, seen)
            inside.append(Space(target.namespace, tuple(seen), owners.get(target.namespace, "")))
        machines.append(MachineMap(node.name, node.kind, tuple(inside)))
    found = NetMap(lab.name, tuple(machines), ())
    by_port = dict(found.ports())
    cables = [cable for link in lab.spec.links if (cable := _topology_cable(link, by_port)) is not None]
    taken = {port for cable in cables for port in (cable.a, cable.b)}
    for machine in machines:
        cables += _virtual_cables(machine, nsids[machine.name], taken)

    def sysctl(machine: str, namespace: str, name: str) -> str:
        asked = targets[machine, namespace].command("sysctl", "-n", name)
        return str(lab.query(machine, asked).stdout).strip()

    return NetMap(lab.name, tuple(machines), tuple(cables), sysctl)


def _topology_cable(link: Any, by_port: dict[Port, Link]) -> Cable | None:
    """A cable of the topology, if both ends are still where they were (an end may have moved)."""
    ends = [_find(by_port, end.node, end.interface) for end in (link.a, link.b)]
    if ends[0] is None or ends[1] is None:
        return None
    notes = [f"{link.delay / 1e6:g}ms" if link.delay else "", f"{link.loss:g}% loss" if link.loss else ""]
    notes.append(f"{link.bandwidth:g}Mbit/s" if link.bandwidth else "")
    return Cable(ends[0], ends[1], _joined(by_port, ends[0], ends[1]), ", ".join(filter(None, notes)))


def _find(by_port: dict[Port, Link], machine: str, device: str) -> Port | None:
    own = Port(machine, "", device)
    if own in by_port:
        return own
    return next((port for port in by_port if (port.machine, port.device) == (machine, device)), None)


def _joined(by_port: dict[Port, Link], a: Port, b: Port) -> bool:
    return by_port[a].words == "up" and by_port[b].words == "up"


def _virtual_cables(machine: MachineMap, nsids: dict[int, str], taken: set[Port]) -> list[Cable]:
    """veth pairs within one machine: each end names the other's index, and sometimes its namespace."""
    ends = [
        (Port(machine.name, space.name, link.name), link)
        for space in machine.spaces
        for link in space.links
        if link.kind == "veth"
    ]
    cables = []
    for position, (port, link) in enumerate(ends):
        if port in taken:
            continue
        for other, peer in ends[position + 1 :]:
            if other not in taken and _are_peers(port, link, other, peer, nsids):
                taken.update((port, other))
                cables.append(Cable(port, other, link.words == "up" and peer.words == "up"))
                break
    return cables


def _are_peers(a: Port, link: Link, b: Port, peer: Link, nsids: dict[int, str]) -> bool:
    if a.namespace == b.namespace:
        return link.parent == peer.name and peer.parent == link.name
    if (link.peer_index, peer.peer_index) != (peer.index, link.index):
        return False
    if link.peer_nsid < 0 or peer.peer_nsid < 0:
        return False
    if not a.namespace:
        return nsids.get(link.peer_nsid, b.namespace) == b.namespace
    return True


# -- text -----------------------------------------------------------------------------------------
def netmap_text(found: NetMap) -> str:
    """Machines, namespaces and interfaces as a tree, with what each interface is joined to."""
    lines = [found.name]
    for machine in found.machines:
        lines.append(f"{machine.name} ({machine.kind})")
        for space in machine.spaces:
            indent = "  "
            if space.name:
                lines.append(f"  {'container' if space.container == space.name else 'namespace'} {space.title}")
                indent = "    "
            rows = [_row(found, machine, space, link) for link in _ordered(space)]
            widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
            for row in rows:
                cells = [cell.ljust(width) for cell, width in zip(row, widths)]
                lines.append((indent + "  ".join([*cells, row[3]])).rstrip())
    return "\n".join(lines)


def _ordered(space: Space) -> list[Link]:
    """Bridges, each with its ports behind it, then the rest."""
    bridges = [link for link in space.shown if link.kind in ("bridge", ovs.KIND) or _has_ports(space, link)]
    names = {link.name for link in bridges}
    ordered: list[Link] = []
    for bridge in bridges:
        ordered += [bridge, *(link for link in space.shown if link.master == bridge.name)]
    return [*ordered, *(link for link in space.shown if link.name not in names and link.master not in names)]


def _has_ports(space: Space, link: Link) -> bool:
    return any(other.master == link.name for other in space.links)


def _row(found: NetMap, machine: MachineMap, space: Space, link: Link) -> tuple[str, str, str, str]:
    name = f"  port {link.name}" if link.master else link.name
    kind = (
        ""
        if link.kind in ("veth", "loopback", "")
        else f" ({link.kind}{' ' + link.detail if link.detail else ''})"
    )
    peer = found.peer(Port(machine.name, space.name, link.name))
    joined = f"── {peer}" if peer is not None else f"on {link.parent}" if link.parent else ""
    cable = next((c for c in found.cables if peer in (c.a, c.b)), None) if peer is not None else None
    if cable is not None and cable.note:
        joined += f" ({cable.note})"
    return name + kind, shown_addresses(link), shown_state(link), joined


def shown_addresses(link: Link) -> str:
    """Its addresses, without the link-local ones that every interface has."""
    return " ".join(str(a) for a in link.addresses if not (a.family == "inet6" and a.scope == "link"))


def shown_state(link: Link) -> str:
    """``up``, ``down`` or ``no carrier``; "" for a bridge of Open vSwitch, which switches also where its own port is down."""
    return "" if link.kind == ovs.KIND and link.words == "down" else link.words
