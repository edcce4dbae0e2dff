"""Requests about links as the kernel takes them: RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK (net/core/rtnetlink.c).

`ip`, `bridge`, `brctl` and `ifconfig` come here; so the order of checks and the words of refusal are in one place.
A device kind is found by its name among the files of `kernel/devices/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.registry import discover
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

IFNAMSIZ = 16


@dataclass
class LinkRequest:
    """What one netlink message says of a link; None means that it says nothing about it.

    `flags` maps a flag word (UP, PROMISC, ALLMULTI, MULTICAST, NOARP, DYNAMIC) to on or off. `kind_data` are the
    kind's own attributes, `port_kind`/`port_data` those of its master's port (``type bridge_slave``).
    """

    name: str | None = None
    new_name: str | None = None
    kind: str | None = None
    kind_data: dict[str, Any] | None = None
    port_kind: str | None = None
    port_data: dict[str, Any] | None = None
    link: NetDevice | None = None
    link_given: bool = False
    index: int = 0
    mac: bytes | None = None
    broadcast: bytes | None = None
    mtu: int | None = None
    qlen: int | None = None
    net: NetNamespace | None = None
    master: NetDevice | None = None
    nomaster: bool = False
    alias: str | None = None
    group: int | None = None
    mode: str | None = None
    addrgenmode: str | None = None
    queues: tuple[int | None, int | None] = (None, None)
    carrier: bool | None = None
    protodown: bool | None = None
    operstate: str | None = None
    #: Something was said of a virtual function.
    vf: bool = False
    flags: dict[str, bool] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


@lru_cache(1)
def _kinds() -> tuple[tuple[str, type[NetDevice]], ...]:
    found: dict[str, type[NetDevice]] = {}
    for module in discover("kubenet_course.kernel.devices").values():
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, NetDevice) and thing.__module__ == module.__name__:
                kind = thing.__dict__.get("kind")
                if kind and hasattr(thing, "newlink"):
                    found[kind] = thing
    return tuple(found.items())


def device_kind(kind: str) -> type[NetDevice] | None:
    """The class of ``type KIND``, None where the kernel has no such driver."""
    return dict(_kinds()).get(kind)


def check_name(name: str) -> None:
    """The netlink policy of IFLA_IFNAME, and dev_valid_name()."""
    if len(name.encode("utf-8", "surrogateescape")) >= IFNAMSIZ:
        raise KernelError(errno.ERANGE, "Attribute failed policy validation")
    if not name or name in (".", "..") or any(char in "/:" or char.isspace() for char in name):
        raise KernelError(errno.EINVAL)


def check_address(wanted: LinkRequest) -> None:
    """What every kind's validate() says of IFLA_ADDRESS."""
    if wanted.mac is not None and len(wanted.mac) != 6:
        raise KernelError(errno.EINVAL)
    if wanted.mac is not None and (wanted.mac[0] & 1 or not any(wanted.mac)):
        raise KernelError(errno.EADDRNOTAVAIL)


def taken(net: NetNamespace, name: str) -> bool:
    """netdev_name_in_use(): by a name or an alternative name."""
    return name in net.devices or any(name in dev.altnames for dev in net.devices.values())


def new_link(net: NetNamespace, wanted: LinkRequest) -> NetDevice:
    """rtnl_newlink() with NLM_F_CREATE | NLM_F_EXCL."""
    target = wanted.net or net
    if wanted.name is not None:
        if len(wanted.name.encode("utf-8", "surrogateescape")) >= IFNAMSIZ:
            raise KernelError(errno.ERANGE, "Attribute failed policy validation")
    kind = device_kind(wanted.kind or "")
    if kind is not None:
        check_address(wanted)
        validate: Any = getattr(kind, "validate", None)
        if validate is not None:
            validate(wanted)
    if wanted.index in target.by_index if wanted.index else wanted.name is not None and taken(target, wanted.name):
        raise KernelError(errno.EEXIST)
    if kind is None:
        raise KernelError(errno.EOPNOTSUPP, "Unknown device type")
    name = wanted.name
    if name is None:
        name = target.free_name(f"{wanted.kind}%d")
    elif "%d" in name:
        name = target.free_name(name)
    if wanted.name is not None:
        check_name(name)
    if wanted.name is not None and taken(target, name):
        raise KernelError(errno.EEXIST)
    mac = MacAddress.decode(wanted.mac) if wanted.mac is not None else None
    if wanted.mtu is not None:
        check_mtu(kind, wanted.mtu)
    make: Any = kind
    data = wanted.kind_data or {}
    if wanted.kind == "veth":
        # The other end belongs to the namespace that asked, unless it names one itself.
        peer = data.get("peer") or LinkRequest()
        peer.net = peer.net or net
        data = {**data, "peer": peer, "index": wanted.index}
    dev: NetDevice = make.newlink(target, name, data, wanted.link, mac)
    if not dev.ifindex:
        target.add_device(dev, wanted.index)
    try:
        configure(dev, wanted)
    except KernelError:
        dev.unregister()
        raise
    return dev


