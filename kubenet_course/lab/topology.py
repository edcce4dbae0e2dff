"""What a lab is made of, as plain data: machines, their interfaces, and the cables between.

A `Topology` never changes: each builder method returns a new one, so a scenario reads as one
expression and can be extended without harm to who else uses it.

    Topology("gateway")
        .switch("s1")
        .host("A", "192.168.1.10/24", default="192.168.1.1")
        .router("R", eth0="192.168.1.1/24", eth1="10.0.0.1/24")
        .host("B", "10.0.0.10/24", default="10.0.0.1")
        .link("A", "s1").link("R:eth0", "s1").link("R:eth1", "B", delay="5ms")

Node kinds: `host`; `router`, a host that forwards (net.ipv4.ip_forward and IPv6's alike);
`switch`, a machine with a bridge of its own name (`implementation`: `bridge` is Linux's, `ovs`
Open vSwitch's). Interfaces are `eth0`, `eth1`, … on hosts and `NAME-eth1`, … on switches, as
Mininet names them. Whatever is wrong is a LabError that says what to change.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.lab import daemons

KINDS = ("host", "router", "switch")
IMPLEMENTATIONS = ("bridge", "ovs")
LINK_PARAMS = ("delay", "jitter", "loss", "bandwidth", "mtu", "max_queue_size")
ROUTER_SYSCTLS = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}

_NAME = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$", re.I)
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ns|us|ms|s|)$")
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "": 1_000}  # bare: µs, as tc reads it


@dataclass(frozen=True)
class Interface:
    """A network interface of a machine: `addresses` with prefix length, `mac` "" for a made-up one."""

    name: str
    addresses: tuple[str, ...] = ()
    mac: str = ""


@dataclass(frozen=True)
class Node:
    """One machine. `routes` are the words after `ip route add`; `commands` run at start.

    `daemons` run from the start, see `daemons.py`.
    `setup(machine)` is called on the built machine; what it returns, if anything, at the end.
    """

    name: str
    kind: str = "host"
    interfaces: tuple[Interface, ...] = ()
    default: str = ""
    routes: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    daemons: tuple[str, ...] = ()
    implementation: str = "bridge"
    stp: bool = False
    setup: Any = field(default=None, compare=False, repr=False)

    def interface(self, name: str) -> Interface:
        found = self._by_name.get(name)
        if found is not None:
            return found
        raise LabError(f"{self.name} has no interface {name}")

    @cached_property
    def _by_name(self) -> dict[str, Interface]:
        return {interface.name: interface for interface in reversed(self.interfaces)}

    @property
    def all_sysctls(self) -> dict[str, str]:
        """Those of its kind and its own."""
        return {**(ROUTER_SYSCTLS if self.kind == "router" else {}), **self.sysctls}

    def ip_batch(self) -> list[str]:
        """The lines for `ip -batch` that bring its interfaces, addresses and routes about."""
        lines = []
        for interface in self.interfaces:
            lines += [
                f"addr add {address}{' brd +' if ':' not in address else ''} dev {interface.name}"
                for address in interface.addresses
            ]
            lines.append(f"link set {interface.name} up")
        for version, default in (("-4", self.default),):
            if default:
                family = "-6" if ":" in default else version
                words = default if " " in default else f"via {default}"
                lines.append(f"{family} route add default {words}".replace("-4 ", ""))
        lines += [f"{'-6 ' if ':' in route.split()[0] else ''}route add {route}" for route in self.routes]
        return lines


@dataclass(frozen=True)
class End:
    """One end of a cable."""

    node: str
    interface: str

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True)
class Link:
    """A cable. `delay`, `jitter` in ns each way; `loss` in percent; `bandwidth` in Mbit/s; 0: none."""

    a: End
    b: End
    delay: int = 0
    jitter: int = 0
    loss: float = 0.0
    bandwidth: float = 0.0
    mtu: int = 0
    max_queue_size: int = 0

    @property
    def shaped(self) -> bool:
        return bool(self.delay or self.jitter or self.loss or self.bandwidth or self.max_queue_size)


@dataclass(frozen=True)
class Topology:
    """Machines and cables, in the order in which they were named (which is the order they are built in)."""

    name: str = "lab"
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    title: str = ""

    # -- building ---------------------------------------------------------------------------
    def host(self, name: str, *addresses: str, **options: Any) -> Topology:
        """Add a host: addresses of eth0, of others by name (`eth1="10.0.0.1/24"`), and Node's fields."""
        return self._add(name, "host", addresses, options)

    def router(self, name: str, *addresses: str, **options: Any) -> Topology:
        """Add a host that forwards packets between its interfaces."""
        return self._add(name, "router", addresses, options)

    def switch(self, name: str, **options: Any) -> Topology:
        """Add a switch: a machine whose ports are in one bridge. `implementation="ovs"` for Open vSwitch."""
        return self._add(name, "switch", (), options)

    def link(self, a: str, b: str, **params: Any) -> Topology:
        """Add a cable from `a` to `b`: a node's name (its next free interface) or `NODE:INTERFACE`.

        params: delay and jitter ("5ms"), loss (percent), bandwidth (Mbit/s, also `bw`), mtu (bytes),
        max_queue_size (packets).
        """
        topology, end_a = self._plug(a)
        topology, end_b = topology._plug(b)
        return dataclasses.replace(topology, links=(*topology.links, _make_link(end_a, end_b, params)))

    def _add(self, name: str, kind: str, addresses: tuple[str, ...], options: dict[str, Any]) -> Topology:
        fields = {f.name for f in dataclasses.fields(Node)} - {"name", "kind", "interfaces"}
        interfaces = [Interface("eth0", tuple(addresses))] if addresses else []
        chosen: dict[str, Any] = {}
        for key, value in options.items():
            if key in fields:
                chosen[key] = tuple([value] if isinstance(value, str) else value) if key in (
                    "routes", "commands", "daemons"
                ) else value  # fmt: skip
            elif isinstance(value, (str, tuple, list)) and not key.startswith("_"):
                interfaces.append(Interface(key, (value,) if isinstance(value, str) else tuple(value)))
            else:
                raise LabError(
                    f"{name}: {key!r} is neither an interface with addresses nor an option of a {kind}"
                )
        node = Node(name, kind, tuple(interfaces), **chosen)
        return dataclasses.replace(self, nodes=(*self.nodes, node))

    def _plug(self, where: str) -> tuple[Topology, End]:
        """The end named by `where`, and the topology in which that interface exists."""
        name, _, wanted = where.partition(":")
        node = self.node(name)
        plugged = {end.interface for link in self.links for end in (link.a, link.b) if end.node == name}
        free = [i.name for i in node.interfaces if i.name not in plugged]
        if wanted in plugged:
            raise LabError(f"{name}: {wanted} has a cable already")
        if not wanted and free:
            wanted = free[0]
        if not wanted:
            used = {i.name for i in node.interfaces}
            pattern, number = (f"{name}-eth{{}}", 1) if node.kind == "switch" else ("eth{}", 0)
            while pattern.format(number) in used:
                number += 1
            wanted = pattern.format(number)
        if wanted not in {i.name for i in node.interfaces}:
            changed = dataclasses.replace(node, interfaces=(*node.interfaces, Interface(wanted)))
            return self.replace_node(changed), End(name, wanted)
        return self, End(name, wanted)

    def replace_node(self, changed: Node) -> Topology:
        """The same with the node of that name exchanged."""
        return dataclasses.replace(
            self, nodes=tuple(changed if node.name == changed.name else node for node in self.nodes)
        )

    # -- reading ----------------------------------------------------------------------------
    def node(self, name: str) -> Node:
        found = self._by_name.get(name)
        if found is not None:
            return found
        known = ", ".join(n.name for n in self.nodes) or "none yet"
        raise LabError(f"there is no machine {name!r} in this lab; there are: {known}")

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in reversed(self.nodes)}

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __contains__(self, name: object) -> bool:
        return any(node.name == name for node in self.nodes)

    # -- checking ---------------------------------------------------------------------------
    def completed(self) -> Topology:
        """Checked, and with a MAC for every interface: 02:00, node number, interface number."""
        self.check()
        nodes = []
        for number, node in enumerate(self.nodes, 1):
            interfaces = tuple(
                i
                if i.mac
                else dataclasses.replace(i, mac=_mac(number, k))
                for k, i in enumerate(node.interfaces, 1)
            )
            nodes.append(dataclasses.replace(node, interfaces=interfaces))
        return dataclasses.replace(self, nodes=tuple(nodes))

    def check(self) -> None:
        """Raise LabError for the first thing that is wrong."""
        if not self.nodes:
            raise LabError("a lab needs at least one machine")
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise LabError(f"two machines are named {node.name}")
            seen.add(node.name)
            _check_node(node)
        plugged: set[End] = set()
        for link in self.links:
            for end in (link.a, link.b):
                self.node(end.node).interface(end.interface)
                if end in plugged:
                    raise LabError(f"{end} has two cables")
                plugged.add(end)
        for node in self.nodes:
            for interface in node.interfaces:
                if End(node.name, interface.name) not in plugged:
                    raise LabError(f"{node.name}: {interface.name} has no cable; add a link or take it away")

    # -- files ------------------------------------------------------------------------------
    def to_data(self) -> dict[str, Any]:
        """Dictionaries and lists only, without what has its default."""
        from kubenet_course.lab import topology_file

        return topology_file.to_data(self)

    def to_yaml(self) -> str:
        """The YAML text from which `from_yaml` makes the same topology."""
        import yaml

        return str(yaml.safe_dump(self.to_data(), sort_keys=False, allow_unicode=True))

    def save(self, path: str) -> None:
        """Write a YAML file."""
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(self.to_yaml())

    @staticmethod
    def from_data(data: Any) -> Topology:
        """The inverse of `to_data`."""
        from kubenet_course.lab import topology_file

        return topology_file.from_data(data)

    @staticmethod
    def from_yaml(text: str) -> Topology:
        """The topology in a YAML text."""
        from kubenet_course.lab import topology_file

        return topology_file.from_yaml(text)

    @staticmethod
    def load(path: str) -> Topology:
        """Read a YAML file."""
        try:
            with open(path, encoding="utf-8") as handle:
                return Topology.from_yaml(handle.read())
        except OSError as error:
            raise LabError(f"{path}: {error.strerror}") from None

    @staticmethod
    def from_mininet(topo: Any) -> Topology:
        """Any Mininet Topo as it is; see `mininet_topo.py`."""
        from kubenet_course.lab.mininet_topo import from_mininet

        return from_mininet(topo)


