"""Plugins of CoreDNS that this one does not have; it says so, rather than going on without them.

They need what neither kernel here has: signing keys, TLS, other companies' interfaces, profilers.
"""

from __future__ import annotations

from typing import NoReturn

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import ServerConfig

NAMES = (
    "geoip", "pprof", "trace", "dnstap", "tsig", "dnssec", "sign", "route53", "azure", "clouddns", "etcd", "grpc",
    "on", "quic", "nomad",
)  # fmt: skip
REASONS = (
    ("dnssec", "zones are not signed here"),
    ("sign", "zones are not signed here"),
    ("tsig", "messages are not signed here"),
    ("route53", "there is no Amazon Route 53 to ask"),
    ("azure", "there is no Azure DNS to ask"),
    ("clouddns", "there is no Google Cloud DNS to ask"),
    ("etcd", "there is no etcd to ask"),
    ("nomad", "there is no Nomad to ask"),
    ("grpc", "DNS over gRPC is not spoken here"),
    ("quic", "DNS over QUIC is not spoken here"),
    ("trace", "nothing collects traces here"),
    ("dnstap", "nothing collects dnstap messages here"),
    ("geoip", "there is no database of places here"),
    ("pprof", "it profiles Go programs, and this one is Python"),
    ("on", "it starts programs, which a name server here must not"),
)


def setup(c: Dispenser, config: ServerConfig) -> NoReturn:
    name = c.tokens[0].text
    raise c.plain(f"kubenet: coredns: the plugin {name} is not emulated: {dict(REASONS)[name]}")