def has_ipv6(dev: NetDevice) -> bool:
    """Whether IPv6 keeps anything for the device: not below its smallest MTU."""
    return dev in dev.net.ipv6.devices and dev.mtu >= 1280


def check_mtu(kind: type[NetDevice], mtu: int) -> None:
    """dev_validate_mtu()."""
    if mtu < kind.min_mtu:
        raise KernelError(errno.EINVAL, "mtu less than device minimum")
    if kind.max_mtu and mtu > kind.max_mtu:
        raise KernelError(errno.EINVAL, "mtu greater than device maximum")


def configure(dev: NetDevice, wanted: LinkRequest) -> None:
    """What rtnl_create_link() and rtnl_configure_link() apply to a new device."""
    if wanted.mtu is not None:
        dev.begin_mtu(wanted.mtu)
    if wanted.broadcast is not None:
        dev.broadcast = MacAddress.decode(wanted.broadcast)
    if wanted.qlen is not None:
        dev.qlen = wanted.qlen
    if wanted.group is not None:
        dev.group = wanted.group
    for number, attribute in zip(wanted.queues, ("num_tx_queues", "num_rx_queues")):
        if number is not None:
            if not 1 <= number <= 4096:
                raise KernelError(errno.EINVAL, "Invalid number of transmit queues")
            setattr(dev, attribute, number)
    if wanted.addrgenmode is not None:
        dev.addrgenmode = wanted.addrgenmode
    if wanted.master is not None:
        set_master(dev, wanted.master)
    change_flags(dev, wanted.flags)


def set_link(net: NetNamespace, dev: NetDevice, wanted: LinkRequest) -> None:
    """do_setlink(): in the kernel's order; what came before a refusal stays done."""
    if wanted.new_name is not None and len(wanted.new_name.encode()) >= IFNAMSIZ:
        raise KernelError(errno.ERANGE, "Attribute failed policy validation")
    new_name = wanted.new_name
    if wanted.net is not None:
        move(dev, wanted.net, new_name)
        new_name = None
    if wanted.mac is not None:
        if len(wanted.mac) < 6:
            raise KernelError(errno.EINVAL)
        dev.set_mac(MacAddress.decode(wanted.mac))
    if wanted.mtu is not None:
        dev.set_mtu(wanted.mtu)
    if wanted.group is not None:
        dev.group = wanted.group
    if new_name is not None and new_name != dev.name:
        rename(dev, new_name)
    if wanted.alias is not None:
        dev.alias = wanted.alias
    if wanted.broadcast is not None:
        dev.broadcast = MacAddress.decode(wanted.broadcast)
    if wanted.nomaster:
        set_master(dev, None)
    elif wanted.master is not None:
        set_master(dev, wanted.master)
    change_flags(dev, wanted.flags)
    if wanted.carrier is not None:
        raise KernelError(errno.EOPNOTSUPP)
    if wanted.qlen is not None:
        dev.qlen = wanted.qlen
    if wanted.mode is not None:
        dev.linkmode = wanted.mode
    if wanted.operstate is not None:
        set_operstate(dev, wanted.operstate)
    if wanted.addrgenmode is not None:
        if not has_ipv6(dev):
            raise KernelError(errno.EAFNOSUPPORT)
        dev.addrgenmode = wanted.addrgenmode
    for key, size in wanted.sizes.items():
        setattr(dev, key, size)
    if wanted.vf:
        raise KernelError(errno.EOPNOTSUPP)
    if wanted.protodown is not None:
        if not dev.can_proto_down:
            raise KernelError(errno.EOPNOTSUPP, "Protodown not supported by device")
        dev.set_carrier(not wanted.protodown)
        dev.proto_down = wanted.protodown
    _change_kind(dev, wanted)
    told = (wanted.group, wanted.alias, wanted.mode, wanted.operstate, wanted.addrgenmode, wanted.protodown, wanted.port_kind)
    if any(item is not None for item in told):  # DO_SETLINK_NOTIFY
        state_change(dev)
    if wanted.nomaster or any(item is not None for item in (*told, wanted.mac, wanted.mtu, wanted.qlen, wanted.master)):
        dev.net.rtnl_notify("link", dev)


def state_change(dev: NetDevice) -> None:
    """netdev_state_change(): NETDEV_CHANGE, at which a bridge looks at its port's carrier again."""
    changed: Any = getattr(dev.master, "port_changed", None)
    if changed is not None and dev.running:
        changed(dev)


def set_operstate(dev: NetDevice, wanted: str) -> None:
    """set_operstate(): an administrator moves a device between unknown, dormant and up only."""
    if wanted == "UP" and dev.stored_operstate in ("DORMANT", "TESTING", "UNKNOWN") and dev.linkmode != "DORMANT":
        dev.stored_operstate = "UP"
    elif wanted in ("DORMANT", "TESTING") and dev.stored_operstate in ("UP", "UNKNOWN"):
        dev.stored_operstate = wanted


