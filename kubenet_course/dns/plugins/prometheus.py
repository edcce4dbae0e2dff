"""prometheus: counts requests and answers, and shows all counters over HTTP (plugin/metrics); localhost:9153."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message
import dns.rcode
import dns.rdatatype

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.metrics import Metrics
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Endpoint, Plugin, PluginError, Request, ServerConfig, host_port
from kubenet_course.dns.wire import plain_size

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
#: Types with a label of their own; the rest are "other" (monitoring cardinality).
TYPES = "AAAA A CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT IXFR AXFR ANY HTTPS".split()


@dataclass
class Prometheus(Plugin):
    config: ServerConfig
    address: str = "localhost:9153"

    async def serve_dns(self, request: Request) -> dns.message.Message:
        environment = self.config.environment
        began = environment.now()
        try:
            answer = await self.next_plugin(request)
        except PluginError as problem:
            self._report(request, request.reply(problem.rcode), began, "")
            raise
        self._report(request, answer, began, getattr(answer, "plugin", ""))
        return answer

    def _report(self, request: Request, answer: dns.message.Message, began: int, plugin: str) -> None:
        zone = longest_match(self.config.zones, request.name) or "."
        where = {"server": f"dns://{self.config.listen_text}", "zone": zone, "view": request.view}
        environment = self.config.environment
        report(environment.metrics, request, answer, environment.now() - began, plugin, where)

    async def start(self) -> None:
        metrics = self.config.environment.metrics
        for plugin in {handler.name for handler in self.config.plugins}:
            for zone in self.config.zones:
                server = f"dns://{self.config.listen_text}"
                metrics.set("coredns_plugin_enabled", 1, server=server, zone=zone, view=self.config.view, name=plugin)


def report(
    metrics: Metrics, request: Request, answer: dns.message.Message, took: int, plugin: str, where: dict[str, str]
) -> None:
    """vars.Report(): one request and its answer, made in `took` ns by `plugin`; `where` are server, zone and view."""
    family = "1" if request.family == 4 else "2"
    kind = request.type if request.type in TYPES else "other"
    metrics.count("coredns_dns_requests_total", proto=request.protocol, family=family, type=kind, **where)
    metrics.observe("coredns_dns_request_duration_seconds", took / 1e9, **where)
    if request.do:
        metrics.count("coredns_dns_do_requests_total", **where)
    sized = {"proto": request.protocol, **where}
    metrics.observe("coredns_dns_request_size_bytes", plain_size(request.message), **sized)
    metrics.observe("coredns_dns_response_size_bytes", plain_size(answer), **sized)
    metrics.count("coredns_dns_responses_total", rcode=dns.rcode.to_text(answer.rcode()), plugin=plugin, **where)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Prometheus(config)
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            handler.address = arguments[0]
            if host_port(handler.address) is None:
                raise c.plain(f"address {handler.address}: missing port in address")
        while c.next_block():
            if c.text != "runtime_metrics":
                raise c.error(f"unknown property '{c.text}'")
            if c.remaining_args():
                raise c.arg_error()
    where = host_port(handler.address)
    assert where is not None
    metrics = config.environment.metrics
    config.endpoints.append(Endpoint(where[0], where[1], {"/metrics": lambda: (200, CONTENT_TYPE, metrics.text())}))
    return handler
