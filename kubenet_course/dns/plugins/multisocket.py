"""multisocket: more sockets on one port, for speed (plugin/multisocket); one is enough here, so it changes nothing."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig

MOST = 1024


def setup(c: Dispenser, config: ServerConfig) -> None:
    c.next()
    arguments = c.remaining_args()
    if len(arguments) > 1 or c.next():
        raise c.arg_error()
    if not arguments:
        return
    if not arguments[0].lstrip("+-").isdigit():
        raise c.plain(f'invalid num sockets: strconv.Atoi: parsing "{arguments[0]}": invalid syntax')
    if int(arguments[0]) < 1:
        raise c.plain(f"num sockets can not be zero or negative: {int(arguments[0])}")
    if int(arguments[0]) > MOST:
        raise c.plain(f"num sockets exceeds maximum ({MOST}): {int(arguments[0])}")
