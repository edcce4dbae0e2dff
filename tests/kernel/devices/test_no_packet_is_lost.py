"""Every packet that enters a tunnel, a VLAN, a queue or a switch ends exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubenet_course.kernel.skbuff import Ledger
from kubenet_course.sim.loop import SECOND
from tests.support.replay import Machine, load

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "transcripts-uml"
#: Packets that the ledger may still hold at the end: held by a neighbour that is being asked.
NAMES = ("vxlan", "paths", "tunnels", "tc", "ipvs", "ovs")


@pytest.mark.parametrize("name", NAMES)
def test_every_packet_of_a_transcript_ends_once(name: str) -> None:
    machine = Machine()
    ledger = machine.loop.skb_ledger = Ledger()
    for line in load(TRANSCRIPTS / f"{name}.jsonl"):
        if "setup" in line:
            machine.run(line["setup"])
        elif "serve" in line:
            machine.serve(**line["serve"])
        elif "cmd" in line:
            machine.run(line["cmd"], line.get("ns", "root"))
    machine.loop.run_for(60 * SECOND)
    assert not ledger.twice, [str(skb) for skb in ledger.twice[:5]]
    assert not ledger.lost(), [(str(skb), skb.dev) for skb in ledger.lost()[:5]]
    assert not machine.system.defects
