"""cd, pwd, pushd, popd, dirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


def normal_path(path: str, cwd: str) -> str:
    """Logical path: ``..`` removed as text."""
    parts: list[str] = []
    for part in (path if path.startswith("/") else f"{cwd}/{path}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


async def cd(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    physical = False
    while words and re.fullmatch(r"-[LPe@]+", words[0]):
        physical = "P" in words.pop(0)
    if words[:1] == ["--"]:
        words = words[1:]
    if len(words) > 1:
        shell.complain("cd: too many arguments")
        return 1
    if words and re.fullmatch(r"-.+", words[0]):
        shell.complain(f"cd: {words[0][:2]}: invalid option")
        shell.proc.error("cd: usage: cd [-L|[-P [-e]] [-@]] [dir]")
        return 2
    show = False
    if not words:
        home = shell.state.get("HOME")
        if home is None:
            shell.complain("cd: HOME not set")
            return 1
        target = home
    elif words[0] == "-":
        old = shell.state.get("OLDPWD")
        if old is None:
            shell.complain("cd: OLDPWD not set")
            return 1
        target, show = old, True
    else:
        target = words[0]
    if not target:
        if show:
            shell.proc.print("")
        return 0
    if words and not target.startswith(("/", "./", "../")) and target not in (".", ".."):
        for directory in (shell.state.get("CDPATH") or "").split(":"):
            if directory and shell.proc.files.isdir(f"{directory}/{target}", shell.proc):
                target, show = f"{directory}/{target}", True
                break
    return change_directory(shell, target, physical, show)


def change_directory(shell: Shell, target: str, physical: bool = False, show: bool = False) -> int:
    """What `cd` does once it knows where."""
    proc = shell.proc
    try:
        path = proc.files.resolve(target, proc.cwd, proc) if physical else normal_path(target, proc.cwd)
        node_ok = proc.files.isdir(target, proc)
        if not node_ok:
            proc.files.node(target, None, proc)
            shell.complain(f"cd: {target}: Not a directory")
            return 1
    except KernelError as error:
        shell.complain(f"cd: {target}: {error.strerror}")
        return 1
    if not physical and not proc.files.isdir(path, proc):
        path = proc.files.resolve(target, proc.cwd, proc)
    shell.state.put("OLDPWD", proc.cwd, exported=True)
    proc.cwd = path
    shell.state.put("PWD", path, exported=True)
    if show:
        proc.print(path)
    return 0


async def pwd(shell: Shell, argv: list[str]) -> int:
    for word in argv[1:]:
        if word.startswith("-") and not re.fullmatch(r"-[LP]+|--|-", word):
            shell.complain(f"pwd: {word[:2]}: invalid option")
            shell.proc.error("pwd: usage: pwd [-LP]")
            return 2
    path = shell.proc.cwd
    if any(re.fullmatch(r"-[LP]*P", word) for word in argv[1:]):
        path = shell.proc.files.resolve(path, "/", shell.proc)
    shell.proc.print(path)
    return 0


def _stack(shell: Shell) -> list[str]:
    text = shell.state.variables.get("DIRSTACK")
    rest = list(text.value.values()) if text and isinstance(text.value, dict) else []
    return [shell.proc.cwd, *rest]


def _short(shell: Shell, path: str) -> str:
    """With ``~`` for the home directory."""
    home = shell.state.get("HOME") or ""
    return "~" + path[len(home) :] if home and (path == home or path.startswith(home + "/")) else path


def _show_stack(shell: Shell) -> None:
    shell.proc.print(" ".join(_short(shell, path) for path in _stack(shell)))


def _keep_stack(shell: Shell, rest: list[str]) -> None:
    from kubenet_course.userland.shell.state import Variable

    shell.state.variables["DIRSTACK"] = Variable(dict(enumerate(rest)), kind="a")


async def pushd(shell: Shell, argv: list[str]) -> int:
    stack = _stack(shell)
    if len(argv) < 2:
        if len(stack) < 2:
            shell.complain("pushd: no other directory")
            return 1
        target, rest = stack[1], [stack[0], *stack[2:]]
    else:
        target, rest = argv[1], stack
    status = change_directory(shell, target)
    if status == 0:
        _keep_stack(shell, rest)
        _show_stack(shell)
    return status


async def popd(shell: Shell, argv: list[str]) -> int:
    stack = _stack(shell)
    if len(stack) < 2:
        shell.complain("popd: directory stack empty")
        return 1
    status = change_directory(shell, stack[1])
    if status == 0:
        _keep_stack(shell, stack[2:])
        _show_stack(shell)
    return status


async def dirs(shell: Shell, argv: list[str]) -> int:
    """dirs [-clpv] [+N] [-N]."""
    flags = "".join(word[1:] for word in argv[1:] if re.fullmatch("-[clpv]+", word))
    words = [word for word in argv[1:] if not re.fullmatch("-[clpv]+", word)]
    stack = _stack(shell)
    if "c" in flags:
        _keep_stack(shell, [])
        return 0
    for word in words:
        if not re.fullmatch(r"[-+]\d+", word):
            shell.complain(f"dirs: {word}: invalid option")
            shell.proc.error("dirs: usage: dirs [-clpv] [+N] [-N]")
            return 2
        at = int(word[1:]) if word[0] == "+" else len(stack) - 1 - int(word[1:])
        if not 0 <= at < len(stack):
            shell.complain(f"dirs: {word[1:]}: directory stack index out of range")
            return 1
        stack = [stack[at]]
    shown = stack if "l" in flags else [_short(shell, path) for path in stack]
    if "v" in flags:
        for at, path in enumerate(shown):
            shell.proc.print(f"{at:2d}  {path}")
    else:
        shell.proc.print(("\n" if "p" in flags else " ").join(shown))
    return 0


BUILTINS = {"cd": cd, "pwd": pwd, "pushd": pushd, "popd": popd, "dirs": dirs}
