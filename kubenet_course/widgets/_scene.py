"""Where everything of a `NetMap` goes in the picture: boxes in boxes, by rule and without chance.

A machine is a box; in it are its namespaces, its bridges with their ports, and its other
interfaces, each a chip with name and addresses. Where the machines stand is decided in `_places.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kubenet_course.view.netmap import MachineMap, NetMap, Port, Space, shown_addresses, shown_state
from kubenet_course.view.records import Link
from kubenet_course.widgets._places import GAP, GAP_X, components, edges_of, place

CHAR, LINE, PAD, TITLE = 6.7, 14, 9, 21
BRIDGES = ("bridge", "openvswitch")
PASSES = 6
CABLE_GAP = 52  # between namespaces that are joined to each other: room for the cable and its label
COMPACT_FROM = 14  # machines; then switches' ports have no chips of their own


@dataclass
class Box:
    """A rectangle at (x, y), absolute once `place` is done. `lines` are the texts of a chip."""

    kind: str
    key: str
    title: str = ""
    lines: list[str] = field(default_factory=list)
    children: list[Box] = field(default_factory=list)
    port: Port | None = None
    link: Link | None = None
    x: float = 0
    y: float = 0
    w: float = 0
    h: float = 0
    rows: list[list[Box]] = field(default_factory=list)
    #: For each row: -1 at the left, 0 in the middle, 1 at the right; in the middle where nothing is said.
    sides: list[int] = field(default_factory=list)
    title_below: bool = False
    gap: float = GAP  # between the boxes of a row
    #: Keys of children that are joined to each other directly, and so lie side by side.
    tied: dict[str, list[str]] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The state of a bridge that is not up, as words behind its name."""
        words = shown_state(self.link) if self.link is not None else ""
        return "" if words in ("", "up") else f"  {words}"

    def move(self, dx: float, dy: float) -> None:
        self.x += dx
        self.y += dy
        for child in self.children:
            child.move(dx, dy)

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2


@dataclass
class Scene:
    """Boxes of the machines, and every interface's chip (or, where it has none, its machine's box)."""

    machines: list[Box]
    chips: dict[Port, Box]
    homes: dict[str, Box]
    width: float
    height: float


def arrange(found: NetMap) -> Scene:
    """Lay the whole map out."""
    compact = len(found.machines) >= COMPACT_FROM
    edges = edges_of(found)
    within = {port for cable in found.cables if cable.a.machine == cable.b.machine for port in (cable.a, cable.b)}
    boxes = {machine.name: machine_box(machine, compact, within) for machine in found.machines}
    for cable in found.cables:
        a, b = cable.a, cable.b
        if a.machine == b.machine and a.namespace and b.namespace and a.namespace != b.namespace:
            box = boxes[a.machine]
            box.gap = CABLE_GAP
            for one, other in ((a, b), (b, a)):
                box.tied.setdefault(f"{one.machine}/{one.namespace}", []).append(f"{other.machine}/{other.namespace}")
    for box in boxes.values():
        _measure(box)
    kinds = {machine.name: machine.kind for machine in found.machines}
    offset = 0.0
    for names in components(list(boxes), edges):
        place(names, edges, boxes, kinds)
        left = min(boxes[name].x for name in names)
        top = min(boxes[name].y for name in names)
        for name in names:
            boxes[name].move(offset - left, -top)
        offset = max(boxes[name].x + boxes[name].w for name in names) + GAP_X
    _face_peers(found, boxes)
    chips: dict[Port, Box] = {}
    for port, _ in found.ports():
        chips[port] = boxes[port.machine]
    for box in boxes.values():
        for chip in _chips(box):
            if chip.port is not None:
                chips[chip.port] = chip
    width = max((box.x + box.w for box in boxes.values()), default=0)
    height = max((box.y + box.h for box in boxes.values()), default=0)
    return Scene(list(boxes.values()), chips, boxes, width, height)


