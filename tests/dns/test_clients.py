"""dig, host, nslookup, getent and the programs that resolve names, beside Debian's: text, status, and what the server saw.

`cases/*.txt` are the commands, `cases/*.json` what the real programs answered (recorded with
``python -m tests.dns.record``, as root on Debian 12). The `real` tests ask the real programs again.
"""

from __future__ import annotations

import difflib
import json
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.dns.rig import Emulated, normal, parse_cases, run_real

CASES = Path(__file__).parent / "cases"
TABLES = ("dig", "host", "nslookup", "names")
#: Of a table that is long or slow, the real programs run every n-th case in the suite.
SAMPLE = {"dig": 8, "host": 7, "nslookup": 6, "names": 8}


@lru_cache(4)
def golden(table: str) -> list[dict[str, Any]]:
    return json.loads((CASES / f"{table}.json").read_text())


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    lines = []
    for key in ("stdout", "stderr"):
        lines += difflib.unified_diff(expected[key].splitlines(), found[key].splitlines(), f"real {key}", f"ours {key}", lineterm="", n=1)
    lines += [f"{key}: real {expected[key]}, ours {found[key]}" for key in ("rc", "queries") if expected[key] != found[key]]
    return "\n".join(lines)


def compare(table: list[dict[str, Any]], others: list[dict[str, Any]]) -> str:
    wrong = []
    for expected, found in zip(table, others, strict=True):
        a, b = normal(expected), normal(found)
        if a != b:
            wrong.append(f"$ {expected['cmd']}   {expected.get('etc', '')}\n{difference(a, b)}")
    return "\n\n".join(wrong)


@pytest.mark.parametrize("table", TABLES)
def test_the_record_is_of_the_cases_there_are(table: str) -> None:
    cases = parse_cases((CASES / f"{table}.txt").read_text())
    assert [(case["cmd"], case.get("etc", {})) for case in golden(table)] == [(case["cmd"], case.get("etc", {})) for case in cases]


@pytest.mark.parametrize("table", TABLES)
def test_emulated_programs_answer_as_the_real_ones_did(table: str) -> None:
    rig = Emulated()
    wrong = compare(golden(table), [rig.run(case) for case in golden(table)])
    assert not wrong, wrong


@pytest.mark.real
@pytest.mark.parametrize("table", TABLES)
def test_real_programs_still_answer_so(table: str) -> None:
    version = Path("/etc/debian_version")
    if not version.exists() or not version.read_text().startswith("12") or shutil.which("dig") is None:
        pytest.skip("the programs to compare with are Debian 12's")
    rows = golden(table)[1 :: SAMPLE[table]]
    wrong = compare(rows, run_real(rows))
    assert not wrong, wrong


def test_the_same_script_gives_the_same_bytes() -> None:
    def once() -> list[str]:
        rig = Emulated()
        return [rig.run({"cmd": command})["stdout"] for command in ("dig www.example.test", "dig +qr example.test", "dig +trace www.example.test")]

    assert once() == once()
