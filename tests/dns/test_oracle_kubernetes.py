"""Kubernetes' DNS answers as facts (CoreDNS' own tests and its end-to-end suite), asked of our plugin over a set of objects."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubenet_course.dns.cluster import NO_PORT, Endpoint, Objects, Pod, Port, Service, Slice
from kubenet_course.dns.plugins._kubernetes_names import Name, NoItems, endpoint_label
from tests.support.coredns import World, ask, rows

PATH = Path(__file__).parents[3] / "shared" / "oracles" / "dns_kubernetes.json"
pytestmark = pytest.mark.skipif(not PATH.exists(), reason="the folder shared/ is not there")
ORACLE: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {"cases": [], "fixtures": {}, "other": {}}
CLIENT = "172.17.0.9"


def ports(rows_: list[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(Port(row["name"], row["protocol"], row["port"]) for row in rows_) or NO_PORT


class Everywhere(Objects):
    """Objects in which every namespace exists but some."""

    def __init__(self, but: tuple[str, ...] = ()):
        super().__init__(3)
        self.but = but

    def namespace_labels(self, name: str) -> dict[str, str] | None:
        return None if name in self.but else {}


def fixture(name: str) -> dict[str, Any]:
    """A fixture with what it extends."""
    found = dict(ORACLE["fixtures"][name])
    if "extends" in found:
        base = fixture(found.pop("extends"))
        found = {key: base.get(key, []) + found.get(key, []) if isinstance(base.get(key, []), list) else base[key] for key in {*base, *found}}
    return found


def objects(name: str) -> Objects:
    data = fixture(name)
    names = data["namespaces"]
    store: Objects
    if isinstance(names, str):
        store = Everywhere(("pod-nons", "nsnoexist", "svc-nons"))
    else:
        store = Objects(3)
        for one in (*names, "kube-system", "default"):
            store.put_namespace(one)
    for row in (*data.get("services", []), *data.get("serviceimports", [])):
        store.put_service(
            Service(row["name"], row["namespace"], row["type"], tuple(row["clusterIPs"]), ports(row["ports"]), row.get("externalName", ""))
        )
    for row in data.get("endpointslices", []):
        put_slice(store, row, row["service"], row.get("clusterId", ""))
    for row in data.get("endpoints", []):
        put_slice(store, row, row["name"], "")
    for row in data.get("pods", []):
        store.put_pod(Pod(row["name"], row["namespace"], row.get("podIP", ""), row.get("labels", {})))
    if name == "reverse":  # the note: svc2 exists through its slice only
        store.put_service(Service("svc2", "testns", "ClusterIP", ("None",)))
    if name.startswith("kind"):
        kind_cluster(store, data)
    return store


def put_slice(store: Objects, row: dict[str, Any], service: str, cluster: str) -> None:
    endpoints = tuple(Endpoint(one["ip"], one.get("hostname", ""), "", one.get("zone", "")) for one in row["endpoints"])
    store.put_slice(Slice(row["name"], row["namespace"], service, endpoints, ports(row["ports"]), cluster))


def kind_cluster(store: Objects, data: dict[str, Any]) -> None:
    """What a cluster's controllers make: endpoints of selected Pods, kube-dns, the client's Pod."""
    number = 100
    pods = [(row["name"], row["namespace"], row["labels"]) for row in data["pods"]]
    pods += [(f"{row['name']}-x", row["namespace"], row["labels"]) for row in data["deployments"] if row["ready"]]
    for row in data["services"]:
        chosen = []
        for pod, namespace, labels in pods if row.get("selector") else ():
            if namespace == row["namespace"] and row["selector"].items() <= labels.items():
                number += 1
                chosen.append(Endpoint(f"10.244.0.{number}", "", pod))
        if chosen:
            store.put_slice(Slice(f"{row['name']}-made", row["namespace"], row["name"], tuple(chosen), ports(row["ports"])))
    for name, address in (("kube-dns", "10.96.0.10"), ("kubernetes", "10.96.0.1")):
        namespace = data["cluster_defaults"][name]["namespace"]
        store.put_service(Service(name, namespace, "ClusterIP", (address,), (Port("dns", "UDP", 53),)))
    store.put_slice(Slice("kube-dns-x", "kube-system", "kube-dns", (Endpoint("10.0.0.1"),), (Port("dns", "UDP", 53),)))
    store.put_pod(Pod("client", "test-1", CLIENT))


def corefile(row: dict[str, Any]) -> str:
    config = row["config"]
    if "corefile" in config:
        lines = [line.replace("{ ", "{\n").replace(" }", "\n}").replace("; ", "\n") for line in config["corefile"]]
        text = "\n".join(lines).replace("ZONEFILE", "/zone").replace("UPSTREAM", "10.0.0.99")
        return ". {\n" + text + "\n}\n"
    options = [f"namespaces {' '.join(config['namespaces'])}"] if config["namespaces"] else []
    options.append(f"pods {config.get('pods', 'disabled')}")
    if config.get("ignore_empty_service"):
        options.append("ignore empty_service")
    if config.get("multicluster_zones"):
        options.append(f"multicluster {' '.join(config['multicluster_zones'])}")
    if config.get("zonal"):
        options.append("zonal")
    return ". {\nkubernetes " + " ".join(config["zones"]) + " {\n" + "\n".join(options) + "\n}\nforward . 10.0.0.99\n}\n"


def zone_file(records: list[list[Any]]) -> str:
    lines = []
    for owner, _, kind, data in records:
        text = f"{data} hostmaster 1 7200 3600 86400 300" if kind == "SOA" else f'"{data}"' if kind == "TXT" else data
        lines.append(f"{owner} 3600 IN {kind} {text}")
    return "\n".join(lines) + "\n"


def upstream(row: dict[str, Any]) -> Any:
    """Another server, which knows what the row says."""
    known = row["config"].get("upstream", {}).get("records", [])
    given = row.get("upstream")

    async def exchange(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        name = query.question[0].name.to_text()
        for owner, ttl, kind, data in given["answer"] if given else known:
            if owner == name or given:
                answer.answer.append(dns.rrset.from_text(owner, ttl or 60, "IN", kind, data))
        if given and given["truncated"]:
            answer.flags |= dns.flags.TC
        return answer.to_wire()

    return exchange


def same(found: list[tuple[str, int, str, str]], expected: list[list[Any]] | None) -> None:
    """Sets of records; a TTL of null is not compared, of an SOA only the server's name."""
    if expected is None:
        return
    left = [(owner, ttl, kind, data.split()[0] if kind == "SOA" else data.strip('"')) for owner, ttl, kind, data in found]
    for owner, ttl, kind, data in expected:
        match = next((one for one in left if one[0] == owner and one[2:] == (kind, data) and ttl in (None, one[1])), None)
        assert match is not None, f"{owner} {ttl} {kind} {data} is missing in {found}"
        left.remove(match)
    assert not left, f"too much: {left}"


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ORACLE["cases"]])
def test_answer(row: dict[str, Any]) -> None:
    config = row["config"]
    world = World(
        {"/zone": zone_file(config.get("zonefile", [])), "/etc/resolv.conf": "nameserver 10.0.0.99\n"}, upstream(row),
        KUBERNETES_SERVICE_HOST="10.96.0.1",
    )  # fmt: skip
    store = objects(row["fixture"])
    store.synced = config.get("api_synced", True)
    world.environment.cluster = store
    world.environment.addresses = lambda: ["127.0.0.1", "10.0.0.1"]
    engine = world.engine(corefile(row))
    for plugin in engine.configs[0].plugins:
        if plugin.name == "kubernetes":
            plugin.local_ips = config.get("local_ips", plugin.local_ips)  # type: ignore[attr-defined]
    query = row["query"]
    if row.get("relative"):
        query = f"{query}.{config['client']['namespace']}.svc.cluster.local."
    answer = ask(engine, query, row["type"], client=CLIENT, edns=True)
    assert dns.rcode.to_text(answer.rcode()) == row["rcode"]
    if "advisory" in row:
        return
    same(rows(answer.answer), row["answer"])
    same(rows(answer.authority), row["authority"])
    same(rows(answer.additional), row["additional"])
    assert bool(answer.flags & dns.flags.TC) is row.get("truncated", False)
    if "answer_count" in row:
        assert len(rows(answer.answer)) == row["answer_count"]
        assert len(rows(answer.additional)) == row["additional_count"]
        assert row["srv_target"] in rows(answer.answer)[0][3]


