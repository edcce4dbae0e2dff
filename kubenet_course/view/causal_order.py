"""The order of what was captured: by time, but nothing before what caused it.

Two interfaces at the ends of one cable see a frame within a microsecond, on different processors it may be: their
clocks can say the same instant, or the wrong order. Two things are certain all the same: one capture keeps the order in
which the kernel gave it the packets (`tpacket_rcv`), and a frame leaves one end of a veth pair before it arrives at the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from kubenet_course.view.target import Target

if TYPE_CHECKING:
    from kubenet_course.view.capture import Seen


#: One end of a cable: the namespace and the interface.
End = tuple[Target, str]


def causal_order(captures: list[list[Seen]], peers: Mapping[End, End]) -> list[Seen]:
    """What each capture saw, as one list; times (ns) are moved on where they contradict it, and none is twice the same.

    `peers` has the other end of each cable, both ways.
    """
    seen = [one for capture in captures for one in capture]
    followers: dict[int, list[int]] = defaultdict(list)
    waits_for = [0] * len(seen)

    def before(cause: int, effect: int) -> None:
        followers[cause].append(effect)
        waits_for[effect] += 1

    start = 0
    for capture in captures:
        for number in range(start, start + len(capture) - 1):
            before(number, number + 1)
        start += len(capture)
    for departure, arrival in _crossings(seen, peers):
        before(departure, arrival)

    ready = [(seen[n].time, n) for n, count in enumerate(waits_for) if not count]
    heapify(ready)
    ordered: list[Seen] = []
    placed = [False] * len(seen)
    while len(ordered) < len(seen):
        # Where frames alike were taken for one another, a circle may be left: time decides.
        number = heappop(ready)[1] if ready else min(
            (n for n in range(len(seen)) if not placed[n]), key=lambda n: (seen[n].time, n)
        )
        if placed[number]:
            continue
        placed[number] = True
        earliest = ordered[-1].time + 1 if ordered else 0
        ordered.append(seen[number]._replace(time=max(seen[number].time, earliest)))
        for effect in followers[number]:
            waits_for[effect] -= 1
            if not waits_for[effect] and not placed[effect]:
                heappush(ready, (seen[effect].time, effect))
    return ordered


def _crossings(seen: list[Seen], peers: Mapping[End, End]) -> list[tuple[int, int]]:
    """(departure, arrival) of each frame at the two ends of a cable."""
    departures: dict[tuple[object, ...], list[int]] = defaultdict(list)
    arrivals = []
    for number, one in enumerate(seen):
        end = (one.space, one.device)
        if end not in peers:
            continue
        frame = tuple(map(repr, (one.source_mac, one.length, one.network, one.transport, bytes(one.payload))))
        if one.out:
            departures[(end, frame)].append(number)
        else:
            arrivals.append((number, (peers[end], frame)))
    found = []
    for number, key in arrivals:
        others = departures.get(key)
        if others:
            nearest = min(others, key=lambda n: abs(seen[n].time - seen[number].time))
            others.remove(nearest)
            found.append((nearest, number))
    return found


__all__ = ["causal_order"]