# -- boxes ----------------------------------------------------------------------------------------
def machine_box(machine: MachineMap, compact: bool, within: set[Port]) -> Box:
    """A machine with everything in it; interfaces whose cables stay `within` it stand beside its bridges."""
    box = Box("machine", machine.name, machine.name)
    own = machine.spaces[0]
    namespaces = [_namespace_box(machine, space) for space in machine.spaces[1:]]
    bridges, loose = _inside(machine, own, compact)
    if (
        machine.kind == "switch"
        and len(bridges) == 1
        and bridges[0].link
        and bridges[0].link.name == machine.name
    ):
        bridge = bridges.pop()
        box.port, box.link = bridge.port, bridge.link
        addresses = shown_addresses(bridge.link) if bridge.link else ""
        box.title = f"{machine.name}  {addresses}".strip()
        box.rows = [*bridge.rows, *([loose] if loose else []), *([namespaces] if namespaces else [])]
        return box
    beside = [chip for chip in loose if chip.port in within]
    outside = [chip for chip in loose if chip.port not in within]
    box.rows = [row for row in (namespaces, bridges + beside, outside) if row]
    return box


def _namespace_box(machine: MachineMap, space: Space) -> Box:
    box = Box("namespace", f"{machine.name}/{space.name}", space.title)
    bridges, loose = _inside(machine, space, False)
    box.rows = [row for row in (bridges, loose) if row]
    return box


def _inside(machine: MachineMap, space: Space, compact: bool) -> tuple[list[Box], list[Box]]:
    bridges = []
    ports = {link.master for link in space.links if link.master}
    shown = list(space.shown)
    for link in shown:
        if link.kind in BRIDGES or link.name in ports:
            inner = [_chip(machine, space, other) for other in shown if other.master == link.name]
            if compact and machine.kind == "switch":
                inner = []
            port = Port(machine.name, space.name, link.name)
            title = f"{link.name}  {shown_addresses(link)}".strip()
            bridges.append(
                Box(
                    "bridge", str(port), title, port=port, link=link, rows=_wrapped(inner, 8) if inner else []
                )
            )
    names = {link.name for link in shown if link.kind in BRIDGES or link.name in ports}
    loose = [_chip(machine, space, link) for link in shown if link.name not in names and not link.master]
    return bridges, loose


def _wrapped(chips: list[Box], most: int) -> list[list[Box]]:
    return [chips[start : start + most] for start in range(0, len(chips), most)]


def _chip(machine: MachineMap, space: Space, link: Link) -> Box:
    name = link.name
    if machine.kind == "switch" and name.startswith(f"{machine.name}-"):
        name = name[len(machine.name) + 1 :]
    lines = [name]
    if link.kind not in ("", "veth", "loopback", "bridge"):
        lines[0] += f" ({link.kind})"
    addresses = shown_addresses(link).split()
    lines += addresses[:2] + ([f"and {len(addresses) - 2} more"] if len(addresses) > 2 else [])
    if link.words != "up":
        lines.append(link.words)
    port = Port(machine.name, space.name, link.name)
    return Box("chip", str(port), link.name, lines, port=port, link=link)


def _measure(box: Box) -> None:
    """Sizes, and the places of the children within."""
    if box.kind == "chip":
        box.w = max(len(line) for line in box.lines) * CHAR + 14
        box.h = len(box.lines) * LINE + 8
        return
    box.children = [child for row in box.rows for child in row]
    for child in box.children:
        _measure(child)
    row_sizes = [(sum(c.w for c in row) + box.gap * (len(row) - 1), max(c.h for c in row)) for row in box.rows]
    title = len(box.title + box.state) * (CHAR + 0.6) + (26 if box.kind == "machine" else 8)
    box.w = max([title, 64.0, *(w for w, _ in row_sizes)]) + 2 * PAD
    gap = 26 if box.kind == "machine" and len(box.rows) > 1 else GAP
    box.h = (
        TITLE
        + PAD
        + sum(h for _, h in row_sizes)
        + gap * max(0, len(box.rows) - 1)
        + (PAD if box.rows else 2)
    )
    _set_rows(box, row_sizes, gap)


def _set_rows(box: Box, sizes: list[tuple[float, float]], gap: float) -> None:
    y = box.y + PAD + (0 if box.title_below else TITLE - 2)
    sides = box.sides or [0] * len(box.rows)
    for row, (width, height), side in zip(box.rows, sizes, sides):
        x = box.x + (box.w - width) / 2 + side * ((box.w - width) / 2 - PAD)
        for child in row:
            child.move(x - child.x, y - child.y)
            x += child.w + box.gap
        y += height + gap


