"""SVG text by hand: elements with escaped attributes, and the drawing of a `Scene`.

Pictures carry classes and `data-…` attributes only; colours are in `static/kubenet.css`, which
knows the light and the dark theme, and the scripts in `static/` light up parts by those attributes.
"""

from __future__ import annotations

from html import escape

from kubenet_course.view.netmap import Cable, NetMap
from kubenet_course.widgets._scene import LINE, Box, Scene, arrange

MARGIN = 10


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
    """A whole SVG that shrinks with its cell but never grows beyond its own size."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kn-svg {class_}".strip() '.replace('".strip()', '"')
        + f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        + f'role="group" aria-label="{escape(label, quote=True)}">{content}</svg>'
    )


def topology_svg(found: NetMap, *, small: bool = False) -> str:
    """The picture of a map; with `small` machines cannot be chosen (it only shows where a packet is)."""
    scene = arrange(found)
    parts = [_machine(box, found, small) for box in scene.machines]
    cables = "".join(_cable(cable, scene) for cable in found.cables)
    titles = "".join(_title(box, found) for box in scene.machines)
    layers = "".join(parts) + tag("g", cables, class_="kn-cables") + tag("g", titles, class_="kn-titles")
    content = tag("g", layers, transform=f"translate({MARGIN} {MARGIN})")
    return picture(
        content, scene.width + 2 * MARGIN, scene.height + 2 * MARGIN, f"The network {found.name}", "kn-map"
    )


def _machine(box: Box, found: NetMap, small: bool) -> str:
    kind = found.machine(box.key).kind
    content = tag("rect", x=box.x, y=box.y, width=box.w, height=box.h, rx=8, class_="kn-box")
    content += "".join(_inner(child) for child in box.children)
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


def _title(box: Box, found: NetMap) -> str:
    """A machine's name, drawn over the cables."""
    kind = found.machine(box.key).kind
    base = box.y + (box.h - 22 if box.title_below else 0)
    name = text(box.x + 28, base + 17, box.title + _state(box), "kn-title")
    return tag("g", _icon(kind, box.x + 9, base + 7) + name, class_=f"kn-name kn-name-{kind}")


def _inner(box: Box) -> str:
    if box.kind == "chip":
        return _chip(box)
    dash = "" if box.link is None or box.link.words == "up" else " kn-down"
    content = tag("rect", x=box.x, y=box.y, width=box.w, height=box.h, rx=5, class_="kn-box")
    base = box.y + (box.h - 21 if box.title_below else 0)
    content += text(box.x + 9, base + 15, box.title + _state(box), "kn-subtitle")
    content += "".join(_inner(child) for child in box.children)
    return tag(
        "g",
        content,
        class_=f"kn-{box.kind}{dash}",
        data_port=box.key if box.port else None,
        data_space=box.key if box.port is None else None,
    )


def _state(box: Box) -> str:
    """The state of a bridge that is not up, as words behind its name."""
    return "" if box.link is None or box.link.words == "up" else f"  {box.link.words}"


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


def _stacked(cable: Cable, scene: Scene, a: Box, b: Box) -> bool:
    """Whether one end is above the other, so that the line goes up and down rather than sideways."""
    if cable.a.machine != cable.b.machine:
        a, b = scene.homes[cable.a.machine], scene.homes[cable.b.machine]
    return max(a.y, b.y) > min(a.y + a.h, b.y + b.h)