@pytest.mark.parametrize("row", [pytest.param(row, id=str(n)) for n, row in enumerate(ORACLE["other"].get("name_parsing", []))])
def test_name_parsing(row: dict[str, Any]) -> None:
    try:
        name = Name.parse(row["query"], row["zone"], multicluster=row["multicluster"], zonal=row["zonal"])
    except NoItems:
        assert not row["valid"], row
        return
    assert row["valid"], row
    fields = ".".join([name.port, name.protocol, name.endpoint, name.cluster, name.service, name.namespace, name.kind])
    assert (fields, name.zone) == (row["fields"], row["zone_directive"])


@pytest.mark.parametrize("row", [pytest.param(row, id=str(n)) for n, row in enumerate(ORACLE["other"].get("endpoint_hostname", []))])
def test_endpoint_label(row: dict[str, Any]) -> None:
    assert endpoint_label(Endpoint(row["ip"], row["hostname"], row["podName"]), row["endpoint_pod_names"]) == row["label"]


def engine_for(store: Objects, zone: str, extra: str = "", namespaces: str = "") -> Any:
    world = World(KUBERNETES_SERVICE_HOST="10.96.0.1")
    world.environment.cluster = store
    block = f" {{\n{namespaces}\n}}" if namespaces else ""
    return world.engine(f". {{\nkubernetes {zone} in-addr.arpa{block}\n{extra}\n}}\n")