def _mac(node: int, interface: int) -> str:
    """The address of a node's n-th interface; both count from 1, up to 65535."""
    return f"02:00:{interface >> 8:02x}:{node >> 8:02x}:{node & 255:02x}:{interface & 255:02x}"


def duration(value: Any, what: str = "a delay") -> int:
    """Nanoseconds of "5ms", "0.2s", "100us"; a bare number is microseconds, as tc reads it."""
    match = _DURATION.match(str(value).strip())
    if match is None:
        raise LabError(f"{what} is a number with ns, us, ms or s, not {value!r}")
    return round(float(match[1]) * _UNITS[match[2]])


def _make_link(a: End, b: End, params: dict[str, Any]) -> Link:
    values = dict(params)
    if "bw" in values:
        values["bandwidth"] = values.pop("bw")
    check_names(values, LINK_PARAMS, f"link {a} – {b}")
    try:
        link = Link(
            a,
            b,
            delay=duration(values.get("delay") or 0),
            jitter=duration(values.get("jitter") or 0, "a jitter"),
            loss=float(str(values.get("loss") or 0).rstrip("%")),
            bandwidth=float(values.get("bandwidth") or 0),
            mtu=int(values.get("mtu") or 0),
            max_queue_size=int(values.get("max_queue_size") or 0),
        )
    except (TypeError, ValueError) as error:
        raise LabError(f"link {a} – {b}: {error}") from None
    if not 0 <= link.loss <= 100:
        raise LabError(f"link {a} – {b}: loss is a percentage from 0 to 100, not {link.loss:g}")
    if link.bandwidth < 0 or link.mtu < 0 or (link.mtu and not 68 <= link.mtu <= 65535):
        raise LabError(f"link {a} – {b}: bandwidth must not be negative, and an mtu is 68 to 65535")
    return link


