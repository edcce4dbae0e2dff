"""kill, pkill, pgrep, killall, pidof: find processes and send them signals (procps-ng, psmisc)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.regex import extended
from kubenet_course.userland.signals import SIGNALS, signal_number

if TYPE_CHECKING:
    from kubenet_course.userland.pids import PidNamespace

NAMES = ("kill", "pkill", "pgrep", "killall", "pidof")
LONG = {
    "full": "f", "exact": "x", "list-name": "l", "list-full": "a", "newest": "n", "oldest": "o", "count": "c",
    "ignore-case": "i", "inverse": "v", "parent=": "P", "signal=": "signal", "delimiter=": "d",
    "pidfile=": "F",
    "uid=": "U", "euid=": "u", "echo": "e", "terminal=": "t", "ns=": "ns", "older=": "O",
}  # fmt: skip
KILL_USAGE = """
Usage:
 kill [options] <pid> [...]

Options:
 <pid> [...]            send signal to every <pid> listed
 -<signal>, -s, --signal <signal>
                        specify the <signal> to be sent
 -q, --queue <value>    integer value to be sent with the signal
 -l, --list=[<signal>]  list all signal names, or convert one to a name
 -L, --table            list all signal names in a nice table

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see kill(1)."""


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    if program == "kill":
        return await _kill(proc, argv)
    if program == "pidof":
        return _pidof(proc, argv)
    if program == "killall":
        return await _killall(proc, argv)
    return await _pgrep(proc, argv, program == "pkill")


def _others(proc: Process) -> list[Process]:
    return [one for one in proc.files.pidns.sorted() if one is not proc]


def _send(proc: Process, target: Process, number: int) -> None:
    """A signal; init takes none that it does not handle."""
    if target.pid != 1:
        target.kill(number, proc)


async def _kill(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    number: int | None = 15
    if not words:
        proc.error(KILL_USAGE)
        return 1
    if words[0] in ("-l", "--list", "-L", "--table"):
        return _list(proc, argv[0], words[1:])
    if words[0] in ("-s", "--signal"):
        if len(words) < 2:
            proc.error(f"{argv[0]}: option requires an argument -- 's'\n{KILL_USAGE}")
            return 1
        text, words = words[1], words[2:]
        number = signal_number(text)
    elif re.match(r"-[A-Za-z0-9]", words[0]):
        text = words.pop(0)[1:]
        number = signal_number(text)
    if number is None:
        proc.error(f"{argv[0]}: invalid argument {text[:1]}\n{KILL_USAGE}")
        return 1
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        proc.error(KILL_USAGE)
        return 1
    status = 0
    for word in words:
        if not re.fullmatch(r"-?\d+", word):
            proc.error(f"{argv[0]}: failed to parse argument: '{word}'")
            status = 1
            continue
        target = proc.pidns.members.get(abs(int(word)))
        if target is None:
            proc.error(f"{argv[0]}: ({word}): No such process")
            status = 1
            continue
        _send(proc, target, number)
    await proc.sleep(0)
    return status


def _list(proc: Process, program: str, words: list[str]) -> int:
    if not words:
        names = [name for name, number in SIGNALS.items() if number < 32]
        proc.print(" ".join(names))
        return 0
    for word in words:
        if word.isdecimal():
            number = int(word) - 128 if int(word) > 128 else int(word)
            name = next((name for name, value in SIGNALS.items() if value == number), None)
            if name is None:
                proc.error(f"{program}: unknown signal name {word}")
                return 1
            proc.print(name)
        else:
            found = signal_number(word)
            if found is None:
                proc.error(f"{program}: unknown signal name {word}")
                return 1
            proc.print(found)
    return 0


async def _pgrep(proc: Process, argv: list[str], send: bool) -> int:
    program = argv[0].rpartition("/")[2]
    words = list(argv[1:])
    number: int | None = 15
    if send and words and re.fullmatch(r"-(?:[0-9]+|(?:SIG)?[A-Z][A-Z0-9]+)", words[0]):
        number = signal_number(words.pop(0)[1:])
    hint = f"Try `{program} --help' for more information."
    try:
        options, patterns = parse([argv[0], *words], "fxlancod:ivP:u:U:s:F:t:eGg:", LONG)
    except OptionError as error:
        return error.report(proc, program, 2, hint)
    flags = letters(options)
    text = value(options, "signal")
    if text is not None:
        number = signal_number(text)
    if number is None:
        proc.error(f"{program}: Unknown signal {text or words[0]}\n{hint}")
        return 2
    if len(patterns) > 1:
        proc.error(f"{program}: only one pattern can be provided\n{hint}")
        return 2
    if not patterns and not flags & {"P", "u", "U", "F", "n", "o"}:
        proc.error(f"{program}: no matching criteria specified\n{hint}")
        return 2
    try:
        pattern = re.compile(extended(patterns[0]) if patterns else "", re.I if "i" in flags else 0)
    except (re.error, ValueError) as error:
        proc.error(f"{program}: {error}")
        return 2
    shown = proc.files.pidns
    found = [one for one in _others(proc) if _hit(one, pattern, flags, value(options, "P"), shown)]
    if "n" in flags or "o" in flags:
        found = (
            [(max if "n" in flags else min)(found, key=lambda one: (one.started, shown.number(one)))]
            if found
            else []
        )
    if "c" in flags:
        proc.print(len(found))
    elif send:
        for one in found:
            if "e" in flags:
                proc.print(f"{one.comm} killed (pid {shown.number(one)})")
            _send(proc, one, number)
        await proc.sleep(0)
    else:
        joiner = value(options, "d", "\n") or "\n"
        lines = [
            f"{shown.number(one)} {' '.join(one.argv)}"
            if "a" in flags
            else f"{shown.number(one)} {one.comm}"
            if "l" in flags
            else str(shown.number(one))
            for one in found
        ]
        if lines:
            proc.print(joiner.join(lines))
    return int(not found)


def _hit(
    one: Process, pattern: re.Pattern[str], flags: set[str], parents: str | None, shown: PidNamespace
) -> bool:
    text = " ".join(one.argv) if "f" in flags else one.comm
    match = pattern.fullmatch(text) if "x" in flags else pattern.search(text)
    hit = match is not None
    if parents is not None:
        hit = hit and str(shown.parent_number(one)) in parents.split(",")
    return hit != ("v" in flags)


async def _killall(proc: Process, argv: list[str]) -> int:
    words = list(argv[1:])
    number: int | None = 15
    quiet = False
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        if word in ("-q", "--quiet"):
            quiet = True
        elif word in ("-l", "--list"):
            proc.print(" ".join(name for name, value in SIGNALS.items() if value < 32))
            return 0
        elif word in ("-s", "--signal") and words:
            number = signal_number(words.pop(0))
        elif word in ("-w", "--wait", "-v", "--verbose", "-e", "--exact"):
            continue
        else:
            number = signal_number(word.lstrip("-"))
        if number is None:
            proc.error(f"{word.lstrip('-')}: unknown signal; killall -l lists signals.")
            return 1
    if not words:
        proc.error(
            "Usage: killall [OPTION]... [--] NAME...\n       killall -l, --list\n       killall -V, --version"
        )
        return 1
    status = 0
    assert number is not None
    for name in words:
        found = [one for one in _others(proc) if one.comm == name.rpartition("/")[2][:15]]
        if not found and not quiet:
            proc.error(f"{name}: no process found")
        status |= not found
        for one in found:
            _send(proc, one, number)
    await proc.sleep(0)
    return status


def _pidof(proc: Process, argv: list[str]) -> int:
    words = list(argv[1:])
    single = scripts = quiet = False
    omit: set[str] = set()
    separator = " "
    names = []
    while words:
        word = words.pop(0)
        if word == "-s":
            single = True
        elif word == "-x":
            scripts = True
        elif word == "-q":
            quiet = True
        elif word in ("-o", "-S") and words:
            given = words.pop(0)
            if word == "-o":
                omit |= set(given.split(","))
            else:
                separator = given
        elif not word.startswith("-"):
            names.append(word)
    found = []
    for name in names:
        base = name.rpartition("/")[2]
        for one in reversed(_others(proc)):
            programs = {
                one.argv[0].rpartition("/")[2] if one.argv else "",
                one.comm if scripts or not one.script else "",
            }
            if base in programs and str(proc.files.pidns.number(one)) not in omit:
                found.append(str(proc.files.pidns.number(one)))
    if single:
        found = found[:1]
    if found and not quiet:
        proc.print(separator.join(found))
    return int(not found)
