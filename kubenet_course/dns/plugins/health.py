"""health: an HTTP page that says OK while the server lives (plugin/health); port 8080."""

from __future__ import annotations

from dataclasses import dataclass

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration, go_duration_text
from kubenet_course.dns.plugin import Endpoint, Plugin, ServerConfig, host_port


@dataclass
class Health(Plugin):
    """`lameduck` ns pass between the wish to end and the end, in which it still answers."""

    config: ServerConfig
    lameduck: int = 0

    async def drain(self) -> None:
        if self.lameduck:
            self.config.environment.log(
                f"[INFO] plugin/health: Going into lameduck mode for {go_duration_text(self.lameduck)}"
            )
            await self.config.environment.sleep(self.lameduck)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    address = ":8080"
    handler = Health(config)
    while c.next():
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            address = arguments[0]
            if ":" not in address:
                raise c.plain(f"address {address}: missing port in address")
        while c.next_block():
            if c.text != "lameduck":
                raise c.error(f"unknown property '{c.text}'")
            words = c.remaining_args()
            if len(words) != 1:
                raise c.arg_error()
            try:
                handler.lameduck = go_duration(words[0])
            except ValueError:
                raise c.plain(f"unable to parse lameduck duration value: '{words[0]}'") from None
    where = host_port(address) or (address, -1)
    config.endpoints.append(Endpoint(where[0], where[1], {"/health": lambda: (200, "text/plain; charset=utf-8", "OK")}))
    return handler
