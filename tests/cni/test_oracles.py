"""Facts from the tests of the reference implementation: see ../shared/oracles/README.md."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest

from kubenet_course.cni import gojson, hostlocal, masq, nft, skel, versions
from kubenet_course.cni.errors import CODES, CniError
from kubenet_course.cni.hostlocal import RANGE, RANGE_SET, Allocator, canonical, canonical_set
from kubenet_course.cni.plugins import _portmap_nft, host_local, portmap
from tests.cni.machine import Machine

ORACLES = Path(__file__).resolve().parents[3] / "shared/oracles"
pytestmark = pytest.mark.skipif(not ORACLES.is_dir(), reason="the oracles are not beside this repository")


def oracle(name: str) -> dict[str, Any]:
    return json.loads((ORACLES / name).read_text()) if ORACLES.is_dir() else {}


LOCAL, PROTOCOL = oracle("cni_host_local.json"), oracle("cni_protocol_and_plugins.json")


def rows(table: dict[str, Any], key: str) -> list[Any]:
    return [pytest.param(row, id=f"{key}-{number}") for number, row in enumerate(table.get(key, ()))]


def range_of(fields: dict[str, Any]) -> hostlocal.Range:
    return canonical(gojson.shape_of(fields, RANGE))


def set_of(items: list[Any]) -> hostlocal.RangeSet:
    items = [{"subnet": item} if isinstance(item, str) else item for item in items]
    box = gojson.shape_of({"set": items}, gojson.Struct("", {"set": RANGE_SET}))
    return canonical_set(box["set"])


class Memory:
    """Reservations without files."""

    def __init__(self, taken: dict[str, str], last: str | None):
        self.taken = {ip_address(address): name for address, name in taken.items()}
        self.last = ip_address(last) if last else None

    def reserve(self, container_id: str, ifname: str, address: Any, set_id: str) -> bool:
        if address in self.taken:
            return False
        self.taken[address], self.last = container_id, address
        return True

    def last_reserved(self, set_id: str) -> Any:
        return self.last

    def release(self, container_id: str, ifname: str) -> None:
        self.taken = {address: name for address, name in self.taken.items() if name != container_id}

    def of(self, container_id: str, ifname: str) -> list[Any]:
        return [address for address, name in self.taken.items() if name == container_id]


# -- host-local -----------------------------------------------------------------------------------
@pytest.mark.parametrize("row", rows(LOCAL, "allocator"))
def test_allocator(row: dict[str, Any]) -> None:
    store = Memory(row.get("reserved", {}), row.get("last_reserved"))
    allocator = Allocator(set_of(row["ranges"]), store, 0)
    if row["op"] == "allocate":
        expect = row["expect"]
        if "ip" in expect:
            assert str(allocator.get("ID", "eth0").address.ip) == expect["ip"]
        else:
            with pytest.raises(CniError) as failure:
                allocator.get("ID", "eth0")
            assert failure.value.msg.startswith(expect["error_prefix"])
        return
    for step in row["steps"]:
        allocator_step(allocator, store, step)


def allocator_step(allocator: Allocator, store: Memory, step: dict[str, Any]) -> None:
    if "iterate" in step:
        *wanted, end = step["iterate"]
        assert end is None
        assert [str(prefix.ip) for prefix, _ in allocator.candidates()] == wanted
    elif "reserve" in step:
        assert store.reserve(step["id"], "eth0", ip_address(step["reserve"]), "0")
    elif "release" in step:
        allocator.release(step["release"], "eth0")
    elif "iterator_start" in step:
        assert str(next(allocator.candidates())[0].ip) == step["iterator_start"]
    elif step.get("expect_error"):
        with pytest.raises(CniError):
            allocator.get(step["get"], "eth0", ip_address(step["requested"]))
    else:
        requested = ip_address(step["requested"]) if "requested" in step else None
        assert str(allocator.get(step["get"], "eth0", requested).address) == step["expect"]


@pytest.mark.parametrize("row", rows(LOCAL, "ranges"))
def test_ranges(row: dict[str, Any]) -> None:
    operation, expect = row["op"], row.get("expect")
    if operation == "canonicalize":
        if "error" in expect:
            with pytest.raises(CniError) as failure:
                range_of(row["range"])
            assert failure.value.msg == expect["error"]
            return
        found = range_of(row["range"])
        shown = {
            "subnet": found.subnet,
            "rangeStart": found.start,
            "rangeEnd": found.end,
            "gateway": found.gateway,
        }
        as_values = {key: ip_address(expect[key]) if key != "subnet" else expect[key] for key in expect}
        assert {**shown, "subnet": str(found.subnet)} == as_values
    elif operation == "contains":
        assert range_of(row["range"]).contains(ip_address(row["ip"])) is expect
    elif operation == "overlaps":
        assert range_of(row["a"]).overlaps(range_of(row["b"])) is expect
    elif operation == "set_contains":
        ranges = set_of(row["ranges"])
        assert ranges.contains(ip_address(row["ip"])) is expect
        with pytest.raises(CniError) as failure:
            ranges.range_for(ip_address(row["ip"]))
        assert failure.value.msg == row["error"]
    elif operation == "set_canonicalize":
        with pytest.raises(CniError) as failure:
            set_of(row["ranges"])
        assert failure.value.msg == row["error"]
    else:
        assert operation == "set_overlaps"
        assert set_of(row["a"]).overlaps(set_of(row["b"])) is expect


@pytest.mark.parametrize("row", rows(LOCAL, "config"))
def test_configuration(row: dict[str, Any]) -> None:
    text, expect = json.dumps(row["config"]).encode(), row.get("expect", {})
    if "error" in expect:
        with pytest.raises(CniError) as failure:
            host_local.load(text, row.get("CNI_ARGS", ""))
        assert failure.value.msg == expect["error"]
        return
    config = host_local.load(text, row.get("CNI_ARGS", ""))
    if "ranges" in expect:
        shown = [
            [
                {
                    "subnet": str(item.subnet),
                    "rangeStart": str(item.start),
                    "rangeEnd": str(item.end),
                    "gateway": str(item.gateway),
                }
                for item in ranges
            ]
            for ranges in config.ranges
        ]
        assert shown == expect["ranges"]
        assert config.version == expect["version"]
    if "requested" in expect:
        assert [str(address) for address in config.requested] == expect["requested"]


VERSIONS = ("0.1.0", "0.3.0", "1.0.0", "1.1.0")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("row", rows(LOCAL, "plugin"))
def test_host_local(row: dict[str, Any], version: str) -> None:
    machine = Machine()
    machine.write("/tmp/resolv.conf", "nameserver 192.0.2.3\n")
    text = json.dumps(row["config"]).replace("DATADIR", "/tmp/data").replace("RESOLVCONF", "/tmp/resolv.conf")
    config = {**json.loads(text), "cniVersion": version}
    folder = config["ipam"].get("dataDir", hostlocal.DATA_DIR)
    for step in row["steps"]:
        if "overwrite" in step:
            for path, content in step["overwrite"].items():
                machine.write(f"{folder}/{path}", content)
            continue
        command = "ADD" if "ADD" in step else "DEL"
        env = {"CNI_CONTAINERID": step[command], "CNI_IFNAME": row.get("ifname", "eth0")}
        done = machine.plugin("host-local", command, config, env)
        if "error_prefix" in step and version >= "0.3.0":
            assert done.data["msg"].startswith(step["error_prefix"])
            continue
        if "error_prefix" in step:  # two IPv4 ranges: more than these versions can say
            assert (
                done.data["msg"] == f"CNI version {version} does not support more than 1 address per family"
            )
            continue
        assert done.returncode == 0, done
        if command == "ADD":
            host_local_result(step, done.data, version)
        for path, content in step.get("files", {}).items():
            assert machine.read(f"{folder}/{path}") == content
        for path in step.get("files_gone", ()):
            assert machine.run(f"test -e {folder}/{path}").returncode == 1


def host_local_result(step: dict[str, Any], result: dict[str, Any], version: str) -> None:
    if version < "0.3.0":
        found = [
            {"address": item["ip"], "gateway": item["gateway"]}
            for key, item in result.items()
            if key[:2] == "ip"
        ]
    else:
        found = [{"address": item["address"], "gateway": item["gateway"]} for item in result["ips"]]
    wanted = step.get("ips", ())
    if wanted and isinstance(wanted[0], str):
        assert [item["address"] for item in found] == wanted
    elif wanted:
        assert found == wanted
    if "routes" in step and version >= "0.3.0":
        assert result["routes"] == step["routes"]


@pytest.mark.parametrize("row", rows(LOCAL, "ip_arithmetic"))
def test_arithmetic(row: dict[str, Any]) -> None:
    if row["op"] == "cmp":
        a, b = (gojson.parse_ip(row[key]) if row[key] else None for key in "ab")
        assert hostlocal.cmp(a, b) == row["expect"]
        return
    move = hostlocal.next_ip if row["op"] == "next" else hostlocal.prev_ip
    found = move(gojson.parse_ip(row["ip"]))
    assert (None if found is None else str(found)) == row["expect"]


# -- the protocol ---------------------------------------------------------------------------------
class Caller:
    """Surroundings of a plugin that does nothing."""

    def __init__(self, env: dict[str, str], stdin: str):
        self.env = env
        self.text = stdin
        self.printed = ""

    async def stdin(self) -> bytes:
        return self.text.encode()

    def out(self, text: str) -> None:
        self.printed += text


@pytest.mark.parametrize("row", rows(PROTOCOL, "protocol"))
def test_protocol(row: dict[str, Any]) -> None:
    expect = row["expect"]
    try:
        if "validate" in row:
            check = {
                "containerID": skel.validate_container_id,
                "networkName": skel.validate_network_name,
                "ifname": skel.validate_interface_name,
            }[row["validate"]]
            check(row["value"])
        else:
            call_plugin(row)
    except CniError as error:
        assert expect != "ok", error
        found = {"code": error.code, "msg": error.msg, "details": error.details}
        assert {key: found[key] for key in expect} == expect
    else:
        assert expect == "ok"


def call_plugin(row: dict[str, Any]) -> None:
    version = "1.1.0" if row["command"] == "GC" else "1.0.0"
    env = {
        "CNI_COMMAND": row["command"],
        "CNI_CONTAINERID": "some-container-id",
        "CNI_NETNS": "/some/netns/path",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "some;extra;args",
        "CNI_PATH": "/some/cni/path",
        **row.get("env", {}),
    }
    for name in row.get("missing", ()):
        del env[name]
    supported = tuple(row.get("plugin_supports", versions.SUPPORTED))
    plugin = skel.Plugin("skel-test", skel.nothing, skel.nothing, skel.nothing, supported=supported)
    config = row.get("config", {"name": "skel-test", "cniVersion": version})
    asyncio.run(skel.call(plugin, Caller(env, json.dumps(config))))  # type: ignore[arg-type]


def test_error_codes_and_versions() -> None:
    assert {code for code in PROTOCOL["spec"]["error_codes"] if code.isdigit()} <= {
        str(code) for code in CODES
    }
    assert list(versions.SUPPORTED) == PROTOCOL["spec"]["versions"]


@pytest.mark.parametrize("row", rows(PROTOCOL, "chain_names"))
def test_chain_names(row: dict[str, Any]) -> None:
    assert masq.chain_name(row["network"], row["container"], row["prefix"]) == row["chain"]


# -- bridge ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("row", rows(PROTOCOL, "bridge"))
def test_bridge(row: dict[str, Any], version: str) -> None:
    machine = Machine("red")
    config = {
        "cniVersion": version,
        "name": "testConfig",
        "type": "bridge",
        "bridge": "bridge0",
        "isDefaultGateway": row["isDefaultGateway"],
        "ipMasq": False,
        "vlan": row["vlan"],
        "ipam": {"type": "host-local", "ranges": row["range_sets"]},
    }
    done = machine.plugin("bridge", "ADD", config)
    if version in row.get("expect_error", {}):
        assert done.data["msg"] == row["expect_error"][version]
        return
    assert done.returncode == 0, done
    expect = row["expect"]
    shown = machine.json(f"ip -j addr show dev {expect['gateway_on']}")[0]["addr_info"]
    addresses = [f"{item['local']}/{item['prefixlen']}" for item in shown if item["scope"] == "global"]
    assert sorted(addresses) == sorted(expect["gateway_addresses"])  # ip shows the newest IPv6 address first
    routes = machine.json("ip -n red -j -4 route show default") + machine.json(
        "ip -n red -j -6 route show default"
    )
    # One default route in a family: of several IPv6 gateways, the packaged plugin (1.1.1) takes the first too.
    wanted = {":" in via: via for via in reversed(expect["container_default_route_via"])}
    assert {route["gateway"] for route in routes} == set(wanted.values())
    inside = machine.json("ip -n red -j addr show dev eth0")[0]["addr_info"]
    first = next(item for item in inside if item["scope"] == "global")
    gateway = ip_address(expect["gateway_addresses"][0].partition("/")[0])
    assert ip_address(first["local"]) == gateway + 1
    if version >= "0.3.0":
        names = [item["name"] for item in done.data["interfaces"]]
        assert len(names) == len(expect["result_interfaces"])
        for name, wanted in zip(names, expect["result_interfaces"], strict=True):
            assert name == wanted or (wanted == "veth*" and name.startswith("veth"))
    assert machine.plugin("bridge", "DEL", config).returncode == 0
    assert machine.run("ip -n red link show eth0").returncode == 1
    assert machine.plugin("bridge", "DEL", config).returncode == 0


# -- portmap and masquerading ---------------------------------------------------------------------
PORTMAP = PROTOCOL.get("portmap", {})


def portmap_fields(**extra: Any) -> dict[str, Any]:
    config = {
        "cniVersion": "1.0.0",
        "name": PORTMAP["network"],
        "conditionsV4": PORTMAP["nftables"]["conditions"]["v4"].split(),
        "conditionsV6": PORTMAP["nftables"]["conditions"]["v6"].split(),
        "runtimeConfig": {"portMappings": PORTMAP["mappings"]},
        **extra,
    }
    return portmap.load(json.dumps(config).encode(), "eth0")[0]


ADDRESSES = [ip_interface(text) for text in PORTMAP.get("container", "").split(" and ") if text]


def lines(rules: list[list[str]]) -> list[str]:
    return [" ".join(rule) for rule in rules]


@pytest.mark.parametrize(
    ("key", "version", "snat"),
    [("rules_v4_snat", 4, True), ("rules_v6_snat", 6, True), ("rules_v4_nosnat", 4, False)],
)
def test_portmap_rules(key: str, version: int, snat: bool) -> None:
    chain = portmap.dnat_chain(
        portmap_fields(snat=snat), "CONTAINERID", next(a for a in ADDRESSES if a.version == version)
    )
    assert lines(chain.rules) == PORTMAP[key]
    assert chain.entry_chains == [PORTMAP["entry_chain"]]


def test_portmap_entry_rules_and_chains() -> None:
    fields = portmap_fields(conditionsV4=["-a", "b"])
    chain = portmap.dnat_chain(fields, "CONTAINERID", ADDRESSES[0])
    shown = [
        " ".join(rule).replace(
            'dnat name: "test" id: "CONTAINERID"', r'"dnat name: \"test\" id: \"CONTAINERID\""'
        )
        for rule in chain.entry_rules
    ]
    assert shown == PORTMAP["entry_rules"]
    assert chain.name == portmap.chain_name(PORTMAP["network"], "CONTAINERID", "DN-")
    top, mark, masq_ = portmap.toplevel_chain(), PORTMAP["setmark"], PORTMAP["masq"]
    assert (top.name, top.entry_chains, " ".join(top.entry_rules[0])) == tuple(
        PORTMAP["toplevel"][k] for k in ("chain", "from", "match")
    )
    setmark = portmap.setmark_chain(mark["bit"])
    assert (
        setmark.name,
        " ".join(setmark.rules[0]).replace("CNI portfwd masquerade mark", '"CNI portfwd masquerade mark"'),
    ) == (mark["chain"], mark["rule"])
    masquerade = portmap.masq_chain(mark["bit"])
    assert (masquerade.name, " ".join(masquerade.rules[0]), masquerade.prepend_entry) == (
        masq_["chain"],
        masq_["rule"],
        True,
    )
    assert PORTMAP["default_mark_bit"] == portmap.DEFAULT_MARK_BIT


def test_portmap_external_mark_and_errors() -> None:
    external = PORTMAP["external_mark"]
    extra = {
        "externalSetMarkChain": external["externalSetMarkChain"],
        "runtimeConfig": {"portMappings": [external["mapping"]]},
    }
    chain = portmap.dnat_chain(portmap_fields(**extra), "CONTAINERID", ADDRESSES[0])
    assert lines(chain.rules) == external["rules"]
    for row in PORTMAP["errors"]:
        with pytest.raises(CniError) as failure:
            portmap_fields(runtimeConfig={"portMappings": [row["mapping"]]})
        assert failure.value.msg == row["error"]


def dump(*parts: list[str]) -> list[str]:
    """Tables, chains by name, rules by chain: as the reference's fake of nft dumps what it was given."""
    all_lines = [line for part in parts for line in part]
    chains = sorted(line for line in all_lines if line.startswith("add chain"))
    rules = sorted(
        (line for line in all_lines if line.startswith("add rule")), key=lambda line: line.split()[4]
    )
    return [line for line in all_lines if line.startswith("add table")] + chains + rules


