"""watch: repeat a command; on an emulated machine twice, since nobody can look while it runs."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.sleep import interval
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process

LONG = {
    "beep": "b", "color": "c", "differences=?": "d", "errexit": "e", "chgexit": "g", "interval=": "n",
    "precise": "p", "no-title": "t", "exec": "x", "no-wrap": "w",
}  # fmt: skip
ROUNDS = 2


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "bcd::egn:ptxw", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0], 1, "\nUsage:\n watch [options] command")
    if not words:
        proc.error("\nUsage:\n watch [options] command")
        return 1
    seconds = interval(value(options, "n", "2") or "")
    if seconds is None:
        proc.error(f"{argv[0]}: failed to parse argument: '{value(options, 'n')}'")
        return 1
    flags = letters(options)
    command = words if "x" in flags else ["sh", "-c", " ".join(words)]
    proc.error(f"kubenet: watch: runs the command {ROUNDS} times, {seconds:g} s apart")
    for number in range(ROUNDS):
        if number:
            await proc.sleep(max(seconds, 0.1))
        if "t" not in flags:
            name = proc.uts.hostname
            from kubenet_course.userland.commands.date import format_date

            when = format_date("%a %b %e %H:%M:%S %Y", proc.system.files.now())
            proc.print(f"Every {seconds:.1f}s: {' '.join(words)}    {name}: {when}\n")
        try:
            code = await proc.spawn(command).exited
        except KernelError as error:
            proc.error(f"{argv[0]}: unable to execute '{command[0]}': {error.strerror}")
            return 1
        if code and "e" in flags:
            return 8
    return 0
