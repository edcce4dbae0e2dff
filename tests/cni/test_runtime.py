"""The runtime: configurations, chains of plugins, what it remembers; scripts as plugins; on either kernel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubenet_course import Lab
from tests.cni.machine import Machine

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
RED = "/var/run/netns/red"
ID = "cnitool-2ba50707955d35b5a8f3"

#: A plugin that says what it was called with, in /tmp/calls, and gives what /tmp/NAME.json holds.
SPY = """#!/bin/sh
stdin=$(cat)
echo "$(basename $0) $CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $CNI_PATH $stdin" >> /tmp/calls
[ -f /tmp/$(basename $0).fail ] && { cat /tmp/$(basename $0).fail; exit 1; }
[ $CNI_COMMAND = ADD ] && cat /tmp/$(basename $0).json
exit 0
"""
CHAIN: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "chain",
    "plugins": [
        {
            "type": "one",
            "capabilities": {"portMappings": True, "bandwidth": False, "mac": True},
            "key": "<&>",
        },
        {"type": "two", "capabilities": {"bandwidth": True}},
    ],
}
RESULTS = {
    "one": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": RED}], "dns": {}},
    "two": {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "sandbox": RED}],
        "ips": [{"address": "10.0.0.2/24"}],
        "dns": {},
    },
}


@pytest.fixture(params=BACKENDS)
def machine(request):  # type: ignore[no-untyped-def]
    machine = Machine("red", backend=request.param)
    yield machine
    machine.close()


def spies(machine: Machine, config: dict[str, Any] = CHAIN) -> None:
    for name, result in RESULTS.items():
        machine.lab.machine("host").write(f"/tmp/bin/{name}", SPY, mode=0o755)
        machine.write(f"/tmp/{name}.json", json.dumps(result))
    machine.write("/etc/cni/net.d/10-chain.conflist", json.dumps(config))


def tool(machine: Machine, words: str, **env: str) -> Any:
    return machine.run(f"cnitool {words}", env={"CNI_PATH": "/tmp/bin", **env})


def calls(machine: Machine) -> list[tuple[list[str], dict[str, Any]]]:
    """The words of each call, and its configuration."""
    found = []
    for line in machine.read("/tmp/calls").splitlines():
        words, brace, rest = line.partition("{")
        found.append((words.split(), json.loads(brace + rest)))
    machine.write("/tmp/calls", "")
    return found


def test_a_chain_is_called_in_order_and_back(machine: Machine) -> None:
    spies(machine)
    caps = json.dumps({"portMappings": [{"hostPort": 80}], "bandwidth": {"ingressRate": 8}})
    added = tool(machine, f"add chain {RED}", CAP_ARGS=caps, CNI_ARGS="A=b;C=d")
    assert json.loads(added.stdout) == RESULTS["two"], added
    (words, one), (_, two) = calls(machine)
    assert words == ["one", "ADD", ID, RED, "eth0", "A=b;C=d", "/tmp/bin"]
    assert one["name"] == "chain" and one["cniVersion"] == "1.0.0" and "prevResult" not in one
    assert one["runtimeConfig"] == {"portMappings": [{"hostPort": 80}]} and one["key"] == "<&>"
    assert two["prevResult"] == RESULTS["one"]
    assert two["runtimeConfig"] == {"bandwidth": {"ingressRate": 8}}
    assert tool(machine, f"check chain {RED}").returncode == 0
    assert [(words[:2], conf["prevResult"]) for words, conf in calls(machine)] == [
        (["one", "CHECK"], RESULTS["two"]),
        (["two", "CHECK"], RESULTS["two"]),
    ]
    assert tool(machine, f"del chain {RED}").returncode == 0
    assert [(words[:2], conf["prevResult"]) for words, conf in calls(machine)] == [
        (["two", "DEL"], RESULTS["two"]),
        (["one", "DEL"], RESULTS["two"]),
    ]
    assert tool(machine, f"del chain {RED}").returncode == 0
    assert all("prevResult" not in conf for _, conf in calls(machine))


def test_what_is_remembered(machine: Machine) -> None:
    spies(machine)
    tool(machine, f"add chain {RED}", CNI_IFNAME="net1", CNI_ARGS="K=v")
    kept = json.loads(machine.read(f"/var/lib/cni/results/chain-{ID}-net1"))
    assert kept.pop("config")
    assert kept == {
        "kind": "cniCacheV1",
        "containerId": ID,
        "ifName": "net1",
        "networkName": "chain",
        "netns": RED,
        "cniArgs": [["K", "v"]],
        "result": RESULTS["two"],
    }
    tool(machine, f"del chain {RED}", CNI_IFNAME="net1")
    assert machine.run("ls /var/lib/cni/results").stdout == ""


def test_an_error_of_a_plugin_names_it(machine: Machine) -> None:
    spies(machine)
    machine.write("/tmp/two.fail", '{"code": 7, "msg": "no", "details": "because"}')
    failed = tool(machine, f"add chain {RED}")
    assert (failed.stderr, failed.returncode) == ('plugin type="two" failed (add): no; because\n', 1)
    assert tool(machine, f"del chain {RED}").stderr == 'plugin type="two" failed (delete): no; because\n'
    machine.write("/tmp/two.fail", "")
    assert (
        tool(machine, f"check chain {RED}").stderr
        == "netplugin failed with no error message: exit status 1\n"
    )
    machine.write("/tmp/two.fail", "oops")
    words = "netplugin failed but error parsing its diagnostic message \"oops\": invalid character 'o' looking for beginning of value"
    assert tool(machine, f"check chain {RED}").stderr == f"{words}\n"


def test_gc_and_status_from_1_1_on(machine: Machine) -> None:
    spies(machine)
    tool(machine, f"add chain {RED}")
    calls(machine)
    assert tool(machine, f"status chain {RED}").returncode == 0
    assert machine.read("/tmp/calls") == ""
    assert tool(machine, f"gc chain {RED}").returncode == 0
    assert [words[1] for words, _ in calls(machine)] == ["DEL", "DEL"]
    spies(machine, {**CHAIN, "cniVersion": "1.1.0"})
    tool(machine, f"add chain {RED}")
    calls(machine)
    assert tool(machine, f"gc chain {RED}").returncode == 0
    seen = calls(machine)
    assert [words[1] for words, _ in seen] == ["DEL", "DEL", "GC", "GC"]
    assert seen[-1][1]["cni.dev/valid-attachments"] == []
    machine.write("/tmp/two.fail", '{"code": 50, "msg": "not ready"}')
    assert tool(machine, f"status chain {RED}").stderr == "not ready\n"
    spies(machine, {**CHAIN, "cniVersion": "1.1.0", "disableGC": True})
    calls(machine)
    assert tool(machine, f"gc chain {RED}").returncode == 0
    assert machine.read("/tmp/calls") == ""


CONFIGS = [
    ("", "no net configurations found in /etc/cni/net.d"),
    ("{", "error parsing configuration list: unexpected end of JSON input"),
    (
        "[]",
        "error parsing configuration list: json: cannot unmarshal array into Go value of type map[string]interface {}",
    ),
    ("{}", "error parsing configuration list: no name"),
    ('{"name": 5}', "error parsing configuration list: invalid name type float64"),
    ('{"name": "chain"}', "no plugin configs found"),
    (
        '{"name": "chain", "plugins": {}}',
        "error parsing configuration list: invalid 'plugins' type map[string]interface {}",
    ),
    ('{"name": "chain", "plugins": []}', "error parsing configuration list: no plugins in list"),
    (
        '{"name": "chain", "plugins": [{}]}',
        "failed to parse plugin config 0: error parsing configuration: missing 'type'",
    ),
    (
        '{"name": "chain", "cniVersion": 1, "plugins": [{"type": "one"}]}',
        "error parsing configuration list: invalid cniVersion type float64",
    ),
    (
        '{"name": "chain", "disableCheck": "maybe", "plugins": [{"type": "one"}]}',
        'error parsing configuration list: invalid value "maybe" for disableCheck',
    ),
    (
        '{"name": "chain", "loadOnlyInlinedPlugins": true}',
        "error parsing configuration list: `loadOnlyInlinedPlugins` is true, and no 'plugins' key",
    ),
    (
        '{"name": "other", "plugins": [{"type": "one"}]}',
        'no net configuration with name "chain" in /etc/cni/net.d',
    ),
    (
        '{"name": "chain", "plugins": [{"type": "none"}]}',
        'plugin type="none" failed (add): failed to find plugin "none" in path [/tmp/bin]',
    ),
    (
        '{"name": "chain", "plugins": [{"type": "../one"}]}',
        'plugin type="../one" failed (add): invalid plugin name: ../one',
    ),
    (
        '{"name": "a b", "plugins": [{"type": "one"}]}',
        'no net configuration with name "chain" in /etc/cni/net.d',
    ),
]


def test_configurations_that_cannot_be() -> None:
    machine = Machine("red")
    spies(machine)
    for text, message in CONFIGS:
        machine.run("rm -f /etc/cni/net.d/*")
        if text:
            machine.write("/etc/cni/net.d/10-chain.conflist", text)
        failed = tool(machine, f"add chain {RED}")
        assert (failed.stderr, failed.returncode) == (f"{message}\n", 1), text


def test_where_configurations_come_from() -> None:
    machine = Machine("red")
    spies(machine)
    machine.run("rm /etc/cni/net.d/*")
    machine.write(
        "/etc/cni/net.d/20-b.conf", '{"cniVersion": "1.0.0", "name": "single", "type": "two", "extra": 1}'
    )
    machine.write("/etc/cni/net.d/10-a.json", '{"cniVersion": "1.0.0", "name": "single", "type": "one"}')
    assert json.loads(tool(machine, f"add single {RED}").stdout) == RESULTS["one"]
    machine.write(
        "/etc/cni/net.d/90.conflist",
        '{"cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.1.0", "9.0.0"], "name": "single"}',
    )
    machine.run("mkdir /etc/cni/net.d/single")
    machine.write("/etc/cni/net.d/single/1.conf", '{"type": "two"}')
    calls(machine)
    assert tool(machine, f"add single {RED}").returncode == 0
    assert [(words[0], conf["cniVersion"]) for words, conf in calls(machine)] == [("two", "1.1.0")]
    machine.run("mkdir /tmp/conf; mv /etc/cni/net.d/10-a.json /tmp/conf")
    assert json.loads(tool(machine, f"add single {RED}", NETCONFPATH="/tmp/conf").stdout) == RESULTS["one"]


#: The notes' program (`bridge add <id> <netns>`), grown into a plugin: bash, ip and jq.
NET_SCRIPT = r"""#!/bin/bash
config=$(cat)
bridge=$(jq -r .bridge <<< "$config")
case $CNI_COMMAND in
ADD)
    ip link show $bridge > /dev/null 2>&1 || { ip link add $bridge type bridge; ip link set $bridge up; }
    given=$(CNI_COMMAND=ADD $CNI_PATH/host-local <<< "$config") || { echo "$given"; exit 1; }
    address=$(jq -r '.ips[0].address' <<< "$given")
    gateway=$(jq -r '.ips[0].gateway' <<< "$given")
    name=$(basename $CNI_NETNS)
    ip link add veth-$name type veth peer name $CNI_IFNAME netns $name
    ip link set veth-$name master $bridge up
    ip -n $name addr add $address dev $CNI_IFNAME
    ip -n $name link set $CNI_IFNAME up
    ip -n $name route add default via $gateway
    ip addr add $gateway/24 dev $bridge 2> /dev/null
    mac=$(ip -n $name -j link show $CNI_IFNAME | jq -r '.[0].address')
    jq -n --arg name $CNI_IFNAME --arg mac $mac --arg netns $CNI_NETNS --arg address $address --arg gateway $gateway \
        '{cniVersion: "1.0.0", interfaces: [{name: $name, mac: $mac, sandbox: $netns}],
          ips: [{interface: 0, address: $address, gateway: $gateway}], dns: {}}'
    ;;
