"""The picture of a resolution: who asked whom, in order, and what came from files, the search list and caches."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from kubenet_course import Lab, LabError
from kubenet_course.view.resolution import names_in, program_of, resolve_with

GOLDEN = Path(__file__).parent / "resolutions.txt"
HOSTS = "127.0.0.1 localhost\n192.168.1.11 db data base\n"
COMMANDS = (
    "dig www.google.com", "dig +short www.google.com", "ping -c1 -n db", "getent ahostsv4 www", "curl -s -o /dev/null http://db/",
    "nslookup -type=mx example.org", "dig +noedns +short big.example.org TXT | wc -l", "host -W 1 lost.example.org",
    "getent hosts nothing", "ping -c1 -n 203.0.113.80", "dig -x 203.0.113.80 +short",
)  # fmt: skip


def texts(lab: Lab) -> list[str]:
    lab.machine("client").write("/etc/hosts", HOSTS)
    return [str(resolve_with(lab, "client", command)) for command in COMMANDS]


@pytest.fixture(scope="module")
def emulated() -> list[str]:
    with Lab.load("dns") as lab:
        return texts(lab)


def test_every_step_of_a_resolution_is_told_in_order(emulated: list[str]) -> None:
    assert "\n\n".join(emulated) + "\n" == GOLDEN.read_text()


def test_the_text_is_the_same_every_time(emulated: list[str]) -> None:
    with Lab.load("dns") as lab:
        assert texts(lab) == emulated


@pytest.mark.real
def test_real_namespaces_tell_the_same(emulated: list[str]) -> None:
    with Lab.load("dns", backend="mininet") as lab:
        found = texts(lab)
    # Two that wait for the same second do not always wake in the same order.
    assert [text for text in found if "lost" not in text] == [text for text in emulated if "lost" not in text]
    assert any("✕ 203.0.113.99" in text for text in found)


def test_sources_in_another_order() -> None:
    with Lab.load("dns") as lab:
        lab.machine("client").write("/etc/hosts", HOSTS)
        lab.machine("client").write("/etc/nsswitch.conf", "hosts: dns files\n")
        found = resolve_with(lab, "client", "getent ahostsv4 db")
    assert [step.kind for step in found.steps][-1] == "file"
    assert found.steps[-1].note == "after DNS did not know it"
    assert found.stdout.startswith("192.168.1.11")


def test_a_silent_server_and_one_that_is_not_there() -> None:
    with Lab.load("dns") as lab:
        lab.machine("client").write("/etc/resolv.conf", "nameserver 203.0.113.99\nnameserver 142.250.74.36\noptions timeout:1 attempts:1\n")
        found = resolve_with(lab, "client", "getent ahostsv4 www.google.com")
    assert [(step.kind, step.target, step.note) for step in found.steps if step.kind == "lost"] == [
        ("lost", "203.0.113.99", "it did not get there"),
        ("lost", "www", "it got there, and no answer came"),
    ]


@pytest.mark.parametrize(
    "command, program, names",
    [
        ("ping -c1 db", "ping", ["ping", "db"]),
        ("ip netns exec red curl http://user@www.example.org:80/x", "curl", ["ip", "netns", "exec", "red", "curl", "www.example.org"]),
        ("timeout 3 ssh root@db", "ssh", ["timeout", "ssh", "db"]),
        ("A=1 dig +short x.y", "dig", ["dig", "x.y"]),
        ("curl 'http://a", "curl", ["curl"]),
    ],
)
def test_what_a_command_names(command: str, program: str, names: list[str]) -> None:
    assert program_of(command) == program
    assert [name for name in names_in(command) if name in names] == names


def test_the_picture_has_each_step_and_its_records() -> None:
    with Lab.load("dns") as lab:
        picture = lab.resolution("client", "dig www.google.com")
        with pytest.raises(LabError):
            lab.resolution("nobody", "dig x")
    assert repr(picture) == str(picture.resolution)
    root = ElementTree.fromstring(picture.svg)
    steps = [element.get("data-step") for element in root.iter() if element.get("data-step") is not None]
    assert steps == [str(number) for number in range(len(picture.steps))] and len(steps) == 8
    assert any("142.250.74.36" in line for line in picture.steps[-1]["details"])
