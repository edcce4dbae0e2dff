"""multisocket: more sockets on one port, for speed (plugin/multisocket); one is enough here, so it changes nothing."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    c.next()
    arguments = c.remaining_args()
    if len(arguments) > 1 or c.next():
        raise c.arg_error()
    if arguments and (not arguments[0].isdigit() or not 0 < int(arguments[0]) <= 1024):
        raise c.plain(f"invalid num sockets: {arguments[0]}")
