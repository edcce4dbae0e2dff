"""Whatever a plugin or the runtime is given, it answers in the standard's form: never with a traceback."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubenet_course.cni import gojson
from tests.cni import side_by_side
from tests.cni.machine import Machine

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
CONFIGS = [
    (case["steps"][0].get("setup", ()), step)
    for _, case in side_by_side.cases()
    for step in case["steps"]
    if isinstance(step.get("conf"), dict)
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70000), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "eth0", "lo", "10.1.2.0/24", "10.1.2.5", "fd00::/64", "::1", "0.0.0.0/0", "02:00:00:00:00:01", "host-local",
                     "static", "../x", "1.0.0", "0.2.0", "a b", "é", "\u0000", "9" * 30, "iptables", "nftables", "bridge", "cni0"]),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
    ["type", "subnet", "ranges", "address", "gateway", "dst", "gw", "cni", "ips", "mac", "name", "hostPort", "protocol"]), inner, max_size=3), max_leaves=6)  # fmt: skip
PLUGINS = (
    "bandwidth", "bridge", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback", "macvlan",
    "portmap", "ptp", "sbr", "static", "tuning", "vlan", "vrf",
)  # fmt: skip
ENVIRONMENT = {
    "CNI_CONTAINERID": ["dummy", "", "a b", "é"],
    "CNI_NETNS": ["/var/run/netns/red", "", "/nope", "/etc/hosts", "red", "/run/netns/../netns/red"],
    "CNI_IFNAME": ["eth0", "", "lo", "eth1", "a/b", "x" * 20, "%d"],
    "CNI_ARGS": ["", "IP=10.1.2.5", "IgnoreUnknown=1;X=y", "X", ";", "MAC=zz", "IP=x;GATEWAY=y"],
    "CNI_PATH": ["/opt/cni/bin", "", "/nope", ":"],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a configuration."""
    found = [path]
    if isinstance(value, dict):
        found += [place for key in value for place in places(value[key], (*path, key))]
    elif isinstance(value, list):
        found += [place for key in range(len(value)) for place in places(value[key], (*path, key))]
    return found


def put(config: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    config = copy.deepcopy(config)
    inside = config
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return config


@pytest.fixture(scope="module")
def machine() -> Machine:
    machine = Machine("red")
    machine.run("ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up")
    return machine


def well_formed(done: Any) -> None:
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done
    if done.returncode:
        assert done.returncode == 1, done
        assert set(done.data) <= {"code", "msg", "details"} and done.data["msg"], done
    elif done.stdout:
        assert "cniVersion" in done.data, done


@SETTINGS
@given(st.data())
def test_configurations_changed_at_random(machine: Machine, data: st.DataObject) -> None:
    _, step = data.draw(st.sampled_from(CONFIGS))
    config: Any = {"cniVersion": "1.0.0", "name": "n", **step["conf"]}
    if data.draw(st.booleans()):
        config["prevResult"] = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/var/run/netns/red"}],
                                "ips": [{"interface": 0, "address": "10.1.2.3/24", "gateway": "10.1.2.1"}]}  # fmt: skip
    for _ in range(data.draw(st.integers(0, 2))):
        config = put(config, data.draw(st.sampled_from(places(config))), data.draw(VALUES))
    env = {key: values[0] for key, values in ENVIRONMENT.items()}
    if data.draw(st.integers(0, 2)) == 0:
        key = data.draw(st.sampled_from(sorted(ENVIRONMENT)))
        env[key] = data.draw(st.sampled_from(ENVIRONMENT[key]))
    plugin = step.get("plugin", step["conf"].get("type"))
    plugin = plugin if plugin in PLUGINS else "bridge"
    text = json.dumps(config)
    for command in ("ADD", "CHECK", "DEL"):
        well_formed(machine.plugin(plugin, command, text, env))
    assert machine.lab.backend.machines["host"].system.defects == []


@SETTINGS
@given(st.text(alphabet='{}[]":,\\ \n0123456789.-+eEtrufalsn/bx\u00e9', max_size=40))
def test_json_is_told_as_go_tells_it(text: str) -> None:
    """What Python's reader takes is taken, and what it refuses is refused in Go's words."""
    try:
        wanted = json.loads(text, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
    except (ValueError, RecursionError):
        with pytest.raises(gojson.GoJsonError) as failure:
            gojson.loads(text)
        assert str(failure.value).startswith(("invalid character", "unexpected end of JSON input"))
    else:
        assert gojson.loads(text) == wanted


@SETTINGS
@given(st.data())
def test_networks_changed_at_random(machine: Machine, data: st.DataObject) -> None:
    config: Any = {
        "cniVersion": "1.1.0",
        "name": "net",
        "plugins": [{"type": "loopback"}, {"type": "tuning", "capabilities": {"mac": True}}],
    }
    config = put(config, data.draw(st.sampled_from(places(config))), data.draw(VALUES))
    machine.write("/etc/cni/net.d/10.conflist", json.dumps(config))
    words = data.draw(st.sampled_from(["add", "check", "del", "gc", "status", "version"]))
    env = {
        "CNI_PATH": "/opt/cni/bin",
        "CAP_ARGS": data.draw(st.sampled_from(["", "{}", "[]", "{", '{"mac": 5}'])),
    }
    done = machine.run(f"cnitool {words} net /var/run/netns/red", env=env)
    assert done.returncode in (0, 1) and "internal error" not in done.stderr, done
    assert done.returncode == 0 or done.stderr.strip(), done
    assert machine.lab.backend.machines["host"].system.defects == []
