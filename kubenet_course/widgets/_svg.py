"""SVG text by hand: elements with escaped attributes, and the drawing of a `Scene`.

Pictures carry classes and `data-…` attributes only; colours are in `static/kubenet.css`, which
knows the light and the dark theme, and the scripts in `static/` light up parts by those attributes.
"""

from __future__ import annotations

from html import escape

from kubenet_course.view.netmap import Cable, NetMap
from kubenet_course.widgets._scene import LINE, Box, Scene, arrange

MARGIN = 10
SMALLEST = 0.7  # of its own size; 11 pixels are 8 then


def tag(name: str, content: str = "", **attributes: object) -> str:
    """``<name a="…">content</name>``; `class_` is class, and _ in a name is a hyphen."""
    words = []
    for key, value in attributes.items():
        if value is None or value == "":
            continue
        shown = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
        words.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown, quote=True)}"')
    head = " ".join([name, *words])
    return f"<{head}>{content}</{name}>" if content else f"<{head}/>"


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "") -> str:
    return tag("text", escape(content), x=x, y=y, class_=class_, text_anchor=anchor)


def picture(content: str, width: float, height: float, label: str, class_: str = "") -> str:
    """A whole SVG that shrinks with its cell, but not so far that its text is too small to read: then it scrolls.

    It never grows beyond its own size.
    """
    least = min(width, width * SMALLEST)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kn-svg {class_}".strip() '.replace('".strip()', '"')
        + f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        + f'style="min-width:{least:.0f}px" role="group" aria-label="{escape(label, quote=True)}">{content}</svg>'
    )


def topology_svg(found: NetMap, *, small: bool = False) -> str:
    """The picture of a map; with `small` machines cannot be chosen (it only shows where a packet is)."""
    scene = arrange(found)
    ways = [point for cable in found.cables for point in _points(bend(cable, scene))]
    parts = [_machine(box, found, small, ways) for box in scene.machines]
    cables = "".join(_cable(cable, scene) for cable in found.cables)
    titles = "".join(_title(box, found, ways) for box in scene.machines)
    layers = "".join(parts) + tag("g", cables, class_="kn-cables") + tag("g", titles, class_="kn-titles")
    content = tag("g", layers, transform=f"translate({MARGIN} {MARGIN})")
    return picture(
        content, scene.width + 2 * MARGIN, scene.height + 2 * MARGIN, f"The network {found.name}", "kn-map"
    )


def _machine(box: Box, found: NetMap, small: bool, ways: list[Point]) -> str:
    kind = found.machine(box.key).kind
    content = tag("rect", x=box.x, y=box.y, width=box.w, height=box.h, rx=8, class_="kn-box")
    content += "".join(_inner(child, ways) for child in box.children)
    focus = {} if small else {"tabindex": 0, "role": "button"}
    return tag(
        "g",
        content,
        class_=f"kn-machine kn-{kind}",
        data_machine=box.key,
        data_port=str(box.port) if box.port else None,
        aria_label=f"{kind} {box.title}" + ("" if small else ": show its tables"),
        **focus,
    )


def _title(box: Box, found: NetMap, ways: list[Point]) -> str:
    """A machine's name, drawn over the cables, where none of them passes."""
    kind = found.machine(box.key).kind
    base = box.y + (box.h - 22 if box.title_below else 0)
    words = box.title + box.state
    x = _free(box, base, 19 + len(words) * 7.6, ways)
    name = text(x + 19, base + 17, words, "kn-title")
    return tag("g", _icon(kind, x, base + 7) + name, class_=f"kn-name kn-name-{kind}")


def _free(box: Box, base: float, width: float, ways: list[Point]) -> float:
    """The x of a title of that width in its line at `base`: the leftmost place that no cable crosses.

    At the left where there is none: then a cable passes behind it.
    """
    left, last = box.x + 9, max(box.x + 9, box.x + box.w - 9 - width)
    crossing = [x for x, y in ways if base <= y <= base + 22 and box.x <= x <= box.x + box.w]
    tries = [left, *sorted(x + 8 for x in crossing), last]
    return next((at for at in tries if left <= at <= last and not any(at - 6 < x < at + width + 6 for x in crossing)), left)


def _inner(box: Box, ways: list[Point]) -> str:
    if box.kind == "chip":
        return _chip(box)
    dash = " kn-down" if box.state else ""
    content = tag("rect", x=box.x, y=box.y, width=box.w, height=box.h, rx=5, class_="kn-box")
    base = box.y + (box.h - 21 if box.title_below else 0)
    words = box.title + box.state
    content += text(_free(box, base, len(words) * 6.7, ways), base + 15, words, "kn-subtitle")
    content += "".join(_inner(child, ways) for child in box.children)
    return tag(
        "g",
        content,
        class_=f"kn-{box.kind}{dash}",
        data_port=box.key if box.port else None,
        data_space=box.key if box.port is None else None,
    )


