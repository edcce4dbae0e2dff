"""The tables that are shipped are those of the grammars beside them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from kubenet_course.userland import lalr
from tests.support.grammars import LANGUAGES, ROOT, tables


def shipped(folder: str) -> dict[str, Any]:
    return json.loads((ROOT / folder / "tables.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", LANGUAGES)
def test_tables_are_what_lark_makes_of_the_grammar(folder: str) -> None:
    assert shipped(folder) == tables(folder), "run python -m tests.support.grammars --all"


def test_every_grammar_that_is_parsed_from_tables_has_them() -> None:
    assert {path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("tables.json")} == set(LANGUAGES)
    assert {path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("grammar.lark")} == set(LANGUAGES)


#: s: A [_more]   and   _more: B C, as tables.
SMALL = {
    "start": 0,
    "end": 1,
    "rules": [["s", "s", 2, [0, -2], False], ["s", "s", 1, [0, None], False], ["_more", "_more", 2, None, False]],
    "sets": ["$END"],
    "rows": ["A,2 s,1", "$END,1", "B,3 _more,4 1/0", "C,5", "0/0", "2/0"],
}


def fed(kinds: str) -> lalr.Parse:
    parse = lalr.Parse(lalr.Grammar(SMALL, lalr.methods_of(object())))
    for kind in kinds:
        parse.feed(SimpleNamespace(type=kind))
    return parse


END = SimpleNamespace(type="$END")


def test_children_of_a_nameless_part_come_into_their_parent() -> None:
    tree = fed("ABC").feed(END)
    assert tree.data == "s" and [child.type for child in tree.children] == ["A", "B", "C"]


def test_an_optional_part_that_is_not_there_is_none() -> None:
    assert [child and child.type for child in fed("A").feed(END).children] == ["A", None]


def test_a_token_without_a_place_is_refused() -> None:
    with pytest.raises(lalr.UnexpectedToken):
        fed("A").feed(SimpleNamespace(type="A"))


@pytest.mark.parametrize(("before", "kind", "takes"), [("", "A", True), ("", "C", False), ("A", "$END", True), ("AB", "$END", False)])
def test_asking_what_has_a_place_changes_nothing(before: str, kind: str, takes: bool) -> None:
    parse = fed(before)
    states = list(parse.states)
    assert parse.takes(kind) is takes and parse.states == states
