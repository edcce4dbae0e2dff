"""The journey of a packet as a stepper: every stage in words, on the network and on the hooks.

    lab.journey("red", "ping -c1 8.8.8.8")

runs the command and keeps what happened. Forward and back one stage at a time (→ ←), packet by
packet (↓ ↑), to the beginning and the end (Home End), or let it play (space). Its text form is the
whole journey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from kubenet_course.view import netmap
from kubenet_course.view.journey import KINDS, Header, Journey, Stage, changed_fields, ending
from kubenet_course.widgets._base import Picture, static
from kubenet_course.widgets._svg import topology_svg
from kubenet_course.widgets.hooks import hooks_svg

#: Hooks that a packet passes between two stages although no rule there made a stage of it.
BETWEEN = {
    ("device in", "route in"): ("PREROUTING",),
    ("route out", "neighbour"): ("OUTPUT", "POSTROUTING"),
    ("route out", "device out"): ("OUTPUT", "POSTROUTING", "neighbour"),
    ("OUTPUT", "neighbour"): ("POSTROUTING",),
    ("OUTPUT", "device out"): ("POSTROUTING", "neighbour"),
    ("FORWARD", "neighbour"): ("POSTROUTING",),
    ("FORWARD", "device out"): ("POSTROUTING", "neighbour"),
    ("POSTROUTING", "device out"): ("neighbour",),
}


def show(lab: Any, machine: str, command: str | Sequence[str], **options: Any) -> JourneyPicture:
    """Run `command` there, follow its packets, and say how it went."""
    from kubenet_course.view.follow import follow

    journey = follow(lab, machine, command, **options)
    return JourneyPicture(journey, netmap.read(lab))


class JourneyPicture(Picture):
    """A journey to step through; `index` is the stage that is shown, from 0."""

    _esm = static("common.js", "journey.js")
    command = traitlets.Unicode().tag(sync=True)
    output = traitlets.Unicode().tag(sync=True)
    packets = traitlets.List(traitlets.Dict()).tag(sync=True)
    stages = traitlets.List(traitlets.Dict()).tag(sync=True)
    unsent = traitlets.List(traitlets.Unicode()).tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)
    network = traitlets.Unicode().tag(sync=True)
    hooks = traitlets.Unicode().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)

    def __init__(self, journey: Journey, found: netmap.NetMap):
        from kubenet_course.view.explain import explain

        self.journey = journey
        verdict = explain(journey, found)
        super().__init__(
            alt=f"{journey}\n\n{verdict}",
            command=f"{journey.machine}$ {journey.command}",
            output=(journey.stdout + journey.stderr).rstrip(),
            packets=[
                {
                    "number": p.number,
                    "summary": p.summary,
                    "cause": p.cause,
                    "why": p.why,
                    "outcome": p.outcome,
                    "ending": ending(p),
                    "first": min((s.number for s in p.stages), default=0),
                }
                for p in journey.packets
            ],
            stages=stage_data(journey),
            unsent=[str(unsent) for unsent in journey.unsent],
            verdict=str(verdict),
            network=topology_svg(found, small=True),
            hooks=hooks_svg(),
        )


def stage_data(journey: Journey) -> list[dict[str, Any]]:
    """What the script needs of each stage, in the order of time."""
    last: dict[int, tuple[Header, ...]] = {}
    spots: dict[tuple[int, str, str], list[str]] = {}
    found = []
    for stage in journey.stages:
        before = last.get(stage.packet, ())
        changed = changed_fields(before, stage.headers)
        last[stage.packet] = stage.headers
        here = (stage.packet, stage.machine, stage.namespace)
        passed = spots.setdefault(here, [])
        if stage.spot == "device in":
            passed.clear()
        elif passed:
            passed += BETWEEN.get((passed[-1], stage.spot), ())
        passed.append(stage.spot)
        found.append(_data(stage, before, changed, passed))
    return found


def _data(
    stage: Stage, before: tuple[Header, ...], changed: set[tuple[str, str]], passed: list[str]
) -> dict[str, Any]:
    old = {(h.layer, name): value for h in before for name, value in h.fields}
    headers = [
        {
            "layer": h.layer,
            "fields": [
                {
                    "name": name,
                    "value": value,
                    "was": old.get((h.layer, name), "") if (h.layer, name) in changed else "",
                    "changed": (h.layer, name) in changed,
                }
                for name, value in h.fields
            ],
        }
        for h in stage.headers
    ]
    where = f"{stage.machine}/{stage.namespace}" if stage.namespace else stage.machine
    return {
        "number": stage.number,
        "packet": stage.packet,
        "place": stage.place,
        "kind": KINDS[stage.kind],
        "text": stage.text,
        "spot": stage.spot,
        "passed": list(passed),
        "machine": stage.machine,
        "space": where,
        "port": f"{where}:{stage.device}" if stage.device else "",
        "out": stage.kind == "transmit",
        "ok": stage.ok,
        "ms": f"{stage.time / 1e6:.3f} ms",
        "headers": headers,
    }