@pytest.mark.parametrize(
    ("key", "version", "snat"),
    [("v4_snat", 4, True), ("v6_nosnat", 6, False), ("v4_after_del", 4, True), ("v6_after_del", 6, False)],
)
def test_portmap_nftables(key: str, version: int, snat: bool) -> None:
    fields = portmap_fields(snat=snat, backend="nftables")
    address = next(a for a in ADDRESSES if a.version == version)
    own = [] if "after_del" in key else _portmap_nft.rules(fields, PORTMAP["nftables"]["container"], address)
    found = dump(_portmap_nft.table(fields, version), _portmap_nft.jumps(fields, version), own)
    assert found == PORTMAP["nftables"][key]


def test_masquerading_by_nftables() -> None:
    """Each state: containers come one after the other, then go."""
    oracle_ = PROTOCOL["ipmasq"]["nftables"]
    everybody = {item["network"] + item["id"] + item["ifname"]: item for item in oracle_["containers"]}
    for state in oracle_["states"]:
        present = []
        for line in state:
            for item in [
                *everybody.values(),
                {"network": "unit-test", "ifname": "eth0", "id": "four", "addrs": ["192.168.1.1/24"]},
            ]:
                comment = nft.masq_comment(item["network"], item["ifname"], item["id"])
                if f'"{comment}"' in line and item not in present:
                    present.append(item)
        rules = [
            rule
            for item in present
            for rule in nft.masq_rules(
                [ip_interface(text) for text in item["addrs"]], item["network"], item["ifname"], item["id"]
            )
        ]
        assert dump(nft.masq_table(), rules, nft.masq_postrouting()) == state


def test_masquerading_by_iptables() -> None:
    """The rules as iptables has them, in their order."""
    wanted = PROTOCOL["ipmasq"]["iptables"]
    machine = Machine("red")
    config = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "isGateway": True, "ipMasq": True,
              "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]]}}  # fmt: skip
    assert machine.plugin("bridge", "ADD", config).returncode == 0
    comment = wanted["comment"].replace("NETWORK", "net").replace("CONTAINERID", "dummy").replace('"', r"\"")
    for command, subnet, address, multicast in (
        ("iptables", "10.1.2.0/24", "10.1.2.2/32", "224.0.0.0/4"),
        ("ip6tables", "fd00::/64", "fd00::2/128", wanted["v6_multicast"]),
    ):
        rules = machine.run(f"{command} -t nat -S").stdout
        for rule in wanted["rules_in_order"]:
            shown = rule.replace("CHAIN", masq.chain_name("net", "dummy")).replace("SUBNET", subnet)
            shown = (
                shown.replace("COMMENT", f'"{comment}"')
                .replace("CONTAINER_IP", address)
                .replace("224.0.0.0/4", multicast)
            )
            assert f"{shown}\n" in rules
