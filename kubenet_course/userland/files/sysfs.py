"""/sys: /sys/class/net with a directory a device, as the asking process' network namespace has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EINVAL, ENODEV
from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import (
    Directory,
    Node,
    Symlink,
    UnreadDirectory,
    VirtualDirectory,
    VirtualFile,
    VirtualSymlink,
)

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileTree
    from kubenet_course.userland.process import Process

PORT_STATES = {"disabled": 0, "listening": 1, "learning": 2, "forwarding": 3, "blocking": 4}
STATISTICS = (
    "collisions multicast rx_bytes rx_compressed rx_crc_errors rx_dropped rx_errors rx_fifo_errors "
    "rx_frame_errors "
    "rx_length_errors rx_missed_errors rx_nohandler rx_over_errors rx_packets tx_aborted_errors tx_bytes "
    "tx_carrier_errors tx_compressed tx_dropped tx_errors tx_fifo_errors tx_heartbeat_errors tx_packets "
    "tx_window_errors"
).split()
JIFFY = 10_000_000
Read = Callable[[], object]
Write = Callable[[str], object]


SUBSYSTEMS = ("block", "bus", "class", "dev", "devices", "firmware", "fs", "kernel", "module", "power")


def root(tree: FileTree) -> Directory:
    """The directory /sys."""
    return UnreadDirectory(0o755, 0, 2 + len(SUBSYSTEMS), lambda: _root(tree).entries)


def _root(tree: FileTree) -> Directory:

    def net_of(proc: Process | None) -> Any:
        return proc.net if proc is not None else tree.system.host.init_net

    def device(name: str, proc: Process | None) -> Node | None:
        dev = net_of(proc).devices.get(name)
        return _device(dev) if dev is not None else None

    def link(name: str, proc: Process | None) -> Node | None:
        return Symlink(f"../../devices/virtual/net/{name}") if name in net_of(proc).devices else None

    def names(proc: Process | None) -> list[str]:
        return list(net_of(proc).devices)

    devices = VirtualDirectory(names, device, 0o755)
    classes = VirtualDirectory(names, link, 0o755)
    return _tree(
        {
            **dict.fromkeys(SUBSYSTEMS, {}),
            "class": {"net": classes},
            "devices": {"virtual": {"net": devices}},
            "fs": {"cgroup": {}},
        }
    )


def _tree(entries: dict[str, Any]) -> Directory:
    directory = Directory(0o755)
    for name, entry in entries.items():
        directory.entries[name] = entry if isinstance(entry, Node) else _tree(entry)
    directory.nlink = 2 + sum(isinstance(node, Directory) for node in directory.entries.values())
    return directory


class _Attribute(VirtualFile):
    """One value a file; 4096 bytes long as all of sysfs."""

    __slots__ = ()

    def size(self, proc: Process | None) -> int:
        return 4096


def _file(read: Read | None, write: Write | None = None) -> Node:
    mode = (0o444 if read else 0) | (0o200 if write else 0)
    return _Attribute(
        (lambda proc: f"{read()}\n".encode() if read() != "" else b"") if read else None,
        (lambda proc, data: write(data.decode("utf-8", "replace").strip())) if write else None,
        mode,
    )


def _folder(entries: dict[str, Node]) -> Directory:
    return VirtualDirectory(lambda proc: entries, lambda name, proc: entries.get(name), 0o755)


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise KernelError(EINVAL) from None


def flag_bits(dev: Any) -> int:
    """IFF_* as /sys/class/net/DEV/flags shows them."""
    bits = 0x1 if dev.up else 0
    words = dev.flags
    for word, bit in (("BROADCAST", 0x2), ("LOOPBACK", 0x8), ("POINTOPOINT", 0x10), ("NOARP", 0x80),
        ("MASTER", 0x400),
                      ("MULTICAST", 0x1000)):  # fmt: skip
        bits |= bit if word in words else 0
    bits |= 0x100 if dev.promiscuity else 0
    bits |= 0x200 if dev.allmulti or dev.master is not None and dev.port is not None else 0
    return bits


def _iflink(dev: Any) -> int:
    link = dev.iflink()
    return link[1] if link is not None else dev.ifindex


def _refuse_speed(dev: Any) -> object:
    if dev.is_loopback:
        raise KernelError(EINVAL)
    return "10000"


def _duplex(dev: Any) -> object:
    if dev.is_loopback:
        raise KernelError(EINVAL)
    return "full" if dev.kind == "veth" else "unknown"


def _carrier(dev: Any) -> object:
    if not dev.up:
        raise KernelError(EINVAL)
    return int(dev.carrier)


def _set_flags(dev: Any, text: str) -> None:
    if _number(text) & 1:
        dev.set_up()
    else:
        dev.set_down()


def _set(dev: Any, name: str, convert: Callable[[str], object]) -> Write:
    def write(text: str) -> None:
        setattr(dev, name, convert(text))

    return write


def _uevent(dev: Any) -> str:
    kind = f"DEVTYPE={dev.kind}\n" if dev.kind in ("bridge", "vlan", "vxlan", "bond") else ""
    return f"{kind}INTERFACE={dev.name}\nIFINDEX={dev.ifindex}"


def _device(dev: Any) -> Directory:
    """/sys/devices/virtual/net/DEV."""
    ups = dev.carrier_changes // 2
    loopback = dev.is_loopback
    entries: dict[str, Node] = {
        "addr_assign_type": _file(lambda: 0 if loopback else 3 if dev.mac_set else 1),
        "addr_len": _file(lambda: 6),
        "address": _file(lambda: dev.mac),
        "broadcast": _file(lambda: dev.broadcast),
        "carrier": _file(lambda: _carrier(dev)),
        "carrier_changes": _file(lambda: dev.carrier_changes),
        "carrier_down_count": _file(lambda: dev.carrier_changes - ups),
        "carrier_up_count": _file(lambda: ups),
        "dev_id": _file(lambda: "0x0"),
        "dev_port": _file(lambda: 0),
        "dormant": _file(lambda: 0),
        "duplex": _file(lambda: _duplex(dev)),
        "flags": _file(lambda: f"0x{flag_bits(dev):x}", lambda text: _set_flags(dev, text)),
        "ifalias": _file(lambda: dev.alias, _set(dev, "alias", str)),
        "ifindex": _file(lambda: dev.ifindex),
        "iflink": _file(lambda: _iflink(dev)),
        "link_mode": _file(lambda: 0),
        "mtu": _file(lambda: dev.mtu, lambda text: dev.set_mtu(_number(text))),
        "name_assign_type": _file(lambda: 2 if loopback else 3),
        "netdev_group": _file(lambda: dev.group, _set(dev, "group", _number)),
        "operstate": _file(lambda: dev.operstate.lower()),
        "proto_down": _file(lambda: 0),
        "queues": _folder({"rx-0": _folder({}), "tx-0": _folder({})}),
        "speed": _file(lambda: _refuse_speed(dev)),
        "statistics": _folder({name: _statistic(dev, name) for name in STATISTICS}),
        "subsystem": Symlink("../../../../class/net"),
        "testing": _file(lambda: 0),
        "tx_queue_len": _file(lambda: dev.qlen, _set(dev, "qlen", _number)),
        "type": _file(lambda: 772 if loopback else 1),
        "uevent": _file(lambda: _uevent(dev)),
    }
    if dev.master is not None:
        entries["master"] = VirtualSymlink(lambda proc: f"../{dev.master.name}")
        entries[f"upper_{dev.master.name}"] = Symlink(f"../{dev.master.name}")
    for upper in dev.uppers:
        entries[f"upper_{upper.name}"] = Symlink(f"../{upper.name}")
    link = dev.iflink()
    if link is not None and link[0] is dev.net and dev.kind != "veth":
        lower = dev.net.by_index.get(link[1])
        if lower is not None:
            entries[f"lower_{lower.name}"] = Symlink(f"../{lower.name}")
    if dev.kind == "bridge":
        entries["bridge"] = _folder(_bridge(dev))
        entries["brif"] = _folder({port.name: Symlink(f"../../{port.name}/brport") for port in dev.ports})
        for port in dev.ports:
            entries[f"lower_{port.name}"] = Symlink(f"../{port.name}")
    if dev.port is not None and dev.master is not None and dev.master.kind == "bridge":
        entries["brport"] = _folder(_port(dev))
    return _folder(entries)


def _statistic(dev: Any, name: str) -> Node:
    attribute = {"multicast": "rx_multicast"}.get(name, name)
    return _file(lambda: getattr(dev, attribute, 0))


def _bridge_id(bridge: Any) -> str:
    return f"{bridge.priority:04x}.{int(bridge.mac):012x}"


def _boolean(text: str) -> bool:
    return bool(_number(text))


def _bridge(bridge: Any) -> dict[str, Node]:
    """/sys/class/net/BRIDGE/bridge (net/bridge/br_sysfs_br.c); times in hundredths of a second."""

    def span(name: str) -> Node:
        return _file(
            lambda: getattr(bridge, name) // JIFFY, lambda text: setattr(bridge, name, _number(text) * JIFFY)
        )

    def flag(name: str) -> Node:
        return _file(lambda: int(getattr(bridge, name)), _set(bridge, name, _boolean))

    def flush(text: str) -> None:
        for key in [key for key, entry in bridge.fdb.items() if not entry.local and not entry.static]:
            del bridge.fdb[key]

    return {
        "ageing_time": span("ageing_time"),
        "bridge_id": _file(lambda: _bridge_id(bridge)),
        "default_pvid": _file(lambda: bridge.vlan_default_pvid),
        "flush": _file(None, flush),
        "forward_delay": span("forward_delay"),
        "group_addr": _file(lambda: "01:80:c2:00:00:00"),
        "group_fwd_mask": _file(lambda: f"0x{bridge.group_fwd_mask:x}"),
        "hello_time": span("hello_time"),
        "max_age": span("max_age"),
        "multicast_snooping": flag("mcast_snooping"),
        "nf_call_arptables": flag("nf_call_arptables"),
        "nf_call_ip6tables": flag("nf_call_ip6tables"),
        "nf_call_iptables": flag("nf_call_iptables"),
        "priority": _file(lambda: bridge.priority, _set(bridge, "priority", _number)),
        "root_id": _file(lambda: _bridge_id(bridge)),
        "root_path_cost": _file(lambda: 0),
        "root_port": _file(lambda: 0),
        "stp_state": flag("stp"),
        "topology_change": _file(lambda: 0),
        "vlan_filtering": flag("vlan_filtering"),
    }


def _port(dev: Any) -> dict[str, Node]:
    """/sys/class/net/DEV/brport (net/bridge/br_sysfs_if.c)."""
    port = dev.port

    def flag(name: str) -> Node:
        return _file(lambda: int(getattr(port, name)), _set(port, name, _boolean))

    def check() -> Any:
        if dev.master is None:
            raise KernelError(ENODEV)
        return dev.master

    return {
        "bpdu_guard": flag("guard"),
        "bridge": VirtualSymlink(lambda proc: f"../../{check().name}"),
        "broadcast_flood": flag("bcast_flood"),
        "designated_bridge": _file(lambda: _bridge_id(check())),
        "designated_cost": _file(lambda: 0),
        "designated_port": _file(lambda: 0x8000 | port.number),
        "designated_root": _file(lambda: _bridge_id(check())),
        "hairpin_mode": flag("hairpin"),
        "isolated": flag("isolated"),
        "learning": flag("learning"),
        "multicast_fast_leave": flag("fastleave"),
        "multicast_flood": flag("mcast_flood"),
        "neigh_suppress": flag("neigh_suppress"),
        "path_cost": _file(lambda: port.cost, _set(port, "cost", _number)),
        "port_id": _file(lambda: f"0x{0x8000 | port.number:x}"),
        "port_no": _file(lambda: f"0x{port.number:x}"),
        "priority": _file(lambda: port.priority, _set(port, "priority", _number)),
        "proxyarp": flag("proxy_arp"),
        "root_block": flag("root_block"),
        "state": _file(lambda: PORT_STATES.get(port.state, 0)),
        "unicast_flood": flag("flood"),
    }
