"""Where machines stand in the picture of a network, by rule and without chance.

In a row where the network is a chain (with single machines hanging below it), else as a tree from
its middle downwards.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from kubenet_course.view.netmap import NetMap

if TYPE_CHECKING:
    from kubenet_course.widgets._scene import Box

GAP, GAP_X, GAP_Y = 10, 44, 48
Edges = dict[str, list[str]]


def edges_of(found: NetMap) -> Edges:
    """Machine → the machines that it has a cable to, in the order of the cables."""
    edges: Edges = {machine.name: [] for machine in found.machines}
    for cable in found.cables:
        a, b = cable.a.machine, cable.b.machine
        if a != b and b not in edges[a]:
            edges[a].append(b)
            edges[b].append(a)
    return edges


def components(names: list[str], edges: Edges) -> list[list[str]]:
    """The machines in groups that are joined by cables, each in the order of `names`."""
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


def place(names: list[str], edges: Edges, boxes: dict[str, Box], kinds: dict[str, str]) -> None:
    """Move the boxes of one group to where they stand."""
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
