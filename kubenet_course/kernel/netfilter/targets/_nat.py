"""What SNAT, DNAT, MASQUERADE and REDIRECT have in common: ranges of addresses and ports (libxt_NAT)."""

from __future__ import annotations

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


def _port(text: str, names: Names, low: int = 0) -> int:
    value = number(text, 0xFFFF, low)
    if value is None:
        value = names.service_port(text)
    if value is None:
        raise problem(f"Port `{text}' not valid")
    return value


def parse_ports(text: str, names: Names) -> tuple[int, int, int | None]:
    """``port[-port[/base]]`` as (low, high, base)."""
    span, slash, base_text = text.partition("/")
    if number(span, 0xFFFF) is None and names.service_port(span) is not None:
        port = names.service_port(span)
        assert port is not None
        return port, port, None
    low_text, dash, high_text = span.partition("-")
    if dash and number(low_text, 0xFFFF) is None:
        raise problem(f"Port `{span}' not valid")
    low = _port(low_text, names)
    high = _port(high_text, names) if dash else low
    if high < low:
        raise problem(f"Port range `{high_text}' funky")
    return low, high, _port(base_text, names, 1) if slash else None


def parse_range(extension: Extension, text: str, names: Names) -> NatRange:
    """``[address[-address]][:port[-port[/base]]]``, IPv6 addresses with ports in brackets."""
    addresses, ports = _split(extension, text, names)
    low = high = None
    if addresses:
        low_text, dash, high_text = addresses.partition("-")
        low = _address(low_text, extension.family)
        high = _address(high_text, extension.family) if dash else low
    if ports is None:
        return NatRange(low, high)
    return NatRange(low, high, ports[0], ports[1], base_port=ports[2])


def _split(extension: Extension, text: str, names: Names) -> tuple[str, tuple[int, int, int | None] | None]:
    if extension.family == 6:
        if not text.startswith("["):
            return text, None
        addresses, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise problem("Invalid address format")
        if not rest.startswith(":"):
            return addresses, None
        needs_protocol(extension)
        return addresses, parse_ports(rest[1:], names)
    addresses, colon, rest = text.partition(":")
    if not colon:
        return addresses, None
    if extension.rule is None or extension.rule.protocol not in WITH_PORTS:
        if parse_fails(text):
            raise problem(f'Bad IP address "{text}"')
        needs_protocol(extension)
    return addresses, parse_ports(rest, names)


def parse_fails(text: str) -> bool:
    """An IPv6 address where IPv4 is meant."""
    return text.count(":") > 1


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