DEL)
    CNI_COMMAND=DEL $CNI_PATH/host-local <<< "$config"
    ip -n $(basename $CNI_NETNS) link del $CNI_IFNAME 2> /dev/null
    exit 0
    ;;
VERSION)
    echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0"]}'
    ;;
esac
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_learners_script_is_a_plugin(backend: str) -> None:
    with Lab.load("cni", backend=backend) as lab:
        lab.machine("host").write("/opt/cni/bin/net-script", NET_SCRIPT, mode=0o755)
        lab.run("host", "ip netns add red; ip netns add blue")
        env = {"CNI_PATH": "/opt/cni/bin"}
        for number, name in enumerate(("red", "blue"), 2):
            added = lab.run("host", f"cnitool add script-net /var/run/netns/{name}", env=env)
            assert added.returncode == 0, added
            assert json.loads(added.stdout)["ips"][0]["address"] == f"10.24.0.{number}/24"
        assert (
            lab.run("host", "cnitool version script-net", env=env).stdout
            == "net-script: 0.3.0 0.3.1 0.4.0 1.0.0\n"
        )
        assert "0% packet loss" in lab.run("host", "ip netns exec red ping -c 2 -W 1 10.24.0.3").stdout
        assert lab.run("host", "cnitool del script-net /var/run/netns/red", env=env).returncode == 0
        assert lab.run("host", "ls /var/lib/cni/networks/script-net").stdout.split() == [
            "10.24.0.3",
            "last_reserved_ip.0",
            "lock",
        ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_scenarios_networks(backend: str) -> None:
    with Lab.load("cni", backend=backend) as lab:
        lab.run("host", "ip netns add red; ip netns add blue")
        env = {"CNI_PATH": "/opt/cni/bin"}
        caps = '{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}'
        for network, name in (("lo", "red"), ("bridge-net", "red"), ("web-net", "blue")):
            added = lab.run(
                "host", f"cnitool add {network} /var/run/netns/{name}", env={**env, "CAP_ARGS": caps}
            )
            assert added.returncode == 0, added
        assert "1 received" in lab.run("host", "ip netns exec red ping -c 1 -W 2 8.8.8.8").stdout
        lab.run("host", "ip netns exec blue nc -l -p 80 < /etc/hostname > /dev/null &")
        lab.run(
            "host",
            "for i in $(seq 99); do ip netns exec blue ss -Hltn | grep -q :80 && break; sleep 0.1; done",
        )
        assert lab.run("laptop", "nc -w 2 192.168.1.2 8080 < /dev/null").stdout == "host\n"
        for network, name in (("bridge-net", "red"), ("web-net", "blue")):
            assert (
                lab.run(
                    "host", f"cnitool del {network} /var/run/netns/{name}", env={**env, "CAP_ARGS": caps}
                ).returncode
                == 0
            )
        rules = lab.run("host", "iptables-save -t nat").stdout
        assert "10.22.0" not in rules and "CNI-DN" not in rules


def test_containers_by_the_thousand_leave_nothing() -> None:
    with Lab.load("cni") as lab:
        before = lab.run(
            "host", "ip netns add red; ip link; iptables-save; ip route; find /var/lib/cni"
        ).stdout
        loop = """for i in $(seq 1000); do
            CNI_PATH=/opt/cni/bin CNI_CONTAINERID=c$i CNI_NETNS=/var/run/netns/red CNI_IFNAME=eth0
            export CNI_PATH CNI_CONTAINERID CNI_NETNS CNI_IFNAME
            CNI_COMMAND=ADD /opt/cni/bin/bridge < /etc/cni/net.d/10-bridge.conf > /dev/null || echo failed $i
            CNI_COMMAND=DEL /opt/cni/bin/bridge < /etc/cni/net.d/10-bridge.conf || echo failed $i
        done"""
        assert lab.run("host", loop).stdout == ""
        lab.run("host", "ip link del cni0; rm -r /var/lib/cni/networks")
        assert lab.run(
            "host", "ip link; iptables-save; ip route; find /var/lib/cni"
        ).stdout == _without_tables(before, lab)


def _without_tables(before: str, lab: Any) -> str:
    """The nat table, once used, is shown with its empty chains."""
    return before.replace("default via", lab.run("host", "iptables-save").stdout + "default via", 1)


@pytest.mark.real
@pytest.mark.slow
def test_fifty_containers_leave_nothing_on_the_real_kernel() -> None:
    machine = Machine("red", backend="mininet")
    config = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "isGateway": True, "ipMasq": True,
              "ipam": {"type": "host-local", "subnet": "10.1.2.0/24"}}  # fmt: skip
    try:
        for number in range(50):
            for command in ("ADD", "DEL"):
                assert (
                    machine.plugin("bridge", command, config, {"CNI_CONTAINERID": f"c{number}"}).returncode
                    == 0
                )
        left = machine.run(
            "ip -o link | grep -c veth; iptables-save -t nat | grep -c CNI; ls /var/lib/cni/networks/n"
        ).stdout
        assert left.split() == ["0", "0", "last_reserved_ip.0", "lock"]
    finally:
        machine.close()


