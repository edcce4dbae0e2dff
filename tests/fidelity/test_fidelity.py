"""The fidelity page is what the tests give, and reads what it says it reads."""

from __future__ import annotations

from tests.fidelity.evidence import features, lines, simple_commands, unwrapped
from tests.fidelity.page import PAGE, page
from tests.fidelity.refusals import refusals


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.fidelity"


def test_a_line_is_taken_apart_into_programs_and_their_words() -> None:
    known = frozenset({"ip", "ping", "iptables", "grep", "echo"})
    line = "A=1 ip netns exec red ping -c1 8.8.8.8 | grep -q time && iptables -t nat -A X -m comment -j ACCEPT; echo hi > /tmp/x"
    found = [words for simple in simple_commands(line) for words in unwrapped(simple, known)]
    assert [words[0] for words in found] == ["ip", "ping", "grep", "iptables", "echo"]
    assert list(features(found[1])) == ["-c1"]
    assert set(features(found[3])) >= {"-t nat", "-A", "-m comment", "-j ACCEPT"}
    assert list(features(["ip", "-br", "addr", "show"])) == ["-br", "addr show"]


def test_there_is_evidence_and_there_are_refusals() -> None:
    found = list(lines())
    assert len(found) > 5000 and sum(line.failed for line in found) > 1000
    assert any("not emulated" in sentence for sentence in refusals()["ip"])
