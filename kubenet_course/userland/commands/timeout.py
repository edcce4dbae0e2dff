"""timeout: run a command for at most so long."""

from __future__ import annotations

import signal

from kubenet_course.sim.loop import SECOND, TimeoutExpired
from kubenet_course.userland.commands.sleep import interval
from kubenet_course.userland.execute import start_program
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote
from kubenet_course.userland.signals import signal_number

LONG = {"foreground": "f", "kill-after=": "k", "preserve-status": "p", "signal=": "s", "verbose": "v"}


async def main(proc: Process, argv: list[str]) -> int:
    hint = f"Try '{argv[0]} --help' for more information."
    try:
        options, words = parse(argv, "fk:ps:v", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0], 125)
    if len(words) < 2:
        proc.error(hint)
        return 125
    number = 15
    text = value(options, "s")
    if text is not None:
        found = signal_number(text)
        if found is None:
            proc.error(f"{argv[0]}: {quote(text)}: invalid signal\n{hint}")
            return 125
        number = found
    limits = []
    for given in (words[0], value(options, "k")):
        seconds = interval(given) if given is not None else 0
        if seconds is None:
            proc.error(f"{argv[0]}: invalid time interval {quote(given or '')}\n{hint}")
            return 125
        limits.append(round(seconds * SECOND))
    child = start_program(proc, words[1:], argv[0])
    if isinstance(child, int):
        return child
    proc.handlers[int(signal.SIGTERM)] = lambda: child.kill(int(signal.SIGTERM))
    proc.handlers[int(signal.SIGINT)] = lambda: child.kill(int(signal.SIGINT))
    return await _watch(proc, argv[0], words[1], child, number, limits, letters(options))


async def _watch(
    proc: Process, program: str, command: str, child: Process, number: int, limits: list[int], flags: set[str]
) -> int:
    loop = proc.loop
    try:
        code = await loop.wait_for(child.exited, limits[0] or None)
        return code if code >= 0 else 128 - code
    except TimeoutExpired:
        _signal(proc, program, command, child, number, flags)
    killed = number == signal.SIGKILL
    try:
        code = await loop.wait_for(child.exited, limits[1] or None)
    except TimeoutExpired:
        _signal(proc, program, command, child, int(signal.SIGKILL), flags)
        killed = True
        code = await child.exited
    if "p" in flags:
        return code if code >= 0 else 128 - code
    return -int(signal.SIGKILL) if killed and code == -signal.SIGKILL else 124


def _signal(proc: Process, program: str, command: str, child: Process, number: int, flags: set[str]) -> None:
    if "v" in flags:
        from kubenet_course.userland.signals import SIGNALS

        name = next((name for name, value in SIGNALS.items() if value == number), str(number))
        proc.error(f"{program}: sending signal {name} to command {quote(command)}")
    for victim in proc.system.foreground(child):
        victim.kill(number)
