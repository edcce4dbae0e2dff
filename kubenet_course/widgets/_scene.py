"""Where everything of a `NetMap` goes in the picture: boxes in boxes, by rule and without chance.

A machine is a box; in it are its namespaces, its bridges with their ports, and its other
interfaces, each a chip with name and addresses. Machines stand in a row where the network is a
chain (with single machines hanging below it), else as a tree from its middle downwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kubenet_course.view.netmap import MachineMap, NetMap, Port, Space, shown_addresses
from kubenet_course.view.records import Link

CHAR, LINE, PAD, GAP, TITLE = 6.7, 14, 9, 10, 21
GAP_X, GAP_Y = 44, 48
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
    edges = _edges(found)
    boxes = {machine.name: machine_box(machine, compact) for machine in found.machines}
    for cable in found.cables:
        a, b = cable.a, cable.b
        if a.machine == b.machine and a.namespace and b.namespace and a.namespace != b.namespace:
            boxes[a.machine].gap = CABLE_GAP
    for box in boxes.values():
        _measure(box)
    kinds = {machine.name: machine.kind for machine in found.machines}
    offset = 0.0
    for names in _components(list(boxes), edges):
        _place(names, edges, boxes, kinds)
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
def machine_box(machine: MachineMap, compact: bool) -> Box:
    """A machine with everything in it."""
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
    box.rows = [row for row in (namespaces, bridges, loose) if row]
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
        if link.kind == "bridge" or link.name in ports:
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
    names = {link.name for link in shown if link.kind == "bridge" or link.name in ports}
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
    state = "" if box.link is None or box.link.words == "up" else f"  {box.link.words}"  # stands behind the title
    title = len(box.title + state) * (CHAR + 0.6) + (26 if box.kind == "machine" else 8)
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


# -- machines -------------------------------------------------------------------------------------
Edges = dict[str, list[str]]


def _edges(found: NetMap) -> Edges:
    edges: Edges = {machine.name: [] for machine in found.machines}
    for cable in found.cables:
        a, b = cable.a.machine, cable.b.machine
        if a != b and b not in edges[a]:
            edges[a].append(b)
            edges[b].append(a)
    return edges


def _components(names: list[str], edges: Edges) -> list[list[str]]:
    left = dict.fromkeys(names)
    found = []
    while left:
        reached = _distances(next(iter(left)), edges)
        found.append([name for name in names if name in reached])
        for name in reached:
            left.pop(name, None)
    return found


def _distances(start: str, edges: Edges) -> dict[str, int]:
    reached = {start: 0}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for other in edges[name]:
            if other not in reached:
                reached[other] = reached[name] + 1
                queue.append(other)
    return reached


def _place(names: list[str], edges: Edges, boxes: dict[str, Box], kinds: dict[str, str]) -> None:
    chain = _longest_path(names, edges)
    rest = [name for name in names if name not in chain]
    hanging: dict[str, list[str]] = {}
    for name in rest:
        hanging.setdefault(edges[name][0], []).append(name)
    simple = (
        len(chain) <= 7
        and all(len(edges[name]) == 1 and edges[name][0] in chain[1:-1] for name in rest)
        and len(rest) <= max(1, len(chain) // 2)
        and not (len(chain) == 3 and rest)
    )
    if simple:
        _row(chain, hanging, boxes)
    else:
        _tree(_root(names, edges, kinds), edges, boxes)


def _longest_path(names: list[str], edges: Edges) -> list[str]:
    """A longest shortest path; the one that begins with the machine named first."""
    best: tuple[int, int, int, str, str] | None = None
    for position, start in enumerate(names):
        for end, distance in _distances(start, edges).items():
            key = (-distance, position, names.index(end), start, end)
            if best is None or key < best:
                best = key
    assert best is not None
    start, end = best[3], best[4]
    far = _distances(end, edges)
    path = [start]
    while path[-1] != end:
        path.append(min((n for n in edges[path[-1]] if far[n] < far[path[-1]]), key=names.index))
    return path


def _root(names: list[str], edges: Edges, kinds: dict[str, str]) -> str:
    """The middle of the network; of several middles the router, then the switch, then the first."""
    rank = {"router": 0, "switch": 1}
    return min(
        names,
        key=lambda n: (
            max(_distances(n, edges).values()),
            rank.get(kinds[n], 2),
            -len(edges[n]),
            names.index(n),
        ),
    )


def _row(chain: list[str], hanging: dict[str, list[str]], boxes: dict[str, Box]) -> None:
    x = 0.0
    tallest = max(boxes[name].h for name in chain)
    for name in chain:
        box, below = boxes[name], [boxes[other] for other in hanging.get(name, ())]
        below_width = sum(b.w for b in below) + GAP_X * max(0, len(below) - 1)
        column = max(box.w, below_width)
        box.move(x + (column - box.w) / 2 - box.x, (tallest - box.h) / 2 - box.y)
        left = x + (column - below_width) / 2
        for other in below:
            other.move(left - other.x, tallest + GAP_Y - other.y)
            left += other.w + GAP_X
        x += column + GAP_X


def _tree(root: str, edges: Edges, boxes: dict[str, Box]) -> None:
    """Breadth first from the root; each subtree has its own width, each level its own height."""
    children: dict[str, list[str]] = {}
    depth = {root: 0}
    queue = deque([root])
    while queue:
        name = queue.popleft()
        children[name] = [other for other in edges[name] if other not in depth]
        for other in children[name]:
            depth[other] = depth[name] + 1
            queue.append(other)
    heights: dict[int, float] = {}
    for name, level in depth.items():
        heights[level] = max(heights.get(level, 0), boxes[name].h)
    tops = {level: sum(heights[above] + GAP_Y + 14 for above in range(level)) for level in heights}

    def width(name: str) -> float:
        inner = [width(child) for child in children[name]]
        return max(boxes[name].w, sum(inner) + GAP * 2 * max(0, len(inner) - 1))

    def put(name: str, x: float) -> None:
        room, box = width(name), boxes[name]
        inner = sum(width(child) for child in children[name]) + GAP * 2 * max(0, len(children[name]) - 1)
        at = x + (room - inner) / 2
        for child in children[name]:
            put(child, at)
            at += width(child) + GAP * 2
        box.move(x + (room - box.w) / 2 - box.x, tops[depth[name]] - box.y)

    put(root, 0.0)


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
        sizes = [(sum(c.w for c in line) + box.gap * (len(line) - 1), max(c.h for c in line)) for line in box.rows]
        _set_rows(box, sizes, gap)


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
