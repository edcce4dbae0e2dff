"""Puts the evidence together as one page of Markdown."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from pathlib import Path

from kubenet_course.lab.backends.emulated import COMMAND_FOLDERS, _exists
from kubenet_course.userland.programs import import_all
from tests.fidelity.evidence import (
    SECOND,
    THIS,
    TOOLS,
    cni_cases,
    features,
    lines,
    simple_commands,
    unwrapped,
)
from tests.fidelity.refusals import refusals

#: Programs of ours: on the real kernel it is they that run, not the originals.
OURS = ("cnitool", "coredns", "docker", "docker-app", "docker-proxy", "docker-resolver", "dockerd", "resolverd")
ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "fidelity.md"
DOCUMENTED = ROOT / "docs" / "fidelity.toml"

HEAD = """# Fidelity

What agrees with the real programs, command by command. Generated from the tests by `python -m tests.fidelity`;
a test fails when it is old. The programs of reference are Debian 12's.

* **both kernels**: a transcript or a recording of the real program on a current kernel; the emulated one prints
  the same (addresses of devices, times and states that depend on time are made equal first).
* **second kernel**: recorded on user-mode Linux, which has what most containers lack (IPVS, Open vSwitch,
  netem, VLANs, …).
* **Debian's program**: the same line is run by the real program and by ours each time the tests run.
* **ours on both**: docker, coredns and cnitool are programs of this course. The same program runs on both kernels, and
  both print the same; its words follow the sources named.
* **documentation**: nothing to compare with here; the source is named.
* **not emulated**: the program says so in a line that begins `kubenet:` and fails.

Besides, random scripts of `ip`, `bridge`, `iptables`, `ping` and their like run on both kernels step by step
(`python -m tests.differential`).

"""


def page() -> str:
    commands = import_all(*(folder for folder in COMMAND_FOLDERS if _exists(folder)))
    known = frozenset(commands)
    count: dict[str, Counter[str]] = defaultdict(Counter)
    mistakes: Counter[str] = Counter()
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for line in lines():
        for simple in simple_commands(line.text):
            for words in unwrapped(simple, known):
                name = words[0]
                count[name][line.judge] += 1
                mistakes[name] += line.failed
                for feature in features(words):
                    seen[name][feature].add(line.judge)
    documented = tomllib.loads(DOCUMENTED.read_text(encoding="utf-8"))
    missing = refusals()
    parts = [HEAD, _table(commands, count, mistakes, documented, missing), _cni()]
    for name in sorted(known):
        section = _section(name, commands[name], seen.get(name, {}), documented.get(name, []), missing)
        if section:
            parts.append(section)
    return "\n".join(parts).rstrip("\n") + "\n"


def _table(
    commands: dict[str, str],
    count: dict[str, Counter[str]],
    mistakes: Counter[str],
    documented: dict[str, list[dict[str, str]]],
    missing: dict[str, list[str]],
) -> str:
    rows = [
        "| command | both kernels | second kernel | Debian's program | of them mistakes | else |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(commands):
        number = count.get(name, Counter())
        cells = [str(number[judge] or "") for judge in (THIS, SECOND, TOOLS)]
        others = [other for other in commands if commands[other] == commands[name] and count.get(other)]
        rest = "documentation" if name in documented else "" if number else "not compared"
        if rest == "not compared" and missing.get(commands[name].rpartition(".")[2]):
            rest = "not emulated, and says so"
        if name in OURS and number:
            rest = "ours on both, " + rest
        if not number and others and name not in documented:
            rest = f"another name of `{others[0]}`" if len(others) == 1 else f"as {', '.join(f'`{o}`' for o in others)}"
        rows.append(f"| `{name}` | {' | '.join(cells)} | {mistakes[name] or ''} | {rest} |")
    total = [sum(number[judge] for number in count.values()) for judge in (THIS, SECOND, TOOLS)]
    rows.append(f"| **all** | {' | '.join(map(str, total))} | {sum(mistakes.values())} | |")
    return "\n".join(rows) + "\n"


def _cni() -> str:
    """CNI plugins: how many configurations were run beside the packaged plugins, by plugin."""
    cases = Counter(name.partition("/")[0] for name in cni_cases())
    rows = [f"| `{name}` | {number} |" for name, number in sorted(cases.items())]
    return "\n".join(
        [
            "## CNI plugins",
            "",
            "Configurations, mistakes among them, for which results, errors and the state of the network afterwards are "
            "the same as those of Debian's containernetworking-plugins:",
            "",
            "| file of cases | configurations |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _section(
    name: str,
    module: str,
    seen: dict[str, set[str]],
    documented: list[dict[str, str]],
    missing: dict[str, list[str]],
) -> str:
    rows = []
    by_judges: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for feature, judges in seen.items():
        by_judges[tuple(judge for judge in (THIS, SECOND, TOOLS) if judge in judges)].append(feature)
    for judges, found in sorted(by_judges.items()):
        if name in OURS:
            judges = ("ours on both",)
        rows.append(f"* {', '.join(judges)}: {' '.join(f'`{feature}`' for feature in sorted(found))}")
    for entry in documented:
        rows.append(f"* documentation: {entry['what']} ({entry['source']})")
    # A package of several programs says what is missing once, under its own name.
    own = module.rpartition(".")[2]
    for sentence in sorted(missing.get(own, [])) if name.replace("-", "_") == own else []:
        rows.append(f"* not emulated: {sentence}")
    return f"## {name}\n\n" + "\n".join(rows) + "\n" if rows else ""
