"""What SNAT, DNAT, MASQUERADE and REDIRECT have in common: ranges of addresses and ports (libxt_NAT)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.nat import DST, NatRange, setup_info
from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP
from kubenet_course.kernel.netfilter.xt import Extension, Names, number, problem
from kubenet_course.wire.addresses import parse_address

#: Protocols with which ports may be given.
WITH_PORTS = (6, 17, 132, 33, 1, 58)


def needs_protocol(extension: Extension) -> None:
    rule = extension.rule
    if rule is None or rule.protocol not in WITH_PORTS:
        raise problem("Need TCP, UDP, SCTP or DCCP with port specification")


_NUMBER = re.compile(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


def _number(text: str) -> tuple[int, str] | None:
    """xtables_strtoui(): a port at the beginning of the text, and what follows it."""
    found = _NUMBER.match(text)
    value = number(found.group(0), 0xFFFF) if found is not None else None
    return (value, text[found.end() :]) if found is not None and value is not None else None


def _service(text: str, names: Names) -> int:
    port = names.service_port(text)
    if port is None:
        raise problem(f"Port `{text}' not valid")
    return port


def parse_ports(text: str, names: Names, *, shifted: bool = True) -> tuple[int, int, int | None]:
    """``port[-port[/base]]`` as (low, high, base); services only where they stand alone."""
    found = _number(text)
    if found is None:
        port = _service(text, names)
        return port, port, None
    low, rest = found
    if not rest:
        return low, low, None
    if rest[0] == ":":
        raise problem("Invalid port:port syntax - use dash")
    if rest[0] != "-":
        raise problem(f"Garbage after port value: `{rest}'")
    text = rest[1:]
    found = _number(text)
    if found is None:
        raise problem(f"Port `{text}' not valid")
    high, rest = found
    if high < low:
        raise problem(f"Port range `{text}' funky")
    if not rest:
        return low, high, None
    if rest[0] != "/":
        raise problem(f"Garbage after port range: `{rest}'")
    base = number(rest[1:], 0xFFFF, 1)
    return low, high, (_service(rest[1:], names) if base is None else base) if shifted else 0


def parse_range(extension: Extension, text: str, names: Names) -> NatRange:
    """``[address[-address]][:port[-port[/base]]]``, IPv6 addresses with ports in brackets (parse_to())."""
    start, bracket, inside = text.partition("[")
    if not bracket:
        addresses, colon, rest = text.partition(":")
        if ":" in rest:  # more than one: an IPv6 address
            addresses, colon, rest = text, "", ""
        alone = colon != "" and addresses == ""
    else:
        addresses, close, after = inside.partition("]")
        if not close or extension.family == 4:
            raise problem("Invalid address format")
        _, colon, rest = after.partition(":")
        alone = colon != "" and start == "" and addresses == "" and after.startswith(":")
    ports = None
    if colon:
        needs_protocol(extension)
        ports = parse_ports(rest, names, shifted=extension.name == "DNAT")
    low = high = None
    if not alone:
        low_text, dash, high_text = addresses.partition("-")
        low = _address(low_text, extension.family)
        high = _address(high_text, extension.family) if dash else low
    if ports is None:
        return NatRange(low, high)
    return NatRange(low, high, ports[0], ports[1], base_port=ports[2])


def _address(text: str, family: int) -> Any:
    try:
        address = parse_address(text)
    except ValueError:
        address = None
    if address is None or address.family != family:
        raise problem(f'Bad IP address "{text}"')
    return address


def range_text(wanted: NatRange, family: int) -> str:
    text = ""
    if wanted.min_addr is not None:
        text = str(wanted.min_addr)
        if wanted.max_addr != wanted.min_addr:
            text += f"-{wanted.max_addr}"
        if family == 6 and wanted.min_port is not None:
            text = f"[{text}]"
    if wanted.min_port is not None:
        text += ":" + ports_text(wanted)
    return text


def ports_text(wanted: NatRange) -> str:
    text = str(wanted.min_port)
    if wanted.max_port != wanted.min_port:
        text += f"-{wanted.max_port}"
    return text + (f"/{wanted.base_port}" if wanted.base_port is not None else "")


def flag_words(extension: Extension, prefix: str = "--") -> str:
    words = [f"{prefix}{key}" for key in ("random", "random-fully", "persistent") if key in extension.values]
    return "".join(f" {word}" for word in words)


def nft_flags(extension: Extension) -> str:
    words = {"random": "random", "random-fully": "fully-random", "persistent": "persistent"}
    flags = [word for key, word in words.items() if key in extension.values]
    return f" {','.join(flags)}" if flags else ""


def with_flags(wanted: NatRange, extension: Extension) -> NatRange:
    values = extension.values
    return wanted._replace(
        random="random" in values, fully="random-fully" in values, persistent="persistent" in values
    )


def binder(net: Any, wanted: NatRange, kind: int) -> Callable[[Any, Any], int]:
    """The verdict function of SNAT and DNAT: bind the connection, and accept."""

    def target(skb: Any, state: Any) -> int:
        ct = skb.nfct
        if ct is None:
            return ACCEPT
        return ACCEPT if setup_info(net, ct, wanted, kind) else DROP

    return target


__all__ = ["DST", "NatRange", "binder"]
