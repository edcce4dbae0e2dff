"""acl: who may ask what (plugin/acl): allow, block (REFUSED), filter (an empty answer), drop (none at all)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import dns.edns
import dns.message
import dns.rcode
import dns.rdatatype

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Dropped, Plugin, Request, ServerConfig

BLOCKED, FILTERED = 15, 17  # RFC 8914's codes
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass
class Policy:
    """`types` empty: all; `networks` empty: everybody."""

    action: str
    types: set[int] = field(default_factory=set)
    networks: list[Network] = field(default_factory=list)

    def matches(self, request: Request, client: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        if self.types and request.qtype not in self.types:
            return False
        return not self.networks or any(client in network for network in self.networks)


@dataclass
class Acl(Plugin):
    config: ServerConfig
    rules: list[tuple[list[str], list[Policy]]] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        metrics = self.config.environment.metrics
        client = ipaddress.ip_address(request.client.partition("%")[0])
        for zones, policies in self.rules:
            zone = longest_match(zones, request.name)
            if zone is None:
                continue
            policy = next((policy for policy in policies if policy.matches(request, client)), None)
            if policy is None:
                continue
            where = {"server": f"dns://{self.config.listen_text}", "zone": zone, "view": request.view}
            if policy.action == "drop":
                metrics.count("coredns_acl_dropped_requests_total", **where)
                raise Dropped
            if policy.action == "block":
                metrics.count("coredns_acl_blocked_requests_total", **where)
                return self._refuse(request, dns.rcode.REFUSED, BLOCKED)
            if policy.action == "filter":
                metrics.count("coredns_acl_filtered_requests_total", **where)
                return self._refuse(request, dns.rcode.NOERROR, FILTERED)
            break
        metrics.count("coredns_acl_allowed_requests_total", server=f"dns://{self.config.listen_text}", view=request.view)
        return await self.next_plugin(request)

    @staticmethod
    def _refuse(request: Request, rcode: int, code: int) -> dns.message.Message:
        answer = request.reply(rcode)
        if request.message.edns >= 0:
            request.options.append(dns.edns.EDEOption(dns.edns.EDECode(code)))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Acl(config)
    while c.next():
        zones = config.origins(c.remaining_args())
        policies: list[Policy] = []
        while c.next_block():
            action = c.text.lower()
            if action not in ("allow", "block", "filter", "drop"):
                raise c.error(f'unexpected token "{c.text}"; expect \'allow\', \'block\', \'filter\' or \'drop\'')
            policies.append(_policy(c, action))
        handler.rules.append((zones, policies))
    return handler


def _policy(c: Dispenser, action: str) -> Policy:
    """[type QTYPE…] [net SOURCE…], in either order."""
    policy = Policy(action)
    words = c.remaining_args()
    while words:
        section = words.pop(0)
        tokens: list[str] = []
        while words and words[0].lower() not in ("type", "net"):
            tokens.append(words.pop(0))
        if section.lower() not in ("type", "net"):
            raise c.error(f'unexpected token "{section}"; expect \'type | net\'')
        if not tokens:
            raise c.error(f'no token specified in "{section.lower()}" section')
        if "*" in tokens:
            del tokens[tokens.index("*") :]
            if section.lower() == "type":
                policy.types = set()
                continue
            policy.networks += [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
        for token in tokens:
            if section.lower() == "type":
                policy.types.add(_type(c, token))
            else:
                policy.networks.append(_network(c, token))
    return policy


def _type(c: Dispenser, token: str) -> int:
    try:
        if token != token.upper():
            raise ValueError
        return int(dns.rdatatype.from_text(token))
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        raise c.error(f'unexpected token "{token}"; expect legal QTYPE') from None


def _network(c: Dispenser, token: str) -> Network:
    try:
        return ipaddress.ip_network(token, strict=False)
    except ValueError:
        raise c.error(f'illegal CIDR notation "{token}"') from None
