"""The recorder: what it keeps, that it changes nothing, and that a failing observer is dropped and named."""

from __future__ import annotations

from kubenet_course import Lab
from kubenet_course.sim.trace import Recorder

PING = ["ping", "-c1", "192.168.2.10"]


def recorded(observers=(), limit=200_000):
    with Lab.load("two-networks") as lab:
        recorder = Recorder(lab.backend.loop, limit)
        recorder.observers += observers
        with recorder:
            result = lab.run("A", PING)
        assert lab.backend.loop.tracer is None
        return recorder, result


def test_recording_changes_nothing_that_the_command_prints():
    with Lab.load("two-networks") as lab:
        plain = lab.run("A", PING)
    recorder, traced = recorded()
    assert traced == plain
    assert recorder.dropped == {}


def test_every_packet_is_born_and_ends_once():
    recorder, _ = recorded()
    kinds = {}
    for event in recorder.events:
        kinds.setdefault(event.packet, []).append(event.kind)
    for number, seen in kinds.items():
        assert seen[0] in ("born", "cloned"), (number, seen)
        ends = [kind for kind in seen if kind in ("died", "arrived")]
        assert len(ends) == 1, (number, seen)


def test_headers_are_kept_as_they_were_at_each_point():
    recorder, _ = recorded()
    ttls = [
        e.network.ttl
        for e in recorder.events
        if e.kind == "xmit" and hasattr(e.network, "ttl") and e.packet == 1
    ]
    assert sorted(set(ttls)) == [63, 64]


def test_an_observer_that_raises_is_dropped_and_named_and_the_run_goes_on():
    seen = []

    def broken(event):
        raise ValueError("oh dear")

    recorder, result = recorded([broken, seen.append])
    assert result.returncode == 0
    assert len(seen) == len(recorder.events)
    ((name, error),) = recorder.dropped.items()
    assert "broken" in name
    assert error == "ValueError: oh dear"
    assert recorder.observers == [seen.append] or len(recorder.observers) == 1


def test_a_trace_point_with_a_surprise_is_named_and_the_run_goes_on():
    class Odd(Recorder):
        def _note(self, kind, *rest):
            if kind == "receive":
                raise KeyError("surprise")
            super()._note(kind, *rest)

    with Lab.load("two-networks") as lab:
        recorder = Odd(lab.backend.loop)
        with recorder:
            assert lab.run("A", PING).returncode == 0
    assert recorder.dropped == {"receive": "KeyError: 'surprise'"}


def test_beyond_its_limit_events_are_counted_not_kept():
    recorder, _ = recorded(limit=10)
    assert len(recorder.events) == 10
    assert recorder.missed > 20
