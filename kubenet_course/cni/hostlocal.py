"""host-local's address pool: ranges, the search for a free address, and the files that hold what is given.

    /var/lib/cni/networks/NETWORK/10.1.2.3              container id, CR LF, interface
                                  last_reserved_ip.0    the address given last from range set 0
                                  lock                  held while the pool is changed

The search is round robin: it begins after the address given last, so a freed address is not given again
at once. A gateway is never given.

# containernetworking/plugins plugins/ipam/host-local/backend
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import IP, IPNET, ListOf, Struct, parse_ip
from kubenet_course.cni.result import Address, IPConfig, Prefix
from kubenet_course.errno import EEXIST
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

DATA_DIR = "/var/lib/cni/networks"
LAST = "last_reserved_ip."
BREAK = "\r\n"

RANGE = Struct(
    "Range",
    {"rangeStart": IP, "rangeEnd": IP, "subnet": IPNET, "gateway": IP},
    go="allocator.Range",
)
RANGE_SET = ListOf(RANGE, go="allocator.RangeSet")


# -- arithmetic -----------------------------------------------------------------------------------
def next_ip(address: Address | None) -> Address | None:
    """The address after this one; None after none."""
    return None if address is None else _moved(address, 1)


def prev_ip(address: Address | None) -> Address | None:
    return None if address is None else _moved(address, -1)


def _moved(address: Address, by: int) -> Address:
    return type(address)((int(address) + by) % (1 << address.max_prefixlen))


def cmp(a: Address | None, b: Address | None) -> int:
    """-1, 0 or 1; -2 where the two cannot be compared."""
    if a is None or b is None or a.version != b.version:
        return -2
    return (int(a) > int(b)) - (int(a) < int(b))


# -- ranges ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Range:
    """Addresses from `start` to `end`, both given out, of a network; `gateway` is not."""

    subnet: Prefix
    start: Address
    end: Address
    gateway: Address

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def contains(self, address: Address) -> bool:
        return (
            address.version == self.subnet.version
            and address in self.subnet.network
            and int(self.start) <= int(address) <= int(self.end)
        )

    def overlaps(self, other: Range) -> bool:
        if self.subnet.version != other.subnet.version:
            return False
        return (
            self.contains(other.start)
            or self.contains(other.end)
            or other.contains(self.start)
            or other.contains(self.end)
        )


def canonical(fields: dict[str, Any]) -> Range:
    """A range of a configuration with everything that it leaves out. Raises CniError."""
    subnet = fields["subnet"]
    if subnet is None:
        raise CniError("IP <nil> not v4 nor v6")
    network = subnet.network
    if network.prefixlen > network.max_prefixlen - 2:
        raise CniError(f"Network {subnet} too small to allocate from")
    if subnet.ip != network.network_address:
        raise CniError(
            "Network has host bits set. For a subnet mask of length "
            f"{network.prefixlen} the network address is {network.network_address}"
        )
    first = network.network_address + 1
    last = network.broadcast_address - (1 if network.version == 4 else 0)
    start, end = fields["rangeStart"], fields["rangeEnd"]
    for address, name in ((start, "RangeStart"), (end, "RangeEnd")):
        if address is None:
            continue
        late = name == "RangeStart" and cmp(address, end) > 0
        if address not in network or late:
            raise CniError(f"{name} {address} not in network {subnet}")
    return Range(subnet, start or first, end or last, fields["gateway"] or first)


class RangeSet(tuple[Range, ...]):
    """Ranges of one family that one address is taken from."""

    def __str__(self) -> str:
        return ",".join(map(str, self))

    def range_for(self, address: Address) -> Range:
        """The range an address is in. Raises CniError."""
        for item in self:
            if item.contains(address):
                return item
        raise CniError(f"{address} not in range set {self}")

    def contains(self, address: Address) -> bool:
        return any(item.contains(address) for item in self)

    def overlaps(self, other: RangeSet) -> bool:
        return any(a.overlaps(b) for a in self for b in other)


def canonical_set(items: list[dict[str, Any]]) -> RangeSet:
    """The ranges of one set. Raises CniError."""
    if not items:
        raise CniError("empty range set")
    ranges: list[Range] = []
    for fields in items:
        item = canonical(fields)
        if ranges and item.subnet.version != ranges[0].subnet.version:
            raise CniError("mixed address families")
        ranges.append(item)
    for number, item in enumerate(ranges):
        for other in ranges[number + 1 :]:
            if item.overlaps(other):
                raise CniError(f"subnets {item} and {other} overlap")
    return RangeSet(ranges)


# -- the files ------------------------------------------------------------------------------------
class Store(Protocol):
    """Where reservations are kept."""

    def reserve(self, container_id: str, ifname: str, address: Address, set_id: str) -> bool: ...

    def last_reserved(self, set_id: str) -> Address | None: ...

    def release(self, container_id: str, ifname: str) -> None: ...

    def of(self, container_id: str, ifname: str) -> list[Address]: ...


class Disk:
    """One network's files. Raises CniError in the words of Go's os package."""

    def __init__(self, here: Surroundings, network: str, data_dir: str = ""):
        self.here = here
        self.folder = f"{(data_dir or DATA_DIR).rstrip('/') or ''}/{network}"
        try:
            here.mkdir(self.folder)
            if not here.exists(f"{self.folder}/lock"):
                here.write(f"{self.folder}/lock", b"", mode=0o750)
        except KernelError as error:
            raise CniError(f"mkdir {self._missing()}: {error.strerror.lower()}") from None

    def _missing(self) -> str:
        """The first folder on the way that is not there."""
        path = ""
        for part in self.folder.strip("/").split("/"):
            path += f"/{part}"
            if not self.here.isdir(path):
                break
        return path

    def reserve(self, container_id: str, ifname: str, address: Address, set_id: str) -> bool:
        """Take an address; False where it is taken."""
        path = f"{self.folder}/{address}"
        try:
            self.here.write(path, f"{container_id.strip()}{BREAK}{ifname}", exclusive=True)
        except KernelError as error:
            if error.errno == EEXIST:
                return False
            raise CniError(f"open {path}: {error.strerror.lower()}") from None
        self.here.write(f"{self.folder}/{LAST}{set_id}", str(address))
        return True

    def last_reserved(self, set_id: str) -> Address | None:
        path = f"{self.folder}/{LAST}{set_id}"
        if not self.here.exists(path):
            return None
        return parse_ip(self.here.read(path).decode("utf-8", "replace"))

    def _matching(self, match: str) -> Iterator[tuple[str, str]]:
        for name in self.here.listdir(self.folder):
            path = f"{self.folder}/{name}"
            if self.here.isdir(path):
                continue
            if self.here.read(path).decode("utf-8", "replace").strip() == match:
                yield name, path

    def _release(self, match: str) -> bool:
        found = list(self._matching(match))
        for _, path in found:
            self.here.remove(path)
        return bool(found)

    def release(self, container_id: str, ifname: str) -> None:
        """Give back what an attachment has; files of old releases hold the container's id alone."""
        wanted = container_id.strip()
        if not self._release(f"{wanted}{BREAK}{ifname}"):
            self._release(wanted)

    def of(self, container_id: str, ifname: str) -> list[Address]:
        wanted = container_id.strip()
        names = [name for match in (f"{wanted}{BREAK}{ifname}", wanted) for name, _ in self._matching(match)]
        return [address for name in names if (address := parse_ip(name)) is not None]

    def attachments(self) -> Iterator[tuple[str, str, str]]:
        """Every address that is given: (address, container id, interface)."""
        for name in self.here.listdir(self.folder):
            if parse_ip(name) is not None:
                text = self.here.read(f"{self.folder}/{name}").decode("utf-8", "replace")
                container_id, _, ifname = text.strip().partition(BREAK)
                yield name, container_id, ifname


