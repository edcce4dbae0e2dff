"""Any Mininet `Topo` as a `Topology`, with Mininet's names, addresses and defaults.

Mininet itself is not needed: a Topo is read through its own methods (`hosts`, `switches`, `links`,
`nodeInfo`), which is all that `Mininet(topo)` does too. Names are Mininet's (`h1-eth0`, `s1-eth1`),
hosts without an address get 10.0.0.1/8, 10.0.0.2/8, … in the order of `topo.hosts()`.

A node class with a `config()` of its own (such as LinuxRouter of Mininet's examples) has its
`config()` run against the finished machine, and `terminate()` at the end, on either kernel.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.lab.topology import End, Interface, Link, Node, Topology, duration

IP_BASE = ipaddress.ip_network("10.0.0.0/8")
#: Classes of Mininet itself: what their config() does, we do anyway.
_PLAIN = ("Node", "Host", "CPULimitedHost", "Switch", "LinuxBridge", "OVSSwitch", "OVSBridge",
          "OVSKernelSwitch", "UserSwitch", "IVSSwitch", "OVSBatch")  # fmt: skip
_IGNORED = frozenset(
    ("cls", "isSwitch", "ip", "mac", "defaultRoute", "inNamespace", "privateDirs", "dpid", "stp")
)


def from_mininet(topo: Any) -> Topology:
    """The same network as data; LabError if `topo` is not a Mininet Topo or cannot be had here."""
    for method in ("hosts", "switches", "links", "nodeInfo"):
        if not callable(getattr(topo, method, None)):
            raise LabError(f"a lab is made from a Topology or a Mininet Topo, not from {type(topo).__name__}")
    links = [(a, b, dict(info)) for a, b, info in topo.links(sort=True, withInfo=True)]
    ports = _ports(links)
    nodes = [
        _host(name, number, dict(topo.nodeInfo(name)), ports.get(name, {}))
        for number, name in enumerate(topo.hosts(), 1)
    ]
    nodes += [_switch(name, dict(topo.nodeInfo(name)), ports.get(name, {})) for name in topo.switches()]
    made = tuple(_link(a, b, info) for a, b, info in links)
    return Topology(type(topo).__name__, tuple(nodes), made)


def _intf_name(node: str, port: int, info: dict[str, Any], number: int) -> str:
    return str(info.get(f"intfName{number}") or f"{node}-eth{port}")


def _ports(links: list[tuple[str, str, dict[str, Any]]]) -> dict[str, dict[int, Interface]]:
    """Node → port number → interface, with the addresses that a link's params give."""
    ports: dict[str, dict[int, Interface]] = {}
    for a, b, info in links:
        for number, name in ((1, a), (2, b)):
            params = dict(info.get(f"params{number}") or {})
            mac = params.get("mac") or info.get(f"addr{number}") or ""
            port = info[f"port{number}"]
            addresses = (_with_prefix(params["ip"]),) if params.get("ip") else ()
            ports.setdefault(name, {})[port] = Interface(_intf_name(name, port, info, number), addresses, mac)
    return ports


def _host(name: str, number: int, info: dict[str, Any], ports: dict[int, Interface]) -> Node:
    interfaces = [ports[port] for port in sorted(ports)]
    ip = info.get("ip", f"{IP_BASE.network_address + number}/{IP_BASE.prefixlen}")
    if interfaces:
        first = interfaces[0]
        # Node.config sets its ip on the default interface last, in place of the link's own.
        addresses = (_with_prefix(ip),) if ip else first.addresses
        interfaces[0] = dataclasses.replace(first, addresses=addresses, mac=info.get("mac") or first.mac)
    cls = info.get("cls")
    return Node(
        name,
        interfaces=tuple(interfaces),
        default=_default_route(info.get("defaultRoute")),
        setup=_setup(name, cls, info) if _has_own_config(cls) else None,
    )


def _switch(name: str, info: dict[str, Any], ports: dict[int, Interface]) -> Node:
    cls = info.get("cls")
    ovs = cls is not None and any(base.__name__.startswith("OVS") for base in cls.__mro__)
    return Node(
        name,
        kind="switch",
        interfaces=tuple(ports[port] for port in sorted(ports)),
        implementation="ovs" if ovs else "bridge",
        stp=bool(info.get("stp")),
        setup=_setup(name, cls, info) if _has_own_config(cls) else None,
    )


def _link(a: str, b: str, info: dict[str, Any]) -> Link:
    return Link(
        End(a, _intf_name(a, info["port1"], info, 1)),
        End(b, _intf_name(b, info["port2"], info, 2)),
        delay=duration(info.get("delay") or 0),
        jitter=duration(info.get("jitter") or 0, "a jitter"),
        loss=float(info.get("loss") or 0),
        bandwidth=float(info.get("bw") or 0),
        max_queue_size=int(info.get("max_queue_size") or 0),
    )


def _with_prefix(ip: str) -> str:
    """As Mininet's Intf.setIP: an address without prefix length gets /8."""
    return ip if "/" in ip else f"{ip}/8"


def _default_route(value: Any) -> str:
    """Node.setDefaultRoute: words for `ip route add default`, or an interface's name."""
    if not value:
        return ""
    text = str(value)
    return text if " " in text else f"dev {text}"


# -- node classes -----------------------------------------------------------------------------
def _has_own_config(cls: Any) -> bool:
    """Whether any class above Mininet's own defines config()."""
    if cls is None:
        return False
    return any("config" in vars(base) for base in cls.__mro__ if base.__name__ not in (*_PLAIN, "object"))


def _setup(name: str, cls: Any, info: dict[str, Any]) -> Any:
    params = {key: value for key, value in info.items() if key not in _IGNORED}

    def setup(machine: Any) -> Any:
        return run_config(cls, name, machine, params)

    return setup


def run_config(cls: Any, name: str, machine: Any, params: dict[str, Any]) -> Any:
    """Run `cls.config(**params)` so that its `self.cmd(…)` reaches `machine`; its bound `terminate`.

    The object is of a class derived from `cls` whose constructor starts no shell, and whose methods
    that would touch a process go to the machine. What Mininet's own `config` sets (mac, ip, default
    route) is left to the topology: it gets those parameters as None, as for a host without interfaces.
    """

    def cmd(self: Any, *words: Any, **_: Any) -> str:
        parts = words[0] if len(words) == 1 and isinstance(words[0], (list, tuple)) else words
        return str(machine.cmd(" ".join(str(part) for part in parts)))

    def init(self: Any, *_: Any, **__: Any) -> None:
        self.name = name
        self.params = dict(params)
        self.intfs, self.ports, self.nameToIntf = {}, {}, {}
        self.inNamespace, self.shell, self.waiting = True, None, False
        self.privateDirs = []

    stand_in = type(cls.__name__, (cls,), {"__init__": init, "cmd": cmd, "cmdPrint": cmd, "pexec": cmd})
    node = stand_in()
    try:
        node.config(**{**params, "ip": None, "mac": None, "defaultRoute": None})
    except Exception as error:  # noqa: BLE001 — the learner's class, named in the message
        raise LabError(f"{name}: {cls.__name__}.config() failed: {type(error).__name__}: {error}") from error
    return node.terminate