def _change_kind(dev: NetDevice, wanted: LinkRequest) -> None:
    """The part of __rtnl_newlink() for a device that exists: its kind's and its port's own settings."""
    if wanted.port_kind is not None:
        master = dev.master
        if master is None or f"{master.kind}_slave" != wanted.port_kind:
            raise KernelError(errno.EOPNOTSUPP)
        change: Any = dev.port
        change.change(wanted.port_data or {})
    if wanted.kind is not None and wanted.kind_data:
        if wanted.kind != dev.kind:
            raise KernelError(errno.EOPNOTSUPP)
        changelink = getattr(dev, "changelink", None)
        if changelink is None:
            raise KernelError(errno.EOPNOTSUPP)
        changelink(wanted.kind_data or {})


def move(dev: NetDevice, net: NetNamespace, new_name: str | None = None) -> None:
    """__dev_change_net_namespace()."""
    if net is dev.net:
        if new_name is not None and new_name != dev.name:
            rename(dev, new_name)
        return
    if not dev.can_move():
        raise KernelError(errno.EINVAL, "The interface netns is immutable")
    name = new_name or dev.name
    if taken(net, name):
        raise KernelError(errno.EEXIST, "" if new_name else "An interface with the same name exists in the target netns")
    for altname in dev.altnames:
        if taken(net, altname):
            raise KernelError(errno.EEXIST, "An interface with the same altname exists in the target netns")
    old = dev.net
    for upper in list(dev.uppers):  # NETDEV_UNREGISTER, at which a vxlan device goes, and most others stay
        left: Any = getattr(upper, "lower_left", None)
        if left is not None:
            left()
    dev.change_net(net, new_name)
    old.nsid_of(net)


def rename(dev: NetDevice, name: str) -> None:
    """dev_change_name()."""
    if "%d" in name:
        name = dev.net.free_name(name)
    check_name(name)
    if taken(dev.net, name):
        raise KernelError(errno.EEXIST)
    dev.net.rename_device(dev, name)


def set_master(dev: NetDevice, master: NetDevice | None) -> None:
    """do_set_master(): out of the old one, then into the new."""
    if dev.master is not None:
        if dev.master is master:
            return
        release: Any = dev.master
        release.release_port(dev)
    if master is not None:
        add: Any = getattr(master, "add_port", None)
        if add is None:
            raise KernelError(errno.EOPNOTSUPP)
        add(dev)


def change_flags(dev: NetDevice, flags: dict[str, bool]) -> None:
    """__dev_change_flags(): flags other than UP first, then open or close."""
    before = (dev.noarp, dev.multicast, dev.notrailers, dev.dynamic)
    if "NOARP" in flags and flags["NOARP"] != dev.noarp:
        dev.noarp = flags["NOARP"]
        dev.net.arp.flush_device(dev)  # arp_netdev_event() and ndisc_netdev_event(): neigh_changeaddr()
        dev.net.nd.flush_device(dev)
    if "MULTICAST" in flags:
        dev.multicast = flags["MULTICAST"]
    if "NOTRAILERS" in flags:
        dev.notrailers = flags["NOTRAILERS"]
    if "DYNAMIC" in flags:
        dev.dynamic = flags["DYNAMIC"]
    if "UP" in flags:
        if flags["UP"]:
            dev.set_up()
        else:
            dev.set_down()
    if "PROMISC" in flags and flags["PROMISC"] != dev.promisc_user:
        dev.promisc_user = flags["PROMISC"]
        dev.promiscuity += 1 if dev.promisc_user else -1
    if "ALLMULTI" in flags and flags["ALLMULTI"] != dev.allmulti_user:
        dev.allmulti_user = flags["ALLMULTI"]
        dev.allmulti += 1 if dev.allmulti_user else -1
    if before != (dev.noarp, dev.multicast, dev.notrailers, dev.dynamic):
        state_change(dev)


def delete_link(net: NetNamespace, dev: NetDevice) -> None:
    """rtnl_dellink(): devices without a driver's dellink (lo, hardware) refuse."""
    if dev.kind is None or device_kind(dev.kind) is None:
        raise KernelError(errno.EOPNOTSUPP)
    dev.unregister()


def delete_group(net: NetNamespace, group: int) -> None:
    """rtnl_group_dellink()."""
    members = [dev for dev in net.devices.values() if dev.group == group]
    if not group:
        raise KernelError(errno.EPERM)
    if any(dev.kind is None for dev in members):
        raise KernelError(errno.EOPNOTSUPP)
    if not members:
        raise KernelError(errno.ENODEV)
    for dev in members:
        dev.unregister()


def add_altname(dev: NetDevice, name: str) -> None:
    """netdev_name_node_alt_create()."""
    if taken(dev.net, name):
        raise KernelError(errno.EEXIST)
    dev.altnames = (*dev.altnames, name)
    state_change(dev)


def delete_altname(dev: NetDevice, name: str) -> None:
    """netdev_name_node_alt_destroy()."""
    if name not in dev.altnames:  # another device's, or one that it is called by
        raise KernelError(errno.EINVAL if taken(dev.net, name) else errno.ENOENT)
    dev.altnames = tuple(other for other in dev.altnames if other != name)
    state_change(dev)
