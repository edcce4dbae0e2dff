"""md5sum, sha1sum … sha512sum, b2sum: checksums of files."""

from __future__ import annotations

import hashlib
import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, decode, read_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quotef

NAMES = ("md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum")
KINDS = {"b2": "blake2b"}
LONG = {
    "binary": "b",
    "check": "c",
    "text": "t",
    "quiet": "quiet",
    "status": "status",
    "tag": "tag",
    "zero": "z",
}


def _digest(kind: str, data: bytes) -> str:
    return hashlib.new(KINDS.get(kind, kind), data, usedforsecurity=False).hexdigest()


async def main(proc: Process, argv: list[str]) -> int:
    kind = argv[0].rpartition("/")[2].removesuffix("sum")
    try:
        options, names = parse(argv, "bctz", LONG, unsupported="w")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    status = 0
    for name in names or ["-"]:
        try:
            data = await read_input(proc, name)
        except KernelError as error:
            complain(proc, name, error)
            status = 1
            continue
        if "c" in flags:
            status |= await _check(proc, argv[0], kind, name, decode(data), flags)
        elif "tag" in flags:
            proc.print(f"{kind.upper()} ({name}) = {_digest(kind, data)}")
        else:
            proc.print(
                f"{_digest(kind, data)} {'*' if 'b' in flags else ' '}{name}",
                end="\0" if "z" in flags else "\n",
            )
    return status


async def _check(proc: Process, program: str, kind: str, name: str, text: str, flags: set[str]) -> int:
    bad = missing = good = malformed = 0
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]+) [ *](.+)", line)
        if match is None or len(match[1]) != hashlib.new(KINDS.get(kind, kind), usedforsecurity=False).digest_size * 2:
            malformed += 1
            continue
        try:
            data = await read_input(proc, match[2])
        except KernelError as error:
            complain(proc, match[2], error)
            proc.print(f"{match[2]}: FAILED open or read")
            missing += 1
            continue
        fine = _digest(kind, data) == match[1].lower()
        bad += not fine
        good += fine
        if "status" not in flags and not (fine and "quiet" in flags):
            proc.print(f"{match[2]}: {'OK' if fine else 'FAILED'}")
    if not (good or bad or missing):
        proc.error(
            f"{program}: {quotef(name) if name != '-' else chr(39) + 'standard input' + chr(39)}: no "
            "properly formatted checksum lines found"
        )
        return 1
    if malformed:
        proc.error(
            f"{program}: WARNING: {malformed} line{'s are' if malformed > 1 else ' is'} improperly formatted"
        )
    if missing:
        proc.error(f"{program}: WARNING: {missing} listed file{'s' * (missing > 1)} could not be read")
    if bad:
        proc.error(f"{program}: WARNING: {bad} computed checksum{'s' * (bad > 1)} did NOT match")
    return int(bool(bad or missing))
