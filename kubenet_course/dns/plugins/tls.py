"""tls: the certificate of servers that speak TLS (plugin/tls). Such servers there are not here; the directive is checked."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        words = c.remaining_args()
        if not 2 <= len(words) <= 3:
            raise c.arg_error()
        while c.next_block():
            if c.text != "client_auth":
                raise c.error(f"unknown option '{c.text}'")
            modes = c.remaining_args()
            if len(modes) != 1:
                raise c.arg_error()
            if modes[0] not in ("nocert", "request", "require", "verify_if_given", "require_and_verify"):
                raise c.error(f"unknown authentication type '{modes[0]}'")
        for word in words[:2]:
            path = config.path(word)
            problem = config.environment.problem(path)
            if problem:
                raise c.plain(f"could not load TLS cert: open {path}: {problem}")
