"""Run a table of plugin calls on a machine, and say all that came of it in a form that can be compared.

A case (cases/*.yaml) is `setup`, shell commands, and `steps`: calls of plugins. A step's `conf` is its
configuration (`raw`: as text), `env` changes the environment, `prev` puts the last result in as prevResult.
With `macs`, which MAC addresses are the same is chance, and not compared.
MAC addresses and the names of veth ends are replaced by their order of appearance.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from kubenet_course import Lab
from kubenet_course.lab.topology import Topology

CASES = Path(__file__).parent / "cases"
ENV = {
    "CNI_CONTAINERID": "dummy",
    "CNI_NETNS": "/var/run/netns/red",
    "CNI_IFNAME": "eth0",
}
#: What is looked at after the last step, and after steps with `look`.
LOOKS = {
    "host addr": "ip -j -d addr",
    "host route": "ip -j route show table all type unicast",
    "host route6": "ip -j -6 route show table all type unicast",
    "red addr": "ip -n red -j -d addr",
    "red route": "ip -n red -j route show table all type unicast",
    "red route6": "ip -n red -j -6 route show table all type unicast",
    "red rule": "ip -n red rule; ip -n red -6 rule",
    "iptables": "iptables-save; ip6tables-save",
    "bridge": "bridge link; bridge vlan",
    "tc": "tc qdisc show; for d in $(ls /sys/class/net); do tc filter show dev $d parent ffff: 2>/dev/null; done",
    "files": "for f in $(find /var/lib/cni /run/cni/tuning -type f 2>/dev/null | sort); do echo $f; cat $f; echo; done",
    "sysctl": "cd /proc/sys/net; grep . ipv4/ip_forward ipv6/conf/all/forwarding; grep 1 ipv4/conf/*/route_localnet; "
    "grep 0 ipv6/conf/*/accept_ra; ip netns exec red sh -c 'cd /proc/sys/net; grep . ipv4/conf/eth0/arp_notify "
    "ipv6/conf/eth0/accept_dad ipv6/conf/eth0/ndisc_notify ipv6/conf/eth0/enhanced_dad ipv6/conf/eth0/disable_ipv6'",
}
_LINK = (
    "ifindex",
    "ifname",
    "link_index",
    "link",
    "mtu",
    "operstate",
    "master",
    "txqlen",
    "ifalias",
    "address",
    "promiscuity",
)
_DATA = ("mode", "id", "vlan_filtering", "table", "hairpin", "state", "kind")


def cases(*files: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        if files and path.stem not in files:
            continue
        for case in yaml.safe_load(path.read_text()):
            found.append((f"{path.stem}/{case['name']}", case))
    return found


def recorded(name: str) -> Any:
    """What the packaged plugins did (`record.py`)."""
    path = CASES / f"{name.partition('/')[0]}.jsonl"
    for line in path.read_text().splitlines():
        case, seen = json.loads(line)
        if case == name:
            return seen
    raise KeyError(f"{name} is not recorded; see record.py")


def machine(backend: str) -> Any:
    return Lab(Topology("side-by-side").host("host"), backend=backend)


class Names:
    """MAC addresses and veth names, replaced by their order of appearance."""

    def __init__(self, macs: bool = True) -> None:
        self.macs = macs
        self.seen: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        def one(match: re.Match[str]) -> str:
            kind = "mac" if ":" in match[0] else "veth"
            if kind == "mac" and not self.macs:
                return kind
            number = sum(name.startswith(kind) for name in self.seen.values())
            return self.seen.setdefault(match[0], f"{kind}#{number}")

        return re.sub(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b(?!:)|\bveth[0-9a-f]{8}\b", one, text)


def run_case(lab: Any, case: dict[str, Any], folder: str) -> list[Any]:
    """Every step's exit status and output, and the looks."""
    names, seen, last = Names("macs" not in case), [], None
    lab.run("host", "ip netns add red")
    for command in case.get("setup", ()):
        done = lab.run("host", command)
        assert done.returncode == 0, (command, done)
    steps = case["steps"]
    for number, step in enumerate(steps):
        done = call(lab, step, folder, last)
        if step["do"] == "ADD" and done.returncode == 0:
            last = json.loads(done.stdout)
        seen.append({"rc": done.returncode, "out": names(_plain(done.stdout, folder))})
        if step.get("look") or number == len(steps) - 1:
            seen.append({name: _look(lab, name, command, names) for name, command in LOOKS.items()})
    return seen


def call(lab: Any, step: dict[str, Any], folder: str, last: Any) -> Any:
    if "run" in step:
        return lab.run("host", step["run"])
    config = dict(step.get("conf", {}))
    if step.get("prev"):
        config["prevResult"] = last
    text = step.get("raw", json.dumps(config))
    env = {"CNI_COMMAND": step["do"], **ENV, "CNI_PATH": folder, **step.get("env", {})}
    plugin = step.get("plugin", config.get("type"))
    return lab.run("host", [f"{folder}/{plugin}"], stdin=text, env=env)


def _plain(text: str, folder: str) -> str:
    """Without what must differ: the plugins' folder, a pointer, and the version that the packaged ones lack."""
    text = re.sub(r"Interface:(0x)?[0-9a-f]+ ", "Interface:- ", text)
    return text.replace(folder, "/opt/cni/bin").replace(r" \"1.1.0\"", "").replace(" 1.1.0]", "]")


def _look(lab: Any, name: str, command: str, names: Names) -> Any:
    text = lab.run("host", ["sh", "-c", command]).stdout
    if name.endswith("addr"):
        return json.loads(names(json.dumps([_device(row) for row in json.loads(text or "[]") if row])))
    if "route" in name:
        rows = [row for row in json.loads(text or "[]") if not str(row.get("dst", "")).startswith("fe80")]
        for row in rows:
            row.pop("flags", None)
        return json.loads(names(json.dumps(rows)))
    if name == "tc":  # a second, unreachable action that only netlink can make: `pass` after `stolen`
        text = re.sub(r"\n\taction order 2: mirred [^\n]* pass\n\s*index 2 ref 1 bind 1\n", "", text)
    lines = [line.rstrip() for line in names(text).splitlines() if not line.startswith("#")]
    if name == "sysctl":
        lines.sort()
    if name == "iptables":
        lines = [re.sub(r"\[\d+:\d+\]", "", line) for line in lines]
    if name == "files":
        lines = [line for line in lines if not line.startswith("/var/lib/cni/results")]
    return lines


def _device(row: dict[str, Any]) -> dict[str, Any]:
    found = {key: row[key] for key in _LINK if key in row}
    found["up"] = "UP" in row.get("flags", ())
    found["allmulti"] = row.get("allmulti", 0)
    info = row.get("linkinfo", {})
    found["kind"] = info.get("info_kind", "")
    found["slave"] = info.get("info_slave_kind", "")
    data = {**(info.get("info_data") or {}), **(info.get("info_slave_data") or {})}
    found["data"] = {key: data[key] for key in _DATA if key in data}
    found["addresses"] = sorted(
        f"{item['local']}/{item['prefixlen']} {item.get('broadcast', '')} {item['scope']}"
        for item in row.get("addr_info", ())
        if "local" in item and not item["local"].startswith("fe80")
    )
    return found
