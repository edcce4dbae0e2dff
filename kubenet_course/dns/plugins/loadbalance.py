"""loadbalance: shuffles the address records of answers (plugin/loadbalance)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import fqdn, go_duration
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

SHUFFLED = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.MX)


@dataclass
class LoadBalance(Plugin):
    """`round_robin` shuffles; `weighted` puts an address first in proportion to its weight."""

    config: ServerConfig
    policy: str = "round_robin"
    weights_file: str = ""
    reload: int = 30 * 10**9
    prefer: list[str] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        answer = await self.next_plugin(request)
        for section in (answer.answer, answer.additional):
            section[:] = [self._arrange(rrset) for rrset in section]
        return answer

    def _arrange(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        if rrset.rdtype not in SHUFFLED or len(rrset) < 2:
            return rrset
        items = list(rrset)
        chance = self.config.environment.random
        if self.policy == "weighted" and rrset.rdtype != dns.rdatatype.MX:
            weights = self._weights().get(rrset.name.to_text().lower(), {})
            points = [weights.get(item.to_text(), 1) for item in items]
            first = chance.choices(items, points)[0]
            items.remove(first)
            items.insert(0, first)
        else:
            chance.shuffle(items)
        arranged = dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype)
        for item in items:
            arranged.add(item, rrset.ttl)
        return arranged

    def _weights(self) -> dict[str, dict[str, int]]:
        """The weight file: a domain on a line of its own, then lines of `ADDRESS WEIGHT`."""
        text = self.config.environment.files.read(self.config.path(self.weights_file)) or ""
        table: dict[str, dict[str, int]] = {}
        current: dict[str, int] = {}
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if len(words) == 1:
                current = table.setdefault(fqdn(words[0]), {})
            elif len(words) == 2 and words[1].isdigit():
                current[words[0]] = int(words[1])
        return table


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = LoadBalance(config)
    while c.next():
        arguments = c.remaining_args()
        if not arguments:
            continue
        if arguments[0] == "round_robin":
            if len(arguments) > 1:
                raise c.error(f"unknown property for {arguments[0]}")
        elif arguments[0] == "weighted":
            if len(arguments) < 2:
                raise c.error("missing weight file argument")
            if len(arguments) > 2:
                raise c.error("unexpected argument(s)")
            handler.policy, handler.weights_file = "weighted", arguments[1]
            while c.next_block():
                if c.text != "reload":
                    raise c.error(f"unknown property '{c.text}'")
                words = c.remaining_args()
                if len(words) != 1:
                    raise c.error("unexpected argument(s)" if words else "missing reload duration")
                try:
                    handler.reload = go_duration(words[0])
                except ValueError:
                    raise c.error(f"invalid reload duration '{words[0]}'") from None
                if handler.reload < 0:
                    raise c.error(f"invalid reload duration '{words[0]}'")
        else:
            raise c.error(f"unknown policy: {arguments[0]}")
    return handler
