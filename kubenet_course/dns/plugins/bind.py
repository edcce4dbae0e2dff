"""bind: the addresses, or interfaces, that a server listens on, instead of all (plugin/bind)."""

from __future__ import annotations

import ipaddress

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    addresses: list[str] = []
    while c.next():
        words = c.remaining_args()
        if not words:
            raise c.error("at least one address or interface name is expected")
        excluded: list[str] = []
        while c.next_block():
            if c.text != "except":
                raise c.error(f"unknown option '{c.text}'")
            excluded += c.remaining_args()
            if not excluded:
                raise c.error("at least one address or interface must be given to except subdirective")
        left_out = {address for word in excluded for address in _expanded(c, config, word)}
        addresses += [address for word in words for address in _expanded(c, config, word) if address not in left_out]
    config.listen = list(dict.fromkeys(addresses))


def _expanded(c: Dispenser, config: ServerConfig, word: str) -> list[str]:
    """An interface's addresses, or the address itself."""
    of_interface = config.environment.interface(word)
    if of_interface is not None:
        return of_interface
    try:
        return [str(ipaddress.ip_address(word.partition("%")[0]))]
    except ValueError:
        raise c.plain(f'not a valid IP address or interface name: "{word}"') from None