def _check_node(node: Node) -> None:
    name = node.name
    if not _NAME.match(name) or len(name) > 63:
        raise LabError(f"{name!r} cannot be a machine's name: letters, digits and - only, at most 63")
    if node.kind not in KINDS:
        raise LabError(f"{name}: a kind is one of {', '.join(KINDS)}, not {node.kind!r}")
    if node.implementation not in IMPLEMENTATIONS:
        raise LabError(f"{name}: an implementation is one of {', '.join(IMPLEMENTATIONS)}")
    for daemon in node.daemons:
        if daemon not in daemons.names():
            raise LabError(f"{name}: there is no daemon {daemon!r}; there are: {', '.join(daemons.names())}")
    names = [i.name for i in node.interfaces] + ([name] if node.kind == "switch" else [])
    for interface in names:
        if not 0 < len(interface) <= 15 or set(interface) & set("/ \t\n:") or interface in (".", ".."):
            raise LabError(
                f"{name}: {interface!r} cannot be an interface's name: at most 15 characters, no / or space"
            )
        if names.count(interface) > 1 or interface == "lo":
            raise LabError(f"{name} has two interfaces {interface}")
    for item in node.interfaces:
        if item.mac and (not _MAC.match(item.mac) or int(item.mac[:2], 16) & 1):
            raise LabError(f"{name}: {item.name}: {item.mac!r} is not an interface's MAC address")
        for address in item.addresses:
            if "/" not in address:
                raise LabError(
                    f"{name}: {item.name}: {address} needs its prefix length, such as {address}/24"
                )
            try:
                ipaddress.ip_interface(address)
            except ValueError as error:
                raise LabError(f"{name}: {item.name}: {error}") from None
    for path in node.files:
        if not path.startswith("/"):
            raise LabError(f"{name}: the file {path!r} needs its whole path, from /")


def check_names(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """LabError for the first of `given` that is not one of `known`."""
    allowed = list(known)
    for key in given:
        if key not in allowed:
            raise LabError(f"{what}: {key!r} is not known; there are: {', '.join(sorted(allowed))}")
