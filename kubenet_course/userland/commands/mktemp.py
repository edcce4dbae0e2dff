"""mktemp, truncate, sync: files for scripts."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf
from kubenet_course.userland.sizes import size_number

NAMES = ("mktemp", "truncate", "sync")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    if program == "sync":
        return 0
    try:
        if program == "mktemp":
            options, words = parse(
                argv,
                "duqp:t",
                {"directory": "d", "dry-run": "u", "quiet": "q", "tmpdir=?": "p", "suffix=": "suffix"},
            )
        else:
            options, words = parse(argv, "s:co", {"size=": "s", "no-create": "c"})
    except OptionError as error:
        return error.report(proc, argv[0])
    return (
        _truncate(proc, argv[0], options, words)
        if program == "truncate"
        else _mktemp(proc, argv[0], options, words)
    )


def _truncate(proc: Process, program: str, options: list[tuple[str, str]], names: list[str]) -> int:
    text = value(options, "s")
    if text is None:
        proc.error(
            f"{program}: you must specify either ‘--size’ or ‘--reference’\nTry '{program} --help' for "
            "more information."
        )
        return 1
    match = re.fullmatch(r"([-+<>/%]?)(.*)", text)
    number = size_number(match[2]) if match else None
    if number is None or match is None or match[1] in tuple("<>/%"):
        proc.error(f"{program}: Invalid number: {quote(text)}")
        return 1
    if not names:
        return missing_operand(proc, program, kind="file operand")
    for name in names:
        try:
            old = proc.files.read(name, proc) if proc.files.exists(name, proc) else b""
            size = {"": number, "+": len(old) + number, "-": max(len(old) - number, 0)}[match[1]]
            if size > 1 << 26:
                proc.error(f"kubenet: {program}: files of more than 64 MiB are not emulated")
                return 1
            proc.files.write(name, old[:size].ljust(size, b"\0"), proc)
        except KernelError as error:
            proc.error(f"{program}: cannot open {quoteaf(name)} for writing: {error.strerror}")
            return 1
    return 0


def _mktemp(proc: Process, program: str, options: list[tuple[str, str]], words: list[str]) -> int:
    if len(words) > 1:
        proc.error(f"{program}: too many templates\nTry '{program} --help' for more information.")
        return 1
    flags = letters(options)
    template = words[0] if words else "tmp.XXXXXXXXXX"
    suffix = value(options, "suffix") or ""
    match = re.fullmatch(r"(.*?)(X{3,})([^X/]*)", template, re.S)
    if match is None:
        proc.error(f"{program}: too few X's in template {quote(template)}")
        return 1
    base = ""
    if not words or flags & {"p", "t"}:
        base = (value(options, "p") or proc.env.get("TMPDIR") or "/tmp").rstrip("/") + "/"
    chosen = "".join(proc.system.host.random.choice(LETTERS) for _ in match[2])
    path = f"{base}{match[1]}{chosen}{match[3]}{suffix}"
    kind = "directory" if "d" in flags else "file"
    try:
        if "d" in flags and "u" not in flags:
            proc.files.mkdir(path, False, proc, None, 0o700)
        elif "u" not in flags:
            proc.files.write(path, b"", proc, mode=0o600)
    except KernelError as error:
        if "q" not in flags:
            proc.error(
                f"{program}: failed to create {kind} via template {quote(base + template)}: {error.strerror}"
            )
        return 1
    proc.print(path)
    return 0
