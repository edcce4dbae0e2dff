"""break, continue, return, exit, eval, source, exec, trap, command, builtin, type, cd, pwd, dirs."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.files.loader import which
from kubenet_course.userland.shell.errors import LoopControl, Return, ShellAbort, ShellExit
from kubenet_course.userland.shell.lexer import RESERVED
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.redirect import Redirections
from kubenet_course.userland.signals import SIGNALS as SIGNAL_NAMES
from kubenet_course.userland.signals import signal_number

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell

KEYWORDS = frozenset(RESERVED) | {"in", "]]", "select", "coproc"}


async def break_(shell: Shell, argv: list[str]) -> int:
    if not shell.loops:
        shell.complain(f"{argv[0]}: only meaningful in a `for', `while', or `until' loop")
        return 0
    text = argv[1] if len(argv) > 1 else "1"
    if not re.fullmatch(r"[-+]?\d+", text):
        shell.complain(f"{argv[0]}: {text}: numeric argument required")
        raise ShellExit(128)
    if len(argv) > 2:
        shell.complain(f"{argv[0]}: too many arguments")
        raise ShellAbort(1)
    if int(text) < 1:
        shell.complain(f"{argv[0]}: {text}: loop count out of range")
        raise LoopControl(99, False)
    raise LoopControl(int(text), argv[0] == "continue")


def _status(shell: Shell, argv: list[str]) -> int:
    if len(argv) < 2:
        return shell.state.status
    if not re.fullmatch(r"\s*[-+]?\d+\s*", argv[1]):
        shell.complain(f"{argv[0]}: {argv[1]}: numeric argument required")
        return 2
    return int(argv[1]) & 255


async def return_(shell: Shell, argv: list[str]) -> int:
    if not shell.state.call_stack and not shell.sourced:
        shell.complain("return: can only `return' from a function or sourced script")
        return 2
    status = _status(shell, argv)
    if len(argv) > 2 and status != 2:
        shell.complain("return: too many arguments")
        raise ShellAbort(1)
    raise Return(status)


async def exit_(shell: Shell, argv: list[str]) -> int:
    if len(argv) > 2 and re.fullmatch(r"[-+]?\d+", argv[1]):
        shell.complain("exit: too many arguments")
        raise ShellAbort(1)
    raise ShellExit(_status(shell, argv))


async def eval_(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    text = " ".join(words)
    if not text.strip():
        return 0
    return await shell.run_units(parse_units(text, shell.line), f"{shell.origins[-1]}: eval")


async def source(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        shell.complain(f"{argv[0]}: filename argument required")
        shell.proc.error(f"{argv[0]}: usage: {argv[0]} filename [arguments]")
        return 2
    name = words[0]
    path = name
    files, proc = shell.proc.files, shell.proc
    if "/" not in name:
        for directory in (shell.state.get("PATH") or "").split(":"):
            if files.isfile(f"{directory or '.'}/{name}", proc):
                path = f"{directory or '.'}/{name}"
                break
    try:
        text = files.read_text(path, proc)
    except KernelError as error:
        if error.strerror == "Is a directory":
            shell.complain(f"{argv[0]}: {path}: is a directory")
        else:
            shell.complain(f"{path}: {error.strerror}")
        return 1
    before, line = shell.state.positional, shell.line
    if len(words) > 1:
        shell.state.positional = words[1:]
    shell.origins.append(path)
    shell.sourced += 1
    try:
        return await shell.run_units(parse_units(text), path)
    except Return as leave:
        return leave.status
    finally:
        shell.sourced -= 1
        shell.origins.pop()
        shell.line = line
        if len(words) > 1:
            shell.state.positional = before


async def exec_(shell: Shell, argv: list[str]) -> int:
    raise AssertionError("the interpreter runs exec itself")


async def trap(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] == ["-l"]:
        from kubenet_course.userland.signals import listing

        shell.proc.print(listing(), end="")
        return 0
    show = not words or words[0] == "-p"
    if words[:1] in (["--"], ["-p"]):
        words = words[1:]
    if show or not words:
        for name in sorted(shell.state.traps, key=_trap_order):
            text = shell.state.traps[name].replace("'", "'\\''")
            label = name if name in _PSEUDO else f"SIG{name}"
            if not words or name in words or label in words:
                shell.proc.print(f"trap -- '{text}' {label}")
        return 0
    if len(words) == 1:
        names, action = words, "-"
    else:
        action, names = words[0], words[1:]
        if re.fullmatch(r"\d+", action):
            action, names = "-", words
    status = 0
    for name in names:
        status |= _set_trap(shell, name, action)
    return status


_PSEUDO = ("EXIT", "DEBUG", "ERR", "RETURN")


def _trap_order(name: str) -> int:
    return 0 if name == "EXIT" else SIGNAL_NAMES.get(name, 200)


def _set_trap(shell: Shell, name: str, action: str) -> int:
    if name.upper() in ("EXIT", "0", "SIGEXIT"):
        key, number = "EXIT", 0
    elif name.upper() in _PSEUDO:
        if action != "-":
            shell.proc.error(f"kubenet: trap: {name.upper()} traps are not supported")
            return 1
        return 0
    else:
        found = signal_number(name)
        if found is None:
            shell.complain(f"trap: {name}: invalid signal specification")
            return 1
        number = found
        key = next(known for known, value in SIGNAL_NAMES.items() if value == number)
    proc = shell.proc
    if action == "-":
        shell.state.traps.pop(key, None)
        if number:
            proc.handlers.pop(number, None)
            proc.ignored.discard(number)
            if number == signal.SIGINT:
                proc.handlers[number] = shell.interrupted
        return 0
    shell.state.traps[key] = action
    if number:
        if action:
            proc.ignored.discard(number)
            proc.handlers[number] = lambda: shell.trap_signal(key, number)
        else:
            proc.ignored.add(number)
    return 0


# -- finding commands -----------------------------------------------------------------------
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


# -- directories ----------------------------------------------------------------------------
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


def _show_stack(shell: Shell) -> None:
    home = shell.state.get("HOME") or ""
    words = [
        "~" + path[len(home) :] if home and (path == home or path.startswith(home + "/")) else path
        for path in _stack(shell)
    ]
    shell.proc.print(" ".join(words))


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
    _show_stack(shell)
    return 0


async def caller(shell: Shell, argv: list[str]) -> int:
    if not shell.state.call_stack:
        return 1
    shell.proc.print(f"{shell.line} {shell.origins[0]}")
    return 0


async def help_(shell: Shell, argv: list[str]) -> int:
    shell.proc.error("kubenet: help: there is no built-in help; see the lesson, or `type NAME`")
    return 1


BUILTINS = {
    "break": break_,
    "continue": break_,
    "return": return_,
    "exit": exit_,
    "logout": exit_,
    "eval": eval_,
    "source": source,
    ".": source,
    "exec": exec_,
    "trap": trap,
    "command": command,
    "type": type_,
    "builtin": builtin_,
    "cd": cd,
    "pwd": pwd,
    "pushd": pushd,
    "popd": popd,
    "dirs": dirs,
    "caller": caller,
    "help": help_,
}
