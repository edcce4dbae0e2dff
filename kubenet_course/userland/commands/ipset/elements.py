"""``ipset add``, ``del`` and ``test``: reading elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.ipset import Entry, IpSet, SetError, Sets, networks_of_range
from kubenet_course.kernel.netfilter.matches.icmp import TYPES4
from kubenet_course.kernel.netfilter.matches.icmp6 import TYPES6
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ipset.create import MAX_TIMEOUT, number
from kubenet_course.userland.commands.ipset.errors import Failed, UsageError
from kubenet_course.userland.commands.ipset.show import element_text
from kubenet_course.userland.commands.iptables.names import MachineNames
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

#: Protocols whose "port" is a port.
WITH_PORTS = {6: "tcp", 17: "udp", 132: "sctp", 136: "udplite"}
ADD_OPTIONS = {"timeout": 1, "packets": 1, "bytes": 1, "comment": 1, "nomatch": 0, "skbmark": 1, "skbprio": 1,
               "skbqueue": 1, "wildcard": 0, "before": 1, "after": 1}  # fmt: skip


def change(proc: Process, room: Sets, command: str, words: list[str], flags: set[str]) -> int:
    found = room.need(words[0])
    options = element_options(words[2:])
    if found.type.name == "list:set":
        return change_list(proc, room, command, found, words[1], options, flags)
    reader = Reader(proc, found)
    if command == "test":
        return test(proc, found, reader, words[1], options, flags)
    keys = list(reader.keys(words[1]))
    for key in keys:
        if command == "add":
            add(found, key, options, "exist" in flags)
        elif not found.remove(key) and "exist" not in flags:
            raise SetError("Element cannot be deleted from the set: it's not added")
    return 0


def element_options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        if word not in ADD_OPTIONS:
            raise UsageError(f"Unknown argument: `{word}'")
        if ADD_OPTIONS[word]:
            if not words:
                raise UsageError(f"Missing mandatory argument of option `{word}'")
            options[word] = words.pop(0)
        else:
            options[word] = ""
    return options


def add(found: IpSet, key: tuple, options: dict[str, str], exist: bool) -> None:
    if found.get(key) is not None and not exist:
        raise SetError("Element cannot be added to the set: it's already added")
    if found.type.name.startswith("bitmap"):
        low, high = found.options["range"]
        if not low <= key[0] <= high:
            raise SetError("Element is out of the range of the set")
    if any(part == "net" and value[1] == 0 for part, value in zip(found.type.parts, key)):
        if found.type.name not in ("hash:net,iface", "hash:net,net"):
            raise SetError("The value of the CIDR parameter of the IP address is invalid")
    found.put(new_entry(found, key, options))


def new_entry(found: IpSet, key: tuple, options: dict[str, str]) -> Entry:
    entry = Entry(key)
    timeout = found.timeout
    if "timeout" in options:
        timeout = number(options["timeout"], 0, MAX_TIMEOUT)
        if found.timeout is None:
            raise SetError("Timeout cannot be used: set was created without timeout support")
    if timeout:
        entry.expires = found.net.loop.now + timeout * SECOND
    if "packets" in options or "bytes" in options:
        if not found.counters:
            raise SetError("Packet/byte counters cannot be used: set was created without counter support")
        entry.packets = number(options.get("packets", "0"), 0, (1 << 64) - 1)
        entry.bytes = number(options.get("bytes", "0"), 0, (1 << 64) - 1)
    if "comment" in options:
        if '"' in options["comment"]:
            raise Failed('Syntax error: " character is not permitted in comments')
        if "comment" not in found.options:
            raise SetError("Comment cannot be used: set was created without comment support")
        entry.comment = options["comment"]
    entry.nomatch, entry.wildcard = "nomatch" in options, "wildcard" in options
    for word in ("skbmark", "skbprio", "skbqueue"):
        if word in options:
            if "skbinfo" not in found.options:
                raise SetError("Skbinfo mapping cannot be used: set was created without skbinfo support")
            entry.skb[word] = skb_value(word, options[word])
    return entry


def skb_value(word: str, text: str) -> Any:
    if word == "skbmark":
        value, slash, mask = text.partition("/")
        return number(value, 0, 0xFFFFFFFF), number(mask, 0, 0xFFFFFFFF) if slash else 0xFFFFFFFF
    if word == "skbprio":
        major, _, minor = text.partition(":")
        return int(major, 16), int(minor or "0", 16)
    return number(text, 0, 65535)


def test(
    proc: Process, found: IpSet, reader: Reader, text: str, options: dict[str, str], flags: set[str]
) -> int:
    """Is it in? A network set answers for single addresses, too."""
    values = reader.values(text)
    entry = found.lookup(values) if found.lengths else found.get(values)
    shown = element_text(found, values)
    if entry is not None and found.lengths and "nomatch" not in options:
        networks = [value for part, value in zip(found.type.parts, values) if part == "net"]
        bits = 32 if found.family == 4 else 128
        if any(isinstance(value, tuple) and value[1] != bits for value in networks):
            entry = found.get(values)
    inside = entry is not None and entry.nomatch == ("nomatch" in options)
    if inside:
        if "quiet" not in flags:
            proc.error(f"Warning: {shown} is in set {found.name}.")
        return 0
    if "quiet" not in flags:
        proc.error(f"{shown} is NOT in set {found.name}.")
    return 1


def change_list(
    proc: Process, room: Sets, command: str, found: IpSet, name: str, options: dict[str, str], flags: set[str]
) -> int:
    member = room.find(name)
    if command == "test":
        if member is not None and found.get((name,)) is not None:
            proc.error(f"Warning: {name} is in set {found.name}.")
            return 0
        proc.error(f"{name} is NOT in set {found.name}.")
        return 1
    if member is None:
        raise SetError("Set to be added/deleted/tested as element does not exist.")
    if member.type.name == "list:set":
        raise SetError("Sets with list:set type cannot be added to the set.")
    if command == "del":
        if not found.remove((name,)):
            if "exist" in flags:
                return 0
            raise SetError("Element cannot be deleted from the set: it's not added")
        member.held -= 1
        return 0
    place = options.pop("before", None), options.pop("after", None)
    for other in place:
        if other is not None and room.find(other) is None:
            raise SetError("The set to which you referred with 'before' or 'after' does not exist.")
    if found.get((name,)) is not None:
        if "exist" in flags:
            return 0
        raise SetError("Element cannot be added to the set: it's already added")
    entry = new_entry(found, (name,), options)
    order = list(found.entries.values())
    position = len(order)
    names = [item.key[0] for item in order]
    if place[0] in names:
        position = names.index(place[0])
    elif place[1] in names:
        position = names.index(place[1]) + 1
    order.insert(position, entry)
    found.entries = {item.key: item for item in order}
    member.held += 1
    return 0


class Reader:
    """Elements of one set, from text to keys."""

    def __init__(self, proc: Process, found: IpSet):
        self.names = MachineNames(proc)
        self.found = found
        self.bits = 32 if found.family == 4 else 128

    def _split(self, text: str) -> list[str]:
        parts = self.found.type.parts
        words = text.split(",")
        ordinals = ("First", "Second", "Third")
        if len(words) < len(parts):
            if self.found.type.name == "bitmap:ip,mac" and len(words) == 1:
                return [*words, ""]
            raise Failed(f"Syntax error: {ordinals[len(words)]} element is missing from {text}.")
        if len(words) > len(parts):
            raise Failed(f"Syntax error: Elem separator in {text}, but settype {self.found.type.name} supports none." if len(parts) == 1
                         else f"Syntax error: Three elements are supported at most, but got more: {text}")  # fmt: skip
        return words

    def values(self, text: str) -> tuple:
        """One element exactly."""
        return next(iter(self.keys(text)))

    def keys(self, text: str) -> Iterator[tuple]:
        """Every key an element stands for (ranges are many)."""
        readers: dict[str, Callable[[str], list[Any]]] = {
            "ip": self._addresses, "net": self._networks, "port": self._ports, "mac": self._mac, "iface": self._iface,
            "mark": self._mark,
        }  # fmt: skip
        parts = self.found.type.parts
        choices = [readers[part](word) for part, word in zip(parts, self._split(text))]
        limit = self.found.options.get("maxelem", 1 << 20)
        for number_of, key in enumerate(product(*choices)):
            if number_of > limit:
                raise SetError("Hash is full, cannot add more elements")
            yield key

    def _one(self, text: str) -> int:
        kind: Any = IPv4Address if self.found.family == 4 else IPv6Address
        try:
            return int(kind.parse(text))
        except ValueError:
            found = self.names.host_addresses(text, self.found.family)
            if found:
                return int(found[0])
            raise Failed(
                f"Syntax error: cannot parse {text}: resolving to IPv{self.found.family} address failed"
            ) from None

    def _span(self, text: str) -> tuple[int, int, int | None]:
        """(first, last, prefix length where one was given)."""
        address_text, slash, length_text = text.partition("/")
        if slash:
            length = number(length_text, 0, self.bits)
            address = self._one(address_text) >> (self.bits - length) << (self.bits - length)
            return address, address + (1 << (self.bits - length)) - 1, length
        low_text, dash, high_text = text.partition("-")
        low = self._one(low_text)
        high = self._one(high_text) if dash else low
        return min(low, high), max(low, high), None if dash else self.bits

    def _addresses(self, text: str) -> list[int]:
        low, high, _ = self._span(text)
        length = self.found.options.get("netmask")
        if length is not None:
            step = 1 << (self.bits - length)
            return list(range(low // step * step, high + 1, step))
        if high - low >= 1 << 20:
            raise SetError("Hash is full, cannot add more elements")
        return list(range(low, high + 1))

    def _networks(self, text: str) -> list[tuple[int, int]]:
        low, high, length = self._span(text)
        return [(low, length)] if length is not None else list(networks_of_range(low, high, self.bits))

    def _ports(self, text: str) -> list[Any]:
        bitmap = self.found.type.name == "bitmap:port"
        protocol, colon, rest = text.partition(":")
        known = self._protocol(protocol) if colon else 6
        if not colon:
            rest = text
        if known in (1, 58):
            return [(known, self._icmp(rest, known))]
        if known not in WITH_PORTS:
            if rest != "0":
                raise Failed(f"Syntax error: Protocol {protocol} can be used with pseudo port value 0 only.")
            return [(known, 0)]
        low, high = self._port_span(rest, WITH_PORTS[known])
        return [port if bitmap else (known, port) for port in range(low, high + 1)]

    def _protocol(self, text: str) -> int:
        if text.isdigit():
            return number(text, 0, 255)
        found = self.names.protocol_number(text) or {"icmpv6": 58}.get(text)
        if found is None:
            raise Failed(f"Syntax error: cannot parse '{text}' as a protocol")
        return found

    def _port_span(self, text: str, protocol: str) -> tuple[int, int]:
        low_text, dash, high_text = text.partition("-")
        low = self._port(low_text, protocol)
        high = self._port(high_text, protocol) if dash else low
        return min(low, high), max(low, high)

    def _port(self, text: str, protocol: str) -> int:
        known = self.names.service_port(text, protocol)
        if known is not None:
            return known
        try:
            return number(text, 0, 65535)
        except Failed as failure:
            raise Failed(
                f"{failure}\nSyntax error: '{protocol}' is invalid as number\ncannot parse '{text}' as a {protocol} port"
            ) from None

    def _icmp(self, text: str, protocol: int) -> int:
        types = TYPES4 if protocol == 1 else TYPES6
        for name, kind, low, high in types:
            if name == text:
                return kind << 8 | (low if low == high else 0)
        kind_text, _, code_text = text.partition("/")
        return number(kind_text, 0, 255) << 8 | number(code_text or "0", 0, 255)

    def _mac(self, text: str) -> list[Any]:
        if not text and self.found.type.name == "bitmap:ip,mac":
            return [None]
        try:
            return [int(MacAddress.parse(text))]
        except ValueError:
            raise Failed(f"Syntax error: cannot parse '{text}' as ethernet address") from None

    def _iface(self, text: str) -> list[tuple[str, bool]]:
        port = text.startswith("physdev:")
        name = text.removeprefix("physdev:")
        if len(name) > 15:
            raise Failed(f"Syntax error: interface name '{name}' is longer than 15 characters")
        return [(name, port)]

    def _mark(self, text: str) -> list[int]:
        return [number(text, 0, 0xFFFFFFFF) & self.found.options.get("markmask", 0xFFFFFFFF)]
