"""env: run a program with a changed environment, or show it."""

from __future__ import annotations

from kubenet_course.userland.execute import run_program
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

LONG = {"ignore-environment": "i", "null": "0", "unset=": "u", "chdir=": "C", "split-string=": "S"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "i0u:C:", LONG, permute=False, unsupported="Sv")
    except OptionError as error:
        return error.report(proc, argv[0], 125)
    env = {} if "i" in letters(options) else dict(proc.env)
    if words[:1] == ["-"]:
        env = {}
        words = words[1:]
    for name, text in options:
        if name == "u":
            env.pop(text, None)
        elif name == "C":
            if not proc.files.isdir(text, proc):
                proc.error(f"{argv[0]}: cannot change directory to '{text}': No such file or directory")
                return 125
            proc.cwd = proc.files.resolve(text, proc.cwd, proc)
    while words and "=" in words[0]:
        name, _, text = words.pop(0).partition("=")
        env[name] = text
    if words:
        return await run_program(proc, words, argv[0], env=env)
    end = "\0" if "0" in letters(options) else "\n"
    for name, text in env.items():
        proc.print(f"{name}={text}", end=end)
    return 0
