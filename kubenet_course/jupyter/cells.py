"""Is a cell Python, or commands for the current machine? (the Jupyter kernel `kubenet`)

The rule, in this order; it looks at the first line that is not blank or a comment:

1. ``%%python`` alone on the first line: the rest is Python, whatever it looks like.
2. It begins with ``%%`` or ``!``: IPython's own affair. Lines that begin with ``%`` at the top of a
   cell are magics; the rule goes on with what follows them.
3. It has a prompt (``red$ ip route``, ``@red ip route``) or begins with a path (``./script.sh``): commands.
4. Its first word is one that only Python has (``def``, ``import``, ``from``, …): Python.
5. It is correct Python, and it is not just an expression that begins with the bare name of a
   command: Python. So ``ip = 3``, ``lab.routes("A")`` and ``print(1)`` are Python; ``ip -4``, ``ls``
   and ``date`` are commands, although Python could read them.
6. It is not correct Python, and it begins with a name followed by ``(``, ``[``, ``.name`` or `` = ``,
   or with ``for``, ``if``, ``while`` and a line that ends in ``:``: Python, with its error message.
7. Anything else: commands (an unknown one gets the shell's answer).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container

from kubenet_course.lab.statements import split_prompt

PYTHON_WORDS = frozenset(
    "False None True and as assert async await class def del except finally from global import in is"
    " lambda nonlocal"
    " not or pass raise return try with yield".split()
)
BOTH_WORDS = frozenset(("for", "if", "while"))
SHELL_WORDS = frozenset(
    ": . [ [[ ( { ! alias bg case cd command declare echo eval exec exit export false fg function"
    " hash history"
    " jobs kill local printf pwd read readonly select set shift shopt source test time times trap"
    " true type ulimit"
    " umask unalias unset until wait".split()
)
_CALL = re.compile(r"^[A-Za-z_]\w*(?:\(|\[|\.[A-Za-z_]|\s*=[^=]|\s+=\s|\s*[-+*/|&]=)")


def split_cell(cell: str, commands: Container[str]) -> tuple[str, str]:
    """(what is Python or magics, what is commands) of a cell; one of them is usually "".

    Both are non-empty where magics stand above commands: they come first.
    """
    lines = cell.splitlines(keepends=True)
    start = 0
    while start < len(lines) and _blank(lines[start]):
        start += 1
    if start < len(lines) and lines[start].strip() == "%%python":
        return "".join(lines[start + 1 :]), ""
    top = start
    while top < len(lines) and (_blank(lines[top]) or re.match(r"\s*%[A-Za-z]", lines[top])):
        top += 1
    body = "".join(lines[top:])
    if not body.strip():
        return cell, ""
    if is_python(body, commands):
        return cell, ""
    return "".join(line for line in lines[:top] if not _blank(line)), body


def is_python(text: str, commands: Container[str]) -> bool:
    """The rule above, from its second point on; `commands` are those of the machine."""
    first = next((line.strip() for line in text.splitlines() if not _blank(line)), "")
    if first.startswith(("%", "!")) or first.endswith("?") and re.match(r"^[\w.]+\?+$", first):
        return True
    if split_prompt(first)[0] is not None:
        return first.startswith("@") and _parse(text) is not None
    if first.startswith(("/", "./", "../", "~")):
        return False
    word = first.split()[0] if first.split() else ""
    if word in PYTHON_WORDS or re.match(rf"^({'|'.join(PYTHON_WORDS)})\b[:(]", first):
        return True
    tree = _parse(text)
    if tree is None:
        if word in BOTH_WORDS:
            return first.endswith(":") or bool(
                re.match(r"for\s+\w+(\s*,\s*\w+)*\s+in\s.*[(\[.]", first) and ";" not in first
            )
        return word not in commands and bool(_CALL.match(first)) and not re.match(r"^\w+=\S*(\s+\S|$)", first)
    if not tree.body:
        return True
    return not (isinstance(tree.body[0], ast.Expr) and (word in commands or word in SHELL_WORDS))


def _blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _parse(text: str) -> ast.Module | None:
    """As IPython would read it: magics and `!` inside of Python are fine."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        source = TransformerManager().transform_cell(text)
        tree = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return None
    return tree if isinstance(tree, ast.Module) else None
