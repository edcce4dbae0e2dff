"""The tests of ``[[ … ]]``, and what they share with `test` and ``[``."""

from __future__ import annotations

import re
import stat as _stat
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.files.pattern import matches
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.nodes import CondNode, CondTest
from kubenet_course.userland.shell.parameters import quote_trace
from kubenet_course.userland.shell.state import Variable

if TYPE_CHECKING:
    from kubenet_course.userland.files import Node
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.shell.interpreter import Shell

_KINDS = {"b": 0o060000, "c": 0o020000, "d": 0o040000, "f": 0o100000, "p": 0o010000, "S": 0o140000}
NUMERIC = {
    "-eq": int.__eq__, "-ne": int.__ne__, "-lt": int.__lt__, "-le": int.__le__, "-gt": int.__gt__,
    "-ge": int.__ge__,
}  # fmt: skip


def file_test(proc: Process, letter: str, path: str) -> bool:
    """``-e`` and the other tests of one file."""
    if letter == "t":
        return False
    try:
        node = proc.files.node(path, None, proc, follow=letter not in "hL")
    except KernelError:
        return False
    mode = node.kind | node.mode
    if letter in _KINDS:
        return _stat.S_IFMT(mode) == _KINDS[letter]
    if letter in "hL":
        return node.kind == _stat.S_IFLNK
    if letter == "s":
        return node.size(proc) > 0
    if letter == "x":
        return node.kind == _stat.S_IFDIR or bool(mode & 0o111)
    bits = {"u": _stat.S_ISUID, "g": _stat.S_ISGID, "k": _stat.S_ISVTX}
    if letter in bits:
        return bool(mode & bits[letter])
    return letter != "N"


def file_compare(proc: Process, op: str, left: str, right: str) -> bool:
    """``-nt``, ``-ot``, ``-ef``."""
    nodes: list[Node | None] = []
    for path in (left, right):
        try:
            nodes.append(proc.files.node(path, None, proc))
        except KernelError:
            nodes.append(None)
    a, b = nodes
    if op == "-ef":
        return a is not None and a is b
    if op == "-ot":
        a, b = b, a
    if a is None:
        return False
    return b is None or a.mtime > b.mtime


def posix_regex(pattern: str) -> str:
    """An extended regular expression in Python's words."""
    from kubenet_course.userland.regex import extended

    return extended(pattern)


async def evaluate_condition(shell: Shell, node: CondTest | CondNode) -> bool:
    """Whether an expression of ``[[ ]]`` holds."""
    if isinstance(node, CondNode):
        if node.op == "()":
            return await evaluate_condition(shell, node.children[0])
        if node.op == "!":
            return not await evaluate_condition(shell, node.children[0])
        first = await evaluate_condition(shell, node.children[0])
        if first == (node.op == "||"):
            return first
        return await evaluate_condition(shell, node.children[1])
    if node.right is None:
        return await _unary(shell, node)
    return await _binary(shell, node)


async def _unary(shell: Shell, node: CondTest) -> bool:
    value = await shell.expand_string(node.left)
    if node.op in ("", "-n"):
        return bool(value)
    if node.op == "-z":
        return not value
    if node.op == "-v":
        name, _, index = value.partition("[")
        return shell.value_of(name, index.rstrip("]") or None) is not None
    if node.op == "-o":
        return value in option_names(shell)
    if node.op == "-R":
        return False
    return file_test(shell.proc, node.op[1], value)


def option_names(shell: Shell) -> set[str]:
    """Long names of the options that are on."""
    from kubenet_course.userland.shell.builtins.options import LONG

    return {name for name, letter in LONG.items() if letter in shell.state.options} | shell.state.options


async def _binary(shell: Shell, node: CondTest) -> bool:
    assert node.right is not None
    left = await shell.expand_string(node.left)
    if node.op in ("==", "=", "!="):
        hit = matches(left, await shell.expand_pattern(node.right), True, "nocasematch" in shell.state.shopts)
        return hit == (node.op != "!=")
    if node.op == "=~":
        return _regex(shell, left, await shell.expand_regex(node.right))
    right = await shell.expand_string(node.right)
    if node.op in NUMERIC:
        return bool(NUMERIC[node.op](shell.arith(left), shell.arith(right)))
    if node.op == "<":
        return left < right
    if node.op == ">":
        return left > right
    return file_compare(shell.proc, node.op, left, right)


def _regex(shell: Shell, text: str, pattern: str) -> bool:
    try:
        flags = re.I if "nocasematch" in shell.state.shopts else 0
        match = re.search(posix_regex(pattern), text, flags)
    except (re.error, ValueError):
        raise ExpansionError("", 2) from None
    groups = [] if match is None else [match[0], *(group or "" for group in match.groups())]
    shell.state.variables["BASH_REMATCH"] = Variable(dict(enumerate(groups)), kind="a")
    return match is not None


async def trace_condition(shell: Shell, node: CondTest | CondNode) -> str:
    """How ``set -x`` shows it (bash shows one test at a time; the first one here)."""
    while isinstance(node, CondNode):
        node = node.children[0]
    left = quote_trace(await shell.expand_string(node.left))
    if node.right is None:
        return f"{node.op or '-n'} {left}"
    right = await shell.expand_pattern(node.right) if node.op in ("==", "=", "!=") else node.right.raw
    return f"{left} {node.op} {right}"
