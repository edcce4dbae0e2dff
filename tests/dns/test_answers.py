"""What CoreDNS' plugins answer: the facts of `facts/answers.txt` (its head tells how they are written)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.flags
import dns.rcode
import pytest

from tests.support.coredns import World, ask, rows

FACTS = Path(__file__).parent / "facts" / "answers.txt"
FLAGS = {"aa": dns.flags.AA, "tc": dns.flags.TC, "ra": dns.flags.RA, "ad": dns.flags.AD}


@dataclass
class Block:
    """Files and a Corefile's lines."""

    files: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    key: str = "."

    def engine(self) -> Any:
        body = "\n".join(self.lines).replace("{ ", "{\n").replace(" }", "\n}").replace("{\n{\n", "{{ ").replace("\n}\n}", " }}")
        return World(self.files).engine(f"{self.key} {{\n{body}\n}}\n")


@dataclass
class Question:
    words: list[str]
    rcode: str = "NOERROR"
    flags: set[str] | None = None
    records: dict[str, list[str]] = field(default_factory=lambda: {"a": [], "n": [], "x": []})


def facts() -> Iterator[Any]:
    block, path, question = Block(), "", Question([])
    for number, line in enumerate(FACTS.read_text().splitlines(), 1):
        if line.startswith("#") or (not line and not path):
            continue
        if line.startswith("== "):
            block, path = Block(), ""
        elif line.startswith("-- "):
            path = line[3:]
            block.files[path] = ""
        elif line.startswith("> "):
            path = ""
            if line.startswith("> key: "):
                block.key = line[7:]
            else:
                block.lines.append(line[2:])
        elif line.startswith("? "):
            path, question = "", Question(line[2:].split())
            yield pytest.param(block, question, id=f"{number}-{line[2:]}")
        elif path:
            block.files[path] += line + "\n"
        elif line.startswith("= "):
            question.rcode, *flags = line[2:].split()
            question.flags = set(flags)
        else:
            question.records[line[0]].append(line[2:])


def matches(expected: str, found: tuple[Any, ...]) -> bool:
    text = " ".join(map(str, found))
    return text.startswith(expected[:-1]) if expected.endswith("…") else text == expected


@pytest.mark.parametrize(("block", "question"), list(facts()))
def test_answer(block: Block, question: Question) -> None:
    name, kind, *options = question.words
    more: dict[str, Any] = {}
    if "from" in options:
        more["client"] = options[options.index("from") + 1]
    if "class" in options:
        more["rdclass"] = options[options.index("class") + 1]
    if "tcp" in options:
        more["protocol"] = "tcp"
    if "do" in options:
        more.update(edns=True, want_dnssec=True)
    answer = ask(block.engine(), name, kind, **more)
    assert dns.rcode.to_text(answer.rcode()) == question.rcode
    if question.flags is not None:
        assert {word for word, bit in FLAGS.items() if answer.flags & bit} == question.flags
    for letter, section in (("a", answer.answer), ("n", answer.authority), ("x", answer.additional)):
        found = sorted(rows(section))
        expected = sorted(question.records[letter])
        left = list(found)
        for line in expected:
            fitting = next((row for row in left if matches(line, row)), None)
            assert fitting is not None, (letter, line, found)
            left.remove(fitting)
        assert not left, (letter, left)
