"""What the tests of the protocol's frame (pkg/skel), of chain names and of portmap say."""

from __future__ import annotations

import asyncio
import itertools
import json
from ipaddress import ip_interface
from typing import Any

import pytest

from kubenet_course.cni import errors, masq, skel, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.plugins import portmap
from tests.cni.test_oracles import Caller, lines

ENVIRONMENT = {
    "CNI_CONTAINERID": "some-container-id",
    "CNI_NETNS": "/some/netns/path",
    "CNI_IFNAME": "eth0",
    "CNI_ARGS": "some;extra;args",
    "CNI_PATH": "/some/cni/path",
}
COMMANDS = ("ADD", "CHECK", "DEL", "GC", "STATUS")


class Spy:
    """A plugin that remembers what it was called for."""

    def __init__(self, supported: tuple[str, ...] = versions.SUPPORTED, failure: CniError | None = None):
        self.called: list[str] = []
        self.args: skel.CmdArgs | None = None
        self.failure = failure
        add, delete, check, gc, status = (self._function(name) for name in ("ADD", "DEL", "CHECK", "GC", "STATUS"))
        self.plugin = skel.Plugin("spy", add, delete, check, gc, status, supported)

    def _function(self, name: str) -> skel.Function:
        async def function(args: skel.CmdArgs) -> None:
            self.called.append(name)
            self.args = args
            if self.failure is not None:
                raise self.failure

        return function

    def call(self, command: str, config: Any = None, **changes: str | None) -> str:
        env = {"CNI_COMMAND": command, **ENVIRONMENT, **changes}
        text = json.dumps(config or {"name": "skel-test", "some": "config", "cniVersion": "1.1.0"})
        caller = Caller({key: value for key, value in env.items() if value is not None}, text)
        asyncio.run(skel.call(self.plugin, caller))  # type: ignore[arg-type]
        return caller.printed


def refusal(spy: Spy, command: str, config: Any = None, **changes: str | None) -> tuple[int, str, str]:
    with pytest.raises(CniError) as failure:
        spy.call(command, config, **changes)
    assert spy.called == []
    return failure.value.code, failure.value.msg, failure.value.details


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments(command: str) -> None:
    spy = Spy()
    spy.call(command)
    assert spy.called == [command]
    assert spy.args is not None
    found = (spy.args.container_id, spy.args.netns, spy.args.ifname, spy.args.args, spy.args.path)
    assert found == tuple(ENVIRONMENT.values())
    assert json.loads(spy.args.stdin) == {"name": "skel-test", "some": "config", "cniVersion": "1.1.0"}


NEEDED = {
    "ADD": "CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_PATH",
    "CHECK": "CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_PATH",
    "DEL": "CNI_CONTAINERID CNI_IFNAME CNI_PATH",
    "GC": "CNI_PATH",
    "STATUS": "CNI_PATH",
    "VERSION": "",
}


@pytest.mark.parametrize(("command", "name"), list(itertools.product(NEEDED, ENVIRONMENT)))
def test_one_is_missing(command: str, name: str) -> None:
    spy = Spy()
    if name in NEEDED[command].split():
        problem = f"required env variables [{name}] missing"
        assert refusal(spy, command, **{name: None}) == (errors.INVALID_ENVIRONMENT, problem, "")
        return
    spy.call(command, **{name: None})
    assert spy.called == ([] if command == "VERSION" else [command])


@pytest.mark.parametrize("command", NEEDED)
def test_many_are_missing(command: str) -> None:
    gone = {"CNI_NETNS": None, "CNI_IFNAME": None, "CNI_PATH": None}
    wanted = ",".join(name for name in NEEDED[command].split() if name in gone)
    if not wanted:
        Spy().call(command, **gone)
        return
    assert refusal(Spy(), command, **gone)[1] == f"required env variables [{wanted}] missing"


