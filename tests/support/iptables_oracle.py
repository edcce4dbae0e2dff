"""The rules and sessions of ../shared/oracles/iptables_rules.json as one script for either kernel.

A row says whether `iptables -t TABLE -A CHAIN RULE` is accepted and what iptables-save then prints. `answers(run)` gives
for each row, family and chain what a shell printed: status, words, and the rules that were saved.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
RULES = ORACLES / "iptables_rules.json"
SHELL = Callable[[str], str]


class Instance(NamedTuple):
    """One row in one chain of one family."""

    id: str
    family: int
    chain: str
    row: dict[str, Any]

    @property
    def program(self) -> str:
        return "iptables" if self.family == 4 else "ip6tables"

    @property
    def command(self) -> str:
        return f"{self.program} -t {self.row['table']} -A {self.chain} {self.row['rule']}"

    @property
    def lines(self) -> list[str]:
        """The commands of this instance: what the row needs, the rule, what is saved, and away with it."""
        setup = [
            line.replace("iptables ", f"{self.program} ", 1) + " >/dev/null 2>&1"
            for line in self.row.get("setup", ())
        ]
        table = self.row["table"]
        return [
            *setup,
            f"{self.command} 2>&1; echo [$?]",
            f"{self.program}-save -t {table} 2>&1 | grep '^-A {self.chain}'"
            + (" | grep -v RATEEST" if setup else ""),
            f"{self.program} -t {table} -F",
        ]


class Answer(NamedTuple):
    status: int
    words: str
    saved: tuple[str, ...]


def instances() -> list[Instance]:
    found = json.loads(RULES.read_text())
    return [
        Instance(row["id"], int(family[-1]), chain, row)
        for row in found["core"] + found["extra"]
        for family in row["family"]
        for chain in row["chains"]
    ]


def answers(shell: SHELL, rows: list[Instance], at_once: int = 200) -> Iterator[Answer]:
    """`shell` runs a script in a fresh place and gives what it printed."""
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        text = shell("\n".join(line for row in part for line in ["echo @@", *row.lines]))
        for block in text.split("@@\n")[1:]:
            yield _answer(block)


def _answer(block: str) -> Answer:
    words: list[str] = []
    lines = block.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("[") and line.endswith("]") and line[1:-1].isdigit():
            return Answer(int(line[1:-1]), "\n".join(words), tuple(lines))
        words.append(line)
    raise AssertionError(f"no status in {block!r}")


def expected(instance: Instance) -> tuple[bool, str | None]:
    """Whether the oracle has the rule accepted (by nf_tables), and the line that is saved (None: not said)."""
    row = instance.row
    result, save = row["result"], row.get("save")
    variant = row.get("backend_variant")
    if variant is not None and variant["backend"] == "LEGACY":
        if variant["otherwise"] == "NOMATCH":
            return True, None
        result, save = (variant["otherwise"], None) if variant["otherwise"] != "=" else (result, save)
    return result == "OK", save


def agrees(instance: Instance, answer: Answer) -> bool:
    """Whether an answer is what the oracle says."""
    accepted, save = expected(instance)
    if accepted != (answer.status == 0):
        return False
    return (
        not accepted
        or save is None
        or f"-A {instance.chain} {save}".rstrip() in [line.rstrip() for line in answer.saved]
    )


def emulated_shell(script: str) -> str:
    from tests.support.replay import Machine

    return Machine().run(script, limit=600)[0]


def real_shell(script: str) -> str:
    """In a network namespace of its own, which ends with the script."""
    done = subprocess.run(
        ["unshare", "-n", "bash"], input=script, capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout


# -- sessions -----------------------------------------------------------------------------------
class Step(NamedTuple):
    """One command of a session and what the oracle says of it."""

    name: str
    number: int
    line: str
    says: dict[str, Any]
    program: str

    def problem(self, block: str) -> str:
        """What in its output is not as the oracle says, or ""."""
        lines = block.splitlines()
        status = next(int(line[1:-1]) for line in reversed(lines) if re.fullmatch(r"\[\d+\]", line))
        text = "\n".join(line for line in lines if not re.fullmatch(r"\[\d+\]", line))
        words = [" ".join(line.split()) for line in text.splitlines()]
        says, found = self.says, []
        wanted = says.get("rc", 0)
        if (status == 0) if wanted == "nonzero" else status != wanted:
            found.append(f"status {status}, not {wanted}")
        if "err" in says and text.strip() != f"{self.program}{says['err']}":
            found.append(f"{text!r}, not {says['err']!r}")
        if "err_contains" in says and says["err_contains"] not in text:
            found.append(f"{text!r} lacks {says['err_contains']!r}")
        if "out" in says and "-v" not in self.line.split() and text.splitlines() != says["out"]:
            found.append(f"{text!r}, not {says['out']!r}")
        if "out_contains" in says and says["out_contains"] not in text:
            found.append(f"{text!r} lacks {says['out_contains']!r}")
        found += [f"{text!r} lacks {line!r}" for line in says.get("out_words", ()) if line not in words]
        if (
            "lines_with_foo" in says
            and [line for line in text.splitlines() if "foo" in line] != says["lines_with_foo"]
        ):
            found.append(f"{text!r}, not {says['lines_with_foo']!r}")
        return f"{self.name} {self.number} ({self.line}): {'; '.join(found)}" if found else ""


def sessions(family: int) -> dict[str, list[Step]]:
    """By name; a session's script is its lines, each after `echo @@` and before `echo [$?]`."""
    program = "iptables" if family == 4 else "ip6tables"
    found: dict[str, list[Step]] = {}
    for session in json.loads(RULES.read_text())["sessions"]:
        steps = found[session["name"]] = []
        for number, says in enumerate(session["steps"]):
            if "cmd" in says:
                line = f"{program} {says['cmd']}"
            elif "save" in says:
                line = f"{program}-save {says['save']}"
            else:
                text = "\n".join(says["restore"])
                line = f"printf '%s\\n' '{text}' | {program}-restore {says.get('args', '')}"
            steps.append(Step(session["name"], number, line, says, program))
    return found


