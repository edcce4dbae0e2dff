"""Sets of addresses, networks, ports, MACs and names (net/netfilter/ipset/).

A set is a dictionary from a key to an entry, so a look-up costs the same however large it is; sets
of networks try each prefix length that is in use, longest first. `SetType.parts` says what a key is
made of: ``ip``, ``net``, ``port``, ``mac``, ``iface``, ``mark`` or ``set``; in keys

    ip      an address as int          port    (protocol, port number or ICMP type << 8 | code)
    net     (network as int, length)   iface   (name, whether it is a bridge port)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.bridge_flags import IN_BRIDGE
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class SetError(KubenetError):
    """A request on sets failed; the text is ipset's own sentence."""


class SetType(NamedTuple):
    """`memory` is (bytes of an empty IPv4 set, of an IPv6 one, bytes of one IPv4 element, IPv6 one)."""

    name: str
    parts: tuple[str, ...]
    revision: int
    memory: tuple[int, int, int, int] = (0, 0, 0, 0)
    aliases: tuple[str, ...] = ()


TYPES = (
    SetType("hash:ip", ("ip",), 6, (216, 224, 4, 16), ("iphash",)),
    SetType("hash:mac", ("mac",), 1, (208, 208, 8, 8)),
    SetType("hash:ip,mac", ("ip", "mac"), 1, (208, 208, 12, 24)),
    SetType("hash:net", ("net",), 7, (456, 1240, 8, 20), ("nethash",)),
    SetType("hash:net,net", ("net", "net"), 4, (696, 2264, 16, 40)),
    SetType("hash:ip,port", ("ip", "port"), 7, (216, 232, 8, 20), ("ipporthash",)),
    SetType("hash:net,port", ("net", "port"), 8, (456, 1240, 8, 20), ("netporthash",)),
    SetType("hash:ip,port,ip", ("ip", "port", "ip"), 6, (208, 232, 12, 36), ("ipportiphash",)),
    SetType("hash:ip,port,net", ("ip", "port", "net"), 8, (464, 1256, 12, 36), ("ipportnethash",)),
    SetType("hash:net,port,net", ("net", "port", "net"), 4, (704, 2288, 16, 40)),
    SetType("hash:ip,mark", ("ip", "mark"), 4, (216, 232, 8, 20)),
    SetType("hash:net,iface", ("net", "iface"), 8, (488, 1264, 28, 40)),
    SetType("bitmap:ip", ("ip",), 3, aliases=("ipmap",)),
    SetType("bitmap:ip,mac", ("ip", "mac"), 3, aliases=("macipmap",)),
    SetType("bitmap:port", ("port",), 3, aliases=("portmap",)),
    SetType("list:set", ("set",), 3, (80, 80, 0, 0), ("setlist",)),
)
BY_NAME = {name: kind for kind in TYPES for name in (kind.name, *kind.aliases)}


class Entry:
    """One element. `expires` is in ns of the virtual clock, None for ever (timeout 0)."""

    __slots__ = ("key", "expires", "packets", "bytes", "comment", "nomatch", "wildcard", "skb")

    def __init__(self, key: tuple):
        self.key = key
        self.expires: int | None = None
        self.packets = self.bytes = 0
        self.comment = ""
        self.nomatch = self.wildcard = False
        #: skbinfo: {"skbmark": (value, mask), "skbprio": …, "skbqueue": …}
        self.skb: dict[str, Any] = {}

    def count(self, skb: SkBuff) -> None:
        self.packets += 1
        self.bytes += skb.len


