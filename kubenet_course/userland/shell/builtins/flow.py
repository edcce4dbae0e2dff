"""break, continue, return, exit, eval, source, exec, trap, command, builtin, type, cd, pwd, dirs."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.shell.errors import LoopControl, Return, ShellAbort, ShellExit
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.specials import call_lines, function_names, sources
from kubenet_course.userland.signals import SIGNALS as SIGNAL_NAMES
from kubenet_course.userland.signals import signal_number

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


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
    return await shell.run_units(parse_units(text, shell.line, "extglob" in shell.state.shopts), f"{shell.origins[-1]}: eval")


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
        status = await shell.run_units(parse_units(text, 1, "extglob" in shell.state.shopts), path)
        if "RETURN" in shell.state.traps:
            await shell.run_trap("RETURN")
        return status
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
    elif name.upper().removeprefix("SIG") in _PSEUDO:
        key, number = name.upper().removeprefix("SIG"), 0
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


# -- directories ----------------------------------------------------------------------------


async def caller(shell: Shell, argv: list[str]) -> int:
    """caller [N]: the line, function and source that called; NULL where there is no file."""
    lines, names, files = call_lines(shell), function_names(shell), sources(shell)
    if not shell.state.call_stack:
        return 1
    if len(argv) < 2:
        shell.proc.print(f"{lines[0]} {files[1] if len(files) > 1 else 'NULL'}")
        return 0
    if not argv[1].isdecimal():
        shell.complain(f"caller: {argv[1]}: invalid number")
        shell.proc.error("caller: usage: caller [expr]")
        return 2
    at = int(argv[1])
    if at + 1 >= len(files):
        return 1
    shell.proc.print(f"{lines[at]} {names[at + 1]} {files[at + 1]}")
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
    "caller": caller,
    "help": help_,
}
