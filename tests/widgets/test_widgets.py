"""Widgets: their text is the picture, marks tell what changed, and a notebook's bytes stay the same."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from kubenet_course import Lab, LabError
from kubenet_course.widgets._table import Row, TableData, marked, same, table_text


@pytest.fixture
def lab():
    with Lab.load("two-networks") as lab:
        yield lab


def data(*rows):
    return TableData(
        "Caption",
        ("a", "b"),
        tuple(Row(row, (row[0],), int(row[1]) if row[1].isdigit() else 0) for row in rows),
    )


MARKS = [
    ("nothing", [("x", "1")], [("x", "1")], ["  x  1"]),
    ("new", [("x", "1")], [("x", "1"), ("y", "2")], ["  x  1", "+ y  2"]),
    ("gone", [("x", "1"), ("y", "2")], [("y", "2")], ["- x  1", "  y  2"]),
    ("changed", [("x", "u")], [("x", "v")], ["~ x  v"]),
    ("hit", [("x", "1")], [("x", "5")], ["* x  5"]),
    ("all gone", [("x", "1")], [], ["- x  1"]),
]


@pytest.mark.parametrize("name, before, after, lines", MARKS)
def test_marks_tell_what_changed(name, before, after, lines):
    text = table_text(marked(data(*before), data(*after))).splitlines()[2:]
    assert text == lines
    assert same(data(*before), data(*after)) == (before == after)


def test_the_route_table_marks_a_new_route_after_the_next_look(lab):
    table = lab.routes("A")
    assert repr(table) == (
        "Routes of A\n"
        "  destination     gateway      device  source        metric  made by\n"
        "  default         192.168.1.1  eth0                          a command\n"
        "  192.168.1.0/24  on the link  eth0    192.168.1.10          kernel"
    )
    lab.run("A", "ip route add 10.0.0.0/8 via 192.168.1.1")
    table.refresh()
    assert "+ 10.0.0.0/8" in repr(table)
    table.refresh()
    assert "+ 10.0.0.0/8" in repr(table), "the last change stays marked until the next one"
    lab.run("A", "ip route del 10.0.0.0/8")
    table.refresh()
    assert "- 10.0.0.0/8" in repr(table)


@pytest.mark.parametrize(
    "picture, words",
    [
        (lambda lab: lab.neighbours("A"), ["192.168.1.1", "REACHABLE", "known to be right"]),
        (lambda lab: lab.fdb("s1"), ["behind port", "s1-eth1", "A eth0"]),
        (lambda lab: lab.nat("router"), ["POSTROUTING", "source becomes the address of the way out"]),
        (lambda lab: lab.firewall("router"), ["FORWARD, policy ACCEPT", "-p tcp -m tcp --dport 80", "DROP"]),
        (
            lambda lab: lab.connections("router"),
            ["icmp", "192.168.1.10 → 192.168.2.10", "source becomes 192.168.2.1"],
        ),
        (lambda lab: lab.sockets("B"), ["Sockets of B"]),
        (lambda lab: lab.topology(), ["router (router)", "eth0  192.168.1.10/24  up  ── s1:s1-eth1"]),
        (lambda lab: lab.hooks(), ["PREROUTING → route → FORWARD → POSTROUTING"]),
    ],
)
def test_every_picture_has_its_facts_as_text_and_it_is_all_in_the_notebook(lab, picture, words):
    lab.run(
        "router",
        "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE; iptables -A FORWARD -p tcp --dport 80 -j DROP",
    )
    assert lab.run("A", "ping -c1 192.168.2.10").returncode == 0
    widget = picture(lab)
    for word in words:
        assert word in repr(widget)
    bundle = widget._repr_mimebundle_()
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    assert bundle["text/plain"] == repr(widget)
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_ids_of_widgets_are_the_same_in_every_run(lab):
    first = lab.routes("A")
    ident = first.model_id
    assert re.fullmatch("[0-9a-f]{32}", ident)
    second = lab.routes("A")
    assert second.model_id != ident
    first.close()
    assert lab.routes("A").model_id == ident


def test_drawings_are_well_formed_and_name_every_interface(lab):
    lab.run("A", "ip link add 'a<b&c' type dummy; ip link set eth0 down")
    picture = lab.topology()
    tree = ElementTree.fromstring(picture.svg)
    ports = {node.get("data-port") for node in tree.iter() if node.get("data-port")}
    assert {"A:eth0", "A:a<b&c", "router:eth1", "s1:s1-eth2"} <= ports
    (cable,) = [n for n in tree.iter() if n.get("data-a") == "A:eth0" or n.get("data-b") == "A:eth0"]
    assert "kn-down" in cable.get("class")
    assert "down" in "".join(cable.itertext())
    ElementTree.fromstring(lab.hooks().svg)


def test_choosing_a_machine_shows_its_tables(lab):
    picture = lab.topology()
    picture.selected = "A"
    assert picture.detail[0]["command"] == "A$ ip route"
    assert "default via 192.168.1.1" in picture.detail[0]["text"]
    picture.selected = ""
    assert picture.detail == []


def test_the_stepper_has_every_stage_in_the_order_of_time_with_changes_marked(lab):
    picture = lab.journey("A", "ping -c1 192.168.2.10")
    assert [stage["number"] for stage in picture.stages] == list(range(1, len(picture.stages) + 1))
    forward = next(stage for stage in picture.stages if "forwarding is on" in stage["text"])
    changed = [
        (f["name"], f["was"], f["value"]) for h in forward["headers"] for f in h["fields"] if f["changed"]
    ]
    assert changed == [("TTL", "64", "63")]
    assert forward["spot"] == "FORWARD"
    assert "PREROUTING" in forward["passed"]
    assert repr(picture).endswith(picture.verdict)


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda lab: lab.routes("nobody"), "there is no machine or namespace 'nobody'"),
        (lambda lab: lab.fdb("A"), "A has no bridge"),
        (lambda lab: lab.fdb("br7"), "there is no switch or bridge 'br7'"),
        (lambda lab: lab.pcap("eth9", "/tmp/x"), "there is no interface 'eth9'"),
        (lambda lab: lab.pcap("eth0", "/tmp/x"), "several machines have eth0"),
    ],
)
def test_what_does_not_exist_is_said_in_a_sentence(lab, ask, words):
    with pytest.raises(LabError, match=re.escape(words)):
        ask(lab)


def test_the_figure_for_print(lab, tmp_path):
    pytest.importorskip("matplotlib")
    lab.figure(path=str(tmp_path / "lab.png"))
    assert (tmp_path / "lab.png").read_bytes()[:4] == b"\x89PNG"