# -- what came with 1.1 ---------------------------------------------------------------------------
NEWEST: dict[str, Any] = {
    "cniVersion": "1.1.0", "name": "new", "type": "bridge", "isGateway": True, "ipMasq": True,
    "ipam": {"type": "host-local", "subnet": "10.1.2.0/24", "routes": [{"dst": "10.9.0.0/16", "mtu": 1300, "priority": 50, "table": 7}]},
}  # fmt: skip


@pytest.mark.parametrize("name", ["bridge", "ptp"])
def test_gc_takes_away_what_containers_left(name: str) -> None:
    machine = Machine("red", "blue")
    config = {**NEWEST, "type": name}
    for space in ("red", "blue"):
        env = {"CNI_CONTAINERID": space, "CNI_NETNS": f"/var/run/netns/{space}"}
        assert machine.plugin(name, "ADD", config, env).returncode == 0
    machine.run("ip netns del red")
    config["cni.dev/valid-attachments"] = [{"containerID": "blue", "ifname": "eth0"}]
    assert (
        machine.plugin(
            name, "GC", config, {"CNI_CONTAINERID": "", "CNI_NETNS": "", "CNI_IFNAME": ""}
        ).returncode
        == 0
    )
    rules = machine.run("iptables-save -t nat").stdout
    assert "-s 10.1.2.3/32" in rules and "-s 10.1.2.2/32" not in rules and rules.count(":CNI-") == 1
    assert machine.run("ls /var/lib/cni/networks/new").stdout.split() == [
        "10.1.2.3",
        "last_reserved_ip.0",
        "lock",
    ]
    del config["cni.dev/valid-attachments"]
    assert machine.plugin(name, "GC", config).returncode == 0
    assert "CNI-" not in machine.run("iptables-save -t nat").stdout


