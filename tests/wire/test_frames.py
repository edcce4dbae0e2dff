"""Headers decode and encode what a real kernel sent, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubenet_course.kernel.packets import decode_frame
from kubenet_course.sim.loop import Loop
from kubenet_course.wire.ethernet import ETH_P_ARP

LINES = (Path(__file__).parent / "frames.txt").read_text().splitlines()[1:]
FRAMES = list(zip(LINES[::2], LINES[1::2]))


@pytest.mark.parametrize(("words", "data"), FRAMES)
def test_a_frame_comes_out_as_it_went_in(words: str, data: str) -> None:
    frame = bytes.fromhex(data)
    skb = decode_frame(Loop(), frame)
    assert skb.frame_bytes().hex() == data
    assert skb.frame_length() == len(frame)


@pytest.mark.parametrize(("words", "data"), FRAMES)
def test_headers_speak_as_tcpdump_does(words: str, data: str) -> None:
    skb = decode_frame(Loop(), bytes.fromhex(data))
    assert words.startswith(str(skb.eth))
    said = words.split(": ", 1)[1]
    if skb.ethertype == ETH_P_ARP:
        assert str(skb.network).removeprefix("ARP, ") == said
        return
    address = f"{skb.network.source}"
    assert said.startswith(address)
    if skb.transport is not None and "ICMP" in said and "unreachable" not in said and "HBH" not in said:
        assert str(skb.transport).split(",")[0].split(" ")[0] in said


@pytest.mark.parametrize("cut", [0, 1, 13, 14, 15, 20, 33, 34, 40, 41])
def test_a_frame_cut_short_is_an_error_or_a_shorter_packet(cut: int) -> None:
    for _, data in FRAMES:
        frame = bytes.fromhex(data)[:cut]
        try:
            decode_frame(Loop(), frame)
        except ValueError as problem:
            assert str(problem)
