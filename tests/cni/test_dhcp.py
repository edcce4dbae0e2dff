"""dhcp: the plugin, its daemon and dnsmasq; leases that are renewed, given back and run out; on either kernel."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubenet_course.cni.dhcp import dnsmasq
from kubenet_course.cni.dhcp.daemon import Lease, client_options
from kubenet_course.cni.dhcp.server import hash_mac
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.result import route_data
from kubenet_course.wire.addresses import MacAddress
from kubenet_course.wire.dhcp import DhcpMessage
from tests.cni.machine import Machine

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
SERVER = "dnsmasq --port=0 --interface=br0 --bind-interfaces --dhcp-range=10.8.0.50,10.8.0.51,{0} --dhcp-option=3,10.8.0.1"
BRIDGE: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "d",
    "type": "bridge",
    "bridge": "br0",
    "ipam": {"type": "dhcp"},
}
MACVLAN = {"cniVersion": "1.0.0", "name": "m", "type": "macvlan", "master": "d0", "ipam": {"type": "dhcp"}}
LEASES = "cat /var/lib/misc/dnsmasq.leases"


@pytest.fixture
def lan(request):  # type: ignore[no-untyped-def]
    """A machine with a bridge, a DHCP server on it, and the daemon; and a pair into the bridge."""
    backend, time = request.param
    machine = Machine("red", "blue", "green", backend=backend)
    for command in (
        "ip link add br0 type bridge; ip addr add 10.8.0.1/24 dev br0; ip link set br0 up",
        "ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up master br0",
        SERVER.format(time),
        "/opt/cni/bin/dhcp daemon > /tmp/daemon.log 2>&1 & until [ -S /run/cni/dhcp.sock ]; do sleep 0.1; done",
    ):
        assert machine.run(command).returncode == 0
    yield machine
    machine.run("pkill dnsmasq; pkill dhcp")
    machine.close()


def each(time: str) -> Any:
    return pytest.mark.parametrize(
        "lan", [("emulated", time), pytest.param(("mininet", time), marks=pytest.mark.real)], indirect=True
    )


@each("12h")
def test_an_address_of_the_lans_server(lan: Machine) -> None:
    done = lan.plugin("bridge", "ADD", BRIDGE)
    assert done.returncode == 0, (done, lan.read("/tmp/daemon.log"))
    assert re.fullmatch(r"10\.8\.0\.5[01]/24", done.data["ips"][0]["address"])
    assert done.data["ips"][0]["gateway"] == "10.8.0.1"
    assert done.data["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.8.0.1"}]
    assert "1 received" in lan.run("ip netns exec red ping -c 1 -W 2 10.8.0.1").stdout
    (line,) = lan.run(LEASES).stdout.splitlines()
    _, mac, address, name, client_id = line.split()
    assert (mac, f"{address}/24", name) == (
        done.data["interfaces"][2]["mac"],
        done.data["ips"][0]["address"],
        "*",
    )
    assert bytes.fromhex(client_id.replace(":", "")) == b"\0dummy/d/eth0"
    assert lan.plugin("bridge", "CHECK", {**BRIDGE, "prevResult": done.data}).returncode == 0
    assert lan.plugin("bridge", "DEL", BRIDGE).returncode == 0
    assert lan.plugin("bridge", "DEL", BRIDGE).returncode == 0


@each("12h")
def test_a_lease_is_given_back_where_the_interface_is_still_there(lan: Machine) -> None:
    done = lan.plugin("macvlan", "ADD", MACVLAN)
    assert done.returncode == 0, (done, lan.read("/tmp/daemon.log"))
    assert len(lan.run(LEASES).stdout.splitlines()) == 1
    assert lan.plugin("macvlan", "DEL", MACVLAN).returncode == 0
    lan.run("for i in $(seq 200); do [ -s /var/lib/misc/dnsmasq.leases ] || break; sleep 0.1; done")
    assert lan.run(LEASES).stdout == ""


@each("12h")
def test_mistakes(lan: Machine) -> None:
    for env, config, message in (
        (
            {"CNI_NETNS": "/nope"},
            {},
            'error calling DHCP.Allocate: failed to Statfs "/nope": no such file or directory',
        ),
        ({"CNI_IFNAME": "eth9"}, {}, 'error calling DHCP.Allocate: error looking up "eth9": Link not found'),
        (
            {},
            {"request": [{"option": "nope"}]},
            'error calling DHCP.Allocate: Can not parse option "nope": Can not parse option: strconv.ParseUint: parsing "nope": invalid syntax',
        ),
        (
            {},
            {"daemonSocketPath": "/nope"},
            "error dialing DHCP daemon: dial unix /nope: connect: no such file or directory",
        ),
    ):
        done = lan.plugin("dhcp", "ADD", {**BRIDGE, "ipam": {"type": "dhcp", **config}}, env)
        assert (done.returncode, done.data) == (1, {"code": 999, "msg": message})
    assert lan.plugin("dhcp", "DEL", BRIDGE).returncode == 0


@pytest.mark.parametrize("lan", [("emulated", "2m")], indirect=True)
def test_a_lease_is_renewed_as_long_as_the_container_is_there(lan: Machine) -> None:
    assert lan.plugin("bridge", "ADD", BRIDGE).returncode == 0
    lan.run("sleep 3600", timeout=4000)
    assert "lease renewed" in lan.read("/tmp/daemon.log")
    assert len(lan.run(LEASES).stdout.splitlines()) == 1
    lan.run("pkill dnsmasq; sleep 300")
    assert "lease expired, bringing interface DOWN" in lan.read("/tmp/daemon.log")
    assert "state DOWN" in lan.run("ip -n red link show eth0").stdout


@pytest.mark.parametrize("lan", [("emulated", "12h")], indirect=True)
def test_a_pool_that_is_used_up_and_one_that_comes_back(lan: Machine) -> None:
    first = [
        lan.plugin("bridge", "ADD", BRIDGE, {"CNI_NETNS": f"/var/run/netns/{name}", "CNI_CONTAINERID": name})
        for name in ("red", "blue")
    ]
    assert {done.data["ips"][0]["address"] for done in first} == {"10.8.0.50/24", "10.8.0.51/24"}
    env = {"CNI_NETNS": "/var/run/netns/green", "CNI_CONTAINERID": "green"}
    third = lan.plugin("bridge", "ADD", BRIDGE, env)
    assert third.data["msg"] == "error calling DHCP.Allocate: no more tries"
    assert lan.plugin("dhcp", "STATUS", {**BRIDGE, "cniVersion": "1.1.0"}).returncode == 0
    lan.run("pkill dhcp")
    gone = lan.plugin("dhcp", "STATUS", {**BRIDGE, "cniVersion": "1.1.0"})
    assert gone.data == {"code": 50, "msg": "DHCP daemon at /run/cni/dhcp.sock: no such file or directory"}


# -- parts ----------------------------------------------------------------------------------------
#: What the packaged client and dnsmasq 2.90 said to each other: fixed part without its zeros, then options.
CAPTURED = [
    (1, "010106007adf0bea" + "00" * 16, "3501013d0d0064756d6d792f642f6574683037020103", 272),
    (2, "020106007adf0bea" + "00" * 8 + "0a0800320a080001" + "00" * 4,
     "35010236040a08000133040000a8c03a04000054603b04000093a80104ffffff001c040a0800ff03040a080001", 300),
    (3, "010106007adf0bea" + "00" * 12 + "0a080001" + "00" * 4 , "35010336040a08000132040a0800323d0d0064756d6d792f642f6574683037020103", 275),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "head", "options", "length"), CAPTURED)
def test_captured_messages_go_round(kind: int, head: str, options: str, length: int) -> None:
    data = bytes.fromhex(
        head.ljust(56, "0") + "d67bd57b8b84" + "00" * 202 + "63825363" + options + "ff"
    ).ljust(length, b"\0")
    message = DhcpMessage.decode(data)
    assert message.kind == kind
    assert str(message.mac) == "d6:7b:d5:7b:8b:84"
    assert message.encode() == data
    for broken in (b"", data[:100], data[:240] + b"\x35\x09\x01"):
        with pytest.raises(ValueError):
            DhcpMessage.decode(broken)


def test_the_hash_that_chooses_an_address() -> None:
    """Seen on the real kernel: of 11 addresses from .50 on, this client got .54."""
    assert hash_mac(int(MacAddress.parse("1a:6f:26:56:c3:f4")).to_bytes(6, "big")) % 11 == 4


@pytest.mark.parametrize(
    ("options", "routes"),
    [
        ({3: "0a080001"}, [{"dst": "0.0.0.0/0", "gw": "10.8.0.1"}]),
        (
            {3: "0a080001", 33: "0a0900000a080002"},
            [{"dst": "10.9.0.0/8", "gw": "10.8.0.2"}, {"dst": "0.0.0.0/0", "gw": "10.8.0.1"}],
        ),
        (
            {3: "0a080001", 121: "100a090a080003" + "000a080004"},
            [{"dst": "10.9.0.0/16", "gw": "10.8.0.3"}, {"dst": "0.0.0.0/0", "gw": "10.8.0.4"}],
        ),
        ({}, []),
    ],
)
def test_routes_of_a_lease(options: dict[int, str], routes: list[Any]) -> None:
    lease = Lease("id", None, "eth0", {})  # type: ignore[arg-type]
    every = {1: "ffffff00", 51: "00000e10", **options}
    lease.commit(
        {"address": "10.8.0.50", "options": {str(code): value for code, value in every.items()}}, 1000.0
    )
    assert (lease.renewal, lease.rebinding, lease.expiry) == (2800.0, 4060.0, 4600.0)
    assert [route_data(route) for route in lease.result().routes] == routes


def test_options_to_send_and_to_ask_for() -> None:
    ipam = {
        "provide": [{"option": "12", "value": "a", "fromArg": "POD"}],
        "request": [{"option": "routers", "skipDefault": False}, {"option": "6", "skipDefault": False}],
    }
    assert client_options({"ipam": ipam}, "POD=web;X=y") == {
        "provide": [(12, b"web".hex())],
        "request": [3, 6, 1],
    }
    ipam["request"][0]["skipDefault"] = True  # type: ignore[index]
    assert client_options({"ipam": ipam}, "")["request"] == [3, 6]
    with pytest.raises(CniError):
        client_options(
            {"ipam": {"provide": [{"option": "300", "value": "", "fromArg": ""}], "request": None}}, ""
        )


DNSMASQ = [
    ("--nope", 1, "\ndnsmasq: bad command line options: try --help\n"),
    ("junk", 1, "\ndnsmasq: junk found in command line\n"),
    ("--port=0 --dhcp-range=x", 1, "\ndnsmasq: bad command line options: bad dhcp-range\n"),
    ("--port=0 --dhcp-range=10.0.0.1", 1, "\ndnsmasq: bad command line options: bad dhcp-range\n"),
    (
        "--port=0 --dhcp-range=10.8.0.50,10.8.0.60,zz",
        1,
        "\ndnsmasq: bad command line options: bad dhcp-range\n",
    ),
    (
        "--port=0 --interface=nope --bind-interfaces --dhcp-range=10.8.0.50,10.8.0.60",
        2,
        "\ndnsmasq: unknown interface nope\n",
    ),
    (
        "--port=0 --dhcp-range=10.8.0.50,10.8.0.60 --dhcp-leasefile=/nope/x",
        3,
        "\ndnsmasq: cannot open or create lease file /nope/x: No such file or directory\n",
    ),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_command_lines_of_dnsmasq(backend: str) -> None:
    machine = Machine(backend=backend)
    try:
        for words, status, text in DNSMASQ:
            done = machine.run(f"dnsmasq {words}")
            assert (done.returncode, done.stderr) == (status, text), words
    finally:
        machine.close()


def test_what_dnsmasq_is_not_here_says_so() -> None:
    machine = Machine()
    for words in ("", "--port=53", "--server=8.8.8.8", "-Z", "--port=0 --conf-file=/etc/dnsmasq.conf"):
        done = machine.run(f"dnsmasq {words}")
        assert done.returncode == 1 and done.stderr.startswith("kubenet: dnsmasq: "), words
    assert dnsmasq.parse_range("10.0.0.9,10.0.0.5,255.255.255.0,infinite").duration == 0
    assert json.loads(json.dumps(sorted(dnsmasq.KNOWN)))  # names only
