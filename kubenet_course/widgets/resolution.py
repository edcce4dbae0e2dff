"""How a name was resolved, as a sequence diagram: who asked whom, in order, and what came from files and caches.

    lab.resolution("client", "dig www.example.org")

A column for each participant, an arrow for each query (full) and answer (dashed), a box for what needed no
packet. A step that is chosen (with the pointer, or ↓ ↑) shows its records below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from kubenet_course.view.resolution import Participant, Resolution, Step, resolve_with
from kubenet_course.widgets._base import Picture, static
from kubenet_course.widgets._svg import picture, tag, text

COLUMN, ROW, TOP, SIDE = 190, 36, 74, 96
LETTER = 5.9  # pixels a letter of a label takes


def show(lab: Any, machine: str, command: str | Sequence[str], **options: Any) -> ResolutionPicture:
    """Run `command` there, and draw how its names were resolved."""
    return ResolutionPicture(resolve_with(lab, machine, command, **options))


class ResolutionPicture(Picture):
    """`steps` are the rows, each with what is shown of it when it is chosen."""

    _esm = static("common.js", "resolution.js")
    svg = traitlets.Unicode().tag(sync=True)
    command = traitlets.Unicode().tag(sync=True)
    facts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    index = traitlets.Int(-1).tag(sync=True)

    def __init__(self, found: Resolution):
        self.resolution = found
        super().__init__(
            svg=resolution_svg(found),
            command=f"{found.machine}$ {found.command}",
            facts=list(found.facts),
            steps=[_step(step) for step in found.steps],
            alt=str(found),
        )


def _step(step: Step) -> dict[str, Any]:
    who = step.source if step.kind == "file" else f"{step.source} → {step.target}"
    return {"who": who, "text": step.text, "note": step.note, "details": list(step.details)}


def resolution_svg(found: Resolution) -> str:
    """The diagram; each step has `data-step`, its number from 0."""
    people = found.participants
    places: dict[str, float] = {one.name: SIDE + number * COLUMN for number, one in enumerate(people)}
    rows = max(len(found.steps), 1)
    width, height = max(2 * SIDE + (len(people) - 1) * COLUMN, 420), TOP + rows * ROW + 24
    heads = "".join(_head(one, places[one.name], height) for one in people)
    body = "".join(_row(step, number, places, width) for number, step in enumerate(found.steps))
    if not found.steps:
        body = text(width / 2, TOP + 30, "no query left, and no file was asked", "kn-note", "middle")
    marker = tag("marker", tag("path", d="M0 0L8 4L0 8z", class_="kn-seq-head"), id="kn-seq", viewBox="0 0 8 8", refX=7.5, refY=4,
                 markerWidth=8, markerHeight=8, orient="auto")  # fmt: skip
    return picture(
        tag("defs", marker) + heads + body,
        width,
        height,
        f"How names were resolved for: {found.command}",
        "kn-seq",
    )


def _head(one: Participant, x: float, height: float) -> str:
    role = one.role if one.role != "client" else "asks"
    lines = [line for line in (one.address if one.address != one.name else "", role) if line]
    half = COLUMN / 2 - 8
    content = tag("path", d=f"M{x:g} {TOP - 12:g}V{height - 8:g}", class_="kn-life")
    content += tag("rect", x=x - half, y=4, width=2 * half, height=TOP - 16, rx=6, class_="kn-box")
    content += text(x, 21, _cut(one.name, 24), "kn-title", "middle")
    for number, line in enumerate(lines):
        content += text(x, 37 + 14 * number, _cut(line, 31), "kn-note", "middle")
    return tag("g", tag("title", _plain(f"{one.name} {one.address} {one.role}")) + content, class_="kn-who")


def _row(step: Step, number: int, places: dict[str, float], width: float) -> str:
    y = TOP + number * ROW + 24
    start = places[step.source]
    label = f"{number + 1}  {step.text}"
    if step.kind == "file":
        content = _box(start, y, label, step.note, width)
        kind = "kn-file"
    else:
        end = places.get(step.target, start)
        content = _arrow(start, end, y, step, label, width)
        kind = {"query": "kn-query", "answer": "kn-answer", "lost": "kn-lost"}[step.kind]
    bad = " kn-bad" if step.kind == "lost" or step.rcode not in ("", "NOERROR") else ""
    hit = tag("rect", x=0, y=y - 20, width=width, height=ROW, class_="kn-row")
    words = f"{step.text}. {step.note}"
    return tag(
        "g", tag("title", _plain(words)) + hit + content, class_=f"kn-step {kind}{bad}", data_step=number
    )


def _box(x: float, y: float, label: str, note: str, width: float) -> str:
    words = label + (f"  ({note})" if note else "")
    long = min(len(words) * LETTER + 18, width - 8)
    left = min(max(4.0, x - long / 2), width - long - 4)
    return tag("rect", x=left, y=y - 15, width=long, height=22, rx=4, class_="kn-card") + text(
        left + long / 2, y, words, "", "middle"
    )


def _arrow(start: float, end: float, y: float, step: Step, label: str, width: float) -> str:
    if start == end:  # a machine that asks itself
        line = f"M{start:g} {y - 4:g}h34v10h-28"
        middle, room = start + 42, width - start - 46
        words = _cut(label + (f"  ({step.note})" if step.note else ""), int(room / LETTER))
        return tag("path", d=line, class_="kn-line", marker_end="url(#kn-seq)") + text(middle, y + 2, words)
    if step.kind == "lost":
        end = start + (end - start) * 0.72
        cross = tag("path", d=f"M{end - 5:g} {y - 3:g}l10 10m0 -10l-10 10", class_="kn-cross")
        line = tag("path", d=f"M{start:g} {y + 2:g}H{end:g}", class_="kn-line") + cross
    else:
        line = tag("path", d=f"M{start:g} {y + 2:g}H{end:g}", class_="kn-line", marker_end="url(#kn-seq)")
    words = label + (f"  ({step.note})" if step.note else "")
    left, right = min(start, end), max(start, end)
    if len(words) * LETTER <= right - left - 8:
        return line + _label((left + right) / 2, y - 4, words, "middle")
    # Too long for the arrow: from its left end on, as far as the picture goes, else up to its right end.
    if len(words) * LETTER <= width - left - 8:
        return line + _label(left + 6, y - 4, words, "start")
    if len(words) * LETTER <= right - 8:
        return line + _label(right - 6, y - 4, words, "end")
    return line + _label(6, y - 4, _cut(words, int((width - 12) / LETTER)), "start")


def _label(x: float, y: float, words: str, anchor: str) -> str:
    return text(x, y, words, "kn-on-line", anchor)


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else words[: max(1, length - 1)] + "…"


def _plain(words: str) -> str:
    from html import escape

    return escape(" ".join(words.split()))