def _chips(box: Box) -> list[Box]:
    found = [box] if box.port is not None else []
    for child in box.children:
        found += _chips(child)
    return found


# -- turning interfaces to where their cables go --------------------------------------------------
def _face_peers(found: NetMap, boxes: dict[str, Box]) -> None:
    """Order chips by where their peers are, and put a machine's own interfaces on the peers' side."""
    home = {chip.port: box for box in boxes.values() for chip in _chips(box) if chip.port is not None}

    def peer_of(chip: Box) -> tuple[float, float] | None:
        peer = found.peer(chip.port) if chip.port is not None else None
        if peer is None:
            return None
        other = home.get(peer, boxes[peer.machine])
        if chip.port is not None and other is boxes[chip.port.machine]:
            inner = next((c for c in _chips(other) if c.port == peer), other)
            return inner.middle
        return other.middle

    for box in boxes.values():
        loose = box.rows[-1] if box.rows else []
        outward = [p for chip in loose if chip.kind == "chip" and (p := peer_of(chip)) is not None]
        if outward and all(y < box.y for _, y in outward):
            box.rows.insert(0, box.rows.pop())
            box.title_below = True
    for box in boxes.values():  # each pass may move what others turn to; names and ports come to rest in a few
        for _ in range(PASSES):
            before = [child.key for child in _every(box)]
            _sort_rows(box, peer_of)
            if [child.key for child in _every(box)] == before:
                break


def _every(box: Box) -> list[Box]:
    return [box, *(inner for row in box.rows for child in row for inner in _every(child))]


def _sort_rows(box: Box, peer_of: Callable[[Box], tuple[float, float] | None]) -> None:
    for child in box.children:
        _sort_rows(child, peer_of)
    peers = [peer for chip in _chips(box) if (peer := peer_of(chip)) is not None]
    if box.kind == "bridge" and peers and all(y < box.y for _, y in peers):
        box.title_below = True
    if not box.rows:
        return
    gap = 26 if box.kind == "machine" and len(box.rows) > 1 else GAP
    box.sides = [_side(box, row, peer_of) for row in box.rows]
    for row in box.rows:  # one after the other: two rows that are joined must not change places both
        places = {id(child): _pull(child, peer_of) for child in row}
        row.sort(key=lambda child: places[id(child)])
        row[:] = _side_by_side(row, box.tied)
        sizes = [(sum(c.w for c in line) + box.gap * (len(line) - 1), max(c.h for c in line)) for line in box.rows]
        _set_rows(box, sizes, gap)


def _side_by_side(row: list[Box], tied: dict[str, list[str]]) -> list[Box]:
    """The row in its order, but each box followed by those that it is joined to: no cable runs through a third."""
    by_key = {box.key: box for box in row}
    ordered: dict[str, Box] = {}

    def take(box: Box) -> None:
        ordered.setdefault(box.key, box)
        for key in tied.get(box.key, ()):
            if key in by_key and key not in ordered:
                take(by_key[key])

    for box in row:
        if box.key not in ordered:
            take(box)
    return list(ordered.values())


def _side(box: Box, row: list[Box], peer_of: Callable[[Box], tuple[float, float] | None]) -> int:
    """To which side of its box a row of several goes: to that of its peers, so that no cable crosses the others."""
    if box.kind != "machine" or len(box.rows) < 2:
        return 0
    places = [peer[0] for child in row for chip in _chips(child) if (peer := peer_of(chip)) is not None]
    if places and min(places) > box.x + box.w:
        return 1
    return -1 if places and max(places) < box.x else 0


def _pull(child: Box, peer_of: Callable[[Box], tuple[float, float] | None]) -> float:
    """The mean x of what a box's interfaces are joined to; its own where they are joined to nothing."""
    places = [peer for chip in _chips(child) if (peer := peer_of(chip)) is not None]
    return sum(x for x, _ in places) / len(places) if places else child.middle[0]
