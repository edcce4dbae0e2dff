"""What the tests of the CNI library say of results, versions, CNI_ARGS and configuration lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubenet_course.cni import conf, gojson, result, versions
from kubenet_course.cni.errors import CniError, RuntimeFailure
from kubenet_course.cni.result import ROUTES
from kubenet_course.cni.runtime import configs, libcni

# -- pkg/types ------------------------------------------------------------------------------------------
DNS = {
    "nameservers": ["1.2.3.4", "1::cafe"],
    "domain": "acompany.com",
    "search": ["somedomain.com", "otherdomain.net"],
    "options": ["foo", "bar"],
}
ADDRESSES = [
    {"interface": 0, "address": "1.2.3.30/24", "gateway": "1.2.3.1"},
    {"interface": 0, "address": "abcd:1234:ffff::cdde/64", "gateway": "abcd:1234:ffff::1"},
]
ROUTE4, ROUTE6 = {"dst": "15.5.6.0/24", "gw": "15.5.6.8"}, {"dst": "1111:dddd::/80", "gw": "1111:dddd::aaaa"}
OLD_INTERFACE = {"name": "eth0", "mac": "00:11:22:33:44:55", "sandbox": "/proc/3553/ns/net"}
INTERFACE = {**OLD_INTERFACE, "pciID": "8086:9a01", "socketPath": "/path/to/vhost/fd"}
NEW = {"cniVersion": "1.1.0", "interfaces": [INTERFACE], "ips": ADDRESSES, "routes": [ROUTE4, ROUTE6], "dns": DNS}
MIDDLE = {
    **NEW,
    "interfaces": [OLD_INTERFACE],
    "ips": [{"version": version, **one} for version, one in zip("46", ADDRESSES, strict=True)],
}
OLD = {
    "ip4": {"ip": "1.2.3.30/24", "gateway": "1.2.3.1", "routes": [ROUTE4]},
    "ip6": {"ip": "abcd:1234:ffff::cdde/64", "gateway": "abcd:1234:ffff::1", "routes": [ROUTE6]},
    "dns": DNS,
}


@pytest.mark.parametrize(
    ("version", "expect"),
    [
        ("1.1.0", NEW),
        ("1.0.0", {**NEW, "interfaces": [OLD_INTERFACE]}),
        *((version, MIDDLE) for version in ("0.3.0", "0.3.1", "0.4.0")),
        ("0.2.0", OLD),
        ("0.1.0", OLD),
        ("", OLD),
    ],
)
def test_result_as_version(version: str, expect: dict[str, Any]) -> None:
    found = result.of_data(NEW, "1.1.0")
    assert json.loads(result.to_text(found, version)) == {**expect, "cniVersion": version or "0.1.0"}
    if version:
        again = result.of_data(json.loads(result.to_text(found, version)), version)
        assert result.to_data(again, version) == result.to_data(found, version)


def test_nothing_for_an_old_result() -> None:
    bare = result.of_data({"cniVersion": "0.3.1", "interfaces": [OLD_INTERFACE]}, "0.3.1")
    with pytest.raises(CniError) as failure:
        result.to_data(bare, "0.2.0")
    assert failure.value.msg == "cannot convert: no valid IP addresses"


def test_null_entries_are_passed_over() -> None:
    data = {**MIDDLE, "ips": [None, *MIDDLE["ips"]], "routes": [None, ROUTE4, ROUTE6], "cniVersion": "0.3.1"}
    assert result.to_data(result.of_data(data, "0.3.1"), "0.2.0") == {**OLD, "cniVersion": "0.2.0"}


def test_an_address_that_is_none() -> None:
    with pytest.raises(CniError, match="^json: cannot unmarshal"):
        result.of_data({"cniVersion": "1.0.0", "ips": [{"address": 5}]}, "1.0.0")


def routes(items: list[Any]) -> list[result.Route]:
    box = gojson.shape_of({"routes": items}, gojson.Struct("", {"routes": ROUTES}))
    return result.routes_of(box["routes"])


def test_route() -> None:
    written = {"dst": "1.2.3.0/24", "gw": "1.2.3.1", "mtu": 1500, "advmss": 1340, "priority": 100, "table": 50, "scope": 253}
    assert result.route_data(routes([written])[0]) == written
    with pytest.raises(gojson.GoJsonError, match=r"^invalid IP address: 1\.2\.3\.x$"):
        routes([{"dst": "1.2.3.0/24", "gw": "1.2.3.x"}])


@pytest.mark.parametrize(
    ("value", "problem"),
    [("1.2.3/45", "invalid CIDR address: 1.2.3/45"), ("1.2.3.4/99", "invalid CIDR address: 1.2.3.4/99"), (1, "json: cannot unmarshal number into")],
)
def test_bad_networks(value: Any, problem: str) -> None:
    with pytest.raises(gojson.GoJsonError) as failure:
        gojson.shape_of({"net": value}, gojson.Struct("", {"net": gojson.IPNET}))
    assert str(failure.value).startswith(problem)


def test_error_texts() -> None:
    assert str(CniError("some message", 1234, "some details")) == "some message; some details"
    assert str(CniError("some message", 1234)) == "some message"


# -- pkg/types args -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", None),
        ("IgnoreUnknown=True;Unk=nown", None),
        ("IgnoreUnknown=1", None),
        ("IgnoreUnknown=true;A=b;C=d", None),
        ("Unk=nown", 'ARGS: unknown args ["Unk=nown"]'),
        ("IgnoreUnknown=0;Unk=nown;B=c", 'ARGS: unknown args ["Unk=nown" "B=c"]'),
        ("IgnoreUnknown=0, Unk=nown", 'ARGS: invalid pair "IgnoreUnknown=0, Unk=nown"'),
        ("IgnoreUnknown=invalid", 'ARGS: error parsing value of pair "IgnoreUnknown=invalid": boolean unmarshal error: invalid input invalid'),
        ("IP=10.0.0.x", 'ARGS: error parsing value of pair "IP=10.0.0.x": invalid IP address: 10.0.0.x'),
        ("IP", 'ARGS: invalid pair "IP"'),
    ],
)
def test_args(text: str, problem: str | None) -> None:
    try:
        conf.args(text, {"IP": gojson.read_ip})
    except CniError as error:
        assert error.msg == problem
    else:
        assert problem is None
    assert str(conf.args("IP=10.0.0.0", {"IP": gojson.read_ip})["IP"]) == "10.0.0.0"


# -- pkg/version ----------------------------------------------------------------------------------------
def test_versions() -> None:
    assert versions.parse("1.2.3") == (1, 2, 3)
    assert versions.parse("") == (0, 1, 0)
    for text in ("asdfasdf", "asdf.", ".asdfas", "asdf.adsf.", "0.", "..", "1.2.3.4.5"):
        with pytest.raises(versions.VersionError):
            versions.parse(text)
    for newer, older in (("1.2.34", "1.2.14"), ("2.5.4", "2.4.4"), ("1.2.3", "0.2.3"), ("0.4.0", "0.3.1")):
        assert versions.at_least(newer, older)
        assert not versions.at_least(older, newer)
    assert versions.at_least("1.2.3", "1.2.3")
    for one, other in (("1.2.34", "asdadf"), ("adsfad", "2.5.4")):
        with pytest.raises(versions.VersionError):
            versions.at_least(one, other)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ('{"cniVersion": "a", "supportedVersions": ["some-version", "some-other-version"]}', ["some-version", "some-other-version"]),
        ('{"cniVersion": "0.2.0"}', ["0.1.0", "0.2.0"]),
        ('{"cniVersion": "0.3.0"}', "decoding version info: missing field supportedVersions"),
        ('{"supportedVersions": ["foo"]}', "decoding version info: missing field cniVersion"),
        ("{{{", "decoding version info: invalid character '{' looking for beginning of object key string"),
    ],
)
def test_versions_of_a_plugin(text: str, expect: list[str] | str) -> None:
    try:
        assert libcni.versions_said(text) == expect
    except CniError as error:
        assert error.msg == expect


# -- libcni ---------------------------------------------------------------------------------------------
class Folder:
    """Files, for what reads configurations."""

    def __init__(self, **files: str):
        self.files = {f"/etc/cni/net.d/{name}": text for name, text in files.items()}

    def read(self, path: str) -> bytes:
        return self.files[path].encode()

    def listdir(self, folder: str) -> list[str]:
        start = folder.rstrip("/") + "/"
        return sorted({path[len(start) :].partition("/")[0] for path in self.files if path.startswith(start)})

    def isdir(self, path: str) -> bool:
        return any(known.startswith(path.rstrip("/") + "/") for known in self.files)


SINGLE = '{ "name": "some-plugin", "type": "foobar", "some-key": "some-value" }'
LIST = {
    "name": "some-network",
    "cniVersion": "0.2.0",
    "disableCheck": True,
    "plugins": [
        {"type": "host-local", "subnet": "10.0.0.1/24"},
        {"type": "bridge", "mtu": 1400},
        {"type": "port-forwarding", "ports": {"20.0.0.1:8080": "80"}},
    ],
}
INLINED = {"name": "some-network", "cniVersion": "0.4.0", "plugins": [{"type": "host-local", "subnet": "10.0.0.1/24"}]}
BARE = {"name": "some-network", "cniVersion": "0.4.0"}
BESIDE = {"some-network/second.conf": '{"type": "bro-check-out-my-plugin"}'}
BAD = "error parsing configuration list: "


def listed(**changes: Any) -> dict[str, str]:
    return {"50-whatever.conflist": json.dumps({**INLINED, **changes})}


@pytest.mark.parametrize(
    ("files", "name", "expect"),
    [
        ({"50-whatever.conf": SINGLE}, "some-plugin", "foobar"),
        ({"50-whatever.json": SINGLE}, "some-plugin", "foobar"),
        ({}, "some-plugin", "no net configurations found in /etc/cni/net.d"),
        ({"50-whatever.conf": SINGLE}, "some-other-plugin", 'no net configuration with name "some-other-plugin" in /etc/cni/net.d'),
        ({"50-whatever.conf": SINGLE, "00-bad.conf": "{"}, "some-plugin", "error parsing configuration: unexpected end of JSON input"),
        ({"50-whatever.conf": SINGLE, "a/b/90-deep.conf": SINGLE.replace("some-plugin", "deep")}, "deep", 'no net configuration with name "deep" in /etc/cni/net.d'),
        ({"50-whatever.conf": '{"name": "some-plugin", "some-key": "some-value"}'}, "some-plugin", "error parsing configuration: missing 'type'"),
        ({"50.conflist": json.dumps(LIST)}, "some-network", "host-local bridge port-forwarding"),
        ({"50.conflist": json.dumps(LIST), "49.conf": '{"name": "some-network", "type": "bridge"}'}, "some-network", "host-local bridge port-forwarding"),
        ({"49.conf": '{"name": "some-network", "type": "bridge"}'}, "some-network", "bridge"),
        ({"50.conflist": json.dumps(LIST)}, "some-other-network", 'no net configuration with name "some-other-network" in /etc/cni/net.d'),
        ({"00-bad.conflist": "{"}, "some-plugin", f"{BAD}unexpected end of JSON input"),
        (listed(disableCheck="true"), "some-network", "host-local !check"),
        (listed(disableCheck="false"), "some-network", "host-local"),
        (listed(disableCheck="adsfasdfasf"), "some-network", f'{BAD}invalid value "adsfasdfasf" for disableCheck'),
        (listed(loadOnlyInlinedPlugins="sphagnum"), "some-network", f'{BAD}invalid value "sphagnum" for loadOnlyInlinedPlugins'),
        ({**listed(loadOnlyInlinedPlugins=True), **BESIDE}, "some-network", "host-local"),
        ({**listed(), **BESIDE}, "some-network", "host-local bro-check-out-my-plugin"),
        ({"50.conflist": json.dumps({**BARE, "loadOnlyInlinedPlugins": False}), **BESIDE}, "some-network", "bro-check-out-my-plugin"),
        ({"50.conflist": json.dumps({**BARE, "loadOnlyInlinedPlugins": True})}, "some-network", f"{BAD}`loadOnlyInlinedPlugins` is true, and no 'plugins' key"),
        ({"50.conflist": json.dumps(BARE)}, "some-network", "no plugin configs found"),
    ],
)  # fmt: skip
def test_configurations(files: dict[str, str], name: str, expect: str) -> None:
    try:
        found = configs.load(Folder(**files), "/etc/cni/net.d", name)  # type: ignore[arg-type]
    except RuntimeFailure as error:
        assert str(error) == expect
        return
    shown = [plugin.type for plugin in found.plugins]
    assert " ".join(shown + ["!check"] * (found.disable_check and "!check" in expect)) == expect
    assert found.name == name


def test_capabilities() -> None:
    wanted = {"portMappings": True, "somethingElse": True, "noCapability": False}
    plugin = configs.plugin_of({"name": "some-plugin", "type": "noop", "cniVersion": "0.3.1", "capabilities": wanted})
    assert plugin.capabilities == ["portMappings", "somethingElse"]


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({"cniVersions": ["1.1.0", "0.4.0", "1.0.0"]}, "1.1.0"),
        ({"cniVersions": ["99.0.0", "1.1.0", "0.4.0", "1.0.0"]}, "1.1.0"),
        ({"cniVersions": ["1.1.0", "0.4.0", "1.0.f"]}, None),
        ({"cniVersion": "1.2.3"}, "1.2.3"),
        ({"cniVersion": "1.0.0", "cniVersions": ["0.1.0", "0.4.0"]}, "1.0.0"),
        ({"cniVersions": []}, ""),
    ],
)
def test_version_of_a_list(fields: dict[str, Any], version: str | None) -> None:
    text = json.dumps({"name": "test", "plugins": [{"type": "foo"}], **fields}).encode()
    if version is None:
        with pytest.raises(RuntimeFailure):
            configs.list_of_text(text)
        return
    assert configs.list_of_text(text).version == version


def test_a_plugin_as_a_list() -> None:
    plugin = configs.plugin_of({"name": "some-plugin", "cniVersion": "0.3.1", "type": "foobar"})
    one = configs.of_plugin(plugin)
    again = configs.list_of_text(one.text)
    assert (again.name, again.version, [item.data for item in again.plugins]) == ("some-plugin", "0.3.1", [plugin.data])
