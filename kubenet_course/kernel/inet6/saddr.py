"""Which of its IPv6 addresses a host sends from (net/ipv6/addrconf.c, RFC 6724 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.wire.addresses import IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet6.addrconf import Inet6Address
    from kubenet_course.kernel.netns import NetNamespace


def scope_of(address: int) -> int:
    """RFC 4007 scopes: 1 interface, 2 link, 5 site, 14 global."""
    if address >> 120 == 0xFF:
        return address >> 112 & 0xF
    if address >> 118 == 0x3FA or address == 1:
        return 2
    return 5 if address >> 118 == 0x3FB else 14


def select_source(net: NetNamespace, dev: NetDevice | None, destination: IPv6Address) -> IPv6Address | None:
    """ipv6_dev_get_saddr(): the best source address by RFC 6724, section 5; None for none."""
    wanted = scope_of(destination)
    label = net.ipv6.labels.of(destination, dev.ifindex if dev is not None else 0)
    restricted = destination.is_multicast or wanted <= 2
    best: tuple[tuple, IPv6Address] | None = None
    for other in (
        [dev, *(d for d in net.devices.values() if d is not dev)] if dev is not None else net.devices.values()
    ):
        if restricted and dev is not None and other is not dev:
            break
        if other is None:
            continue
        for address in net.ipv6.addresses.get(other, ()):
            if not address.usable or address.local.is_multicast:
                continue
            score = _score_source(address, other, dev, destination, wanted, label)
            if best is None or score > best[0]:
                best = (score, address.local)
    return best[1] if best is not None else None


def _score_source(
    address: Inet6Address,
    on: NetDevice,
    dev: NetDevice | None,
    destination: IPv6Address,
    wanted: int,
    label: int,
) -> tuple:
    """ipv6_get_saddr_eval(): the rules in their order; more is better."""
    local = address.local
    scope = scope_of(local)
    appropriate = -scope if scope >= wanted else scope - 128
    common = 128 - (int(local) ^ int(destination)).bit_length()
    return (
        local == destination,
        appropriate,
        "deprecated" not in address.flags,
        dev is None or on is dev,
        on.net.ipv6.labels.of(local, on.ifindex) == label,
        "temporary" not in address.flags,
        min(common, address.prefixlen),
    )
