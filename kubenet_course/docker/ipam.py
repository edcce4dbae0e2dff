"""Which subnet a network gets, and which address a container: Docker's default IPAM driver.

Pure functions on `ipaddress` objects; who keeps the state is the network (`networks.py`). Unlike CNI's
host-local, the next address is always the lowest free one, and a released one is given again at once.

Source: moby daemon/libnetwork/ipams/defaultipam (address_space.go, allocator.go), ipamutils/utils.go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import NamedTuple

from kubenet_course.docker.errors import DaemonError

Net = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NO_MORE_SUBNETS = "all predefined address pools have been fully subnetted"
INVALID_POOL = "invalid address pool"
OVERLAP = "invalid pool request: Pool overlaps with other one on this address space"
NO_ADDRESS = "no available IPv{family} addresses on this network's address pools: {name} ({id})"


class Pool(NamedTuple):
    """A block that is cut into subnets of one size; `first` may lie inside of it."""

    base: Net
    size: int
    first: Address

    @staticmethod
    def of(base: str, size: int) -> Pool:
        """As /etc/docker/daemon.json writes it. ValueError."""
        interface = ipaddress.ip_interface(base)
        return Pool(interface.network, size, interface.ip)


DEFAULT_POOLS = (
    Pool.of("172.17.0.0/16", 16),
    Pool.of("172.18.0.0/16", 16),
    Pool.of("172.19.0.0/16", 16),
    Pool.of("172.20.0.0/14", 16),
    Pool.of("172.24.0.0/14", 16),
    Pool.of("172.28.0.0/14", 16),
    Pool.of("192.168.0.0/16", 20),
)


def choose_subnet(
    pools: Iterable[Pool], allocated: Collection[Net], reserved: Collection[Net] = (), size: int = 0
) -> Net:
    """The first subnet of the pools that meets no network of Docker's and no route of the host's."""
    taken = (*allocated, *reserved)
    fitting = [pool for pool in pools if not size or pool.base.prefixlen <= size <= pool.base.max_prefixlen]
    if not fitting:
        raise DaemonError(INVALID_POOL)
    for pool in _without_overlaps(fitting):
        found = _first_free(
            pool, size or pool.size, [net for net in taken if net.version == pool.base.version]
        )
        if found is not None:
            return found
    raise DaemonError(NO_MORE_SUBNETS)


def _without_overlaps(pools: Collection[Pool]) -> list[Pool]:
    """In the order of their addresses; a pool inside an earlier one is left out."""
    kept: list[Pool] = []
    for pool in sorted(pools, key=lambda one: (one.base.version, int(one.first), one.base.prefixlen)):
        if not any(one.base.version == pool.base.version and one.base.overlaps(pool.base) for one in kept):
            kept.append(pool)
    return kept


def _first_free(pool: Pool, size: int, taken: Collection[Net]) -> Net | None:
    step = 1 << (pool.base.max_prefixlen - size)
    start, end = int(pool.first) // step * step, int(pool.base.broadcast_address)
    kind = type(pool.base)
    while start + step - 1 <= end:
        last = start + step - 1
        blocking = [
            int(net.broadcast_address)
            for net in taken
            if int(net.network_address) <= last and start <= int(net.broadcast_address)
        ]
        if not blocking:
            return kind((start, size))
        start = (max(blocking) // step + 1) * step
    return None


def overlaps(subnet: Net, allocated: Iterable[Net]) -> bool:
    """Whether a subnet that somebody asked for meets one that is taken."""
    return any(net.version == subnet.version and net.overlaps(subnet) for net in allocated)


def request_subnet(
    wanted: str,
    allocated: Collection[Net],
    pools: Collection[Pool] = (*DEFAULT_POOLS, Pool.of("fd00::/48", 64)),
    reserved: Collection[Net] = (),
) -> Net:
    """`--subnet`: as given, if no other network has a part of it.

    The unspecified address asks for any subnet of that size (0.0.0.0/24), or of the pools' own (::/0).
    """
    subnet = ipaddress.ip_network(wanted, strict=False)
    if subnet.network_address.is_unspecified:
        family = [pool for pool in pools if pool.base.version == subnet.version]
        if subnet.version == 6:  # there is one pool; a network that holds all of it cannot forbid it
            allocated = [net for net in allocated if not any(_holds(net, pool) for pool in family)]
        return choose_subnet(family, allocated, reserved, subnet.prefixlen)
    if overlaps(subnet, allocated):
        raise DaemonError(OVERLAP, 403)
    return subnet


def _holds(net: Net, pool: Pool) -> bool:
    return net.version == pool.base.version and net.supernet_of(pool.base)  # type: ignore[arg-type]


def next_address(subnet: Net, taken: Collection[Address], sub_range: Net | None = None) -> Address | None:
    """The lowest free address of the range; None where none is left.

    The whole pool's first address (and IPv4's last) is nobody's, unless there are but two.
    """
    area = sub_range or subnet
    kept = _kept_back(subnet)
    address, last = int(area.network_address), int(area.broadcast_address)
    used = {int(one) for one in taken if one in area}
    kind = type(subnet.network_address)
    while address <= last:
        if address not in used and address not in kept:
            return kind(address)
        address += 1
    return None


def _kept_back(subnet: Net) -> set[int]:
    if subnet.max_prefixlen - subnet.prefixlen <= 1:
        return set()
    first = int(subnet.network_address)
    return {first, int(subnet.broadcast_address)} if subnet.version == 4 else {first}


def check_address(subnet: Net, wanted: Address, taken: Collection[Address]) -> Address:
    """An address that somebody asked for, if it can be had."""
    if wanted not in subnet or int(wanted) in _kept_back(subnet):
        raise DaemonError(
            f"invalid address {wanted}: It does not belong to any of this network's subnets"
            if wanted not in subnet
            else "Address already in use"
        )
    if wanted in taken:
        raise DaemonError("Address already in use", 403)
    return wanted
