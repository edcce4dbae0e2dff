"""What a second real kernel printed (user-mode Linux, tests/transcripts-uml), printed here as well."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support import uml
from tests.support.replay import differences, load

HERE = Path(__file__).resolve()
TRANSCRIPTS = HERE.parents[2] / "transcripts-uml"
SHARED = HERE.parents[4] / "shared/transcripts/kernel-with-ipvs-ovs-netem.jsonl"
NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.jsonl"))

#: Commands whose output is not compared, and why. They run all the same.
NOT_COMPARED = {
    # The kernel sends IPv6 neighbour discovery and MLD on every device; how much depends on the moment.
    r"^ip -s link show (vx0|t0)$",
    # NET_XMIT_DROP becomes ENOBUFS in sendmsg(); here the packet is lost without a word.
    r"^ping -c1 -W1 10\.0\.0\.2$ in tc",
    # An error about the tunnel is told to who sends next: on Linux that is a router solicitation, at once.
    r"^ping -c1 -W1 -I vx 172\.16\.1\.2$ in tunnels",
}


def tidy(cmd: str, text: str) -> str:
    """What the commands print in the order of a hash table, and ages, alike on both sides."""
    if cmd.startswith("ovs-vsctl show"):
        return "\n".join(sorted(_ovs_blocks(text)))
    if cmd.startswith(
        ("ovs-ofctl dump-flows", "ovs-ofctl --no-stats dump-flows", "ovs-appctl fdb/show", "bridge fdb")
    ):
        text = re.sub(r"duration=[0-9.]+s", "duration=T", text)
        text = re.sub(r"33:33:ff:(?!00:10)[0-9a-f:]{8}", "33:33:ff:X", text)
        text = re.sub(r"n_packets=[0-9]+, n_bytes=[0-9]+, idle_age=[0-9]+", "COUNTS", text)
        text = re.sub(r"(?m)^( *(?:\d+|LOCAL) +\d+  [0-9a-f:]{17}) +\d+$", r"\1 AGE", text)
        return "\n".join(sorted(text.splitlines()))
    if cmd.startswith(("ovs-appctl bridge/dump-flows", "ovs-dpctl")):
        return re.sub(r"[0-9]+", "N", text)
    if cmd.startswith("ip neigh show"):
        return "\n".join(sorted(re.sub("REACHABLE|DELAY|STALE|PROBE", "KNOWN", text).splitlines()))
    if cmd.startswith("ipvsadm -Lnc"):
        text = re.sub(r"10\.(\d+\.\d+\.\d+):\d{4,5} ?", r"10.\1:P", text)
        text = re.sub(r"\b\d\d:\d\d  ", "MM:SS  ", text)
        return "\n".join(sorted(re.sub(r" +", " ", line) for line in text.splitlines()))
    if " ifb" in cmd:
        return re.sub(r"tso_max_size \d+", "tso_max_size N", text)  # larger on a kernel of today
    return text


def _ovs_blocks(text: str) -> list[str]:
    """Each bridge and port of ``ovs-vsctl show`` with what belongs to it."""
    text = re.sub(r"^[0-9a-f-]{36}$", "UUID", text, flags=re.MULTILINE)
    bridge, blocks = "", []
    for line in text.splitlines():
        if line.startswith("    Bridge"):
            bridge = line.strip()
        if line.startswith(("    Bridge", "        Port", "UUID")):
            blocks.append(f"{bridge} {line}")
        elif blocks:
            blocks[-1] += "\n" + line
    return blocks


def skip(name: str) -> object:
    def chosen(cmd: str) -> bool:
        for pattern in NOT_COMPARED:
            text, _, only = pattern.partition(" in ")
            if re.search(text, cmd) and (not only or only == name):
                return True
        return False

    return chosen


@pytest.mark.parametrize("name", NAMES)
def test_commands_print_what_the_second_kernel_printed(name: str) -> None:
    found = differences(load(TRANSCRIPTS / f"{name}.jsonl"), also=tidy, skip=skip(name))  # type: ignore[arg-type]
    assert not found, f"{len(found)} differ:\n\n" + "\n\n".join(found)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(bool(uml.available()), reason=uml.available() or "available")
@pytest.mark.parametrize("name", NAMES)
def test_the_second_kernel_still_says_so(name: str) -> None:
    """Record anew: but for ages, counters and random numbers it is what the file holds."""
    from tests.support.replay import normalise

    old = load(TRANSCRIPTS / f"{name}.jsonl")
    new = uml.record(old)
    different = [
        line["cmd"]
        for line, again in zip(old, new)
        if "cmd" in line
        and not skip(name)(line["cmd"])  # type: ignore[operator]
        and tidy(line["cmd"], normalise(line["stdout"])) != tidy(line["cmd"], normalise(again["stdout"]))
    ]
    assert len(different) <= len(old) // 50, different


def shared_lines() -> list[dict]:
    """The recorded session, with the servers that stood behind it."""
    lines = [json.loads(line) for line in SHARED.read_text().splitlines()]
    first = next(number for number, line in enumerate(lines) if line["cmd"].startswith("curl"))
    servers = [{"serve": {"ns": f"p{n}", "port": 80, "text": f"pod{n}"}} for n in (1, 2)]
    return lines[:first] + servers + lines[first:]


#: What in that session hangs on chance or on the cache of the kernel's datapath.
CHANCE = (
    r"^uname", r"^ping -c 20", r"^tc -s qdisc", r"^ovs-dpctl", r"^ip -d link show (kube|vrf|ipv0)",
)  # fmt: skip


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded session is not here")
def test_a_recorded_session_with_ipvs_open_vswitch_and_netem() -> None:
    def also(cmd: str, text: str) -> str:
        text = tidy(cmd, text)
        return re.sub(r"(Sent|dropped) [0-9]+", r"\1 N", text)

    found = differences(shared_lines(), also=also, skip=lambda cmd: any(re.search(p, cmd) for p in CHANCE))
    assert not found, f"{len(found)} differ:\n\n" + "\n\n".join(found)
