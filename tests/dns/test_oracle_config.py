"""CoreDNS' own tables, as facts: which directives it takes, what hosts and rewrite say, how addresses and zones are written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from kubenet_course.dns.corefile import CorefileError, Files, parse, tokenize
from kubenet_course.dns.names import is_subdomain, normalise_zone, split_address
from kubenet_course.dns.plugin import origins
from kubenet_course.dns.plugins._rewrite_rules import name_matcher
from tests.support.coredns import World, ask, rows

PATH = Path(__file__).parents[3] / "shared" / "oracles" / "coredns_config.json"
pytestmark = pytest.mark.skipif(not PATH.exists(), reason="the folder shared/ is not there")
ORACLE: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {}

#: Row → why it cannot be asked of a program.
LEFT_OUT: dict[str, str] = {}


def table(*keys: str) -> list[Any]:
    found: Any = ORACLE
    for key in keys:
        found = found.get(key, []) if isinstance(found, dict) else []
    return found


def number(rows_: list[Any]) -> list[Any]:
    return [pytest.param(row, id=str(position)) for position, row in enumerate(rows_)]


PLUGIN = {"metrics": "prometheus"}


def block(row: dict[str, Any]) -> str:
    """A Corefile around the directive; the cache's options come without their directive."""
    text = row["input"]
    name = PLUGIN.get(row["plugin"], row["plugin"])
    if row["plugin"] == "cache" and not text.startswith("cache"):
        text = f"cache {{\n{text}\n}}"
    zones = "example.org"
    extra = ""
    if name == "autopath":
        extra = "\nkubernetes cluster.local\n"
    return f"{zones} {{\n{text}{extra}\n}}\n"


@pytest.mark.parametrize("row", number(table("directives")))
def test_directive(row: dict[str, Any]) -> None:
    world = World({"wf": "", "file": KUBECONFIG}, KUBERNETES_SERVICE_HOST="10.96.0.1")
    try:
        engine = world.engine(block(row))
    except CorefileError as problem:
        assert not row["accepted"], f"{row['input']!r}: {problem}"
        assert row.get("error_contains", "") in str(problem)
        return
    finally:
        world.close()
    assert row["accepted"], row["input"]
    check_parsed(row, engine.configs[0])


KUBECONFIG = "apiVersion: v1\nkind: Config\n"
FALL = {"fall.Zero": (), "fall.Root": (".",)}


def check_parsed(row: dict[str, Any], config: Any) -> None:
    """What the peer's test looked at, as far as it has a name here."""
    parsed = row.get("parsed", {})
    handler = config.handlers.get(PLUGIN.get(row["plugin"], row["plugin"]))
    reads = READS.get(row["plugin"], {})
    for key, expected in parsed.items():
        if key in reads:
            assert reads[key](handler, config) == constant(expected), f"{row['input']!r}: {key}"


def constant(value: Any) -> Any:
    names = {"maxTTL": 3600, "minTTL": 5, "maxNTTL": 1800, "minNTTL": 5, "defaultCap": 9984, "time.Minute": 60 * 10**9, **FALL}
    return names.get(value, value) if isinstance(value, str) else value