def test_routes_of_1_1_say_more() -> None:
    machine = Machine("red")
    done = machine.plugin("bridge", "ADD", NEWEST)
    assert done.data["cniVersion"] == "1.1.0"
    assert done.data["routes"] == [{"dst": "10.9.0.0/16", "mtu": 1300, "priority": 50, "table": 7}]
    assert (
        machine.run("ip -n red route show table 7").stdout
        == "10.9.0.0/16 via 10.1.2.1 dev eth0 metric 50 mtu 1300 \n"
    )
    older = machine.plugin(
        "host-local", "ADD", {**NEWEST, "cniVersion": "1.0.0"}, {"CNI_CONTAINERID": "other"}
    )
    assert older.data["routes"] == [{"dst": "10.9.0.0/16"}]


def test_status_asks_address_management() -> None:
    machine = Machine("red")
    assert machine.plugin("bridge", "STATUS", NEWEST).returncode == 0
    done = machine.plugin("bridge", "STATUS", {**NEWEST, "ipam": {"type": "dhcp"}})
    assert done.data == {"code": 50, "msg": "DHCP daemon at /run/cni/dhcp.sock: no such file or directory"}
    done = machine.plugin("bridge", "STATUS", {**NEWEST, "cniVersion": "1.0.0"})
    assert done.data == {"code": 1, "msg": "config version does not allow STATUS"}


def test_a_masquerading_that_there_is_not() -> None:
    done = Machine("red").plugin("bridge", "ADD", {**NEWEST, "ipMasqBackend": "x"})
    assert done.data["msg"] == 'unknown ipmasq backend "x"'