@pytest.mark.parametrize(
    ("command", "config", "supported", "expect"),
    [
        ("ADD", {"name": "skel-test"}, "0.1.0", None),
        ("ADD", {"name": "skel-test"}, "4.3.2", (1, "incompatible CNI versions", 'config is "0.1.0", plugin supports ["4.3.2"]')),
        ("ADD", {"name": "skel-test", "cniVersion": "9.8.7"}, "9.8.7 10.0.0", None),
        ("CHECK", {"name": "skel-test", "cniVersion": "0.3.0"}, "9.8.7 10.0.0", (1, "config version does not allow CHECK", None)),
        ("CHECK", {"name": "skel-test", "cniVersion": "0.4.0"}, "0.1.0 0.2.0 0.3.0", (1, "plugin version does not allow CHECK", None)),
        ("CHECK", {"name": "test", "cniVersion": "adsfsadf"}, "0.1.0 0.2.0 0.3.0", (6, None, None)),
        ("CHECK", {"name": "te%%st", "cniVersion": "0.4.0"}, "0.1.0 0.2.0 0.3.0 0.4.0", (7, "invalid characters found in network name", "te%%st")),
        ("CHECK", {"name": "test", "cniVersion": "0.4.0"}, "0.1.0 0.2.0 adsfasdf", (6, None, None)),
        ("GC", {"name": "skel-test", "cniVersion": "0.3.0"}, "9.8.7 10.0.0", (1, "config version does not allow GC", None)),
        ("GC", {"name": "skel-test", "cniVersion": "1.1.0"}, "0.1.0 0.2.0 0.3.0", (1, "plugin version does not allow GC", None)),
        ("GC", {"name": "test", "cniVersion": "adsfsadf"}, "1.1.0", (6, None, None)),
        ("GC", {"name": "te%%st", "cniVersion": "0.4.0"}, "1.1.0", (7, None, None)),
        ("STATUS", {"name": "skel-test", "cniVersion": "1.0.0"}, "1.1.0", (1, "config version does not allow STATUS", None)),
        ("NOPE", None, "9.8.7 1.1.0", (4, "unknown CNI_COMMAND: NOPE", "")),
        ("ADD", {"cniVersion": "1.0.0"}, "1.0.0", (7, "missing network name", "")),
    ],
)  # fmt: skip
def test_versions(command: str, config: Any, supported: str, expect: tuple[int, str | None, str | None] | None) -> None:
    spy = Spy(tuple(supported.split()))
    if expect is None:
        spy.call(command, config)
        assert spy.called == [command]
        return
    found = refusal(spy, command, config)
    assert all(wanted in (None, got) for wanted, got in zip(expect, found, strict=True)), found


@pytest.mark.parametrize(
    ("name", "value", "msg", "details"),
    [
        ("CNI_CONTAINERID", "some-%%container-id", "invalid characters in containerID", "some-%%container-id"),
        ("CNI_IFNAME", "1234567890123456", "interface name is too long", "interface name should be less than 16 characters"),
        ("CNI_IFNAME", ".", "interface name is . or ..", ""),
        ("CNI_IFNAME", "..", "interface name is . or ..", ""),
        ("CNI_IFNAME", "test/test", "interface name contains / or : or whitespace characters", ""),
        ("CNI_IFNAME", "test:test", "interface name contains / or : or whitespace characters", ""),
        ("CNI_IFNAME", "test test", "interface name contains / or : or whitespace characters", ""),
    ],
)  # fmt: skip
def test_bad_names(name: str, value: str, msg: str, details: str) -> None:
    assert refusal(Spy(), "ADD", **{name: value}) == (errors.INVALID_ENVIRONMENT, msg, details)


def test_version_command() -> None:
    printed = json.loads(Spy(("9.8.7", "10.0.0")).call("VERSION"))
    assert printed["supportedVersions"] == ["9.8.7", "10.0.0"]
    assert printed["cniVersion"] == "1.1.0"


def test_own_errors() -> None:
    for failure in (CniError("insufficient something", 1234), CniError("potato")):
        spy = Spy(failure=failure)
        with pytest.raises(CniError) as found:
            spy.call("ADD")
        assert found.value is failure
    assert CniError("potato").code == 999


# -- pkg/utils ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("network", "prefix", "chain"),
    [
        ("test", "", "CNI-2bbe0c48b91a7d1b8a6753a8"),
        ("testalongnamethatdoesnotmakesense", "", "CNI-374f33fe84ab0ed84dcdebe3"),
        ("test", "PREFIX-", "CNI-PREFIX-2bbe0c48b91a7d1b8"),
        ("testalongnamethatdoesnotmakesense", "PREFIX-", "CNI-PREFIX-374f33fe84ab0ed84"),
    ],
)
def test_chain_names(network: str, prefix: str, chain: str) -> None:
    assert masq.chain_name(network, "1234", prefix) == chain
    assert masq.chain_name(network, "1235", prefix) != chain


# -- portmap ------------------------------------------------------------------------------------------
LONG = "icee6giejonei6sohng6ahngee7laquohquee9shiGo7fohferakah3Feiyoolu2pei7ciPhoh7shaoX6vai3vuf0ahfaeng8yohb9ceu0daez5hashee8ooYai5wa3y"
ONE = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
PORTMAP_VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0")


def fields(version: str = "1.0.0", mappings: Any = ONE, ifname: str = "container", **more: Any) -> dict[str, Any]:
    config = {"name": "test", "type": "portmap", "cniVersion": version, "conditionsV4": ["a", "b"], "conditionsV6": ["c", "d"], **more}
    if mappings is not None:
        config["runtimeConfig"] = {"portMappings": mappings}
    return portmap.load(json.dumps(config).encode(), ifname)[0]