READS: dict[str, dict[str, Any]] = {
    "hosts": {
        "expectedPath": lambda h, c: h.path,
        "expectedOrigins": lambda h, c: h.origins,
        "expectedFallthrough": lambda h, c: h.fallthrough.zones,
    },
    "forward": {
        "expectedPolicy": lambda h, c: h.policy,
        "expectedFrom": lambda h, c: h.zone,
        "expectedFails": lambda h, c: h.max_fails,
        "expectedRecVal": lambda h, c: h.health_recursion,
        "expectedDomain": lambda h, c: h.health_domain,
        "expectedServerName": lambda h, c: h.server_name or h.upstreams[0].server_name,
    },
    "cache": {
        "expectedNcap": lambda h, c: h.options.denial_capacity,
        "expectedPcap": lambda h, c: h.options.success_capacity,
        "expectedNttl": lambda h, c: h.options.max_nttl,
        "expectedMinNttl": lambda h, c: h.options.min_nttl,
        "expectedPttl": lambda h, c: h.options.max_ttl,
        "expectedMinPttl": lambda h, c: h.options.min_ttl,
        "expectedPrefetch": lambda h, c: h.options.prefetch,
        "verifyStale": lambda h, c: h.options.verify_stale,
        "verifyStaleTimeout": lambda h, c: h.options.verify_timeout,
        "staleTTL": lambda h, c: h.options.stale_ttl,
        "staleUpTo": lambda h, c: h.options.stale,
        "preferPositive": lambda h, c: h.options.prefer_positive,
        "failttl": lambda h, c: h.options.fail_ttl,
        "pexcept": lambda h, c: h.options.success_except,
        "nexcept": lambda h, c: h.options.denial_except,
    },
    "loadbalance": {"expectedPolicy": lambda h, c: h.policy},
    "ready": {
        "expectedAddr": lambda h, c: c.options["ready"][0],
        "expectedMonitorType": lambda h, c: "monitorTypeContinuously" if c.options["ready"][1] == "continuously" else "monitorTypeUntilReady",
    },
    "erratic": {"drop": lambda h, c: h.drop, "delay": lambda h, c: h.delay, "truncate": lambda h, c: h.truncate},
    "metrics": {"addr": lambda h, c: h.address},
    "template": {
        "varCount": lambda h, c: len(h.templates[0].variables),
        "exprCount": lambda h, c: len(h.templates[0].conditions),
    },
    "autopath": {"expectedZone": lambda h, c: h.zones[0]},
    "k8s_external": {
        "expectedZone": lambda h, c: h.zones[0],
        "expectedApex": lambda h, c: h.apex,
        "expectedHeadless": lambda h, c: h.headless,
        "expectedFallthrough": lambda h, c: h.fallthrough.zones,
    },
    "kubernetes": {
        "expectedZoneCount": lambda h, c: len(h.options.zones),
        "expectedNSCount": lambda h, c: len(h.options.namespaces),
        "expectedPodMode": lambda h, c: f"podMode{h.options.pods.capitalize()}",
        "expectedFallthrough": lambda h, c: h.options.fallthrough.zones,
        "expectedMulticlusterZones": lambda h, c: h.options.multicluster,
        "expectedQPS": lambda h, c: h.options.qps,
        "expectedBurst": lambda h, c: h.options.burst,
        "expectedMaxInf": lambda h, c: h.options.max_inflight,
        "expectedZonal": lambda h, c: h.options.zonal,
        "expectedLabelSelector": lambda h, c: h.options.labels,
        "expectedNamespaceLabelSelector": lambda h, c: h.options.namespace_labels,
    },
}


# -- hosts ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("row", number(table("hosts", "cases")))
def test_hosts(row: dict[str, Any]) -> None:
    world = World({"/h": "\n".join(ORACLE["hosts"]["file"]) + "\n"})
    engine = world.engine(". {\n hosts /h {\n fallthrough fallthrough-example.org\n }\n}\n")
    answer = ask(engine, row["query"], row["type"])
    assert dns.rcode.to_text(answer.rcode()) == row["rcode"]
    expected = [(owner, ttl, "PTR" if row["type"] == "PTR" else kind, data or kind) for owner, ttl, kind, data in row["answer"]]
    assert rows(answer.answer) == expected


# -- rewrite -------------------------------------------------------------------------------------
@pytest.mark.parametrize("row", number(table("rewrite_rules")))
def test_rewrite_rule(row: dict[str, Any]) -> None:
    from kubenet_course.dns.plugins.rewrite import RuleError, new_rule

    try:
        new_rule(row["rule"])
    except RuleError:
        assert not row["accepted"], row["rule"]
    else:
        assert row["accepted"], row["rule"]


TYPES = {"dns.TypeA": 1, "dns.TypeANY": 255, "dns.TypeHINFO": 13}
CLASSES = {"dns.ClassINET": 1, "dns.ClassCHAOS": 3}


@pytest.mark.parametrize("row", number(table("rewrite_names", "cases")))
def test_rewrite_in_order(row: dict[str, Any]) -> None:
    from kubenet_course.dns.plugin import Request
    from kubenet_course.dns.plugins.rewrite import Rewrite, new_rule

    rules = [new_rule([mode, kind, *rest]) for kind, mode, *rest in ORACLE["rewrite_names"]["rules_in_order"]]
    query = dns.message.make_query(row["from"], TYPES[row["from_type"]], CLASSES.get(row["from_class"], row["from_class"]))
    request, _ = Rewrite(World().engine(". {\n whoami\n}").configs[0], rules).rewrite(Request(query, "10.0.0.5"))
    assert (request.qname, request.qtype, request.qclass) == (row["to"], TYPES[row["to_type"]], CLASSES[row["to_class"]])


