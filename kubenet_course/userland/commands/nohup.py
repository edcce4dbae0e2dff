"""nohup, setsid, nice, stdbuf, chroot: run a program otherwise."""

from __future__ import annotations

import signal

from kubenet_course.userland.execute import run_program
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quoteaf

NAMES = ("nohup", "setsid", "nice", "stdbuf", "chroot", "ionice")
FAILED = "{name}: failed to run command {quoted}: {error}"


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    short = {"setsid": "cfw", "nice": "n:", "stdbuf": "i:o:e:", "ionice": "c:n:t"}.get(program, "")
    long = {"fork": "f", "wait": "w", "ctty": "c"} if program == "setsid" else {"adjustment=": "n"}
    try:
        options, words = parse(argv, short, long if program in ("setsid", "nice") else {}, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0], 1 if program == "setsid" else 125)
    if program == "setsid":
        return await _setsid(proc, argv[0], words, letters(options))
    if program == "nice" and not words:
        proc.print("0")
        return 0
    if not words:
        return missing_operand(proc, argv[0], status=125)
    if program == "chroot":
        if not proc.files.isdir(words[0], proc):
            text = "Not a directory" if proc.files.exists(words[0], proc) else "No such file or directory"
            proc.error(f"{argv[0]}: cannot change root directory to {quoteaf(words[0])}: {text}")
        else:
            proc.error(f"kubenet: {argv[0]}: another root directory is not emulated")
        return 125
    if program == "nohup":
        proc.ignored.add(int(signal.SIGHUP))
    return await run_program(proc, words, argv[0], message=FAILED)


async def _setsid(proc: Process, program: str, words: list[str], flags: set[str]) -> int:
    if not words:
        proc.error(f"{program}: no command specified\nTry '{program} --help' for more information.")
        return 1
    if "f" in flags and "w" not in flags:
        from kubenet_course.errors import KernelError

        try:
            proc.spawn(words)
        except KernelError as error:
            proc.error(f"{program}: failed to execute {words[0]}: {error.strerror}")
        return 0
    return await run_program(proc, words, program, message="{name}: failed to execute {plain}: {error}")
