"""The tables of the languages that `userland/lalr.py` parses, made of their grammars.

python -m tests.support.grammars        write the tables of those whose grammar has changed
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import Rule
from lark.lexer import Lexer
from lark.parse_tree_builder import maybe_create_child_filter
from lark.parsers.lalr_analysis import Reduce

import kubenet_course

ROOT = Path(kubenet_course.__file__).parent / "userland"
#: Folder and start rule.
LANGUAGES = {"shell": "script", "commands/awk": "program", "commands/jq": "start", "commands/nft": "start"}


class _NoLexer(Lexer):
    """Tokens are fed by hand."""

    __future_interface__ = 1

    def __init__(self, conf: Any):
        del conf

    def lex(self, lexer_state: Any, parser_state: Any) -> Any:
        return iter(())


def digest(folder: str) -> str:
    return hashlib.sha256((ROOT / folder / "grammar.lark").read_bytes()).hexdigest()[:16]


def tables(folder: str) -> dict[str, Any]:
    """States are numbered from the first in the order of their symbols, rules in the order of their names."""
    text = (ROOT / folder / "grammar.lark").read_text(encoding="utf-8")
    start = LANGUAGES[folder]
    plain = re.sub(r'//.*|"(?:\\.|[^"\\])*"', "", text)
    if "%declare" not in plain:
        text += "\n%declare " + " ".join(sorted(set(re.findall(r"\b[A-Z][A-Z0-9_]*\b", plain))))
    lark = Lark(text, parser="lalr", lexer=_NoLexer, start=start, maybe_placeholders=True)
    parsed: Any = lark.parser.parser
    table = parsed._parse_table
    first, last = table.start_states[start], table.end_states[start]
    order, numbers = [first], {first: 0}
    for state in order:
        for _symbol, (action, target) in sorted(table.states[state].items()):
            if action is not Reduce and target not in numbers:
                numbers[target] = len(order)
                order.append(target)
    rules = sorted((rule for rule in lark.rules if not rule.origin.name.startswith("$")), key=_key)
    places = {rule: number for number, rule in enumerate(rules)}
    sets: dict[str, int] = {}
    rows = []
    for state in order:
        row = [f"$END,{numbers[last]}"] if state == last else []
        reductions: dict[int, list[str]] = {}
        for symbol, (action, target) in sorted(table.states[state].items()):
            if action is Reduce:
                reductions.setdefault(places[target], []).append(symbol)
            else:
                row.append(f"{symbol},{numbers[target]}")
        for rule, symbols in sorted(reductions.items()):
            row.append(f"{rule}/{sets.setdefault(' '.join(symbols), len(sets))}")
        rows.append(" ".join(row))
    return {
        "grammar": digest(folder),
        "start": numbers[first],
        "end": numbers[last],
        "rules": [_rule(rule) for rule in rules],
        "sets": list(sets),
        "rows": rows,
    }


def _key(rule: Rule) -> tuple[str, list[str]]:
    return rule.origin.name, [symbol.name for symbol in rule.expansion]


def _rule(rule: Rule) -> list[Any]:
    options = rule.options
    name = rule.alias or options.template_source or rule.origin.name
    chosen = maybe_create_child_filter(rule.expansion, options.keep_all_tokens, False, options.empty_indices)
    kept: list[int | None] | None = None
    if chosen is not None:
        kept = []
        include, after = (*chosen.args, 0)[:2]
        for place, inline, *nones in include:
            kept += [None] * sum(nones)
            kept.append(-1 - place if inline else place)
        kept += [None] * after
    return [rule.origin.name, str(name), len(rule.expansion), kept, bool(options.expand1 and not rule.alias)]


def dump(found: dict[str, Any]) -> str:
    """As JSON with a rule or a state a line."""
    parts = []
    for key, value in found.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in value)
            parts.append(f'"{key}": [\n{lines}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value)}')
    return "{" + ",\n".join(parts) + "}\n"


def main() -> None:
    for folder in LANGUAGES:
        path = ROOT / folder / "tables.json"
        if (
            not path.exists()
            or json.loads(path.read_text(encoding="utf-8"))["grammar"] != digest(folder)
            or "--all" in sys.argv
        ):
            path.write_text(dump(tables(folder)), encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
