"""Who is on the same link as whom: interfaces joined by cables and bridges, without a router between."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from kubenet_course.view.netmap import NetMap, Port
from kubenet_course.view.records import Link


class Segments:
    """Answers about addresses and links of one `NetMap`."""

    def __init__(self, found: NetMap):
        self.map = found
        self.links: dict[Port, Link] = dict(found.ports())
        self._parent: dict[Port, Port] = {port: port for port in self.links}
        for cable in found.cables:
            self._join(cable.a, cable.b)
        for port, link in self.links.items():
            if link.master:
                self._join(port, Port(port.machine, port.namespace, link.master))

    def _find(self, port: Port) -> Port:
        while self._parent[port] != port:
            port = self._parent[port]
        return port

    def _join(self, a: Port, b: Port) -> None:
        if a in self._parent and b in self._parent:
            self._parent[self._find(a)] = self._find(b)

    def same(self, a: Port, b: Port) -> bool:
        """Whether a frame could get from one interface to the other."""
        return a in self._parent and b in self._parent and self._find(a) == self._find(b)

    def prompt(self, machine: str, namespace: str, program: str = "") -> str:
        """``host$ ip netns exec red``: what is typed before a command there; with `program` "ip", ``host$ ip -n red``."""
        space = next((s for s in self.map.machine(machine).spaces if s.name == namespace), None)
        if space is None:  # it is gone, and cannot be entered any more
            return f"{machine}[{namespace}]$ {program}".rstrip() + " "
        if not namespace:
            enter = program
        elif space.container == namespace:  # a name that `ip netns` does not know
            enter = f"docker exec {namespace} {program}"
        else:
            enter = f"ip -n {namespace}" if program == "ip" else f"ip netns exec {namespace} {program}"
        return f"{machine}$ {enter}".rstrip() + " "

    def owner(self, address: str) -> Port | None:
        """The interface that has this address."""
        for port, link in self.links.items():
            if any(a.local == address for a in link.addresses):
                return port
        return None

    def prefix(self, port: Port, family: int = 4) -> str:
        """An interface's first address with its prefix length, "" where it has none."""
        for address in self.links[port].addresses:
            if (":" in address.local) == (family == 6) and address.scope != "link":
                return str(address)
        return ""

    def of(self, machine: str, namespace: str = "") -> list[Port]:
        """The interfaces of a namespace, without lo."""
        return [
            port
            for port, link in self.links.items()
            if (port.machine, port.namespace) == (machine, namespace) and link.kind != "loopback"
        ]

    def neighbours_that_forward(self, port: Port, family: int = 4) -> list[tuple[Port, str]]:
        """Routers on the same link, with the address one would use as gateway."""
        kinds = {machine.name: machine.kind for machine in self.map.machines}
        found = []
        for other in self.links:
            if other.machine != port.machine and kinds[other.machine] == "router" and self.same(port, other):
                address = self.prefix(other, family).partition("/")[0]
                if address:
                    found.append((other, address))
        return found

    def leads(self, start: str, goal: str, without: str) -> bool:
        """Whether links and machines other than `without` join one machine to another."""
        links: dict[Port, set[str]] = {}
        for port in self.links:
            links.setdefault(self._find(port), set()).add(port.machine)
        reached, waiting = {start}, [start]
        while waiting:
            machine = waiting.pop()
            for machines in links.values():
                if machine in machines:
                    waiting += machines - reached - {without}
                    reached |= machines - {without}
        return goal in reached

    @staticmethod
    def includes(prefix: str, address: str) -> bool:
        """Whether ``192.168.1.10/24`` is of the same network as the address."""
        return bool(prefix) and ip_address(address) in ip_interface(prefix).network
