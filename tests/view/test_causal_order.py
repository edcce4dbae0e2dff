"""Captures of one frame at several interfaces, whose clocks say the same instant or the wrong order."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from kubenet_course.view.capture import Seen
from kubenet_course.view.causal_order import causal_order
from kubenet_course.view.target import Target

A, B, SWITCH = Target("A", ""), Target("B", ""), Target("s1", "")
MACS = {A: "02:00:00:00:00:0a", B: "02:00:00:00:00:0b"}
CABLES = [((A, "eth0"), (SWITCH, "s1-eth1")), ((B, "eth0"), (SWITCH, "s1-eth2"))]
PEERS = dict(CABLES) | {b: a for a, b in CABLES}
INSIDE = {(A, "left"): (A, "right"), (A, "right"): (A, "left")}


def seen(time: int, space: Target, device: str, out: bool, frame: str, sender: Target = A) -> Seen:
    return Seen(time, space, device, out, 4 if out else 0, MACS[sender], frame, None, b"", 98)


def crossing(start: int, step: int, frame: str, sender: Target, receiver: Target) -> list[Seen]:
    """The true story of one frame through the switch, `step` ns from one interface to the next."""
    ports = {A: "s1-eth1", B: "s1-eth2"}
    places = [
        (sender, "eth0", True),
        (SWITCH, ports[sender], False),
        (SWITCH, ports[receiver], True),
        (receiver, "eth0", False),
    ]
    return [seen(start + n * step, *place, frame, sender) for n, place in enumerate(places)]


def by_capture(story: list[Seen]) -> list[list[Seen]]:
    return [[one for one in story if one.space == space] for space in (SWITCH, B, A)]


def places(story: list[Seen]) -> list[tuple[object, ...]]:
    return [(one.network, one.space, one.device, one.out) for one in story]


def test_one_instant_everywhere_is_told_as_it_was():
    story = crossing(1000, 0, "request", A, B) + crossing(1000, 0, "reply", B, A)
    found = causal_order(by_capture(story), PEERS)
    assert places(found) == places(story)
    assert all(earlier.time < later.time for earlier, later in pairwise(found))


@pytest.mark.parametrize("seed", range(50))
def test_clocks_that_are_wrong_by_more_than_a_crossing_takes(seed):
    """Each processor's clock is off by up to ten crossings; ten requests and replies, none before the other ended."""
    chance = random.Random(seed)
    story = []
    for number in range(10):
        story += crossing(number * 10_000, 100, f"request {number}", A, B)
        story += crossing(number * 10_000 + 500, 100, f"reply {number}", B, A)
    wrong = [one._replace(time=one.time + chance.randrange(-1000, 1000)) for one in story]
    assert places(causal_order(by_capture(wrong), PEERS)) == places(story)


def test_times_that_contradict_nothing_stay_as_they_are():
    story = crossing(1000, 700, "request", A, B) + crossing(9000, 700, "reply", B, A)
    assert causal_order(by_capture(story), PEERS) == story


def test_two_frames_alike_are_told_apart_by_their_time():
    story = crossing(1000, 10, "same", A, B) + crossing(50_000, 10, "same", A, B)
    assert causal_order(by_capture(story), PEERS) == story


def test_a_frame_whose_departure_was_not_seen():
    story = crossing(1000, 10, "request", A, B)[1:]
    assert causal_order(by_capture(story), PEERS) == story


def test_both_ends_of_a_cable_in_one_namespace():
    story = [seen(5, A, "left", True, "question"), seen(5, A, "right", False, "question")]
    assert places(causal_order([story], INSIDE)) == places(story)


def test_a_circle_is_broken_by_time():
    """What cannot be (an arrival captured before its own departure) loses nothing."""
    story = [seen(5, A, "right", False, "question"), seen(9, A, "left", True, "question")]
    assert causal_order([story], INSIDE) == story


def test_nothing_was_seen():
    assert causal_order([], PEERS) == causal_order([[], []], PEERS) == []
