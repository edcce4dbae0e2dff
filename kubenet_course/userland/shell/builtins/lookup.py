"""command, type, builtin: what a name stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.files.loader import which
from kubenet_course.userland.shell.errors import ShellExit
from kubenet_course.userland.shell.lexer import RESERVED
from kubenet_course.userland.shell.redirect import Redirections

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


KEYWORDS = frozenset(RESERVED) | {"in", "]]", "select", "coproc"}


async def command(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    mode = ""
    while words and re.fullmatch(r"-[pvV]+", words[0]):
        mode += words.pop(0)[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if words and words[0].startswith("-") and len(words[0]) > 1 and not mode:
        shell.complain(f"command: {words[0][:2]}: invalid option")
        shell.proc.error("command: usage: command [-pVv] command [arg ...]")
        return 2
    if not words:
        return 0
    if "V" in mode:
        return await type_(shell, ["command", *words])
    if "v" in mode:
        return _command_v(shell, words)
    builtin = shell.builtin(words[0])
    if words[0] == "exec":
        raise ShellExit(await shell.replace(words[1:], shell.state.environment(), Redirections(shell)))
    if builtin is not None:
        return await shell.call_builtin(builtin, words, {})
    return await shell.run_argv(words)


def _command_v(shell: Shell, words: list[str]) -> int:
    found_any = False
    for name in words:
        if name in shell.state.aliases:
            shell.proc.print(f"alias {name}='{shell.state.aliases[name]}'")
        elif name in KEYWORDS or name in shell.state.functions or shell.builtin(name):
            shell.proc.print(name)
        else:
            path = find_program(shell, name)
            if path is None:
                continue
            shell.proc.print(path)
        found_any = True
    return int(not found_any)


def find_program(shell: Shell, name: str) -> str | None:
    """The path that running `name` would use, or None."""
    files, proc = shell.proc.files, shell.proc
    if "/" in name:
        return name if files.access_x(name, proc) and not files.isdir(name, proc) else None
    return which(name, shell.state.get("PATH") or "", proc.cwd, files) if name else None


async def type_(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    mode = ""
    while words and re.fullmatch(r"-[aftpP]+", words[0]):
        mode += words.pop(0)[1:]
    if words and words[0].startswith("-") and len(words[0]) > 1:
        shell.complain(f"type: {words[0][:2]}: invalid option")
        shell.proc.error("type: usage: type [-afptP] name [name ...]")
        return 2
    status = 0
    for name in words:
        found = _kinds(shell, name, "a" in mode)
        if "P" in mode:
            found = [one for one in found if one[0] == "file"]
        if not found:
            status = 1
            if "t" not in mode and "p" not in mode and "P" not in mode:
                shell.complain(f"{'type' if argv[0] != 'command' else 'command'}: {name}: not found")
            continue
        for kind, text, path in found if "a" in mode else found[:1]:
            if "t" in mode:
                shell.proc.print(kind)
            elif "p" in mode or "P" in mode:
                if kind == "file":
                    shell.proc.print(path)
            else:
                shell.proc.print(text)
    return status


def _kinds(shell: Shell, name: str, everything: bool) -> list[tuple[str, str, str]]:
    """(type -t word, sentence, path) of each thing `name` is, first what would run."""
    found = []
    if name in shell.state.aliases:
        found.append(("alias", f"{name} is aliased to `{shell.state.aliases[name]}'", ""))
    if name in KEYWORDS:
        found.append(("keyword", f"{name} is a shell keyword", ""))
    if name in shell.state.functions:
        from kubenet_course.userland.shell.unparse import unparse_function

        text = f"{name} is a function\n{unparse_function(shell.state.functions[name])}"
        found.append(("function", text, ""))
    if shell.builtin(name):
        found.append(("builtin", f"{name} is a shell builtin", ""))
    if "/" in name:
        if find_program(shell, name):
            found.append(("file", f"{name} is {name}", name))
        return found
    for directory in (shell.state.get("PATH") or "").split(":"):
        path = f"{directory or '.'}/{name}"
        if name and shell.proc.files.isfile(path, shell.proc) and shell.proc.files.access_x(path, shell.proc):
            found.append(("file", f"{name} is {path}", path))
            if not everything:
                break
    return found


async def builtin_(shell: Shell, argv: list[str]) -> int:
    if len(argv) < 2:
        return 0
    function = shell.builtin(argv[1])
    if function is None:
        shell.complain(f"builtin: {argv[1]}: not a shell builtin")
        return 1
    return await shell.call_builtin(function, argv[1:], {})


BUILTINS = {"command": command, "type": type_, "builtin": builtin_}