def test_zone_transfer() -> None:
    row = ORACLE["other"]["zone_transfer"]
    engine = engine_for(objects(row["fixture"]), "cluster.local", "transfer {\nto *\n}", f"namespaces {' '.join(row['config']['namespaces'])}")
    engine.configs[0].handlers["kubernetes"].local_ips = row["config"]["local_ips"]

    async def transfer() -> list[bytes]:
        query = dns.message.make_query("cluster.local.", "AXFR").to_wire()
        return [wire async for wire in engine.answers(engine.servers[0], query, "10.0.0.5", 4000, "10.0.0.1", 53)]

    found = []
    for wire in asyncio.run(transfer()):
        found += rows(dns.message.from_wire(wire, one_rr_per_rrset=True, xfr=True).answer)
    expected = [tuple(one) for one in row["records_in_order"]]
    assert found[0] == found[-1] == expected[0]
    assert sorted(found) == sorted(expected)


def test_name_servers_are_the_services_that_lead_here() -> None:
    for row in ORACLE["other"]["ns_record_names"]:
        store = Everywhere()
        for service in row["services"]:
            store.put_service(Service(service["name"], service["namespace"], "ClusterIP", (service["clusterIP"],)))
            store.put_slice(Slice(f"{service['name']}-1", service["namespace"], service["name"], (Endpoint(row["all_select_endpoint"]),)))
        engine = engine_for(store, row["zone"])
        engine.configs[0].handlers["kubernetes"].local_ips = [row["local_ip"]]
        answer = ask(engine, row["zone"], "NS")
        glue = sorted([owner, kind, data] for owner, _, kind, data in rows(answer.additional))
        assert glue == sorted(row["ns_glue"])
        assert sorted(data for *_, data in rows(answer.answer)) == sorted({one[0] for one in row["ns_glue"]})


def test_without_a_service_of_its_own_it_names_itself() -> None:
    fact = ORACLE["other"]["no_own_service_fallback"]
    engine = engine_for(Everywhere(), "cluster.local")
    engine.configs[0].handlers["kubernetes"].local_ips = ["10.0.0.1", "10.0.0.2"]
    answer = ask(engine, "cluster.local.", "NS")
    name = fact["ns_name"].replace("<zone>", "cluster.local.")
    assert [data for *_, data in rows(answer.answer)] == [name]
    assert [(owner, data) for owner, _, _, data in rows(answer.additional)] == [(name, "10.0.0.1"), (name, "10.0.0.2")]


def specified(section: str, text: str) -> Objects:
    """The object that a row of the specification speaks of."""
    store = Everywhere()
    https = (Port("https", "TCP", 443),)
    if section.startswith("2.3"):
        store.put_service(Service("kubernetes", "default", "ClusterIP", ("2001:db8::1",) if "2001" in text else ("10.3.0.1",), https))
    elif section == "2.5":
        store.put_service(Service("foo", "default", "ExternalName", (), external_name="www.example.com"))
    elif section.startswith("2.4"):
        store.put_service(Service("headless", "default", "ClusterIP", ("None",), https))
        endpoints: tuple[Endpoint, ...] = ()
        if "my-pet" in text:
            endpoints = (Endpoint("10.3.0.100", "my-pet"),)
        elif "N ready" in text:
            endpoints = (Endpoint("10.3.0.1", "my-pet"), Endpoint("10.3.0.2", "my-pet-2"))
        elif "no ready" not in text:
            base = "2001:db8::" if "2001" in text else "10.3.0."
            endpoints = tuple(Endpoint(f"{base}{n}") for n in (1, 2, 3))
        store.put_slice(Slice("headless-1", "default", "headless", endpoints, https))
    return store


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['section']}-{n}") for n, row in enumerate(ORACLE["other"].get("specification", []))])
def test_specification(row: dict[str, Any]) -> None:
    files = {"/h": "192.0.2.53 www.example.com\n"}
    world = World(files, KUBERNETES_SERVICE_HOST="10.96.0.1")
    world.environment.cluster = specified(row["section"], row["object"])
    engine = world.engine(". {\nkubernetes cluster.local in-addr.arpa\nhosts /h {\nfallthrough\n}\n}\n")
    answer = ask(engine, row["query"], row["type"])
    assert dns.rcode.to_text(answer.rcode()) == row.get("rcode", "NOERROR")
    found = [(owner, ttl, kind, f"* * {data.split(None, 2)[2]}" if kind == "SRV" else data) for owner, ttl, kind, data in rows(answer.answer)]
    same(found, row["answer"])


def test_everything_is_read() -> None:
    assert set(ORACLE["other"]) == {
        "zone_transfer", "name_parsing", "endpoint_hostname", "ns_record_names", "no_own_service_fallback", "specification"
    }  # fmt: skip
