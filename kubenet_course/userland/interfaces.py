"""Interfaces as net-tools shows them, for `ifconfig` and `netstat -i` (lib/interface.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.inet.devinet import InetAddress
from kubenet_course.kernel.netns import NetNamespace
from kubenet_course.wire.addresses import IPv4Address, prefix_mask

#: Flag bits in the order ifconfig prints their words.
FLAG_WORDS = (
    (0x1, "UP"), (0x2, "BROADCAST"), (0x4, "DEBUG"), (0x8, "LOOPBACK"), (0x10, "POINTOPOINT"), (0x20, "NOTRAILERS"),
    (0x40, "RUNNING"), (0x80, "NOARP"), (0x100, "PROMISC"), (0x200, "ALLMULTI"), (0x800, "SLAVE"), (0x400, "MASTER"),
    (0x1000, "MULTICAST"),
)  # fmt: skip
SCOPES6 = {0: "global", 0x10: "host", 0x20: "link", 0x40: "site"}
TABLE_HEAD = "Iface{gap}MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg"


class Named(NamedTuple):
    """A device, or one of its addresses under a label of its own (``eth0:1``)."""

    name: str
    dev: NetDevice
    address: InetAddress | None

    @property
    def is_alias(self) -> bool:
        return ":" in self.name


def named(net: NetNamespace, *, every: bool) -> Iterator[Named]:
    """Devices by name, each followed by its labelled addresses; `every`: those that are down too."""
    for dev in sorted(net.devices.values(), key=lambda dev: dev.name):
        if not dev.up and not every:
            continue
        yield Named(dev.name, dev, labelled(net, dev, dev.name))
        seen = {dev.name}
        for address in net.ipv4.device_addresses(dev):
            if address.label not in seen:
                seen.add(address.label)
                yield Named(address.label, dev, address)


def labelled(net: NetNamespace, dev: NetDevice, label: str) -> InetAddress | None:
    """The first address with a label, which is the one that ioctls see."""
    return next((a for a in net.ipv4.device_addresses(dev) if a.label == label), None)


def find(net: NetNamespace, name: str) -> Named | None:
    """By name or label; a label that is not there yet has no address."""
    dev = net.devices.get(name) or net.devices.get(name.partition(":")[0])
    return Named(name, dev, labelled(net, dev, name)) if dev is not None else None


def flag_bits(dev: NetDevice) -> int:
    """SIOCGIFFLAGS."""
    words = set(dev.flags)
    if dev.running:
        words.add("RUNNING")
    return sum(bit for bit, word in FLAG_WORDS if word in words)


def size_text(count: int) -> str:
    """``516.0 B``, ``1.2 KiB``: a byte count as ifconfig rounds it."""
    for limit, unit in (
        (1 << 60, "EiB"),
        (1 << 50, "PiB"),
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ):
        if count > limit:
            whole, rest = divmod(count * 10 // limit, 10)
            return f"{whole}.{rest} {unit}"
    return f"{count}.0 B"


def long_form(net: NetNamespace, row: Named) -> str:
    """The paragraph of one interface (ife_print_long)."""
    dev = row.dev
    bits = flag_bits(dev)
    words = ",".join(word for bit, word in FLAG_WORDS if bits & bit)
    lines = [f"{row.name}: flags={bits}<{words}>  mtu {dev.mtu}"]
    if row.address is not None:
        address = row.address
        mask = IPv4Address(prefix_mask(32, address.prefixlen))
        line = f"        inet {address.local}  netmask {mask}"
        if bits & 0x10:
            line += f"  destination {address.peer}"
        elif bits & 0x2:
            line += f"  broadcast {address.broadcast if address.broadcast is not None else '0.0.0.0'}"
        lines.append(line)
    if not row.is_alias:
        for six in net.ipv6.addresses.get(dev, ()):
            scope = 0x10 if six.local.is_loopback else 0x20 if six.local.is_link_local else 0
            lines.append(
                f"        inet6 {six.local}  prefixlen {six.prefixlen}  scopeid {scope:#x}<{SCOPES6[scope]}>"
            )
    kind = "loop" if dev.is_loopback else "ether"
    title = "Local Loopback" if dev.is_loopback else "Ethernet"
    if dev.noarp and dev.header_length == 0:
        lines.append(
            f"        unspec 00-00-00-00-00-00-00-00-00-00-00-00-00-00-00-00  txqueuelen {dev.qlen}  (UNSPEC)"
        )
    else:
        lines.append(
            f"        {kind}{'' if dev.is_loopback else f' {dev.mac}'}  txqueuelen {dev.qlen}  ({title})"
        )
    if not row.is_alias:
        lines += [
            f"        RX packets {dev.rx_packets}  bytes {dev.rx_bytes} ({size_text(dev.rx_bytes)})",
            f"        RX errors {dev.rx_errors}  dropped {dev.rx_dropped}  overruns 0  frame 0",
            f"        TX packets {dev.tx_packets}  bytes {dev.tx_bytes} ({size_text(dev.tx_bytes)})",
            f"        TX errors {dev.tx_errors}  dropped {dev.tx_dropped} overruns 0  carrier {dev.tx_carrier_errors}  collisions {dev.collisions}",  # noqa: E501
        ]
    return "\n".join(lines) + "\n"


def table_row(row: Named) -> str:
    """One line of `ifconfig -s` and `netstat -i` (ife_print_short)."""
    dev = row.dev
    if row.is_alias:
        numbers = "     - no statistics available -                        "
    else:
        numbers = f"{dev.rx_packets:8} {dev.rx_errors:6} {dev.rx_dropped:6} {0:<6}{dev.tx_packets:9} {dev.tx_errors:6} {dev.tx_dropped:6} {0:6} "  # noqa: E501
    bits = flag_bits(dev)
    letters = (
        (0x200, "A"),
        (0x2, "B"),
        (0x4, "D"),
        (0x8, "L"),
        (0x1000, "M"),
        (0x100, "P"),
        (0x20, "N"),
        (0x80, "O"),
        (0x10, "p"),
        (0x40, "R"),
        (0x800, "s"),
        (0x1, "U"),
    )
    flags = "".join(letter for bit, letter in letters if bits & bit)
    if not bits & 0x1 and not flags:
        flags = "[NO FLAGS]"
    return f"{row.name:<16}{dev.mtu:5} {numbers}{flags}"
