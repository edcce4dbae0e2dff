"""Which server each scheduler chooses; sequences as a real kernel gave them (tests/transcripts-uml/ipvs.jsonl)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubenet_course.errors import KernelError
from kubenet_course.kernel.ipvs import schedulers
from kubenet_course.kernel.ipvs.state import TCP, Destination, Service
from kubenet_course.sim.loop import Loop
from kubenet_course.wire.addresses import IPv4Address

VIRTUAL = IPv4Address.parse("10.96.0.10")


def service(*weights: int) -> Service:
    """Destinations .11, .12, … added in this order, so the kernel has them the other way round."""
    loop = Loop(1)
    made = Service(loop, 4, TCP, VIRTUAL, 80, 0)
    for number, weight in enumerate(weights):
        each = Destination(loop, IPv4Address.parse(f"10.244.0.{11 + number}"), 80)
        each.weight = weight
        made.destinations.insert(0, each)
    return made


def packet(source: str = "10.50.0.2", port: int = 40000) -> Any:
    network = SimpleNamespace(source=IPv4Address.parse(source), destination=VIRTUAL)
    return SimpleNamespace(network=network, transport=SimpleNamespace(source_port=port, destination_port=80))


def chosen(name: str, made: Service, count: int, *, finish: bool = True, skb: Any = None) -> str:
    """The servers' numbers of `count` connections; each is closed (inactive) before the next where `finish`."""
    made.scheduler = schedulers.make(name, made)
    found = []
    for _ in range(count):
        each = made.scheduler.schedule(made, skb or packet())
        if each is None:
            found.append("-")
            continue
        if finish:
            each.inactive += 1
        else:
            each.active += 1
        found.append(str(int(each.address) & 0xFF)[1])
    return "".join(found)


@pytest.mark.parametrize(
    ("name", "weights", "count", "expected"),
    [
        ("rr", (1, 2, 3), 6, "321321"),
        ("rr", (1, 0, 3), 4, "3131"),
        ("rr", (0, 0), 2, "--"),
        ("wrr", (1, 2, 3), 12, "332321332321"),
        ("wrr", (2, 4), 6, "221221"),
        ("wrr", (1, 1), 4, "2121"),
        ("wrr", (0, 0), 2, "--"),
        ("wlc", (1, 2, 3), 6, "321323"),
        ("lc", (1, 2, 3), 6, "321321"),
        ("sh", (1, 2, 3), 3, "222"),
        ("dh", (1, 2, 3), 3, "111"),
        ("fo", (1, 5, 3), 3, "222"),
    ],
)
def test_the_order_of_a_scheduler(name: str, weights: tuple[int, ...], count: int, expected: str) -> None:
    assert chosen(name, service(*weights), count) == expected


def test_shortest_expected_delay_and_never_queue_count_active_connections() -> None:
    assert chosen("sed", service(1, 3), 4, finish=False) == "2221"
    assert chosen("nq", service(1, 3), 4, finish=False) == "2122"


def test_source_hashing_by_port_spreads_one_client() -> None:
    made = service(1, 1)
    made.flags = {"sh-port"}
    seen = {chosen("sh", made, 1, skb=packet(port=port)) for port in range(40000, 40050)}
    assert seen == {"1", "2"}


def test_source_hashing_falls_back_only_when_told() -> None:
    made = service(1, 2, 3)
    made.destinations[1].overloaded = True
    assert chosen("sh", made, 1) == "-"
    made.flags = {"sh-fallback"}
    assert chosen("sh", made, 1) in "13"


def test_a_weight_change_in_wrr_keeps_the_current_weight() -> None:
    """As the recorded session: weights 1 and 1, then 3 for the first: 2 1 1 1 2 1 1."""
    made = service(1, 1)
    made.scheduler = schedulers.make("wrr", made)
    made.destinations[1].weight = 3
    made.scheduler.changed()
    found = [str(int(made.scheduler.schedule(made, packet()).address) & 0xFF)[1] for _ in range(7)]
    assert "".join(found) == "2111211"


def test_an_unknown_scheduler_is_refused() -> None:
    with pytest.raises(KernelError):
        schedulers.make("frob", service(1))
