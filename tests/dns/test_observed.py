"""What is logged and counted (plugin/pkg/replacer, plugin/errors, test/metrics_test.go of CoreDNS)."""

from __future__ import annotations

import asyncio
import re

import dns.message
import pytest

from kubenet_course.dns.engine import Engine
from tests.support.coredns import World, ask


def logged(template: str, *, plugins: str = "template ANY ANY {\n}", client: str = "10.240.0.1", server: str = "127.0.0.1") -> str:
    """The line that a query for example.org HINFO leads to."""
    world = World()
    engine = world.engine(f'. {{\nlog . "{template}"\n{plugins}\n}}\n')
    query = dns.message.make_query("example.org.", "HINFO")
    asyncio.run(engine.answer(engine.servers[0], query.to_wire(), client, 40212, "udp", server))
    world.close()
    return world.logged[-1].removeprefix("[INFO] ")


def test_addresses_of_ipv6_have_brackets() -> None:
    assert logged("{remote} {local}", client="2001:db8::5", server="::1") == "[2001:db8::5] [::1]"


def test_nothing_was_written() -> None:
    """TestNoResponseWasWritten: where a plugin fails there is no answer to tell of."""
    assert logged("{rcode} {>rflags} {rsize}", plugins="forward . 10.0.0.9 {\nmax_connect_attempts 1\n}") == "- - 0"


# plugin/errors/errors_test.go
@pytest.mark.parametrize("level", ["warning", "error", "info", "debug", ""])
def test_errors_alike_are_told_at_the_end_of_their_time_or_of_the_server(level: str) -> None:
    world = World()
    engine = world.engine(f'. {{\nerrors {{\nconsolidate 2s "refused$" {level}\n}}\nforward . 10.0.0.9 {{\nmax_connect_attempts 1\n}}\n}}\n')
    told = f"[{(level or 'error').upper()}] plugin/errors: 4 errors like 'refused$' occurred in last 2s"
    for _ in range(4):
        ask(engine, "example.org.")
    assert world.logged == []
    engine.stop()
    engine.stop()
    assert world.logged == [told]
    world.close()


def values(engine: Engine, name: str) -> list[str]:
    text = engine.environment.metrics.text()
    return [line for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)]


def test_what_no_zone_is_for_is_counted_as_dropped() -> None:
    """TestMetricsRefused."""
    engine = World().engine("example.org {\nwhoami\nprometheus\n}\n")
    ask(engine, "google.com.")
    expected = 'coredns_dns_responses_total{plugin="",rcode="REFUSED",server="dns://:53",view="",zone="dropped"} 1'
    assert values(engine, "coredns_dns_responses_total") == [expected]
    ask(engine, "example.org.", rdclass="CH")
    assert values(engine, "coredns_dns_responses_total") == [expected[:-1] + "2"]


def test_labels() -> None:
    """plugin/metrics/README.md: the labels of each counter, and which types have their own."""
    engine = World().engine("example.org {\nwhoami\nprometheus\n}\n")
    ask(engine, "a.example.org.", "ANY", client="2001:db8::1")
    ask(engine, "a.example.org.", "LOC", protocol="tcp", edns=True, want_dnssec=True)
    where = 'server="dns://:53"'
    assert values(engine, "coredns_dns_requests_total") == [
        f'coredns_dns_requests_total{{family="1",proto="tcp",{where},type="other",view="",zone="example.org."}} 1',
        f'coredns_dns_requests_total{{family="2",proto="udp",{where},type="ANY",view="",zone="example.org."}} 1',
    ]
    assert values(engine, "coredns_dns_do_requests_total") == [f'coredns_dns_do_requests_total{{{where},view="",zone="example.org."}} 1']
    assert values(engine, "coredns_dns_responses_total") == [
        f'coredns_dns_responses_total{{plugin="whoami",rcode="NOERROR",{where},view="",zone="example.org."}} 2'
    ]
    assert len(values(engine, "coredns_dns_request_size_bytes_count")) == 2
    assert len(values(engine, "coredns_dns_request_duration_seconds_count")) == 1


def test_plugins_of_every_block_are_told() -> None:
    """TestMetricsPluginEnabled."""
    engine = World().engine("example.org {\nchaos CoreDNS-001 a@b\nprometheus\n}\nexample.com {\nwhoami\nprometheus\n}\n")
    asyncio.run(engine.start())
    names = {(re.search(r'name="(\w+)"', line) or [""])[1] for line in values(engine, "coredns_plugin_enabled")}
    assert names == {"chaos", "whoami", "prometheus"}
