"""Capture filters (pcap-filter(7)): text to a test on frames.

    test = compile_filter("tcp port 80 and tcp[tcpflags] & tcp-syn != 0", lookups)
    test(View(frame_bytes, link_type, length))      -> bool

Parsed with the grammar in `filter.lark`. Reading a byte that the frame does not have makes the whole
filter false, as BPF does. FilterError holds libpcap's sentence.

Length: one filter language, grammar and meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from kubenet_course.wire.addresses import (
    IpAddress,
    IPv4Address,
    IPv6Address,
    MacAddress,
    parse_address,
    prefix_mask,
)
from kubenet_course.wire.pcap import LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2

PROTOCOL_NUMBERS = {
    "tcp": 6,
    "udp": 17,
    "sctp": 132,
    "icmp": 1,
    "icmp6": 58,
    "igmp": 2,
    "igrp": 9,
    "pim": 103,
    "ah": 51,
    "esp": 50,
    "vrrp": 112,
}
ETHER_NUMBERS = {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "rarp": 0x8035}
NAMED_PROTOCOLS = {
    **PROTOCOL_NUMBERS,
    "ip": 0,
    "ipv6": 41,
    "gre": 47,
    "ospf": 89,
    "ipip": 4,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ipencap": 4,
}
NAMED_ETHERTYPES = {
    **ETHER_NUMBERS,
    "loopback": 0x9000,
    "vlan": 0x8100,
    "mpls": 0x8847,
    "aarp": 0x80F3,
    "atalk": 0x809B,
    "decnet": 0x6003,
}
CONSTANTS = {
    "tcpflags": 13, "icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8,
    "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4,
    "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
    "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
    "icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128,
    "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
    "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
    "icmp6-neighboradvert": 136, "icmp6-redirect": 137, "icmp6-multicastlistenerreportv2": 143,
}  # fmt: skip


class FilterError(Exception):
    """What libpcap says about a filter it does not take."""


class OutOfPacket(Exception):
    """The filter reads beyond the frame: it does not match."""


class Lookups(NamedTuple):
    """How names in a filter become numbers; each gives None for an unknown name."""

    hosts: Callable[[str], list[IpAddress] | None]
    port: Callable[[str], int | None]
    #: Whether the capture tells frames in from frames out (not from a file).
    live: bool = False
    #: The netmask of the device, for ``ip broadcast``; None where it is not known.
    netmask: int | None = None


class View:
    """A frame as a filter sees it. `outgoing` and `vlan` come from the capture itself."""

    __slots__ = ("data", "length", "link_type", "ethertype", "net", "vlans", "outgoing", "_transport")

    def __init__(self, data: bytes, link_type: int, length: int, outgoing: bool = False):
        self.data, self.link_type, self.length, self.outgoing = data, link_type, length, outgoing
        self.vlans: list[int] = []
        self._transport: tuple[int, int] | None | str = "unknown"
        if link_type == LINKTYPE_ETHERNET:
            self.net, self.ethertype = 14, int.from_bytes(data[12:14], "big")
            while self.ethertype in (0x8100, 0x88A8, 0x9100) and len(data) >= self.net + 4:
                self.vlans.append(int.from_bytes(data[self.net : self.net + 2], "big") & 0xFFF)
                self.ethertype = int.from_bytes(data[self.net + 2 : self.net + 4], "big")
                self.net += 4
        elif link_type == LINKTYPE_LINUX_SLL2:
            self.net, self.ethertype = 20, int.from_bytes(data[:2], "big")
        elif link_type == LINKTYPE_LINUX_SLL:
            self.net, self.ethertype = 16, int.from_bytes(data[14:16], "big")
        else:
            self.net, self.ethertype = 0, 0x86DD if data[:1] and data[0] >> 4 == 6 else 0x0800

    def read(self, at: int, size: int) -> int:
        if at < 0 or at + size > len(self.data):
            raise OutOfPacket
        return int.from_bytes(self.data[at : at + size], "big")

    @property
    def transport(self) -> tuple[int, int] | None:
        """(protocol number, offset of its header); None where there is no IP; offset -1 in later fragments."""
        if self._transport == "unknown":
            self._transport = self._find_transport()
        return self._transport  # type: ignore[return-value]

    def _find_transport(self) -> tuple[int, int] | None:
        net = self.net
        if self.ethertype == 0x0800 and len(self.data) >= net + 20:
            later = self.read(net + 6, 2) & 0x1FFF
            return self.data[net + 9], -1 if later else net + (self.data[net] & 15) * 4
        if self.ethertype == 0x86DD and len(self.data) >= net + 40:
            return self.data[net + 6], net + 40
        return None


Test = Callable[[View], bool]
Number = Callable[[View], int]


@lru_cache(1)
def _parser() -> Any:
    from lark import Lark

    grammar = resources.files(__package__).joinpath("filter.lark").read_text()
    return Lark(grammar, parser="earley", lexer="basic", maybe_placeholders=False)


def compile_filter(text: str, lookups: Lookups) -> Test | None:
    """None for an empty filter; FilterError where libpcap would refuse it."""
    from lark.exceptions import LarkError

    if not text.strip():
        return None
    if len(text) > 4096 or text.count("(") > 60:
        raise FilterError("can't parse filter expression: parser stack overflow")
    try:
        tree = _parser().parse(text)
    except LarkError:
        raise FilterError("can't parse filter expression: syntax error") from None
    compiled = _Compiler(lookups).expression(tree.children[0]).test

    def run(view: View) -> bool:
        try:
            return compiled(view)
        except (OutOfPacket, ZeroDivisionError):
            return False

    return run


class Qualifiers(NamedTuple):
    family: str = ""
    direction: str = ""
    kind: str = ""


class Compiled(NamedTuple):
    """A test with the qualifiers that a bare identifier after it would take over."""

    test: Test
    qualifiers: Qualifiers


class _Compiler:
    def __init__(self, lookups: Lookups):
        self.lookups = lookups

    # -- expressions ------------------------------------------------------------------------
    def expression(self, tree: Any) -> Compiled:
        name = tree.data
        if name in ("both", "either"):
            first = self.expression(tree.children[0])
            operand = tree.children[2]
            again = operand.data in ("again", "not_again")
            second = self._again(operand, first.qualifiers) if again else self.expression(operand)
            a, b = first.test, second.test
            test: Test = (
                (lambda view: a(view) and b(view)) if name == "both" else (lambda view: a(view) or b(view))
            )
            return Compiled(test, second.qualifiers)
        if name == "negation":
            inner = self.expression(tree.children[1])
            return Compiled(lambda view: not inner.test(view), inner.qualifiers)
        if name == "relation":
            return Compiled(self._relation(tree), Qualifiers())
        return self._primitive(tree)

    def _again(self, tree: Any, qualifiers: Qualifiers) -> Compiled:
        found = self._identified(qualifiers, _identifier(tree.children[-1]))
        if tree.data == "not_again":
            return Compiled(lambda view: not found.test(view), qualifiers)
        return found

    # -- primitives -------------------------------------------------------------------------
    def _primitive(self, tree: Any) -> Compiled:
        name = tree.data
        tokens = [child for child in tree.children if not hasattr(child, "data")]
        if name == "qualified":
            return self._identified(_qualifiers(tree.children[0]), _identifier(tree.children[1]))
        if name == "group":
            return self._group(_qualifiers(tree.children[0]), tree.children[1])
        if name == "protocol":
            word = str(tokens[0])
            return Compiled(self._protocol(word), Qualifiers(family=word))
        if name == "cast":
            family = str(tokens[0]) if len(tokens) > 1 else ""
            return Compiled(_cast(family, str(tokens[-1]), self.lookups.netmask), Qualifiers())
        if name == "size":
            limit = _integer(str(tokens[1]))
            if tokens[0] == "less":
                return Compiled(lambda view: view.length <= limit, Qualifiers())
            return Compiled(lambda view: view.length >= limit, Qualifiers())
        if name == "tagged":
            return Compiled(
                _tagged(str(tokens[0]), _integer(str(tokens[1])) if len(tokens) > 1 else None), Qualifiers()
            )
        if name == "way":
            if not self.lookups.live:
                raise FilterError("inbound/outbound not supported on Ethernet when reading savefiles")
            out = tokens[0] == "outbound"
            return Compiled(lambda view: view.outgoing == out, Qualifiers())
        outer = _qualifiers(tree.children[0])
        if outer.kind != "net":
            raise FilterError("can't parse filter expression: syntax error")
        address, mask = _identifier(tree.children[1]), _identifier(tree.children[3])
        return Compiled(self._net(outer, address, mask), outer)

    def _group(self, qualifiers: Qualifiers, tree: Any) -> Compiled:
        """``port (80 or 443)``."""
        found: Test | None = None
        joined = "or"
        for child in tree.children:
            if not hasattr(child, "data"):
                joined = "and" if child.type == "AND" else "or"
                continue
            test = self._identified(qualifiers, _identifier(child)).test
            found = test if found is None else _join(found, test, joined)
        assert found is not None
        return Compiled(found, qualifiers)

    @staticmethod
    def _protocol(word: str) -> Test:
        if word in ETHER_NUMBERS:
            number = ETHER_NUMBERS[word]
            return lambda view: view.ethertype == number
        if word in ("ether", "link"):
            raise FilterError("can't parse filter expression: syntax error")
        if word == "stp":
            return lambda view: view.ethertype <= 1500 and view.data[view.net : view.net + 1] == b"\x42"
        number = PROTOCOL_NUMBERS[word]
        families = {
            "icmp": (0x0800,),
            "igmp": (0x0800,),
            "igrp": (0x0800,),
            "vrrp": (0x0800,),
            "icmp6": (0x86DD,),
        }.get(word, (0x0800, 0x86DD))
        return lambda view: view.ethertype in families and _has_protocol(view, number)

    def _identified(self, qualifiers: Qualifiers, text: str) -> Compiled:
        """A qualified identifier: the host, net, port or protocol that `text` names."""
        family, kind = qualifiers.family, qualifiers.kind or "host"
        if kind == "proto":
            return Compiled(_proto(family, text, qualifiers.direction), qualifiers)
        if kind == "gateway":
            raise FilterError("'gateway' not supported in this configuration")
        if kind in ("port", "portrange"):
            return Compiled(self._port(qualifiers, text), qualifiers)
        if family in ("ether", "link"):
            if kind == "net":
                raise FilterError("illegal qualifier of 'net'")
            return Compiled(_ether_host(qualifiers.direction, text), qualifiers)
        if family in PROTOCOL_NUMBERS:
            raise FilterError(f"'{family}' modifier applied to {kind}")
        if kind == "net":
            return Compiled(self._net(qualifiers, text, ""), qualifiers)
        return Compiled(self._host(qualifiers, text), qualifiers)

    def _host(self, qualifiers: Qualifiers, text: str) -> Test:
        if _is_mac(text):
            raise FilterError("ethernet address used in non-ether expression")
        if "/" in text or (text.replace(".", "").isdigit() and text.count(".") < 3):
            return self._net(qualifiers, text, "", "host")
        try:
            found: list[IpAddress] | None = [parse_address(text)]
        except ValueError:
            if text.replace(".", "").isdigit() and text.count(".") == 3:
                raise FilterError(f"invalid IPv4 address '{text}'") from None
            found = self.lookups.hosts(text)
        if not found:
            raise FilterError(f"unknown host '{text}'")
        if qualifiers.family in ("ip", "arp", "rarp") and all(one.family == 6 for one in found):
            raise FilterError(f"'{qualifiers.family}' modifier applied to ip6 host")
        if qualifiers.family == "ip6" and all(one.family == 4 for one in found):
            raise FilterError("'ip6' modifier applied to ip host")
        tests = [_address_test(qualifiers, one, one.bits) for one in found]
        return lambda view: any(test(view) for test in tests)

    def _net(self, qualifiers: Qualifiers, text: str, mask: str, kind: str = "net") -> Test:
        address_text, slash, length = text.partition("/")
        if ":" in address_text:
            try:
                six = IPv6Address.parse(address_text)
            except ValueError:
                raise FilterError(f"invalid ip6 address {address_text}") from None
            bits = int(length) if slash else 128
            if bits > 128:
                raise FilterError("mask length must be <= 128")
            if six & ~prefix_mask(128, bits):
                raise FilterError(f'non-network bits set in "{address_text}/{bits}"')
            return _address_test(qualifiers, six, bits)
        parts = address_text.split(".")
        if not all(part.isdigit() and int(part) < 256 for part in parts) or len(parts) > 4:
            if all(part.isdigit() for part in parts):
                raise FilterError(f"invalid IPv4 address '{address_text}'")
            raise FilterError(f"unknown network '{text}'")
        value = int.from_bytes(bytes(int(part) for part in parts).ljust(4, b"\0"), "big")
        bits = 8 * len(parts)
        if slash:
            bits = int(length)
            if bits > 32:
                raise FilterError("mask length must be <= 32")
        if mask:
            try:
                number = int(IPv4Address.parse(mask))
            except ValueError:
                raise FilterError(f"invalid IPv4 address '{mask}'") from None
            bits = number.bit_count()
        if value & ~prefix_mask(32, bits):
            shown = f"{address_text} mask {mask}" if mask else f"{address_text}/{bits}"
            raise FilterError(f'non-network bits set in "{shown}"')
        return _address_test(qualifiers, IPv4Address(value), bits)

    def _port(self, qualifiers: Qualifiers, text: str) -> Test:
        family = qualifiers.family
        if family and family not in ("tcp", "udp", "sctp", "ip", "ip6"):
            raise FilterError("illegal qualifier of 'port'")
        if family in ("ip", "ip6"):
            raise FilterError("illegal qualifier of 'port'")
        if qualifiers.kind == "portrange" and "-" in text:
            low_text, _, high_text = text.partition("-")
            low, high = sorted((self._port_number(low_text), self._port_number(high_text)))
        else:
            low = high = self._port_number(text)
        protocols = {PROTOCOL_NUMBERS[family]} if family else {6, 17, 132}
        direction = qualifiers.direction

        def test(view: View) -> bool:
            found = view.transport
            if found is None or found[0] not in protocols or found[1] < 0:
                return False
            return _either(
                direction,
                low <= view.read(found[1], 2) <= high,
                lambda: low <= view.read(found[1] + 2, 2) <= high,
            )

        return test

    def _port_number(self, text: str) -> int:
        if text.isdigit() or text.lower().startswith("0x"):
            number = _integer(text)
            if number > 65535:
                raise FilterError(f"illegal port number {number} > 65535")
            return number
        found = self.lookups.port(text)
        if found is None:
            raise FilterError(f"unknown port '{text}'")
        return found

    # -- arithmetic -------------------------------------------------------------------------
    def _relation(self, tree: Any) -> Test:
        a, operator, b = self._number(tree.children[0]), str(tree.children[1]), self._number(tree.children[2])
        return {
            "=": lambda view: a(view) == b(view), "==": lambda view: a(view) == b(view), "!=": lambda view: a(view) != b(view),
            ">": lambda view: a(view) > b(view), "<": lambda view: a(view) < b(view), ">=": lambda view: a(view) >= b(view),
            "<=": lambda view: a(view) <= b(view),
        }[operator]  # fmt: skip

    def _number(self, tree: Any) -> Number:
        name = tree.data
        if name == "number":
            value = _integer(str(tree.children[0]))
            return lambda view: value
        if name == "constant":
            word = str(tree.children[0])
            if word not in CONSTANTS:
                raise FilterError("can't parse filter expression: syntax error")
            value = CONSTANTS[word]
            return lambda view: value
        if name == "length":
            return lambda view: view.length
        if name == "negative":
            inner = self._number(tree.children[1])
            return lambda view: -inner(view) & 0xFFFFFFFF
        if name == "field":
            return self._field(tree)
        a, b = self._number(tree.children[0]), self._number(tree.children[2])
        return {
            "bit_or": lambda view: a(view) | b(view), "bit_xor": lambda view: a(view) ^ b(view), "bit_and": lambda view: a(view) & b(view),
            "left": lambda view: a(view) << min(b(view), 32) & 0xFFFFFFFF, "right": lambda view: a(view) >> min(b(view), 32),
            "plus": lambda view: a(view) + b(view) & 0xFFFFFFFF, "minus": lambda view: a(view) - b(view) & 0xFFFFFFFF,
            "times": lambda view: a(view) * b(view) & 0xFFFFFFFF, "over": lambda view: a(view) // b(view),
            "modulo": lambda view: a(view) % b(view),
        }[name]  # fmt: skip

    def _field(self, tree: Any) -> Number:
        """``tcp[13]``, ``ip[2:2]``: bytes of a header; nothing matches where that header is missing."""
        word = str(tree.children[0])
        offset = self._number(next(child for child in tree.children[1:] if hasattr(child, "data")))
        sizes = [
            str(child)
            for child in tree.children[1:]
            if not hasattr(child, "data") and getattr(child, "type", "") == "NUMBER"
        ]
        size = _integer(sizes[0]) if sizes else 1
        if size not in (1, 2, 4):
            raise FilterError("data size must be 1, 2, or 4")
        if word in ("ether", "link"):
            return lambda view: view.read(offset(view), size)
        if word in ETHER_NUMBERS:
            number = ETHER_NUMBERS[word]

            def network(view: View) -> int:
                if view.ethertype != number:
                    raise OutOfPacket
                return view.read(view.net + offset(view), size)

            return network
        if word not in PROTOCOL_NUMBERS:
            raise FilterError("unsupported index operation")
        protocol = PROTOCOL_NUMBERS[word]
        ethertype = 0x86DD if word == "icmp6" else 0x0800

        def transport(view: View) -> int:
            found = view.transport
            if view.ethertype != ethertype or found is None or found[0] != protocol or found[1] < 0:
                raise OutOfPacket
            return view.read(found[1] + offset(view), size)

        return transport


def _join(first: Test, second: Test, word: str) -> Test:
    if word == "and":
        return lambda view: first(view) and second(view)
    return lambda view: first(view) or second(view)


# -- small things -------------------------------------------------------------------------------
def _integer(text: str) -> int:
    octal = text.startswith("0") and len(text) > 1 and text.isdigit() and not set(text) & set("89")
    value = int(text, 16) if text.lower().startswith("0x") else int(text, 8 if octal else 10)
    if value > 0xFFFFFFFF:
        raise FilterError("can't parse filter expression: syntax error")
    return value


def _identifier(tree: Any) -> str:
    return str(tree.children[0])


def _qualifiers(tree: Any) -> Qualifiers:
    family = direction = kind = ""
    for child in tree.children:
        text = str(child.children[0])
        if child.data == "family":
            family = "ether" if text == "link" else text
        elif child.data == "direction":
            direction = " ".join(text.split())
        else:
            kind = text
    if direction in ("dst or src", "dst and src"):
        direction = direction.replace("dst", "x").replace("src", "dst").replace("x", "src")
    return Qualifiers(family, direction, kind)


def _either(direction: str, source: bool, destination: Callable[[], bool]) -> bool:
    if direction == "src":
        return source
    if direction == "dst":
        return destination()
    if direction == "src and dst":
        return source and destination()
    return source or destination()


def _has_protocol(view: View, number: int) -> bool:
    found = view.transport
    if found is None:
        return False
    if found[0] == 44 and view.ethertype == 0x86DD:
        return view.read(view.net + 40, 1) == number
    return found[0] == number


def _address_test(qualifiers: Qualifiers, address: IpAddress, bits: int) -> Test:
    """host and net: IPv4 (also in ARP) or IPv6 source or destination within a prefix."""
    mask = prefix_mask(address.bits, bits)
    wanted = address & mask
    direction = qualifiers.direction
    if address.family == 6:

        def six(view: View) -> bool:
            if view.ethertype != 0x86DD:
                return False
            source = view.read(view.net + 8, 16) & mask == wanted
            return _either(direction, source, lambda: view.read(view.net + 24, 16) & mask == wanted)

        return six
    places = {0x0800: (12, 16), 0x0806: (14, 24), 0x8035: (14, 24)}
    if qualifiers.family in ETHER_NUMBERS and qualifiers.family != "ip6":
        number = ETHER_NUMBERS[qualifiers.family]
        places = {number: places[number]}

    def four(view: View) -> bool:
        found = places.get(view.ethertype)
        if found is None:
            return False
        source = view.read(view.net + found[0], 4) & mask == wanted
        return _either(direction, source, lambda: view.read(view.net + found[1], 4) & mask == wanted)

    return four


def _is_mac(text: str) -> bool:
    return text.count(":") == 5 and all(1 <= len(part) <= 2 for part in text.split(":"))


def _ether_host(direction: str, text: str) -> Test:
    if not _is_mac(text):
        if text[:1].isdigit() or ":" in text:
            raise FilterError("illegal link layer address")
        raise FilterError(f"unknown ether host '{text}'")
    try:
        wanted = int(MacAddress.parse(text))
    except ValueError:
        raise FilterError("can't parse filter expression: syntax error") from None

    def test(view: View) -> bool:
        if view.link_type != LINKTYPE_ETHERNET:
            return False
        return _either(direction, view.read(6, 6) == wanted, lambda: view.read(0, 6) == wanted)

    return test


def _proto(family: str, text: str, direction: str) -> Test:
    """``ether proto``, ``ip proto``, ``ip6 proto``, ``proto``."""
    escaped = text.startswith("\\")
    name = text.removeprefix("\\")
    ether = family in ("ether", "link")
    table = NAMED_ETHERTYPES if ether else NAMED_PROTOCOLS
    if name.isdigit() or name.lower().startswith("0x"):
        number = _integer(name)
    elif name in table and (escaped or name not in {**PROTOCOL_NUMBERS, **ETHER_NUMBERS}):
        number = table[name]
    else:
        raise FilterError(
            f"unknown {'ether' if ether else 'ip6' if family == 'ip6' else 'ip'} proto '{name}'"
        )
    if ether:
        return lambda view: view.ethertype == number
    if family in PROTOCOL_NUMBERS or family in ("arp", "rarp"):
        raise FilterError(f"'{family} proto' is bogus")
    ethertypes = {"ip": (0x0800,), "ip6": (0x86DD,)}.get(family, (0x0800, 0x86DD))
    return lambda view: view.ethertype in ethertypes and _has_protocol(view, number)


def _cast(family: str, word: str, netmask: int | None) -> Test:
    """broadcast and multicast, of Ethernet or of IP."""
    if family in ("", "ether", "link"):
        if word == "broadcast":
            return lambda view: view.link_type == LINKTYPE_ETHERNET and view.read(0, 6) == 0xFFFFFFFFFFFF
        return lambda view: view.link_type == LINKTYPE_ETHERNET and bool(view.read(0, 1) & 1)
    if family == "ip":
        if word == "multicast":
            return lambda view: view.ethertype == 0x0800 and view.read(view.net + 16, 1) >= 224
        hosts = 0xFFFFFFFF & ~(netmask or 0)
        return lambda view: view.ethertype == 0x0800 and view.read(view.net + 16, 4) & hosts in (0, hosts)
    if family == "ip6" and word == "multicast":
        return lambda view: view.ethertype == 0x86DD and view.read(view.net + 24, 1) == 255
    raise FilterError(f"only link-layer/IP {word} filters supported")


def _tagged(word: str, number: int | None) -> Test:
    if word == "vlan":
        return lambda view: bool(view.vlans) and (number is None or view.vlans[0] == number)
    ethertype = 0x8847 if word == "mpls" else 0x8864
    return lambda view: view.ethertype == ethertype
