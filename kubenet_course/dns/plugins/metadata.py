"""metadata: lets plugins say things about a request that `log`, `rewrite`, `view` and `template` may use (plugin/metadata)."""

from __future__ import annotations

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Request, ServerConfig


def setup(c: Dispenser, config: ServerConfig) -> None:
    zones: list[str] = []
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        zones += config.origins(c.remaining_args())
        if c.next_block():
            raise c.arg_error()

    def collect(request: Request) -> None:
        """Metadata.Collect(): ask each plugin of the block."""
        if longest_match(zones, request.name) is None:
            return
        for plugin in config.plugins:
            request.metadata.update(plugin.metadata(request))

    config.metadata.append(collect)