def session_script(steps: list[Step]) -> str:
    return "\n".join(f"echo @@; {step.line} 2>&1; echo [$?]" for step in steps)


# -- rulesets -----------------------------------------------------------------------------------
class Ruleset(NamedTuple):
    """A whole set of rules as text for iptables-restore; `saved` are rules that iptables-save must print so."""

    name: str
    family: int
    text: str
    saved: list[str]
    options: str = ""

    @property
    def program(self) -> str:
        return "iptables" if self.family == 4 else "ip6tables"

    @property
    def restore(self) -> str:
        return f"{self.program}-restore {self.options} <<'RULES'\n{self.text}RULES\necho [$?]"

    @property
    def clean(self) -> str:
        return "\n".join(
            f"{self.program} -t {table} -{letter}" for letter in "FX" for table in ("raw", "filter", "nat")
        )


def rulesets(oracle: str) -> Iterator[Ruleset]:
    """The rulesets of one oracle file."""
    found = json.loads((ORACLES / f"{oracle}.json").read_text())
    if oracle == "docker_bridge_rules":
        for number, case in enumerate(found["cases"] + found["without_networks"]):
            chains = found["chain_lists"][case.get("chains", 0)]
            tables = {
                table: [f":{line} [0:0]" for line in chains[table]] + rules
                for table, rules in case["rules"].items()
            }
            saved = [rule for rules in case["rules"].values() for rule in rules]
            yield Ruleset(f"{oracle} {number}", int(case["family"][-1]), _text(tables), saved)
    elif oracle == "docker_ipam_and_dumps":
        for dump in found["host_dumps"]:
            whole = [table for table in dump["tables"] if "," not in table["table"]]
            tables = {table["table"]: [_declared(line) for line in table["S"]] for table in whole}
            saved = [line for table in whole for line in table["S"] if line.startswith("-A")]
            yield Ruleset(f"{oracle} {dump['scenario']}", 4, _text(tables), saved)
    else:
        for case in found["cases"]:
            if "rules" in case:
                tables = {
                    table: [f":{chain} - [0:0]" for chain in one["chains"]] + one["rules"]
                    for table, one in case["rules"].items()
                }
                family = 6 if case["config"].get("family") == "IPv6" else 4
                yield Ruleset(f"{oracle} {case['name']}", family, _text(tables), [], "--noflush")


def _declared(line: str) -> str:
    """A line of -S as iptables-restore takes it."""
    words = line.split()
    if words[0] == "-P":
        return f":{words[1]} {words[2]} [0:0]"
    return f":{words[1]} - [0:0]" if words[0] == "-N" else line


def _text(tables: dict[str, list[str]]) -> str:
    return "".join(
        f"*{table}\n" + "".join(f"{line}\n" for line in lines) + "COMMIT\n" for table, lines in tables.items()
    )
