"""What programs say they do not emulate: their lines that begin `kubenet:`, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "kubenet_course"
FOLDERS = ("userland/commands", "dns/commands", "docker/commands", "cni/commands")


def refusals() -> dict[str, list[str]]:
    """Module of a command (`ip`, `ping`, …) → its sentences, with … for what is filled in."""
    found: dict[str, list[str]] = {}
    for folder in FOLDERS:
        root = PACKAGE / folder
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).parts[0].removesuffix(".py")
            for sentence in _sentences(ast.parse(path.read_text(encoding="utf-8"))):
                if sentence not in found.setdefault(name, []):
                    found[name].append(sentence)
    return {name: sentences for name, sentences in found.items() if sentences}


def _sentences(tree: ast.Module) -> Iterator[str]:
    pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in pieces:
            continue
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "unsupported" and node.args:
            text = _text(node.args[0])
            if text:
                yield f"{text} is not emulated"
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):
            text = _text(node)
            if len(text) > len("kubenet: ") and text.startswith("kubenet: "):
                yield text.removeprefix("kubenet: ").strip()


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""
