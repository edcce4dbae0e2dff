"""Counters as Prometheus reads them (text format 0.0.4), under CoreDNS' names.

    metrics.count("coredns_cache_hits_total", server="dns://:53", type="success", zones=".", view="")
    metrics.observe("coredns_dns_request_duration_seconds", 0.0002, server=…)
    metrics.set("coredns_hosts_entries", 12)
"""

from __future__ import annotations

from collections.abc import Mapping

_TIME = tuple(0.00025 * 2**n for n in range(16))
_SIZE = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)

#: Name → (kind, help).
METRICS: Mapping[str, tuple[str, str]] = {
    "coredns_acl_allowed_requests_total": ("counter", "Counter of DNS requests being allowed."),
    "coredns_acl_blocked_requests_total": ("counter", "Counter of DNS requests being blocked."),
    "coredns_acl_dropped_requests_total": ("counter", "Counter of DNS requests being dropped."),
    "coredns_acl_filtered_requests_total": ("counter", "Counter of DNS requests being filtered."),
    "coredns_autopath_success_total": ("counter", "Counter of requests that did autopath."),
    "coredns_build_info": (
        "gauge",
        "A metric with a constant '1' value labeled by version, revision, and "
        "goversion from which CoreDNS was built.",
    ),
    "coredns_cache_drops_total": ("counter", "The number responses that are not cached, because the reply is malformed."),
    "coredns_cache_entries": ("gauge", "The number of elements in the cache."),
    "coredns_cache_evictions_total": ("counter", "The count of cache evictions."),
    "coredns_cache_hits_total": ("counter", "The count of cache hits."),
    "coredns_cache_misses_total": ("counter", "The count of cache misses. Deprecated, derive misses from cache hits/requests counters."),
    "coredns_cache_prefetch_total": ("counter", "The number of times the cache has prefetched a cached item."),
    "coredns_cache_requests_total": ("counter", "The count of cache requests."),
    "coredns_cache_served_stale_total": ("counter", "The number of requests served from stale cache entries."),
    "coredns_dns64_requests_translated_total": ("counter", "Counter of DNS requests translated by dns64."),
    "coredns_dns_do_requests_total": ("counter", "Counter of DNS requests with DO bit set per zone."),
    "coredns_dns_request_duration_seconds": ("histogram", "Histogram of the time (in seconds) each request took per zone."),
    "coredns_dns_request_size_bytes": ("histogram", "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol."),
    "coredns_dns_requests_total": ("counter", "Counter of DNS requests made per zone, protocol and family."),
    "coredns_dns_response_size_bytes": ("histogram", "Size of the returned response in bytes."),
    "coredns_dns_responses_total": ("counter", "Counter of response status codes."),
    "coredns_forward_healthcheck_broken_total": ("counter", "Counter of the number of complete failures of the healthchecks."),
    "coredns_forward_max_concurrent_rejects_total": (
        "counter",
        "Counter of the number of queries rejected because the concurrent "
        "queries were at maximum.",
    ),
    "coredns_health_request_duration_seconds": ("histogram", "Histogram of the time (in seconds) each request took."),
    "coredns_health_request_failures_total": ("counter", "The number of times the health check failed."),
    "coredns_hosts_entries": ("gauge", "The combined number of entries in hosts and Corefile."),
    "coredns_hosts_reload_timestamp_seconds": ("gauge", "The timestamp of the last reload of hosts file."),
    "coredns_local_localhost_requests_total": ("counter", "Counter of localhost.<domain> requests."),
    "coredns_panics_total": ("counter", "A metrics that counts the number of panics."),
    "coredns_plugin_enabled": ("gauge", "A metric that indicates whether a plugin is enabled on per server and zone basis."),
    "coredns_proxy_conn_cache_misses_total": ("counter", "Counter of connection cache misses per upstream and protocol."),
    "coredns_proxy_healthcheck_failures_total": ("counter", "Counter of the number of failed healthchecks."),
    "coredns_proxy_request_duration_seconds": ("histogram", "Histogram of the time each request took."),
    "coredns_reload_failed_total": ("counter", "Counter of the number of failed reload attempts."),
    "coredns_reload_version_info": ("gauge", "A metric with a constant '1' value labeled by hash, and value which type of hash generated."),
    "coredns_template_matches_total": ("counter", "Counter of template regex matches."),
    "coredns_template_rr_failures_total": ("counter", "Counter of mis-templated RRs."),
    "coredns_template_template_failures_total": ("counter", "Counter of go template failures."),
}  # fmt: skip

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """One program's values."""

    def __init__(self) -> None:
        self.values: dict[str, dict[Labels, float]] = {}
        self.histograms: dict[str, dict[Labels, list[float]]] = {}

    def count(self, name: str, /, **labels: str) -> None:
        series = self.values.setdefault(name, {})
        key = tuple(labels.items())
        series[key] = series.get(key, 0) + 1

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self.values.setdefault(name, {})[tuple(labels.items())] = value

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Add to a histogram: its buckets, then count and sum."""
        bounds = _SIZE if name.endswith("_bytes") else _TIME
        series = self.histograms.setdefault(name, {})
        key = tuple(labels.items())
        row = series.get(key)
        if row is None:
            row = series[key] = [0.0] * (len(bounds) + 2)
        for position, bound in enumerate(bounds):
            if value <= bound:
                row[position] += 1
        row[-2] += 1
        row[-1] += value

    def text(self) -> str:
        """The page /metrics."""
        lines: list[str] = []
        for name in sorted({*self.values, *self.histograms}):
            kind, text = METRICS.get(name, ("untyped", name))
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            for labels, value in sorted(self.values.get(name, {}).items()):
                lines.append(f"{name}{_labels(labels)} {number(value)}")
            bounds = _SIZE if name.endswith("_bytes") else _TIME
            for labels, row in sorted(self.histograms.get(name, {}).items()):
                for bound, value in zip(bounds, row):
                    lines.append(f"{name}_bucket{_labels((*labels, ('le', number(bound))))} {number(value)}")
                lines.append(f"{name}_bucket{_labels((*labels, ('le', '+Inf')))} {number(row[-2])}")
                lines += [f"{name}_sum{_labels(labels)} {number(row[-1])}", f"{name}_count{_labels(labels)} {number(row[-2])}"]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    written = (f'{name}="{_escaped(value)}"' for name, value in sorted(labels, key=_le_last))
    return "{" + ",".join(written) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _le_last(label: tuple[str, str]) -> tuple[bool, str]:
    return label[0] == "le", label[0]


def number(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 64): ``16000``, ``1.6e+06``, ``0.00025``."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    text = repr(float(value))
    if value == int(value) and abs(value) < 1e21 and "e" not in text:
        digits = str(int(value))
        stripped = digits.rstrip("0")
        exponent = len(digits) - 1
        mantissa = stripped[0] + ("." + stripped[1:] if len(stripped) > 1 else "")
        return f"{mantissa}e+{exponent:02d}"
    return text
