"""Pictures of every lab of the course: no cable runs over a name or through a stranger's box, and none cross needlessly."""

from __future__ import annotations

from itertools import combinations

import pytest

from kubenet_course import Lab
from kubenet_course.lab.scenarios import scenario_names
from kubenet_course.view import netmap
from kubenet_course.widgets._scene import Box, Scene, arrange
from kubenet_course.widgets._svg import _free, _points, bend

PLUGGED = (
    "ip link add br0 type bridge && ip link set br0 up",
    *(
        f"ip netns add {name} && ip link add {name}0 type veth peer name eth0 netns {name} && "
        f"ip link set {name}0 up master br0 && ip -n {name} addr add 10.1.1.{number}/24 dev eth0 && ip -n {name} link set eth0 up"
        for number, name in enumerate(("zebra", "ant", "mole"), 1)
    ),
    # One whose cable ends on the machine itself, and two that are joined to each other.
    "ip netns add bat && ip link add bat0 up type veth peer name eth0 netns bat",
    "ip netns add owl && ip netns add fox && ip link add eth0 netns owl type veth peer name eth0 netns fox",
)


def boxes(box: Box) -> list[Box]:
    return [box, *(inner for child in box.children for inner in boxes(child))]


def drawn(lab: Lab) -> tuple[netmap.NetMap, Scene]:
    found = netmap.read(lab)
    return found, arrange(found)


def held(box: Box, x: float, y: float) -> bool:
    return box.x + 1 < x < box.x + box.w - 1 and box.y + 1 < y < box.y + box.h - 1


@pytest.mark.parametrize("plugged", [False, True], ids=["as-loaded", "with-namespaces"])
@pytest.mark.parametrize("name", scenario_names())
def test_cables_leave_names_and_other_interfaces_alone(name: str, plugged: bool) -> None:
    with Lab.load(name) as lab:
        if plugged:
            machine = next(node.name for node in lab.spec if node.kind != "switch")
            for command in PLUGGED:
                lab.run(machine, command)
        found, scene = drawn(lab)
    ways = {cable: _points(bend(cable, scene)) for cable in found.cables}
    every = [point for way in ways.values() for point in way]
    for machine_box in scene.machines:
        for box in boxes(machine_box):
            if box.kind == "chip":
                for cable, way in ways.items():
                    own = box.port in (cable.a, cable.b)
                    assert own or not any(held(box, *point) for point in way), f"{cable.a} ── {cable.b} runs through {box.key}"
            else:
                low = 22 if box.kind == "machine" else 21
                base = box.y + (box.h - low if box.title_below else 0)
                width = 19 + len(box.title) * 7.6 if box.kind == "machine" else len(box.title) * 6.7
                x = _free(box, base, width, every)
                over = [p for p in every if x - 4 < p[0] < x + width + 4 and base + 2 < p[1] < base + 20]
                assert not over, f"a cable runs over the name {box.title}"


def test_rows_that_are_joined_lie_so_that_their_cables_do_not_cross() -> None:
    with Lab.load("open-vswitch") as lab:
        found, scene = drawn(lab)
    ends = [sorted(((scene.chips[p].middle) for p in (cable.a, cable.b)), key=lambda m: m[1]) for cable in found.cables]
    assert len(ends) == 2
    for (top, bottom), (other_top, other_bottom) in combinations(ends, 2):
        assert (top[0] - other_top[0]) * (bottom[0] - other_bottom[0]) > 0


def test_an_interface_of_a_machine_with_a_bridge_lies_on_the_side_of_its_cable() -> None:
    with Lab.load("bridge-nat") as lab:
        for command in PLUGGED:
            lab.run("host", command)
        _, scene = drawn(lab)
    host = scene.homes["host"]
    eth0 = next(box for box in boxes(host) if box.kind == "chip" and box.lines[0] == "eth0" and "192.168.1.2/24" in box.lines)
    assert eth0.x + eth0.w > host.x + 0.9 * host.w
