"""The diagram of the hooks: where in a machine a packet is looked at, after `kernel/netfilter/hooks.py`.

                     program
                    ↑       ↓
                 INPUT     route → OUTPUT
                    ↑                 ↓
in → PREROUTING → route → FORWARD → POSTROUTING → neighbour → out
 └─────────────────────── bridge ───────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from kubenet_course.errors import LabError
from kubenet_course.widgets._base import Picture, static
from kubenet_course.widgets._svg import picture, tag, text

#: spot → (x, y, width, lines): the middle of each box. The names are `view.journey.SPOTS`.
PLACES: dict[str, tuple[int, int, int, tuple[str, ...]]] = {
    "program": (268, 26, 104, ("program",)),
    "INPUT": (206, 82, 84, ("INPUT", "filter")),
    "route out": (330, 82, 84, ("route",)),
    "OUTPUT": (446, 82, 100, ("OUTPUT", "nat, filter")),
    "device in": (36, 150, 56, ("device", "in")),
    "PREROUTING": (122, 150, 92, ("PREROUTING", "nat")),
    "route in": (206, 150, 52, ("route",)),
    "FORWARD": (312, 150, 84, ("FORWARD", "filter")),
    "POSTROUTING": (446, 150, 104, ("POSTROUTING", "nat")),
    "neighbour": (552, 150, 82, ("neighbour", "ARP, ND")),
    "device out": (636, 150, 60, ("device", "out")),
    "bridge": (336, 212, 200, ("bridge: learns, forwards, floods",)),
}
ARROWS = (
    "M64 150H75",
    "M168 150H179",
    "M232 150H269",
    "M354 150H393",
    "M498 150H510",
    "M593 150H605",
    "M206 133V103",
    "M206 65C206 54 226 57 237 46",
    "M299 43C310 57 330 53 330 63",
    "M372 82H395",
    "M446 99V131",
    "M36 171C40 205 120 212 235 212",
    "M436 212C560 212 628 205 635 172",
)
LEGEND = (
    "in → PREROUTING → route → INPUT → program   (for this machine)\n"
    "in → PREROUTING → route → FORWARD → POSTROUTING → neighbour → out   (for another: this is a router)\n"
    "program → route → OUTPUT → POSTROUTING → neighbour → out   (sent from here)\n"
    "in → bridge → out   (from port to port of a bridge; the hooks do not see it)"
)


def hooks_svg(lit: Sequence[str] = ()) -> str:
    """The diagram; each box has `data-spot`, so that a script can light it. `lit` are lit from the start."""
    heads = "".join(tag("path", d=path, class_="kn-flow", marker_end="url(#kn-head)") for path in ARROWS)
    marker = tag(
        "marker",
        tag("path", d="M0 0L7 3.5L0 7z", class_="kn-flow-head"),
        id="kn-head",
        viewBox="0 0 7 7",
        refX=6,
        refY=3.5,
        markerWidth=7,
        markerHeight=7,
        orient="auto",
    )
    boxes = "".join(_box(spot, *place, lit=spot in lit) for spot, place in PLACES.items())
    return picture(
        tag("defs", marker) + heads + boxes,
        674,
        236,
        "The hooks that a packet passes in a machine",
        "kn-hooks",
    )


def _box(spot: str, x: int, y: int, width: int, lines: tuple[str, ...], *, lit: bool) -> str:
    height = 22 if spot == "bridge" else 34
    content = tag(
        "rect",
        x=x - width / 2,
        y=y - height / 2,
        width=width,
        height=height,
        rx=13 if spot == "program" else 4,
    )
    first = y + 4 if len(lines) == 1 else y - 3
    for number, line in enumerate(lines):
        content += text(x, first + 13 * number, line, "" if number == 0 else "kn-note", "middle")
    return tag("g", content, class_="kn-hook kn-lit" if lit else "kn-hook", data_spot=spot)


class HooksPicture(Picture):
    """The diagram by itself."""

    _esm = static("common.js", "hooks.js")
    svg = traitlets.Unicode().tag(sync=True)


def show(lab: Any = None, *spots: str) -> HooksPicture:
    """The diagram for reading, with some spots lit; in `journey` the same one follows the packet."""
    for spot in spots:
        if spot not in PLACES:
            raise LabError(f"the diagram of hooks has no {spot!r}; it has: {', '.join(PLACES)}")
    words = f"\nlit: {', '.join(spots)}" if spots else ""
    return HooksPicture(svg=hooks_svg(spots), alt=LEGEND + words)
