"""A real Docker Engine 20.10's session, command by command, as far as 28 still says the same.

What differs by version and is not compared: the rules (`test_rules.py` has today's), random MACs, busybox'
own spelling of `ip addr`, the columns of `docker ps`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubenet_course import Lab
from kubenet_course.lab.topology import Topology
from tests.docker.facts import SHARED

PATH = SHARED / "transcripts" / "docker-20.10.jsonl"
if not PATH.exists():
    pytest.skip(f"{PATH.name} is not here", allow_module_level=True)
STEPS = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]
#: Only looked at on the side, or another test's.
SKIPPED = re.compile(
    r"iptables|^ip |^bridge|^brctl|^ss |^docker (version|ps|images|import)|^tar |^sysctl|conntrack|traceroute|"
    r"/proc/net/arp|netstat|ip -4 addr|docker exec \w+ ip link|after|nslookup"
)
TOPOLOGY = (
    Topology("real-docker")
    .host("host", "192.168.50.10/24", default="192.168.50.1", files={"/www/index.html": "hello-from-container\n", "/etc/resolv.conf": "nameserver 10.255.255.53\n"})
    .host("gateway", "192.168.50.1/24")
    .link("host", "gateway")
)  # fmt: skip
#: Words of 20.10 → of 28.
NEWER = (
    ("docker: Error response from daemon: driver failed", "docker: Error response from daemon: failed to set up container networking: driver failed"),
    ("Error response from daemon: Pool overlaps", "Error response from daemon: invalid pool request: Pool overlaps"),
    ("port is already allocated.", "port is already allocated"),
    ("80/tcp -> :::8080", "80/tcp -> [::]:8080"),
    ("fe00::0\t", "fe00::\t"), ("ff00::0\t", "ff00::\t"),
    ("operation not supported.", "operation not supported"),
)  # fmt: skip


def newer(text: str) -> str:
    for old, new in NEWER:
        text = text.replace(old, new)
    return text


def plain(text: str) -> str:
    """Without ids, and without what 28 adds."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\b(?=\w*[a-f])[0-9a-f]{12}\b", "SHORT", text)
    text = text.replace("\n\nRun 'docker run --help' for more information", "")
    return re.sub(r"^# .*\n|^\n", "", text, flags=re.M).strip()


def compare(command: str, old: dict[str, Any], new: Any) -> None:
    assert new.returncode == old["rc"] or (old["rc"] and new.returncode), f"{command}: {new}"
    if "ip addr" in command or "ip route" in command:
        words = re.compile(
            r"inet \S+|default via \S+ dev \w+|^\S+/\d+ dev \w+|src \S+|ether \S+(?= brd)", re.M
        )
        kept = [one for one in words.findall(new.stdout) if not one.startswith("ether")]
        assert kept == [one for one in words.findall(old["stdout"]) if not one.startswith("ether")], command
    elif "ping" in command or "wget" in command:
        loss = re.compile(r"\d+% packet loss|hello-from-container")
        assert loss.findall(new.stdout) == loss.findall(old["stdout"])
    elif "network inspect" in command or "json .NetworkSettings" in command:
        compare_objects(json.loads(old["stdout"]), json.loads(new.stdout), command)
    elif "resolv.conf" in command:
        assert plain(new.stdout).splitlines() == plain(old["stdout"]).splitlines()
    elif "network rm course" in command and old["rc"]:
        assert (
            "error while removing network: network course" in new.stderr
            and "has active endpoints" in new.stderr
        )
    elif "SandboxKey" in command:
        assert re.fullmatch(r"\d+ /var/run/docker/netns/([0-9a-f]{12}|default)\n", new.stdout)
    elif "host0 cat /etc/hosts" in command or "host0 hostname" in command:
        assert new.stdout
    else:
        assert plain(new.stdout) == plain(newer(old["stdout"])), command
        if "docker exec" not in command:
            assert plain(new.stderr) == plain(newer(old["stderr"])), command


#: Keys whose values are random, or that 28 fills otherwise (a network's Gateway is in the pool's Config now).
FREE = {
    "Id",
    "Created",
    "SandboxID",
    "SandboxKey",
    "EndpointID",
    "NetworkID",
    "MacAddress",
    "DNSNames",
    "Aliases",
    "Config",
    "Containers",
    "HostPort",
}
#: null, where 20.10 has an empty list (or the other way round).
NULL = {"Config", "DNSNames", "Aliases"}


def compare_objects(old: Any, new: Any, where: str) -> None:
    """Every key of 20.10 is there, in its order, with its value unless that is free."""
    if isinstance(old, list):
        assert isinstance(new, list) and len(new) == len(old), where
        for one, other in zip(old, new, strict=True):
            compare_objects(one, other, where)
    elif isinstance(old, dict):
        assert isinstance(new, dict), where
        assert set(old) <= set(new), f"{where}: {set(old) - set(new)}"
        for key, value in old.items():
            if key in FREE:
                assert type(new[key]) is type(value) or key in NULL, f"{where}.{key}"
            else:
                compare_objects(value, new[key], f"{where}.{key}")
    else:
        assert new == old, where


def same_resolver_rules(lab: Lab, step: dict[str, Any]) -> int:
    """The rules that lead to 127.0.0.11, but for its two random ports."""
    inside = re.sub(r"-t \d+", "-t $(docker inspect -f '{{.State.Pid}}' cli)", step["cmd"])
    new = lab.run("host", inside)
    ports = re.compile(r"(127\.0\.0\.11:|--sport )\d+|^#.*\n", re.M)
    assert ports.sub(r"\1", new.stdout) == ports.sub(r"\1", step["stdout"])
    return 1


def test_a_session_of_a_real_docker() -> None:
    compared = 0
    with Lab(TOPOLOGY) as lab:
        lab.run("host", "docker tag busybox busybox:local")
        for step in STEPS:
            command = step["cmd"]
            if command.startswith("nsenter"):
                compared += same_resolver_rules(lab, step)
            if not command.startswith(("docker", "curl")) or SKIPPED.search(command):
                continue
            if "--network ipv" in command:
                continue  # the recorder's kernel has no ipvlan; ours has
            where = "gateway" if step["ns"].startswith("peer") else "host"
            new = lab.run(where, command.replace("| python3 -m json.tool", ""))
            compare(command, step, new)
            compared += 1
    assert compared >= 60
