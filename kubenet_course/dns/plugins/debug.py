"""debug: debug lines in the log, and no recovery from crashes (plugin/debug)."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    while c.next():
        if c.next_arg():
            raise c.arg_error()
        config.debug = True