# -- the search -----------------------------------------------------------------------------------
class Allocator:
    """Gives out the addresses of one range set; `set_id` is its number in the configuration."""

    def __init__(self, ranges: RangeSet, store: Store, set_id: int):
        self.ranges = ranges
        self.store = store
        self.set_id = str(set_id)

    def candidates(self) -> Iterator[tuple[Prefix, Range]]:
        """Addresses to try, in order, each once."""
        number, current, first = 0, None, None
        last = self.store.last_reserved(self.set_id)
        if last is not None and self.ranges.contains(last):
            number = next(i for i, item in enumerate(self.ranges) if item.contains(last))
            current = last
        while True:
            item = self.ranges[number]
            if current is None:
                current = item.start
            elif current == item.end:
                number = (number + 1) % len(self.ranges)
                item = self.ranges[number]
                current = item.start
            else:
                current = _moved(current, 1)
            if first is None:
                first = current
            elif current == first:
                return
            if current != item.gateway:
                yield _with_mask(current, item), item

    def get(self, container_id: str, ifname: str, requested: Address | None = None) -> IPConfig:
        """Take the next free address, or the requested one. Raises CniError."""
        if requested is not None:
            return self._requested(container_id, ifname, requested)
        for address in self.store.of(container_id, ifname):
            if self.ranges.contains(address):
                raise CniError(
                    f"{address} has been allocated to {container_id}, duplicate allocation is not allowed"
                )
        for prefix, item in self.candidates():
            if self.store.reserve(container_id, ifname, prefix.ip, self.set_id):
                return IPConfig(prefix, item.gateway)
        raise CniError(f"no IP addresses available in range set: {self.ranges}")

    def _requested(self, container_id: str, ifname: str, requested: Address) -> IPConfig:
        item = self.ranges.range_for(requested)
        if requested == item.gateway:
            raise CniError(f"requested ip {requested} is subnet's gateway")
        if not self.store.reserve(container_id, ifname, requested, self.set_id):
            raise CniError(f"requested IP address {requested} is not available in range set {self.ranges}")
        return IPConfig(_with_mask(requested, item), item.gateway)

    def release(self, container_id: str, ifname: str) -> None:
        self.store.release(container_id, ifname)


def _with_mask(address: Address, item: Range) -> Prefix:
    return type(item.subnet)((int(address), item.subnet.network.prefixlen))
