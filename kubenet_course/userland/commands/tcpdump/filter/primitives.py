"""The tests that a filter is made of, each for one property of a frame (libpcap's gencode.c: gen_*())."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kubenet_course.userland.commands.tcpdump.filter.frame import Test, View
from kubenet_course.userland.commands.tcpdump.filter.names import (
    ETHER_NUMBERS,
    NAMED_ETHERTYPES,
    NAMED_PROTOCOLS,
    PROTOCOL_NUMBERS,
    FilterError,
    integer,
)
from kubenet_course.wire.addresses import IpAddress, MacAddress, prefix_mask
from kubenet_course.wire.pcap import LINKTYPE_ETHERNET


class Qualifiers(NamedTuple):
    """What stands before an identifier: ``ip src host``; "" where a word is left out."""

    family: str = ""
    direction: str = ""
    kind: str = ""


def either(direction: str, source: bool, destination: Callable[[], bool]) -> bool:
    """Whether the source, the destination or both fit, as src and dst ask; the destination is read only where it counts."""
    if direction == "src":
        return source
    if direction == "dst":
        return destination()
    if direction == "src and dst":
        return source and destination()
    return source or destination()


def protocol(word: str) -> Test:
    """A protocol by its word alone: ``tcp``, ``arp``."""
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
    return lambda view: view.ethertype in families and has_protocol(view, number)


def has_protocol(view: View, number: int) -> bool:
    """gen_proto(): the protocol of the IP header, or of an IPv6 fragment's."""
    found = view.transport
    if found is None:
        return False
    if found[0] == 44 and view.ethertype == 0x86DD:
        return view.read(view.net + 40, 1) == number
    return found[0] == number


def address_test(qualifiers: Qualifiers, address: IpAddress, bits: int) -> Test:
    """host and net: IPv4 (also in ARP) or IPv6 source or destination within a prefix."""
    mask = prefix_mask(address.bits, bits)
    wanted = address & mask
    direction = qualifiers.direction
    if address.family == 6:

        def six(view: View) -> bool:
            if view.ethertype != 0x86DD:
                return False
            source = view.read(view.net + 8, 16) & mask == wanted
            return either(direction, source, lambda: view.read(view.net + 24, 16) & mask == wanted)

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
        return either(direction, source, lambda: view.read(view.net + found[1], 4) & mask == wanted)

    return four


def is_mac(text: str) -> bool:
    """Whether the scanner takes it for an Ethernet address."""
    return text.count(":") == 5 and all(1 <= len(part) <= 2 for part in text.split(":"))


def ether_host(direction: str, text: str) -> Test:
    """``ether host``: source or destination address of the frame."""
    if not is_mac(text):
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
        return either(direction, view.read(6, 6) == wanted, lambda: view.read(0, 6) == wanted)

    return test


def proto(family: str, text: str) -> Test:
    """``ether proto``, ``ip proto``, ``ip6 proto``, ``proto``."""
    escaped = text.startswith("\\")
    name = text.removeprefix("\\")
    ether = family in ("ether", "link")
    table = NAMED_ETHERTYPES if ether else NAMED_PROTOCOLS
    if name.isdigit() or name.lower().startswith("0x"):
        number = integer(name)
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
    return lambda view: view.ethertype in ethertypes and has_protocol(view, number)


def cast(family: str, word: str, netmask: int | None) -> Test:
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


def tagged(word: str, number: int | None) -> Test:
    """``vlan``, ``mpls`` and ``pppoes``, with a number or without."""
    if word == "vlan":
        return lambda view: bool(view.vlans) and (number is None or view.vlans[0] == number)
    ethertype = 0x8847 if word == "mpls" else 0x8864
    return lambda view: view.ethertype == ethertype
