"""export, readonly, declare, local, unset, shift, let, read, mapfile, getopts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.nodes import ArrayValue, Assign
from kubenet_course.userland.shell.parameters import ansi_quote, quote_double, quote_trace
from kubenet_course.userland.shell.state import Variable, attribute_letters

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TARGET = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.*)\])?", re.S)


def show_value(variable: Variable) -> str:
    """The value as `set` and `declare` show it."""
    if isinstance(variable.value, dict):
        return _array_text(variable)
    return quote_trace(variable.value or "") if variable.value else ""


def _array_text(variable: Variable) -> str:
    assert isinstance(variable.value, dict)
    keys = list(variable.value)
    cells = []
    for key in keys:
        name = str(key)
        if variable.kind == "A" and not re.fullmatch(r"\w+", name):
            name = quote_double(name)
        cells.append(f"[{name}]={quote_double(variable.value[key])}")  # type: ignore[index]
    tail = " " if variable.kind == "A" and cells else ""
    return f"({' '.join(cells)}{tail})"


def declaration(name: str, variable: Variable) -> str:
    """One line of ``declare -p``."""
    letters = attribute_letters(variable) or "-"
    if variable.value is None:
        return f"declare -{letters} {name}"
    if isinstance(variable.value, dict):
        return f"declare -{letters} {name}={_array_text(variable)}"
    return f"declare -{letters} {name}={quote_double(variable.value)}"


async def export(shell: Shell, argv: list[str]) -> int:
    return await _mark(shell, argv, "exported", "x")


async def readonly(shell: Shell, argv: list[str]) -> int:
    return await _mark(shell, argv, "readonly", "r")


async def _mark(shell: Shell, argv: list[str], attribute: str, letter: str) -> int:
    words = list(enumerate(argv))[1:]
    options = ""
    while words and re.fullmatch(r"-[A-Za-z]+", words[0][1]):
        options += words.pop(0)[1][1:]
    if words and words[0][1] == "--":
        words.pop(0)
    bad = next((one for one in options if one not in "fnpaA"), None)
    if bad:
        shell.complain(f"{argv[0]}: -{bad}: invalid option")
        shell.proc.error(
            f"{argv[0]}: usage: {argv[0]} [-{'fn' if letter == 'x' else 'aAf'}] [name[=value] ...] or "
            f"{argv[0]} -p"
        )
        return 2
    if not words:
        for name in sorted(shell.state.variables):
            variable = shell.state.variables[name]
            if getattr(variable, attribute):
                shell.proc.print(declaration(name, variable))
        return 0
    status = 0
    for at, word in words:
        if "f" in options:
            status |= word not in shell.state.functions
            continue
        done = await _declare_one(shell, argv[0], at, word, {})
        if done is None:
            status = 1
            continue
        old = shell.state.variables.get(done) or Variable(None)
        on = "n" not in options
        marked = old._replace(exported=on) if attribute == "exported" else old._replace(readonly=on)
        shell.state.variables[done] = marked
    return status


async def _declare_one(shell: Shell, command: str, at: int, word: str, changes: dict) -> str | None:
    """Assign an argument ``name``, ``name=value``, ``name=(…)``; its name, or None if it is none."""
    assign = shell.assigned_arguments.get(at)
    name = assign.name if assign else word.partition("=")[0].removesuffix("+")
    index = None
    if assign is None:
        target = _TARGET.fullmatch(name)
        if target is None:
            shell.complain(f"{command}: `{word}': not a valid identifier")
            return None
        name, index = target[1], target[2]
    if changes:
        old = shell.state.variables.get(name) or Variable(None)
        if old.readonly and ("value" in changes or "=" in word):
            shell.complain(f"{command}: {name}: readonly variable")
            return None
        if old.kind != changes.get("kind", old.kind) and isinstance(old.value, str):
            changes = {**changes, "value": {0: old.value} if changes.get("kind") == "a" else {"0": old.value}}
        shell.state.variables[name] = old._replace(**changes)
    try:
        await _assign_argument(shell, assign, word, name, index)
    except ExpansionError as error:
        if error.fatal:
            raise
        shell.complain(f"{command}: {error.message}" if command != "readonly" else error.message)
        return None
    return name


async def _assign_argument(
    shell: Shell, assign: Assign | None, word: str, name: str, index: str | None
) -> None:
    if assign is not None and isinstance(assign.value, ArrayValue):
        await shell.assign_array(name, assign.value, assign.append)
        return
    left, equals, value = word.partition("=")
    if equals:
        if assign is not None and assign.index is not None:
            index = await shell.expand_string(assign.index)
        shell.assign(name, value, index, left.endswith("+"))


async def declare(shell: Shell, argv: list[str]) -> int:
    words = list(enumerate(argv))[1:]
    changes: dict = {}
    options = ""
    while words and re.fullmatch(r"[-+][A-Za-z]+", words[0][1]):
        text = words.pop(0)[1]
        for letter in text[1:]:
            options += letter if text[0] == "-" else ""
            on = text[0] == "-"
            if letter in "aA":
                changes["kind"] = letter
            elif letter in "ixr":
                changes[{"i": "integer", "x": "exported", "r": "readonly"}[letter]] = on
            elif letter in "ul":
                changes["case"] = letter if on else ""
            elif letter not in "fFgpnt":
                shell.complain(f"{argv[0]}: {text[0]}{letter}: invalid option")
                usage = (
                    "[-aAfFgiIlnrtux] [name[=value] ...]"
                    if argv[0] != "local"
                    else "[option] name[=value] ..."
                )
                shell.proc.error(
                    f"{argv[0]}: usage: {argv[0]} {usage}"
                    + (" or declare -p [-aAfFilnrtux] [name ...]" if argv[0] == "declare" else "")
                )
                return 2
    if "f" in options or "F" in options:
        return _functions(shell, [word for _, word in words], "F" in options)
    if not words or "p" in options:
        return _show(shell, argv[0], [word for _, word in words], options)
    local = bool(shell.state.locals) and "g" not in options
    status = 0
    late = {key: changes.pop(key) for key in ("readonly",) if key in changes}
    for at, word in words:
        assign = shell.assigned_arguments.get(at)
        name = assign.name if assign else word.partition("=")[0].removesuffix("+").partition("[")[0]
        if local and _NAME.fullmatch(name):
            make_local(shell, name)
        done = await _declare_one(shell, argv[0], at, word, changes)
        if done is None:
            status = 1
            continue
        old = shell.state.variables.get(done) or Variable(None)
        shell.state.variables[done] = old._replace(**late)
    return status


def make_local(shell: Shell, name: str) -> None:
    """Remember the outer variable, to be put back when the function returns."""
    scope = shell.state.locals[-1]
    if name not in scope:
        old = shell.state.variables.get(name)
        scope[name] = old
        shell.state.variables[name] = Variable(None, exported=old.exported if old else False)


def _functions(shell: Shell, names: list[str], short: bool) -> int:
    from kubenet_course.userland.shell.unparse import unparse_function

    status = 0
    for name in names or sorted(shell.state.functions):
        function = shell.state.functions.get(name)
        if function is None:
            status = 1
        elif short:
            shell.proc.print(name if names else f"declare -f {name}")
        else:
            shell.proc.print(unparse_function(function))
    return status


def _show(shell: Shell, command: str, names: list[str], options: str) -> int:
    status = 0
    wanted = [letter for letter in options if letter in "aAixru"]
    for name in names or sorted(shell.state.variables):
        variable = shell.state.variables.get(name)
        if variable is None:
            shell.complain(f"{command}: {name}: not found")
            status = 1
        elif names or "p" in options or wanted:
            if all(letter in attribute_letters(variable) for letter in wanted):
                shell.proc.print(declaration(name, variable))
        elif variable.value is not None:
            shell.proc.print(f"{name}={show_value(variable)}")
    return status


async def local(shell: Shell, argv: list[str]) -> int:
    if not shell.state.locals:
        shell.complain("local: can only be used in a function")
        return 1
    if len(argv) == 1:
        return 0
    return await declare(shell, argv)


async def unset(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    mode = ""
    while words and words[0] in ("-f", "-v", "-n"):
        mode = words.pop(0)[1]
    status = 0
    for word in words:
        target = _TARGET.fullmatch(word)
        if mode == "f":
            shell.state.functions.pop(word, None)
            continue
        if target is None:
            if mode == "v":
                shell.complain(f"unset: `{word}': not a valid identifier")
                status = 1
            else:
                shell.state.functions.pop(word, None)
            continue
        variable = shell.state.variables.get(target[1])
        if variable is not None and variable.readonly:
            shell.complain(f"unset: {target[1]}: cannot unset: readonly variable")
            status = 1
        elif target[2] is not None and variable is not None and isinstance(variable.value, dict):
            _unset_element(shell, target[1], variable, target[2])
        elif variable is not None:
            del shell.state.variables[target[1]]
        elif not mode:
            shell.state.functions.pop(word, None)
    return status


def _unset_element(shell: Shell, name: str, variable: Variable, index: str) -> None:
    assert isinstance(variable.value, dict)
    if index in ("@", "*"):
        shell.state.variables[name] = variable._replace(value={})
        return
    items: dict = dict(variable.value)
    items.pop(index if variable.kind == "A" else shell.arith(index), None)
    shell.state.variables[name] = variable._replace(value=items)


async def shift(shell: Shell, argv: list[str]) -> int:
    if len(argv) > 2:
        shell.complain("shift: too many arguments")
        return 1
    text = argv[1] if len(argv) > 1 else "1"
    if not re.fullmatch(r"[-+]?\d+", text):
        shell.complain(f"shift: {text}: numeric argument required")
        return 1
    count = int(text)
    if count < 0:
        shell.complain(f"shift: {text}: shift count out of range")
        return 1
    if count > len(shell.state.positional):
        return 1
    del shell.state.positional[:count]
    return 0


async def let(shell: Shell, argv: list[str]) -> int:
    if len(argv) < 2:
        shell.complain("let: expression expected")
        return 1
    value = 0
    for text in argv[1:]:
        try:
            value = shell.arith(text)
        except ExpansionError as error:
            shell.complain(f"let: {error.message}")
            return 1
    return int(value == 0)


# -- read -----------------------------------------------------------------------------------


BUILTINS = {
    "export": export,
    "readonly": readonly,
    "declare": declare,
    "typeset": declare,
    "local": local,
    "unset": unset,
    "shift": shift,
    "let": let,
}
__all__ = ["BUILTINS", "ansi_quote", "declaration", "make_local", "show_value"]
