"""A parsed filter becomes one test (libpcap's gencode.c); the grammar is in `filter.lark`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from kubenet_course.registry import text_of
from kubenet_course.userland.commands.tcpdump.filter.arithmetic import relation
from kubenet_course.userland.commands.tcpdump.filter.frame import OutOfPacket, Test, View
from kubenet_course.userland.commands.tcpdump.filter.names import PROTOCOL_NUMBERS, FilterError, integer
from kubenet_course.userland.commands.tcpdump.filter.primitives import (
    Qualifiers,
    address_test,
    cast,
    either,
    ether_host,
    is_mac,
    proto,
    protocol,
    tagged,
)
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address, parse_address, prefix_mask


class Lookups(NamedTuple):
    """How names in a filter become numbers; each gives None for an unknown name."""

    hosts: Callable[[str], list[IpAddress] | None]
    port: Callable[[str], int | None]
    #: Whether the capture tells frames in from frames out (not from a file).
    live: bool = False
    #: The netmask of the device, for ``ip broadcast``; None where it is not known.
    netmask: int | None = None


@lru_cache(1)
def _parser() -> Any:
    from lark import Lark

    grammar = text_of("kubenet_course.userland.commands.tcpdump.filter", "filter.lark")
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


class Compiled(NamedTuple):
    """A test with the qualifiers that a bare identifier after it would take over."""

    test: Test
    qualifiers: Qualifiers


class _Compiler:
    def __init__(self, lookups: Lookups):
        self.lookups = lookups

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
            return Compiled(relation(tree), Qualifiers())
        return self._primitive(tree)

    def _again(self, tree: Any, qualifiers: Qualifiers) -> Compiled:
        found = self._identified(qualifiers, identifier(tree.children[-1]))
        if tree.data == "not_again":
            return Compiled(lambda view: not found.test(view), qualifiers)
        return found

    def _primitive(self, tree: Any) -> Compiled:
        name = tree.data
        tokens = [child for child in tree.children if not hasattr(child, "data")]
        if name == "qualified":
            return self._identified(qualifiers_of(tree.children[0]), identifier(tree.children[1]))
        if name == "group":
            return self._group(qualifiers_of(tree.children[0]), tree.children[1])
        if name == "protocol":
            word = str(tokens[0])
            return Compiled(protocol(word), Qualifiers(family=word))
        if name == "cast":
            family = str(tokens[0]) if len(tokens) > 1 else ""
            return Compiled(cast(family, str(tokens[-1]), self.lookups.netmask), Qualifiers())
        if name == "size":
            limit = integer(str(tokens[1]))
            if tokens[0] == "less":
                return Compiled(lambda view: view.length <= limit, Qualifiers())
            return Compiled(lambda view: view.length >= limit, Qualifiers())
        if name == "tagged":
            return Compiled(
                tagged(str(tokens[0]), integer(str(tokens[1])) if len(tokens) > 1 else None), Qualifiers()
            )
        if name == "way":
            if not self.lookups.live:
                raise FilterError("inbound/outbound not supported on Ethernet when reading savefiles")
            out = tokens[0] == "outbound"
            return Compiled(lambda view: view.outgoing == out, Qualifiers())
        outer = qualifiers_of(tree.children[0])
        if outer.kind != "net":
            raise FilterError("can't parse filter expression: syntax error")
        address, mask = identifier(tree.children[1]), identifier(tree.children[3])
        return Compiled(self._net(outer, address, mask), outer)

    def _group(self, qualifiers: Qualifiers, tree: Any) -> Compiled:
        """``port (80 or 443)``."""
        found: Test | None = None
        joined = "or"
        for child in tree.children:
            if not hasattr(child, "data"):
                joined = "and" if child.type == "AND" else "or"
                continue
            test = self._identified(qualifiers, identifier(child)).test
            found = test if found is None else _join(found, test, joined)
        assert found is not None
        return Compiled(found, qualifiers)

    def _identified(self, qualifiers: Qualifiers, text: str) -> Compiled:
        """A qualified identifier: the host, net, port or protocol that `text` names."""
        family, kind = qualifiers.family, qualifiers.kind or "host"
        if kind == "proto":
            return Compiled(proto(family, text), qualifiers)
        if kind == "gateway":
            raise FilterError("'gateway' not supported in this configuration")
        if kind in ("port", "portrange"):
            return Compiled(self._port(qualifiers, text), qualifiers)
        if family in ("ether", "link"):
            if kind == "net":
                raise FilterError("illegal qualifier of 'net'")
            return Compiled(ether_host(qualifiers.direction, text), qualifiers)
        if family in PROTOCOL_NUMBERS:
            raise FilterError(f"'{family}' modifier applied to {kind}")
        if kind == "net":
            return Compiled(self._net(qualifiers, text, ""), qualifiers)
        return Compiled(self._host(qualifiers, text), qualifiers)

    def _host(self, qualifiers: Qualifiers, text: str) -> Test:
        if is_mac(text):
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
        tests = [address_test(qualifiers, one, one.bits) for one in found]
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
            return address_test(qualifiers, six, bits)
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
        return address_test(qualifiers, IPv4Address(value), bits)

    def _port(self, qualifiers: Qualifiers, text: str) -> Test:
        family = qualifiers.family
        if family and family not in ("tcp", "udp", "sctp"):
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
            return either(
                direction,
                low <= view.read(found[1], 2) <= high,
                lambda: low <= view.read(found[1] + 2, 2) <= high,
            )

        return test

    def _port_number(self, text: str) -> int:
        if text.isdigit() or text.lower().startswith("0x"):
            number = integer(text)
            if number > 65535:
                raise FilterError(f"illegal port number {number} > 65535")
            return number
        found = self.lookups.port(text)
        if found is None:
            raise FilterError(f"unknown port '{text}'")
        return found


def _join(first: Test, second: Test, word: str) -> Test:
    if word == "and":
        return lambda view: first(view) and second(view)
    return lambda view: first(view) or second(view)


def identifier(tree: Any) -> str:
    return str(tree.children[0])


def qualifiers_of(tree: Any) -> Qualifiers:
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