#: Without the rows of a benchmark of an inner function, of which nothing is expected.
REWRITE_NAMES = [row for row in table("rewrite_name_tables") if "args" in row or "expected" in row]


@pytest.mark.parametrize("row", number(REWRITE_NAMES))
def test_rewrite_names(row: dict[str, Any]) -> None:
    from kubenet_course.dns.plugins.rewrite import RuleError, new_rule

    if "args" not in row:
        matcher = name_matcher("suffix", ".example.com.", ".example.org.")
        assert (matcher.match(row["src"]) or row["src"]) == row["expected"]
        return
    arguments = [row["next"], "name", *row["args"]]
    if "expectedFail" in row:
        try:
            new_rule(arguments)
        except RuleError:
            assert row["expectedFail"], row
        else:
            assert not row["expectedFail"], row
        return
    words = " ".join(arguments)
    name = row.get("rewrite", row["expected"])
    world = World({"/h": f"10.0.0.1 {name}\n"})
    engine = world.engine(f". {{\n rewrite {words}\n hosts /h\n}}\n")
    answer = ask(engine, row["question"])
    if "rewrite" in row or row["question"] == row["expected"]:
        assert [owner for owner, *_ in rows(answer.answer)] == [row["expected"]], row
    assert answer.rcode() == dns.rcode.NOERROR, row


# -- addresses and zones -------------------------------------------------------------------------
@pytest.mark.parametrize("row", number(table("server_addresses", "cases")))
def test_server_address(row: dict[str, Any]) -> None:
    try:
        found = split_address(row["address"])
    except ValueError:
        assert not row["ok"], row
    else:
        assert row["ok"], row
        assert found == (row["protocol"], row["ip"], row["port"])


@pytest.mark.parametrize("table_", number(table("zone_normalization", "tables")))
def test_zone_normalization(table_: dict[str, Any]) -> None:
    for row in table_["rows"]:
        if table_["test"] == "TestNameMatches":
            assert is_subdomain(row[1], row[0]) is row[2], row
        elif table_["test"] == "TestHostNormalizeExact":
            try:
                assert normalise_zone(row[0])[: len(row[1] or [])] == row[1], row  # the peer looks at the first few
            except ValueError:
                assert row[1] is None, row
        else:
            given = [[text.replace("\xff", "\udcff") for text in row[key] or []] for key in ("args", "serverblock")]
            expected = [text.replace("\xff", "\udcff") for text in row["expected"]]  # a byte that is no UTF-8
            assert origins(*given) == expected, row


# -- the language --------------------------------------------------------------------------------
IMPORTS = {
    "testdata/import_test1.txt": "dir2 arg1 arg2\ndir3",
    "testdata/import_test2.txt": "host1 {\n\tdir1\n\tdir2 arg1\n}",
    "testdata/import_glob0.txt": "glob0.host0 {\n\tdir2 arg1\n}\n\nglob0.host1 {\n}\n",
    "testdata/import_glob1.txt": "glob1.host0 {\n\tdir1\n\tdir2 arg1\n}\n",
    "testdata/import_glob2.txt": "glob2.host0 {\n\tdir2 arg1\n}\n",
}


@pytest.mark.parametrize("row", number(table("corefile_syntax")))
def test_corefile_syntax(row: dict[str, Any]) -> None:
    if "expected" in row or row["source"].endswith("TestAllTokens"):
        assert [token.text for token in tokenize(row["input"])] == row.get("expected", [])
        return
    world = World(IMPORTS)
    files = Files(world.files.get, world._glob)
    if "TestSnippetImportCycle" in row["source"]:
        with pytest.raises(CorefileError):
            parse(row["input"], files=files)
        return
    try:
        blocks = parse(row["input"], files=files)
    except CorefileError:
        assert row["shouldErr"], row
        return
    assert not row["shouldErr"], row
    keys = row["keys"]
    if "TestParseAll" in row["source"]:
        assert [found.keys for found in blocks] == keys
        return
    assert (blocks[0].keys if blocks else []) == keys
    counts = {name: len(tokens) for name, tokens in blocks[0].directives.items()} if blocks else {}
    assert counts == row["tokens"]


def test_everything_is_read() -> None:
    """A table that somebody adds to the file must be used here."""
    known = {"title", "revision", "directives", "hosts", "rewrite_rules", "rewrite_names", "rewrite_name_tables",
             "server_addresses", "zone_normalization", "corefile_syntax"}  # fmt: skip
    assert set(ORACLE) == known
    assert asyncio.iscoroutinefunction(World()._exchange)