@pytest.mark.parametrize("version", PORTMAP_VERSIONS)
def test_addresses_of_the_container(version: str) -> None:
    before = {
        "cniVersion": version,
        "interfaces": [{"name": "host"}, {"name": "container", "sandbox": "netns"}],
        "ips": [
            {"version": "4", "address": "10.0.0.1/24", "gateway": "10.0.0.1", "interface": 0},
            {"version": "6", "address": "2001:db8:1::2/64", "gateway": "2001:db8:1::1", "interface": 1},
            {"version": "4", "address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 1},
        ],
    }
    found = fields(version, snat=False, prevResult=before)
    assert (found["snat"], found["conditionsV4"], found["conditionsV6"]) == (False, ["a", "b"], ["c", "d"])
    assert list(map(str, found["addresses"])) == ["10.0.0.2/24", "2001:db8:1::2/64"]
    nowhere = {"interfaces": [{"name": "host"}], "ips": [{"version": "4", "address": "10.0.0.1/24", "gateway": "10.0.0.1"}]}
    assert list(map(str, fields(version, prevResult=nowhere)["addresses"])) == ["10.0.0.1/24"]


@pytest.mark.parametrize("version", PORTMAP_VERSIONS)
def test_configuration_of_a_del(version: str) -> None:
    found = fields(version, None, snat=False)
    assert (found["name"], found["snat"], found["mappings"], found["addresses"]) == ("test", False, [], [])


@pytest.mark.parametrize(
    ("mappings", "more", "problem"),
    [
        ([{"hostPort": 0, "containerPort": 80, "protocol": "tcp"}], {}, "Invalid host port number: 0"),
        ([{"hostPort": 80, "containerPort": 0, "protocol": "tcp"}], {}, "Invalid container port number: 0"),
        (ONE, {"externalSetMarkChain": "X", "markMasqBit": 5}, "Cannot specify externalSetMarkChain and markMasqBit"),
        (ONE, {"markMasqBit": 32}, "MasqMarkBit must be between 0 and 31"),
        (ONE, {"markMasqBit": -1}, "MasqMarkBit must be between 0 and 31"),
    ],
)
def test_refused(mappings: Any, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(CniError) as failure:
        fields(mappings=mappings, **more)
    assert failure.value.msg == problem


def test_chains_of_a_container() -> None:
    ports = [(8080, 80, "tcp"), (8081, 80, "tcp"), (8080, 81, "udp"), (8082, 82, "udp")]
    mappings: list[dict[str, Any]] = [{"hostPort": a, "containerPort": b, "protocol": p} for a, b, p in ports]
    chain = portmap.dnat_chain(fields(mappings=mappings), LONG, ip_interface("10.0.0.2/24"))
    assert (chain.name, chain.entry_chains) == ("CNI-DN-67e92b96e692a494b6b85", ["CNI-HOSTPORT-DNAT"])
    note = f'-m comment --comment dnat name: "test" id: "{LONG}" -m multiport'
    assert lines(chain.entry_rules) == [
        f"{note} -p tcp --destination-ports 8080,8081 a b",
        f"{note} -p udp --destination-ports 8080,8082 a b",
    ]
    assert portmap.dnat_chain({"name": "testNetName"}, LONG).name == "CNI-DN-bfd599665540dd91d5d28"


def test_external_mark() -> None:
    found = portmap.dnat_chain(fields(externalSetMarkChain="PLZ-SET-MARK"), LONG, ip_interface("10.0.0.2/24"))
    assert lines(found.rules) == [
        "-p tcp --dport 8080 -s 10.0.0.2/24 -j PLZ-SET-MARK",
        "-p tcp --dport 8080 -s 127.0.0.1 -j PLZ-SET-MARK",
        "-p tcp --dport 8080 -j DNAT --to-destination 10.0.0.2:80",
    ]


def test_mark_chains() -> None:
    top = portmap.toplevel_chain()
    assert (top.name, top.entry_chains, lines(top.entry_rules)) == ("CNI-HOSTPORT-DNAT", ["PREROUTING", "OUTPUT"], ["-m addrtype --dst-type LOCAL"])
    mark = portmap.setmark_chain(5)
    assert (mark.name, mark.entry_chains) == ("CNI-HOSTPORT-SETMARK", [])
    assert lines(mark.rules) == ["-m comment --comment CNI portfwd masquerade mark -j MARK --set-xmark 0x20/0x20"]
    found = portmap.masq_chain(5)
    assert (found.name, found.entry_chains) == ("CNI-HOSTPORT-MASQ", ["POSTROUTING"])
    assert lines(found.entry_rules) == ["-m comment --comment CNI portfwd requiring masquerade"]
    assert lines(found.rules) == ["-m mark --mark 0x20/0x20 -j MASQUERADE"]


def test_many_ports_and_long_names() -> None:
    rows = [rule[3] for rule in portmap.dnat_chain(fields(), LONG * 3, ip_interface("10.0.0.2/24")).entry_rules]
    assert rows == [f'dnat name: "test" id: "{LONG * 3}"'[:253] + "..."]
    mappings = [{"hostPort": 8000 + number, "containerPort": 80, "protocol": "tcp"} for number in range(1, 18)]
    rules = portmap.dnat_chain(fields(mappings=mappings), LONG * 2, ip_interface("10.0.0.2/24")).entry_rules
    assert [rule[rule.index("--destination-ports") + 1] for rule in rules] == [",".join(str(8000 + n) for n in range(1, 16)), "8016,8017"]
