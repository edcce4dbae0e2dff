"""iptables' own rule tables, its sessions, and the rulesets of Docker and kube-proxy (../shared/oracles).

Each row must come out as the oracle has it (iptables 1.8.11), or, where the tool of Debian 12 (1.8.9, nf_tables) does
otherwise, as that tool does: those rows are named in OTHERWISE. The live tests ask the real tool the same questions.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.iptables_oracle import (
    ORACLES,
    RULES,
    Instance,
    agrees,
    answers,
    emulated_shell,
    instances,
    real_shell,
    rulesets,
    session_script,
    sessions,
)

pytestmark = pytest.mark.skipif(not RULES.exists(), reason="../shared/oracles is not here")

BACKWARDS = "1.8.9 takes a range whose end is before its beginning"
DROPPED = "1.8.9 leaves out a range that is everything, inverted or not"
#: Rows that the real tool contradicts: id → what it does instead.
OTHERWISE = {
    "libip6t_icmp6:9": "1.8.9 knows no name for listener done",
    "libipt_icmp:13": "1.8.9 prints 255/255 as any",
    "libipt_standard:20": "1.8.9 does not take a value that follows its letter (-ptcp)",
    "libxt_NFQUEUE:12": "the end of an open range is 65535 in 1.8.9, and 0:65535 is refused by the kernel",
    "libxt_NFQUEUE:14": "the end of an open range is 65535 in 1.8.9",
    "libxt_TCPMSS:4": "nf_tables takes an MSS that the old interface refuses",
    "libxt_conntrack:17": BACKWARDS,
    "libxt_conntrack:26": "1.8.9 takes protocol 0",
    "libxt_conntrack:45": BACKWARDS,
    "libxt_conntrack:51": BACKWARDS,
    "libxt_length:12": BACKWARDS,
    "libxt_udp:10": DROPPED,
    "libxt_udp:16": DROPPED,
    "libxt_udp:20": BACKWARDS,
    "libip6t_frag:8": BACKWARDS,
    "libipt_ah:15": DROPPED,
    "libxt_LED:3": "this kernel has no xt_LED",
    "libxt_SECMARK:3": "this kernel has no security module that knows the context",
    "libxt_dccp:13": BACKWARDS,
    "libxt_esp:13": BACKWARDS,
    "libxt_ipcomp:5": DROPPED,
}
#: The emulated kernel has what the one that judges here lacks: judged by the oracle alone.
NOT_HERE = ("libip6t_ipvs", "libipt_ipvs", "libxt_ipvs")


def _told(rows: list[Instance], results: list[Any]) -> list[str]:
    return [f"{row.id}: {row.command}\n  {answer}" for row, answer in zip(rows, results)]


def test_every_row_is_accepted_refused_and_saved_as_the_oracle_says() -> None:
    rows = instances()
    results = list(answers(emulated_shell, rows))
    pairs = list(zip(rows, results))
    wrong = [(row, answer) for row, answer in pairs if not agrees(row, answer) and row.id not in OTHERWISE]
    assert not wrong, "\n".join(_told(*map(list, zip(*wrong))))
    # A row that is named must be one: where all its instances agree the list is out of date.
    disagreeing = {row.id for row, answer in pairs if not agrees(row, answer)}
    assert disagreeing == set(OTHERWISE)


@pytest.mark.real
@pytest.mark.slow
def test_the_real_tool_answers_every_row_with_the_same_words() -> None:
    rows = [
        row for row in instances() if row.chain == row.row["chains"][0] and not row.id.startswith(NOT_HERE)
    ]
    pairs = zip(rows, answers(emulated_shell, rows), answers(real_shell, rows))
    wrong = [
        f"{row.id}: {row.command}\n  emulated {ours}\n  real {theirs}"
        for row, ours, theirs in pairs
        if ours != theirs
    ]
    assert not wrong, "\n".join(wrong)


SESSIONS = sorted(sessions(4)) if RULES.exists() else []
#: Steps that 1.8.9 takes otherwise: (session, number, or number and family) → how.
FORGETS = "ip6tables 1.8.9 forgets counters that are given"
STEPS_OTHERWISE = {
    ("counters in restore", 4): "a policy's counters are not looked at without --counters",
    ("return codes", 9): "1.8.9 says that a chain that is not there is incompatible",
    ("rule numbers", 11): "1.8.9 zeroes a rule that is not there without a word",
    ("list rules (-S)", 5, 6): FORGETS,
    ("counters in restore", 3, 6): FORGETS,
    ("rule numbers", 2, 6): FORGETS,
    ("rule numbers", 3, 6): FORGETS,
}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_end_as_the_oracle_says(name: str, family: int) -> None:
    steps = sessions(family)[name]
    blocks = emulated_shell(session_script(steps)).split("@@\n")[1:]
    problems = [
        problem
        for step, block in zip(steps, blocks, strict=True)
        if (problem := step.problem(block))
        and not {(name, step.number), (name, step.number, family)} & set(STEPS_OTHERWISE)
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.real
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_are_the_same_on_the_real_tool(name: str, family: int) -> None:
    script = session_script(sessions(family)[name])
    assert _undated(emulated_shell(script)) == _undated(real_shell(script))


def _undated(text: str) -> str:
    return re.sub(r"^(# (?:Generated|Completed).* on ).*$", r"\1DATE", text, flags=re.M)


RULESETS = ("docker_bridge_rules", "docker_ipam_and_dumps", "kube_proxy_iptables")


@pytest.mark.parametrize("name", RULESETS)
def test_a_ruleset_is_saved_as_it_was_restored(name: str) -> None:
    """What is saved, restored and saved again, is the same; rules quoted from iptables-save are in it word for word."""
    wrong = []
    for case in rulesets(name):
        again = f"{case.program}-save > /tmp/one; {case.program}-restore < /tmp/one; echo [$?]; {case.program}-save > /tmp/two"
        shown = "grep -v '^#' /tmp/one; echo ==; grep -v '^#' /tmp/two"
        printed = emulated_shell("\n".join([case.restore, again, shown]))
        statuses, _, rest = printed.partition("[0]\n[0]\n")
        one, _, two = rest.partition("==\n")
        if statuses or one != two or not one:
            wrong.append(f"{case.name}: {printed[:2000]}")
        wrong += [f"{case.name}: not saved: {rule}" for rule in case.saved if rule not in one.splitlines()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", RULESETS)
def test_the_real_tool_saves_rulesets_with_the_same_words(name: str) -> None:
    cases = list(rulesets(name))
    script = "\n".join(f"echo @@\n{case.restore}\n{case.program}-save\n{case.clean}" for case in cases)
    ours, theirs = (_undated(shell(script)).split("@@\n")[1:] for shell in (emulated_shell, real_shell))
    wrong = [
        f"{case.name}\n--- emulated\n{one}--- real\n{other}"
        for case, one, other in zip(cases, ours, theirs, strict=True)
        if one != other
    ]
    assert not wrong, "\n".join(wrong[:3])


def test_the_oracles_are_all_there() -> None:
    assert len({row.id for row in instances()}) == 647
    assert len(SESSIONS) == len(json.loads(RULES.read_text())["sessions"])
    assert sum(len(list(rulesets(path))) for path in RULESETS) > 200
    assert (ORACLES / "README.md").exists()
