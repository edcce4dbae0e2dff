"""Ports of TCP and UDP rules, as libxt_tcp and libxt_udp read and print them."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem


def parse_port(text: str, protocol: str, names: Names) -> int:
    """xtables_parse_port(): a number to 65535 or a service of that protocol."""
    value = number(text, 0xFFFF)
    if value is None:
        value = names.service_port(text, protocol)
    if value is None:
        raise problem(f"invalid port/service `{text}' specified")
    return value


def parse_ports(text: str, protocol: str, names: Names) -> tuple[int, int]:
    low_text, colon, high_text = text.partition(":")
    if not colon:
        port = parse_port(text, protocol, names)
        return port, port
    low = parse_port(low_text, protocol, names) if low_text else 0
    high = parse_port(high_text, protocol, names) if high_text else 0xFFFF
    if low > high:
        raise problem("invalid portrange (min > max)")
    return low, high


PORT_OPTIONS = (
    Opt("source-port", "string", invert=True, key="sport"),
    Opt("sport", "string", invert=True),
    Opt("destination-port", "string", invert=True, key="dport"),
    Opt("dport", "string", invert=True),
)


def port_word(port: int, protocol: str, names: Names | None) -> str:
    if names is not None:
        return names.service_name(port, protocol) or str(port)
    return str(port)


def listing(word: str, ports: tuple[int, int], inverted: bool, protocol: str, names: Names | None) -> str:
    """``dpt:80``, ``spts:!1:5``; nothing for the whole range."""
    low, high = ports
    if (low, high) == (0, 0xFFFF) and not inverted:
        return ""
    bang = "!" if inverted else ""
    if low == high:
        return f"{word}:{bang}{port_word(low, protocol, names)}"
    return f"{word}s:{bang}{port_word(low, protocol, names)}:{port_word(high, protocol, names)}"


def says_not(extension: Extension, key: str) -> bool:
    """Whether the ``!`` is printed: the old tools leave it out with all ports."""
    every = extension.rule is not None and extension.rule.legacy and extension.values.get(key) == (0, 0xFFFF)
    return key in extension.inverted and not every


def save(flag: str, ports: tuple[int, int], inverted: bool) -> str:
    low, high = ports
    if (low, high) == (0, 0xFFFF) and not inverted:
        return ""
    return f"{'! ' if inverted else ''}--{flag} {low}" + (f":{high}" if low != high else "")


def nft(field: str, ports: tuple[int, int], inverted: bool) -> str:
    low, high = ports
    if (low, high) == (0, 0xFFFF) and not inverted:
        return ""
    return f"{field} {'!= ' if inverted else ''}{low}" + (f"-{high}" if low != high else "")