def _chip(box: Box) -> str:
    assert box.link is not None
    state = {"up": "kn-up", "down": "kn-down"}.get(box.link.words, "kn-nocarrier")
    content = tag("rect", x=box.x, y=box.y, width=box.w, height=box.h, rx=4)
    for number, line in enumerate(box.lines):
        name = "kn-dev" if number == 0 else "kn-state" if line == box.link.words else "kn-addr"
        content += text(box.x + box.w / 2, box.y + 14 + number * LINE, line, name, "middle")
    return tag("g", content, class_=f"kn-chip {state}", data_port=box.key)


def _icon(kind: str, x: float, y: float) -> str:
    """A small sign for the kind: a screen, a router's cross, a switch's two arrows."""
    if kind == "router":
        shape = tag("circle", cx=x + 6, cy=y + 6, r=6) + tag(
            "path", d=f"M{x + 2:g} {y + 6:g}h8M{x + 6:g} {y + 2:g}v8"
        )
    elif kind == "switch":
        shape = tag("rect", x=x - 1, y=y + 1, width=14, height=10, rx=2)
        shape += tag("path", d=f"M{x + 2:g} {y + 4.5:g}h8m-2 -2l2 2M{x + 10:g} {y + 8:g}h-8m2 -2l-2 2")
    else:
        shape = tag("rect", x=x - 1, y=y, width=14, height=9, rx=1.5) + tag(
            "path", d=f"M{x + 2:g} {y + 12:g}h8"
        )
    return tag("g", shape, class_="kn-icon", aria_hidden="true")


def _cable(cable: Cable, scene: Scene) -> str:
    curve = bend(cable, scene)
    start, first, second, end = (f"{x:.1f} {y:.1f}" for x, y in curve)
    path = f"M{start}C{first} {second} {end}"
    mx, my = (curve[0][0] + curve[3][0]) / 2, (curve[0][1] + curve[3][1]) / 2
    label = ", ".join(filter(None, (cable.note, "" if cable.up else "down")))
    content = tag("path", d=path)
    if label:
        half = len(label) * 3.2 + 4
        content += tag("rect", x=mx - half, y=my - 9, width=2 * half, height=16, rx=3, class_="kn-label-back")
        content += text(mx, my + 3, label, "kn-note", "middle")
    return tag(
        "g",
        content,
        class_="kn-cable " + ("kn-up" if cable.up else "kn-down"),
        data_a=str(cable.a),
        data_b=str(cable.b),
    )


Point = tuple[float, float]


def bend(cable: Cable, scene: Scene) -> tuple[Point, Point, Point, Point]:
    """The cable as a Bézier curve between the sides of its two chips that face each other."""
    a, b = scene.chips[cable.a], scene.chips[cable.b]
    (ax, ay), (bx, by) = a.middle, b.middle
    if _stacked(cable, scene, a, b):
        down = 1 if by > ay else -1
        start, end = (ax, ay + down * a.h / 2), (bx, by - down * b.h / 2)
        pull = max(14.0, abs(end[1] - start[1]) * 0.45) * down
        return start, (start[0], start[1] + pull), (end[0], end[1] - pull), end
    right = 1 if bx > ax else -1
    start, end = (ax + right * a.w / 2, ay), (bx - right * b.w / 2, by)
    pull = max(14.0, abs(end[0] - start[0]) * 0.45) * right
    return start, (start[0] + pull, start[1]), (end[0] - pull, end[1]), end


def _points(curve: tuple[Point, Point, Point, Point], count: int = 40) -> list[Point]:
    """Points along a Bézier curve, close enough to tell what it crosses."""
    found = []
    for step in range(count + 1):
        t = step / count
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        found.append((sum(w * x for w, (x, _) in zip(weights, curve)), sum(w * y for w, (_, y) in zip(weights, curve))))
    return found


def _stacked(cable: Cable, scene: Scene, a: Box, b: Box) -> bool:
    """Whether one end is above the other, so that the line goes up and down rather than sideways."""
    if cable.a.machine != cable.b.machine:
        a, b = scene.homes[cable.a.machine], scene.homes[cable.b.machine]
    return max(a.y, b.y) > min(a.y + a.h, b.y + b.h)
