"""The topology as a matplotlib figure, for print: the same layout as the widget, in black and white.

matplotlib is an extra (`pip install kubenet-course[lab]`); without it a LabError says so in a sentence.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.view import netmap
from kubenet_course.widgets._scene import LINE, Box, Scene, arrange
from kubenet_course.widgets._svg import bend

_SCALE = 1 / 72  # one unit of the layout is a point


def show(lab: Any, *, path: str = "") -> Any:
    """A `matplotlib.figure.Figure`; with `path` it is also saved (PDF, PNG or SVG by its ending)."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch
    except ImportError:
        raise LabError(
            "lab.figure() needs matplotlib: pip install matplotlib (lab.topology() needs nothing)."
        ) from None
    found = netmap.read(lab)
    scene = arrange(found)
    figure = Figure(figsize=((scene.width + 40) * _SCALE, (scene.height + 40) * _SCALE))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(-20, scene.width + 20)
    axes.set_ylim(scene.height + 20, -20)
    axes.axis("off")
    for cable in found.cables:
        _cable(axes, scene, cable)
    for box in scene.machines:
        _box(axes, box, FancyBboxPatch)
    if path:
        try:
            figure.savefig(path)
        except (OSError, ValueError) as error:
            raise LabError(f"{path}: {error}") from None
    return figure


def _box(axes: Any, box: Box, patch: Any) -> None:
    """A box with its name, then what is in it; what is down has a dashed edge."""
    up = box.link is None or box.link.words == "up"
    style = "--" if not up else ":" if box.kind == "namespace" else "-"
    shade = {"machine": "0.97", "bridge": "0.90", "namespace": "0.93"}.get(box.kind, "1.0")
    shape = patch((box.x, box.y), box.w, box.h, boxstyle="round,pad=0,rounding_size=4", linestyle=style)
    shape.set(facecolor=shade, edgecolor="0.2", linewidth=0.8, zorder=2)
    axes.add_patch(shape)
    if box.kind == "chip":
        for number, line in enumerate(box.lines):
            weight = "bold" if number == 0 else "normal"
            axes.text(
                box.x + box.w / 2, box.y + 10 + number * LINE, line, ha="center", va="center", fontsize=7,
                family="monospace", weight=weight, zorder=4,
            )  # fmt: skip
        return
    base = box.y + (box.h - 11 if box.title_below else 12)
    axes.text(box.x + 9, base, box.title, va="center", fontsize=8, weight="bold", zorder=4)
    for child in box.children:
        _box(axes, child, patch)


def _cable(axes: Any, scene: Scene, cable: netmap.Cable) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = bend(cable, scene)
    path = Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    style = "-" if cable.up else "--"
    axes.add_patch(PathPatch(path, fill=False, edgecolor="0.3", linewidth=1.2, linestyle=style, zorder=3))
    label = ", ".join(filter(None, (cable.note, "" if cable.up else "down")))
    if label:
        (ax, ay), (bx, by) = points[0], points[3]
        where = ((ax + bx) / 2, (ay + by) / 2)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.text(*where, label, ha="center", va="center", fontsize=7, zorder=5, bbox=box)
