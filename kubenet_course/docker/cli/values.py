"""What the command line itself says of an option's value, before any engine is asked (docker/cli opts).

Each check takes the text; ValueError has the words that follow `invalid argument "…" for "--…" flag:`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from fractions import Fraction

_DOMAIN = re.compile(
    r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
)
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(.*)", re.S)
_UNITS = re.compile(r"(?:[kmgtp]i?b?|b)?", re.I)
_SYSCTLS = (
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced"
).split()
LONG_NETWORK = re.compile(r"\w+=\w+(?:,\w+=\w+)*")
NETWORK_KEYS = ("name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority")


def _address(text: str) -> None:
    ipaddress.ip_address(text)


def extra_host(entry: str) -> None:
    name, separator, address = entry.partition(
        "=" if "=" in entry and ":" not in entry.partition("=")[0] else ":"
    )
    if not separator or not name:
        raise ValueError(f'bad format for add-host: "{entry}"')
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address == "host-gateway":
        return
    try:
        _address(address)
    except ValueError:
        raise ValueError(f'invalid IP address in add-host: "{address}"') from None


def name_server(text: str) -> None:
    try:
        _address(text.strip())
    except ValueError:
        raise ValueError(f"IP address is not correctly formatted: {text}") from None


def search_domain(text: str) -> None:
    text = text.strip(" ")
    if text != "." and not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text} is not a valid domain")


def link(text: str) -> None:
    if not text:
        raise ValueError("empty string specified for links")
    if text.count(":") > 1:
        raise ValueError(f"bad format for links: {text}")


def network(text: str) -> None:
    """NAME, or KEY=VALUE,…"""
    if not LONG_NETWORK.search(text):
        return
    named = False
    for part in text.split(","):
        key, equals, value = part.lower().partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise ValueError(f"invalid field {part}")
        if key not in NETWORK_KEYS:
            raise ValueError(f"invalid field key {key}")
        if key == "driver-opt" and "=" not in value:
            raise ValueError("invalid key value pair format in driver options")
        if key == "gw-priority" and not re.fullmatch(r"[-+]?\d+", value):
            raise ValueError(f"invalid gw-priority ({value}): invalid syntax")
        named = named or (key == "name" and bool(value))
    if not named:
        raise ValueError("network name/id is not specified")


def label(text: str) -> None:
    if not text.partition("=")[0].strip():
        raise ValueError(f"invalid label '{text}': empty name")


def environment(text: str) -> None:
    if not text.partition("=")[0]:
        raise ValueError(f"invalid environment variable: {text}")


def sysctl(text: str) -> None:
    name, equals, _ = text.partition("=")
    if not equals or not (name in _SYSCTLS or name.startswith(("net.", "fs.mqueue."))):
        raise ValueError(f"sysctl '{text}' is not allowed")


def size(text: str) -> None:
    """go-units RAMInBytes: 64m, 1.5GiB."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    if not _UNITS.fullmatch(match[2]):
        raise ValueError(f"invalid suffix: '{match[2]}'")


def cpus(text: str) -> None:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if (value * 10**9).denominator != 1:
        raise ValueError("value is too precise")


def stream(text: str) -> None:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")


#: By the option's long name.
CONTAINER: dict[str, Callable[[str], None]] = {
    "add-host": extra_host, "dns": name_server, "dns-search": search_domain, "link": link, "network": network,
    "net": network, "label": label, "env": environment, "sysctl": sysctl, "memory": size, "cpus": cpus, "attach": stream,
}  # fmt: skip
