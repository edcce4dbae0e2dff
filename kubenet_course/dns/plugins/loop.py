"""loop: asks itself a question nobody else would ask, and ends the server if it comes back (plugin/loop)."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig

HINFO = 13
SECOND = 10**9
TRIES = 5


@dataclass
class Loop(Plugin):
    config: ServerConfig
    zone: str
    qname: str
    address: str
    port: int
    seen: int = 0
    off: bool = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if self.off or request.qtype != HINFO:
            return await self.next_plugin(request)
        if request.name == self.qname:
            self.seen += 1
            if self.seen > 2:
                environment = self.config.environment
                text = (
                    f"[FATAL] plugin/loop: Loop ({request.client}:{request.client_port} -> {self.config.listen_text}) detected for "
                    f'zone "{self.zone}", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {self.qname}"'
                )
                if environment.shutdown is not None:
                    environment.shutdown(text)
                raise PluginError("loop", "")
        return await self.next_plugin(request)

    async def start(self) -> None:
        self.config.environment.spawn(self._ask())

    async def _ask(self) -> None:
        """Ask until there is an answer; then the test is over."""
        environment = self.config.environment
        for _ in range(TRIES):
            query = dns.message.make_query(self.qname, "HINFO", id=environment.random.getrandbits(16))
            try:
                await environment.exchange(self.address, self.port, query.to_wire(), "udp", 2 * SECOND)
                break
            except (OSError, TimeoutError):
                await environment.sleep(2 * SECOND)
        await environment.sleep(30 * SECOND if self.seen > 2 else 0)
        self.off = True

    def stop(self) -> None:
        self.off = True


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    c.next()
    if c.next_arg() or c.next():
        raise c.arg_error()
    zone = config.zones[0]
    random = config.environment.random
    name = f"{random.getrandbits(63)}.{random.getrandbits(63)}.{zone if zone != '.' else ''}"
    address = (config.listen or ["127.0.0.1"])[0]
    return Loop(config, zone, name, address, int(config.addresses[0].port))
