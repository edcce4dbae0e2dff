"""timeouts: how long TCP connections are read, written and left idle (plugin/timeouts)."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration
from kubenet_course.dns.plugin import ServerConfig

DAY = 24 * 3600 * 10**9


def setup(c: Dispenser, config: ServerConfig) -> None:
    while c.next():
        if c.remaining_args():
            raise c.plain("config block definition should not have any arguments")
        blocks = 0
        while c.next_block():
            name = c.text
            blocks += 1
            if name not in ("read", "write", "idle"):
                raise c.error(f"unknown option: '{name}'")
            words = c.remaining_args()
            if len(words) != 1:
                raise c.arg_error()
            text = f"{words[0]}s" if words[0].isdigit() else words[0]
            try:
                timeout = go_duration(text)
            except ValueError:
                raise c.error(f"failed to parse duration '{words[0]}'") from None
            if not 10**9 <= timeout <= DAY:
                raise c.error(f"timeout provided '{words[0]}' needs to be between 1 second and 24 hours")
            config.options[f"{name}_timeout"] = timeout
        if not blocks:
            raise c.plain("config block with no timeouts specified")