class IpSet:
    """One set. `options` holds what ``ipset create`` was told, by option name."""

    def __init__(self, net: NetNamespace, name: str, kind: SetType, options: dict[str, Any]):
        self.net = net
        self.name = name
        self.type = kind
        self.options = options
        self.family = options.get("family", 4)
        self.timeout: int | None = options.get("timeout")
        self.counters = "counters" in options
        self.entries: dict[tuple, Entry] = {}
        #: How many entries have which prefix length, for each part that is a network.
        self.lengths: list[dict[int, int]] = [{} for part in kind.parts if part == "net"]
        self.held = 0
        self.simple = kind.parts == ("ip",)
        self.hashsize = options.get("hashsize", 1024)
        self.initval = options.get("initval", net.host.random.getrandbits(32))

    # -- entries ----------------------------------------------------------------------------
    def live(self) -> list[Entry]:
        """Entries whose time is not up; the others are dropped."""
        now = self.net.loop.now
        for key in [key for key, entry in self.entries.items() if entry.expires is not None and entry.expires <= now]:
            self._drop(key)
        return list(self.entries.values())

    def get(self, key: tuple) -> Entry | None:
        entry = self.entries.get(key)
        if entry is not None and entry.expires is not None and entry.expires <= self.net.loop.now:
            self._drop(key)
            return None
        return entry

    def put(self, entry: Entry) -> None:
        """Add or overwrite; SetError where the set is full."""
        if entry.key not in self.entries:
            if len(self.live()) >= self.options.get("maxelem", 1 << 32):
                if "forceadd" in self.options and self.entries:
                    self._drop(next(iter(self.entries)))
                else:
                    raise SetError("Hash is full, cannot add more elements")
            for number, length in enumerate(self._lengths_of(entry.key)):
                self.lengths[number][length] = self.lengths[number].get(length, 0) + 1
        self.entries[entry.key] = entry

    def remove(self, key: tuple) -> bool:
        if self.get(key) is None:
            return False
        self._drop(key)
        return True

    def _drop(self, key: tuple) -> None:
        del self.entries[key]
        for number, length in enumerate(self._lengths_of(key)):
            left = self.lengths[number][length] - 1
            if left:
                self.lengths[number][length] = left
            else:
                del self.lengths[number][length]

    def _lengths_of(self, key: tuple) -> Iterator[int]:
        for part, value in zip(self.type.parts, key):
            if part == "net":
                yield value[1]

    def flush(self) -> None:
        self.entries.clear()
        for lengths in self.lengths:
            lengths.clear()

    def memory(self) -> int:
        """What ``ipset list`` says: two places for elements are allocated in a bucket at a time."""
        kind, extra = self.type, self._extension_size()
        if kind.name.startswith("bitmap"):
            return self._bitmap_memory(extra)
        comments = sum(len(entry.comment.encode()) + 17 for entry in self.entries.values() if entry.comment)
        base, size = (kind.memory[0], kind.memory[2]) if self.family == 4 else (kind.memory[1], kind.memory[3])
        if kind.name == "list:set":
            return base + len(self.entries) * (48 + extra) + comments
        total = size
        for step, alignment in self._extensions():
            total = -(-total // alignment) * alignment + step
        if self._extensions():
            most = max(alignment for _, alignment in self._extensions())
            total = -(-total // most) * most
        return base + len(self.live()) * (32 + 2 * total) + comments

    def _extensions(self) -> list[tuple[int, int]]:
        found = [(8, 8)] if self.timeout is not None else []
        found += [(16, 8)] if self.counters else []
        found += [(8, 8)] if "comment" in self.options else []
        return found + ([(16, 4)] if "skbinfo" in self.options else [])

    def _extension_size(self) -> int:
        return sum(size for size, _ in self._extensions())

    def _bitmap_memory(self, extra: int) -> int:
        low, high = self.options["range"]
        elements = high - low + 1
        if self.type.name == "bitmap:ip":
            elements >>= 32 - self.options.get("netmask", 32)
        bits = -(-max(elements, 1) // 64) * 8
        if self.type.name == "bitmap:ip,mac":
            return 80 + bits + (elements * 8 if not extra else elements * (8 + extra))
        base = 88 if self.type.name == "bitmap:ip" else 72
        return base + bits + (elements * extra)

    # -- packets ----------------------------------------------------------------------------
    def matches(self, skb: SkBuff, state: Any, flags: tuple[str, ...]) -> bool:
        """ip_set_test(): is the packet's element in the set?"""
        if self.simple and not self.counters and "netmask" not in self.options:
            ip = skb.network
            if (len(ip) == 9) != (self.family == 4):
                return False
            entry = self.entries.get((ip[0] if flags[0] == "src" else ip[1],))
            return entry is not None and (entry.expires is None or entry.expires > self.net.loop.now)
        entry = self.find(skb, state, flags)
        if entry is None or entry.nomatch:
            return False
        if self.counters:
            entry.count(skb)
        return True

    def find(self, skb: SkBuff, state: Any, flags: tuple[str, ...]) -> Entry | None:
        """The entry for a packet; a nomatch entry is returned as such."""
        if self.type.name == "list:set":
            for entry in self.live():
                inner: IpSet | None = sets(self.net).find(entry.key[0])
                found = inner.find(skb, state, flags) if inner is not None else None
                if found is not None and not found.nomatch:
                    return found
            return None
        values = self.packet_values(skb, state, flags)
        return self.lookup(values) if values is not None else None

    def lookup(self, values: tuple) -> Entry | None:
        """By full values: addresses where the set has networks; longest prefixes first."""
        if not self.lengths:
            return self.get(values)
        bits = 32 if self.family == 4 else 128
        orders = [sorted(lengths, reverse=True) for lengths in self.lengths]
        for chosen in product(*orders):
            remaining = iter(chosen)
            key = []
            for part, value in zip(self.type.parts, values):
                if part != "net":
                    key.append(value)
                    continue
                length = next(remaining)
                address, own = value if isinstance(value, tuple) else (value, bits)
                if length > own:
                    break
                key.append((address >> (bits - length) << (bits - length), length))
            else:
                entry = self.get(tuple(key))
                if entry is not None:
                    return entry
        if "iface" in self.type.parts:
            return self._wildcard(values, bits)
        return None

    def _wildcard(self, values: tuple, bits: int) -> Entry | None:
        address = values[0] if not isinstance(values[0], tuple) else values[0][0]
        for entry in self.live():
            (network, length), (name, port) = entry.key
            if entry.wildcard and port == values[1][1] and values[1][0].startswith(name):
                if address >> (bits - length) << (bits - length) == network:
                    return entry
        return None

    def packet_values(self, skb: SkBuff, state: Any, flags: tuple[str, ...]) -> tuple | None:
        """What the packet has for each part of the key; None where it has not got it."""
        ip = skb.network
        values: list[Any] = []
        for number, part in enumerate(self.type.parts):
            side = flags[number] if number < len(flags) else None
            if side is None:
                return None
            source = side == "src"
            value: Any
            if part in ("ip", "net"):
                if (len(ip) == 9) != (self.family == 4):
                    return None
                value = int(ip[0] if source else ip[1])
                if part == "ip" and "netmask" in self.options:
                    bits = 32 if self.family == 4 else 128
                    value = value >> (bits - self.options["netmask"]) << (bits - self.options["netmask"])
            elif part == "port":
                found = packet_port(skb, source)
                if found is None:
                    return None
                value = found if self.type.name != "bitmap:port" else found[1]
            elif part == "mac":
                if skb.eth is None:
                    return None
                value = int(skb.eth.source if source else skb.eth.destination)
            elif part == "iface":
                dev = state.indev if source else state.outdev
                if dev is None:
                    return None
                value = (dev.name, False)
                if skb.nf_flags & IN_BRIDGE:
                    port = skb.physin if source else skb.physout
                    if port is not None and (value[0], False) not in {entry.key[1] for entry in self.entries.values()}:
                        value = (port.name, True)
            else:
                value = skb.mark & self.options.get("markmask", 0xFFFFFFFF)
            values.append(value)
        if self.type.name == "bitmap:ip,mac" and (values[0], None) in self.entries:
            values[1] = None
        return tuple(values)

    def add_packet(self, skb: SkBuff, state: Any, flags: tuple[str, ...], timeout: int | None, exist: bool) -> None:
        """-j SET --add-set: nothing happens where the packet has no such element or the set is full."""
        values = self.packet_values(skb, state, flags)
        if values is None:
            return
        bits = 32 if self.family == 4 else 128
        key = tuple((value, bits) if part == "net" else value for part, value in zip(self.type.parts, values))
        if self.get(key) is not None and not exist:
            return
        entry = Entry(key)
        wanted = timeout if timeout is not None else self.timeout
        if self.timeout is not None and wanted:
            entry.expires = self.net.loop.now + wanted * SECOND
        try:
            self.put(entry)
        except SetError:
            return

    def delete_packet(self, skb: SkBuff, state: Any, flags: tuple[str, ...]) -> None:
        values = self.packet_values(skb, state, flags)
        if values is not None:
            bits = 32 if self.family == 4 else 128
            self.remove(tuple((value, bits) if part == "net" else value for part, value in zip(self.type.parts, values)))


def packet_port(skb: SkBuff, source: bool) -> tuple[int, int] | None:
    """ip_set_get_ip4_port(): protocol and port; for ICMP type and code."""
    protocol, header = skb.network[2], skb.transport
    if protocol in (6, 17):
        return (protocol, header[0] if source else header[1]) if header is not None else None
    if protocol in (1, 58):
        return (protocol, header[0] << 8 | header[1]) if header is not None else None
    if protocol in (132, 136):
        data = skb.payload
        at = 0 if source else 2
        return (protocol, int.from_bytes(data[at : at + 2], "big")) if len(data) >= 4 else None
    return (protocol, 0)


class Sets:
    """All sets of one namespace, in the order they were made; rules hold sets, not names."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.sets: dict[str, IpSet] = {}
        self._holders: dict[Any, IpSet] = {}

    def find(self, name: str) -> IpSet | None:
        return self.sets.get(name)

    def need(self, name: str) -> IpSet:
        found = self.sets.get(name)
        if found is None:
            raise SetError("The set with the given name does not exist")
        return found

    def create(self, made: IpSet) -> None:
        self.sets[made.name] = made

    def destroy(self, name: str) -> None:
        found = self.need(name)
        if found.held:
            raise SetError("Set cannot be destroyed: it is in use by a kernel component")
        self._release_members(found)
        del self.sets[name]

    def destroy_all(self) -> None:
        if any(found.held for found in self.sets.values()):
            raise SetError("Set cannot be destroyed: it is in use by a kernel component")
        self.sets.clear()

    def _release_members(self, found: IpSet) -> None:
        if found.type.name == "list:set":
            for key in found.entries:
                member = self.sets.get(key[0])
                if member is not None:
                    member.held -= 1

    def rename(self, old: str, new: str) -> None:
        found = self.need(old)
        if found.held:
            raise SetError("Set cannot be renamed: it is in use by another system")
        if new in self.sets:
            raise SetError("Set cannot be renamed: a set with the new name already exists")
        self.sets = {(new if key == old else key): value for key, value in self.sets.items()}
        found.name = new

    def swap(self, first: str, second: str) -> None:
        """Exchange the contents of two sets of one type; rules follow the names."""
        a = self.need(first)
        b = self.sets.get(second)
        if b is None:
            raise SetError("Sets cannot be swapped: the second set does not exist")
        if a.type is not b.type or a.family != b.family:
            raise SetError("The sets cannot be swapped: their type does not match")
        a.name, b.name = b.name, a.name
        a.held, b.held = b.held, a.held
        self.sets[first], self.sets[second] = b, a
        swapped = {id(a): b, id(b): a}
        self._holders = {holder: swapped.get(id(held), held) for holder, held in self._holders.items()}

    # -- rules ------------------------------------------------------------------------------
    def hold(self, name: str, holder: Any) -> None:
        found = self.need(name)
        found.held += 1
        self._holders[_key(holder)] = found

    def release(self, holder: Any) -> None:
        found = self._holders.pop(_key(holder), None)
        if found is not None:
            found.held -= 1

    def held(self, holder: Any) -> Callable[[], IpSet]:
        """A function giving the set that `holder` holds now (a swap may change it)."""
        key, holders = _key(holder), self
        return lambda: holders._holders[key]


def _key(holder: Any) -> Any:
    return holder if isinstance(holder, tuple) else id(holder)


def sets(net: NetNamespace) -> Sets:
    found = net.rooms.get("ipset")
    if found is None:
        found = net.rooms["ipset"] = Sets(net)
    return found


# -- ranges -------------------------------------------------------------------------------------
def networks_of_range(low: int, high: int, bits: int) -> Iterable[tuple[int, int]]:
    """The fewest networks that cover a range of addresses."""
    while low <= high:
        size = (low & -low).bit_length() - 1 if low else bits
        while size and low + (1 << size) - 1 > high:
            size -= 1
        yield low, bits - size
        low += 1 << size


def address_of(value: int, family: int) -> IPv4Address | IPv6Address:
    return IPv4Address(value) if family == 4 else IPv6Address(value)
