"""loadbalance: the order of the addresses in answers, at random or by weight (plugin/loadbalance)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.corefile import CorefileError
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration, go_duration_text
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

A, CNAME, MX, AAAA, SRV = 1, 5, 15, 28, 33
TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Records = list[dns.rrset.RRset]
Weights = dict[str, dict[Address, int]]


class WeightError(ValueError):
    """A weight file is wrong."""


@dataclass
class LoadBalance(Plugin):
    """`round_robin` shuffles; `weighted` puts one address first, in proportion to its weight."""

    config: ServerConfig
    policy: str = "round_robin"
    weights_file: str = ""
    reload: int = 30 * 10**9
    prefer: list[str] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)
    running: bool = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        answer = await self.next_plugin(request)
        if answer.rcode() != dns.rcode.NOERROR or request.qtype in TRANSFERS:
            return answer
        if self.policy == "round_robin":
            sections = [answer.answer, answer.authority, answer.additional]
        else:
            sections = [answer.answer, answer.additional] if request.qtype in (A, AAAA, SRV) else []
        for section in sections:
            if section:
                section[:] = self._arrange(section)
        if self.prefer:
            for section in (answer.answer, answer.additional):
                section[:] = self._preferred(section)
        return answer

    def _arrange(self, section: Records) -> Records:
        """Aliases, then what is neither of these, the addresses, the mail exchangers (roundRobin, weightedRoundRobin)."""
        chance = self.config.environment.random
        if len(section) == 1 and len(section[0]) == 1:
            return section
        rows = [_only(rrset, item) for rrset in section for item in rrset]
        aliases, addresses, exchangers, rest = _kinds(rows)
        if self.policy == "weighted":
            if not addresses:
                return section
            top = self._top(addresses)
            addresses[0], addresses[top] = addresses[top], addresses[0]
        else:
            chance.shuffle(addresses)
            chance.shuffle(exchangers)
        return [*aliases, *rest, *addresses, *exchangers]

    def _top(self, addresses: Records) -> int:
        """weightedRR.topAddressIndex(): which of them is first; one without a weight has 1."""
        weighted = [(self.weights.get(row.name.to_text().lower(), {}).get(_address(row), 1), at) for at, row in enumerate(addresses)]
        chosen = self.config.environment.random.randrange(sum(weight for weight, _ in weighted))
        for weight, at in sorted(weighted, key=lambda one: -one[0]):
            chosen -= weight
            if chosen < 0:
                return at
        raise AssertionError("weights that have no sum")

    def _preferred(self, section: Records) -> Records:
        """Addresses of the preferred networks before others, in the networks' order (reorderRecords)."""
        networks = [ipaddress.ip_network(text, strict=False) for text in self.prefer]

        def rank(row: dns.rrset.RRset) -> int:
            address = _address(row)
            return next((at for at, network in enumerate(networks) if address in network), len(networks))

        aliases, addresses, exchangers, rest = _kinds([_only(rrset, item) for rrset in section for item in rrset])
        return [*aliases, *sorted(addresses, key=rank), *exchangers, *rest]

    # -- the weight file --------------------------------------------------------------------
    def check(self) -> None:
        if self.policy != "weighted":
            return
        environment = self.config.environment
        path = self.config.path(self.weights_file)
        try:
            self._read(path)
        except FileNotFoundError as problem:
            if not self.reload:
                raise CorefileError(f"plugin/loadbalance: {problem}") from None
            environment.log(
                f"[WARNING] plugin/loadbalance: Failed to open weight file:{problem}. Will try again in {go_duration_text(self.reload)}"
            )
        except WeightError as problem:
            raise CorefileError(f"plugin/loadbalance: {problem}") from None

    def _read(self, path: str) -> None:
        text = self.config.environment.files.read(path)
        if text is None:
            raise FileNotFoundError(f"weight file open error: open {path}: {self.config.environment.problem(path)}")
        self.weights = parse_weights(text, path)

    async def start(self) -> None:
        if self.policy == "weighted" and self.reload and not self.running:
            self.running = True
            self.config.environment.spawn(self._watch())

    async def _watch(self) -> None:
        environment = self.config.environment
        while self.running:
            await environment.sleep(self.reload)
            try:
                self._read(self.config.path(self.weights_file))
            except (FileNotFoundError, WeightError) as problem:
                environment.log(f"[ERROR] plugin/loadbalance: Weight file update failed: {problem}")

    def stop(self) -> None:
        self.running = False


