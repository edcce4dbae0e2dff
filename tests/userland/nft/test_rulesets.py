"""Rulesets that nft reads and lists: made at random, kube-proxy's, and nonsense."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from kubenet_course.lab.lab import Lab
from kubenet_course.userland.commands.nft.words import CONTEXTUAL, GLOBAL, GLOBAL_CLASSES
from tests.userland.nft.rulesets import ruleset

HERE = Path(__file__).parent
#: Seeds of the random rulesets that both kernels list alike; a few hundred more were tried by hand.
SEEDS = range(40)
STEPS = ("nft -f /tmp/rules.nft", "nft -a list ruleset", "nft -j list ruleset", "nft -nn list ruleset", "nft flush ruleset")
#: Handles of what was refused are counted differently, and time goes on between two commands.
_UNSTEADY = (
    (re.compile(r"expires (?:\d+(?:ms|[dhms]))+"), "expires T"), (re.compile(r'("expires": )\d+'), r"\1T"),
    (re.compile(r"# handle \d+"), "# handle N"), (re.compile(r'("handle": )\d+'), r"\1N"),
)  # fmt: skip


def _steady(text: str) -> str:
    for pattern, replacement in _UNSTEADY:
        text = pattern.sub(replacement, text)
    return text


def _listed(lab: Lab, text: str) -> list[tuple[str, str, int]]:
    lab.machine("host").write("/tmp/rules.nft", text)
    found = []
    for step in STEPS:
        done = lab.run("host", step)
        found.append((_steady(done.stdout), _steady(done.stderr), done.returncode))
    return found


def test_random_rulesets_come_back_when_their_own_listing_is_read() -> None:
    """nft -f of what nft list printed makes the same ruleset."""
    with Lab.load("single") as lab:
        lab.run("host", "ip link set lo up")
        for seed in SEEDS:
            lab.machine("host").write("/tmp/rules.nft", ruleset(seed))
            if lab.run("host", "nft -f /tmp/rules.nft").returncode:
                assert lab.run("host", "nft list ruleset").stdout == "", f"seed {seed}: a refused file left something"
                continue
            first = lab.run("host", "nft list ruleset").stdout
            lab.machine("host").write("/tmp/again.nft", "flush ruleset\n" + first)
            again = lab.run("host", "nft -f /tmp/again.nft")
            assert (again.returncode, again.stderr) == (0, ""), f"seed {seed}"
            assert _steady(lab.run("host", "nft list ruleset").stdout) == _steady(first), f"seed {seed}"
            lab.run("host", "nft flush ruleset")


def _from_json(lab: Lab, document: str) -> tuple[str, str]:
    lab.machine("host").write("/tmp/rules.json", document)
    lab.run("host", "nft flush ruleset")
    done = lab.run("host", "nft -j -f /tmp/rules.json")
    return _steady(done.stderr), _steady(lab.run("host", "nft list ruleset").stdout)


@pytest.mark.real
def test_what_nft_lists_in_json_is_read_as_the_real_nft_reads_it() -> None:
    with Lab.load("single") as ours, Lab.load("single", backend="mininet") as real:
        for lab in (ours, real):
            lab.run("host", "ip link set lo up")
        for seed in SEEDS:
            ours.machine("host").write("/tmp/rules.nft", ruleset(seed))
            ours.run("host", "nft flush ruleset; nft -f /tmp/rules.nft")
            document = ours.run("host", "nft -j list ruleset").stdout
            assert _from_json(ours, document) == _from_json(real, document), f"seed {seed}:\n{document}"


@pytest.mark.real
def test_random_rulesets_are_listed_as_the_real_nft_lists_them() -> None:
    with Lab.load("single") as ours, Lab.load("single", backend="mininet") as real:
        for lab in (ours, real):
            lab.run("host", "ip link set lo up")
        for seed in SEEDS:
            text = ruleset(seed)
            assert _listed(ours, text) == _listed(real, text), f"seed {seed}:\n{text}"


def _kube_proxy(lab: Lab) -> list[tuple[str, str, int]]:
    return _listed(lab, (HERE / "kube_proxy.nft").read_text(encoding="utf-8"))


def test_the_rules_of_kube_proxy_are_listed_as_recorded() -> None:
    """kube_proxy.nft is what kube-proxy writes for six services; kube_proxy.listed what nft 1.0.6 lists of it."""
    with Lab.load("single") as lab:
        listed = _kube_proxy(lab)
    assert listed[0] == ("", "", 0)
    assert listed[1][0] == (HERE / "kube_proxy.listed").read_text(encoding="utf-8")


@pytest.mark.real
def test_the_rules_of_kube_proxy_are_listed_as_the_real_nft_lists_them() -> None:
    with Lab.load("single") as ours, Lab.load("single", backend="mininet") as real:
        assert _kube_proxy(ours) == _kube_proxy(real)


WORDS = sorted({
    *GLOBAL.values(), *(word for group in (*GLOBAL_CLASSES.values(), *CONTEXTUAL.values()) for word in group), "{", "}", ";", ",", ":", ".",
    "-", "/", "@", "$", "=", "(", ")", "!", "*", "<", ">", "==", "!=", "&", "|", "1", "22", "0x10", "10.0.0.0", "1.2.3.4", "::1", "fe80::",
    "t", "c", "s", "ip", "tcp", '"x"', "\n", "#", "lo", "eth*", "1h", "00:11:22:33:44:55", "80-90", "\\", '"', "1:1", "new", "established",
})  # fmt: skip
STARTS = ("add rule ip t c", "add set ip t x {", "add element ip t s {", "add chain ip t x {", "table ip t {", "list", "add map ip t m {", "")


def _nonsense(seed: int) -> str:
    """Words that mostly do not go together, behind a beginning that does."""
    chance = random.Random(seed)
    words = [chance.choice(STARTS), *(chance.choice(WORDS) for _ in range(chance.randint(1, 12)))]
    if chance.random() < 0.3:  # a good rule with one thing changed
        words = ruleset(chance.randrange(50)).split(" ")
        for _ in range(chance.randint(1, 3)):
            words[chance.randrange(len(words))] = chance.choice(WORDS)
    if chance.random() < 0.2:
        return "".join(chance.choice(" {}();,.:\"'$@!&|<>=-/*#\n0123456789abcdefxyz") for _ in range(chance.randint(1, 60)))
    return " ".join(words)


def test_nonsense_gets_an_answer_and_never_a_traceback() -> None:
    with Lab.load("single") as lab:
        lab.run("host", "nft 'add table ip t; add chain ip t c; add set ip t s { type ipv4_addr; flags interval; }'")
        for seed in range(600):
            text = _nonsense(seed)
            lab.machine("host").write("/tmp/nonsense.nft", text)
            done = lab.run("host", "nft -c -f /tmp/nonsense.nft")
            assert "internal error" not in done.stderr and done.returncode in (0, 1), f"seed {seed}: {text!r}\n{done.stderr}"
            assert done.returncode == 0 or done.stderr, f"seed {seed}: {text!r}: refused without a word"
