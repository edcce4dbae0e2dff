"""The program `bash`, and `run_script` for those who keep a `ShellState` between scripts."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.userland.shell.interpreter import Shell
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.state import ShellState, Variable


def prepare(proc: Process, state: ShellState) -> None:
    """Give a new state the process' environment; move the process to where the state was."""
    if not state.ready:
        state.import_environment(proc.env)
        level = state.get("SHLVL")
        state.put("SHLVL", str(int(level) + 1) if level and level.isdecimal() else "1", exported=True)
        state.put("PWD", proc.cwd, exported=True)
        if "OLDPWD" not in state.variables:
            state.variables["OLDPWD"] = Variable(None, exported=True)
        state.put("IFS", " \t\n")
        state.put("OPTIND", "1")
        state.put("PS4", "+ ")
        state.started = proc.loop.now
        state.last_argument = proc.env.get("_", state.name)
        state.ready = True
    if state.cwd is not None:
        proc.cwd = state.cwd
    if state.umask is not None:
        proc.umask = state.umask
    state.main_pid = proc.vpid


async def run_script(proc: Process, text: str, state: ShellState) -> int:
    """Run `text` as ``bash -c text`` would, in `proc`; the state stays usable for the next one.

    The working directory and the umask go along in the state. An EXIT trap runs at the end.
    """
    prepare(proc, state)
    shell = Shell(proc, state)
    units = parse_units(text, 1, "extglob" in state.shopts)
    session = state.cwd is not None
    origin = f"{state.origin}: -c"
    status = await shell.guard(lambda: shell.run_units(units, origin, tail=not session))
    state.cwd, state.umask = proc.cwd, proc.umask
    return status


USAGE = """Usage:\t{0} [GNU long option] [option] ...
\t{0} [GNU long option] [option] script-file ...
GNU long options:
\t--debug
\t--debugger
\t--dump-po-strings
\t--dump-strings
\t--help
\t--init-file
\t--login
\t--noediting
\t--noprofile
\t--norc
\t--posix
\t--pretty-print
\t--rcfile
\t--restricted
\t--verbose
\t--version
Shell options:
\t-ilrsD or -c command or -O shopt_option\t\t(invocation only)
\t-abefhkmnptuvxBCEHPT or -o option"""


async def main(proc: Process, argv: list[str]) -> int:
    """bash [-c text | file | -s] [arguments]."""
    state = ShellState(name=argv[0], origin=argv[0])
    words = argv[1:]
    command = stdin = False
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            if word in ("--login", "--norc", "--noprofile", "--posix", "--noediting"):
                continue
            if word == "--version":
                proc.print(
                    "GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu), emulated by kubenet_course"
                )
                return 0
            proc.error(f"{argv[0]}: {word}: invalid option")
            proc.error(USAGE.format(argv[0]))
            return 2
        status = _letters(proc, state, argv[0], word, words)
        if status:
            return status
        command = command or "c" in word[1:]
        stdin = stdin or "s" in word[1:]
    if command:
        return await _run_command(proc, state, argv[0], words)
    if words and not stdin:
        return await _run_file(proc, state, argv[0], words)
    return await _run_stdin(proc, state, words)


def _letters(proc: Process, state: ShellState, name: str, word: str, words: list[str]) -> int:
    from kubenet_course.userland.shell.builtins.options import LETTERS, LONG

    for letter in word[1:]:
        if letter in ("o", "O"):
            option = words.pop(0) if words else ""
            known = LONG.get(option) if letter == "o" else option
            if known is None:
                proc.error(f"{name}: line 0: {name}: {option}: invalid option name")
                return 2
            (state.options if letter == "o" else state.shopts).add(known)
        elif letter in LETTERS:
            (state.options.add if word[0] == "-" else state.options.discard)(letter)
        elif letter not in "csliD":
            proc.error(f"{name}: {word}: invalid option")
            proc.error(USAGE.format(name))
            return 2
    return 0


async def _run_command(proc: Process, state: ShellState, name: str, words: list[str]) -> int:
    if not words:
        proc.error(f"{name}: -c: option requires an argument")
        return 2
    text = words[0]
    if len(words) > 1:
        state.name = state.origin = words[1]
        state.positional = words[2:]
    return await run_script(proc, text, state)


async def _run_file(proc: Process, state: ShellState, name: str, words: list[str]) -> int:
    path = words[0]
    try:
        data = proc.files.read(path, proc)
    except KernelError as error:
        text = error.strerror
        proc.error(f"{path if text == 'Is a directory' else name}: {path}: {text}")
        return 126 if text == "Is a directory" else 127
    if b"\0" in data[:80] or data.startswith(b"#!kubenet:"):
        proc.error(f"{path}: {path}: cannot execute binary file")
        return 126
    state.name = state.origin = state.function_origin = path
    state.script = True
    state.positional = words[1:]
    return await _run_text(proc, state, data.decode("utf-8", "surrogateescape"), path)


async def _run_text(proc: Process, state: ShellState, text: str, origin: str) -> int:
    prepare(proc, state)
    shell = Shell(proc, state)
    units = parse_units(text, 1, "extglob" in state.shopts)
    return await shell.guard(lambda: shell.run_units(units, origin, tail=True))


async def _run_stdin(proc: Process, state: ShellState, words: list[str]) -> int:
    """A script on standard input."""
    state.positional = words
    state.function_origin = state.name
    text = (await proc.stdin.read()).decode("utf-8", "surrogateescape")
    return await _run_text(proc, state, text, state.name)
