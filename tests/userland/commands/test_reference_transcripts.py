"""What real tools printed in whole scenarios, 594 commands compared line by line.

The recordings are not part of the package: without them the tests skip. Every command of a scenario runs, since each
leaves state for the next. Left out of the comparison: what NOT_COMPARED names, random hardware addresses,
neighbours' ages (REACHABLE turns STALE with the clock) and order, counters, and the bridge's timers.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from kubenet_course.kernel.host import Host
from kubenet_course.kernel.netns import NetNamespace
from kubenet_course.sim.loop import SECOND, Deadlock, Loop
from kubenet_course.userland.programs import standard_programs
from kubenet_course.userland.system import System
from tests.support.normalise import normalise

RECORDED = Path(__file__).parents[4] / "shared" / "transcripts" / "commands.jsonl"
SCENARIOS = ("lan", "routed", "netns", "devices", "nat", "nat-legacy")

LACKS = "the recording's kernel has no such kind of device or discipline, ours has"
#: Commands that are run and not compared: why.
NOT_COMPARED = {
    "ip link add ipv0 link eth0 type ipvlan": LACKS,
    "ip link add link eth0 name eth0.10 type vlan id 10": LACKS,
    "ip link add d0 type dummy": LACKS,
    "ip link add v0 type dummy": LACKS,
    "ip link add vrf0 type vrf table 10": LACKS,
    "ip tunnel add tun0 mode ipip local 10.0.1.11 remote 10.0.1.12": LACKS,
    "ip -d link show tun0": LACKS,
    "tc qdisc add dev eth0 root netem delay 100ms": LACKS,
    "ipvsadm -Ln": LACKS,
    "ip -6 neigh": "what IPv6 asks of its own accord",
    "timeout 3 tcpdump -i eth0 -nn -c 2 icmp & sleep .5; ping -c 1 10.0.1.12 >/dev/null; wait": "which of IPv6's own packets "
    "through the tunnel come first",
}
#: /etc/hosts as it was where the recordings were made.
HOSTS = b"127.0.0.1\tlocalhost\n10.0.1.12 web.course.test web\n"


@lru_cache(1)
def recordings() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in RECORDED.read_text().splitlines():
        entry = json.loads(line)
        found.setdefault(entry["scenario"], []).append(entry)
    return found


def normal(text: str, cmd: str) -> str:
    """Without what differs from run to run."""
    text = normalise(text, cmd)
    if cmd.startswith("curl"):  # a progress line that is written over
        text = re.sub(r"[\r\n]+ *\d+ +\d+ .*--:--:--.*", "", text)
    text = re.sub(r"qdisc (\w+) 8\w\w\w:", r"qdisc \1 8N:", text)
    text = re.sub(r"(gc_timer|hello_timer)( +| *: *)[0-9.]+", r"\1 T", text)
    if re.search(r"\b(neigh|fdb)\b", cmd):
        lines = [line for line in text.splitlines() if "10.0.1.53" not in line]
        text = "".join(
            f"{line}\n"
            for line in sorted(re.sub(r"REACHABLE|STALE|DELAY|PROBE", "LEARNED", line) for line in lines)
        )
    if "showmacs" in cmd:
        text = re.sub(r" +\d+\.\d\d$", " AGE", text, flags=re.M)
        text = "".join(sorted(text.splitlines(keepends=True)))
    if re.search(r"ip\b.* -s\b|ip -s", cmd):
        text = re.sub(r"^ +[\d ]+$", "NUMBERS", text, flags=re.M)
    return re.sub(r"expires \d+sec", "expires Nsec", text)


class Machine:
    """One emulated machine with a named namespace for each of the recording's."""

    def __init__(self, scenario: str, entries: list[dict[str, Any]]):
        self.loop = Loop(1)
        self.host = Host(self.loop, "host")
        self.system = System(self.host, standard_programs())
        self.system.files.view.write("/etc/resolv.conf", b"nameserver 10.0.1.53\n")
        self.system.files.view.write("/etc/hosts", HOSTS)
        named = {entry["ns"] for entry in entries} | self.mentioned(entries)
        self.names = sorted(name for name in named if name != "root") + ["w"]
        for name in self.names:
            self.run(f"ip netns add {name}; ip -n {name} link set lo up", self.host.init_net)
        self.host.init_net.loopback.set_up()
        for net in self.host.namespaces:
            if scenario != "devices":
                for word in ("all", "default"):
                    net.sysctl.write(("net", "ipv6", "conf", word, "disable_ipv6"), "1")
        if scenario != "devices":
            self.host.init_net.sysctl.write(("net", "ipv6", "conf", "default", "disable_ipv6"), "1")
        for command in entries[0]["setup"]:
            server = re.match(r"\[(\w+)\] (.*&)$", command)  # a server that runs in a namespace
            if server is not None:
                self.run(f"{server[2]} sleep 0.1", self.namespace(server[1]))
            else:
                self.run(command, self.host.init_net)
        if "h1" in self.names:
            # The recording's tools had asked their dead name server.
            self.run("ping -c 1 -W 1 10.0.1.53", self.namespace("h1"))
        self.loop.run_for(3 * SECOND)

    @staticmethod
    def mentioned(entries: list[dict[str, Any]]) -> set[str]:
        return {
            name for command in entries[0]["setup"] for name in re.findall(r"(?:netns|-n) (\S+)", command)
        }

    def namespace(self, name: str) -> NetNamespace:
        if name == "root":
            return self.host.init_net
        node = self.system.files.view.node(f"/run/netns/{name}")
        return node.net  # type: ignore[attr-defined]

    def run(self, command: str, net: NetNamespace) -> tuple[str, str, int]:
        try:
            out, err, status = self.system.run(["bash", "-c", command], net=net, limit=30 * SECOND)
        except Deadlock:
            return "", "deadlock", -1
        return out.decode(), err.decode(), status


def differences(scenario: str) -> list[str]:
    entries = recordings()[scenario]
    machine = Machine(scenario, entries)
    found: list[str] = []
    for entry in entries:
        cmd = entry["cmd"]
        out, err, status = machine.run(cmd, machine.namespace(entry["ns"]))
        if cmd in NOT_COMPARED:
            continue
        real = normal(entry["stdout"], cmd), normal(entry["stderr"], cmd), entry["rc"]
        ours = normal(out, cmd), normal(err, cmd), status
        if real != ours:
            found.append(
                f"{entry['ns']}$ {cmd}\n--- real [{real[2]}]\n{real[0]}{real[1]}--- ours [{ours[2]}]\n{ours[0]}{ours[1]}"
            )
    return found


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_command_prints_what_the_real_one_did(scenario: str) -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recordings at {RECORDED}")
    found = differences(scenario)
    assert not found, f"{len(found)} commands differ\n" + "\n".join(found)
