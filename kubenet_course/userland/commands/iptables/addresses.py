"""Sources and destinations on the command line (xtables_ipparse_multiple(), libxtables/xtables.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.xt import Names, number, problem
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

MAX_ADDRESSES = 256


def host_networks(text: str, family: int, names: Names) -> list[tuple[Any, int]]:
    """Each of ``a,b/24,host`` as (network address, mask)."""
    found: list[tuple[Any, int]] = []
    for word in text.split(","):
        address_text, slash, mask_text = word.rpartition("/")
        if not slash:
            address_text, mask_text = word, ""
            mask = (1 << (32 if family == 4 else 128)) - 1
        else:
            mask = parse_mask(mask_text, family)
        kind: Any = IPv4Address if family == 4 else IPv6Address
        if mask == 0 and slash:
            addresses: list[Any] = [kind(0)]
        else:
            addresses = parse_host(address_text, family, names)
        for address in addresses:
            network = (kind(address & mask), mask)
            if network not in found or len(addresses) == 1:
                found.append(network)
    return found


def parse_host(text: str, family: int, names: Names) -> list[Any]:
    """Dotted quads, which may be short (``10.1`` is 10.1.0.0), or a name of /etc/hosts."""
    if family == 4:
        address = parse_quad(text)
        if address is not None:
            return [address]
    else:
        try:
            return [IPv6Address.parse(text)]
        except ValueError:
            pass
    found = names.host_addresses(text, family)
    if not found:
        raise problem(f"host/network `{text}' not found")
    return found


def parse_quad(text: str) -> IPv4Address | None:
    """xtables_numeric_to_ipaddr() and _ipmask(): missing bytes at the end are 0."""
    parts = text.split(".")
    if len(parts) > 4 or not text:
        return None
    value = 0
    for part in parts:
        byte = number(part, 255) if part and part[0].isdigit() else None
        if byte is None:
            return None
        value = value << 8 | byte
    return IPv4Address(value << 8 * (4 - len(parts)))


def parse_mask(text: str, family: int) -> int:
    """A prefix length or a mask with dots (colons)."""
    bits = 32 if family == 4 else 128
    length = number(text) if text else None
    if length is None and text:
        if family == 4 and "." in text:
            mask = parse_quad(text)
            if mask is not None and text.count(".") == 3:
                return int(mask)
        elif family == 6:
            try:
                return int(IPv6Address.parse(text))
            except ValueError:
                pass
    if length is None or length > bits:
        raise problem(f"invalid mask `{text}' specified")
    return ((1 << length) - 1) << (bits - length)