def _only(rrset: dns.rrset.RRset, item: dns.rdata.Rdata) -> dns.rrset.RRset:
    row = dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype)
    row.add(item, rrset.ttl)
    return row


def _kinds(rows: Records) -> tuple[Records, Records, Records, Records]:
    """Aliases, addresses, mail exchangers and the rest."""
    wanted: list[Callable[[int], bool]] = [
        lambda kind: kind == CNAME,
        lambda kind: kind in (A, AAAA),
        lambda kind: kind == MX,
        lambda kind: kind not in (A, CNAME, MX, AAAA),
    ]
    one, two, three, four = ([row for row in rows if test(int(row.rdtype))] for test in wanted)
    return one, two, three, four


def _address(row: dns.rrset.RRset) -> Address:
    return ipaddress.ip_address(row[0].address)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_weights(text: str, path: str) -> Weights:
    """The weight file: a domain on a line of its own, then lines of `ADDRESS WEIGHT`. WeightError (parseWeights)."""
    table: Weights = {}
    current: dict[Address, int] | None = None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 1:
            if _is_address(words[0]):
                raise WeightError(f'wrong domain name:"{words[0]}" in weight file:{path}. (Maybe a missing weight value?)')
            name = words[0].lower()
            current = table.setdefault(name if name.endswith(".") else f"{name}.", {})
        elif len(words) == 2:
            if not _is_address(words[0]):
                raise WeightError(f'wrong IP address:"{words[0]}" in weight file:{path}')
            if not words[1].isdecimal() or not 0 < int(words[1]) < 256:
                raise WeightError(f'wrong weight value:"{words[1]}" in weight file:{path}')
            if current is None:
                raise WeightError(f"missing domain name in weight file:{path}")
            current[ipaddress.ip_address(words[0])] = int(words[1])
        else:
            raise WeightError(f'could not parse weight line:"{line.strip()}" in weight file:{path}')
    return table


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = LoadBalance(config)
    while c.next():
        arguments = c.remaining_args()
        policy = arguments[0] if arguments else "round_robin"
        if policy == "round_robin":
            if len(arguments) > 1:
                raise c.error(f"unknown property for {policy}")
        elif policy == "weighted":
            if len(arguments) < 2:
                raise c.error("missing weight file argument")
            if len(arguments) > 2:
                raise c.error("unexpected argument(s)")
            handler.policy, handler.weights_file = policy, arguments[1]
        else:
            raise c.plain(f"unknown policy: {policy}")
        while c.next_block():
            _property(c, handler)
    return handler


def _property(c: Dispenser, handler: LoadBalance) -> None:
    word = c.text
    words = c.remaining_args()
    if word == "prefer":
        for text in words:
            try:
                if "/" not in text:
                    raise ValueError
                handler.prefer.append(str(ipaddress.ip_network(text, strict=False)))
            except ValueError:
                raise c.error(f'invalid CIDR "{text}": invalid CIDR address: {text}') from None
    elif word == "reload" and handler.policy == "weighted":
        if not words:
            raise c.error("reload duration value is missing")
        if len(words) > 1:
            raise c.error("unexpected argument")
        try:
            handler.reload = go_duration(words[0])
        except ValueError:
            raise c.error(f"invalid reload duration '{words[0]}'") from None
    else:
        raise c.error(f"unknown property '{word}'")
