"""dd: blocks from one file to another. Not emulated: block sizes that differ (ibs and obs), conversions of character sets."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

OPERANDS = ("bs", "ibs", "obs", "cbs", "conv", "count", "if", "iflag", "of", "oflag", "seek", "skip", "status")
UNITS = {"": 1, "c": 1, "w": 2, "b": 512, "kB": 1000, "k": 1024, "K": 1024, "MB": 10**6, "M": 2**20, "xM": 2**20,
         "GB": 10**9, "G": 2**30, "KiB": 1024, "MiB": 2**20, "GiB": 2**30}  # fmt: skip
CONVERSIONS = frozenset(
    "ascii ebcdic ibm block unblock lcase ucase sparse swab sync excl nocreat notrunc noerror fdatasync fsync".split()
)
FLAGS = frozenset(
    "append direct directory dsync sync fullblock nonblock noatime nocache noctty nofollow count_bytes skip_bytes seek_bytes".split()
)
STATUS = ("none", "noxfer", "progress")
BLOCK = 512


class Refused(Exception):
    """What dd says; `hint` where it points at --help."""

    def __init__(self, message: str, hint: bool = False):
        super().__init__(message)
        self.hint = hint


def _number(text: str, least: int = 0) -> int:
    """Products of numbers with units: ``2x4k``."""
    value = 1
    for factor in text.split("x"):
        match = re.fullmatch(r"(\d+)([A-Za-z]*)", factor)
        if match is None or match[2] not in UNITS:
            raise Refused(f"invalid number: {quote(text)}")
        value *= int(match[1]) * UNITS[match[2]]
    if value < least:
        raise Refused(f"invalid number: {quote(text)}")
    return value


def _settings(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in OPERANDS:
            raise Refused(f"unrecognized operand {quote(word)}", True)
        for known, kind, allowed in (
            ("conv", "conversion", CONVERSIONS), ("iflag", "input flag", FLAGS), ("oflag", "output flag", FLAGS),
        ):  # fmt: skip
            bad = next((one for one in value.split(",") if name == known and one not in allowed), None)
            if bad is not None:
                raise Refused(f"invalid {kind}: {quote(bad)}", True)
        if name == "status" and value not in STATUS:
            raise Refused(f"invalid status level: {quote(value)}", True)
        found[name] = value
    return found


async def main(proc: Process, argv: list[str]) -> int:
    try:
        _, words = parse(argv, "")
        given = _settings(words)
        size = _number(given.get("bs", given.get("ibs", str(BLOCK))), 1)
        count = _number(given["count"]) if "count" in given else None
        skip, seek = _number(given.get("skip", "0")), _number(given.get("seek", "0"))
    except OptionError as error:
        return error.report(proc, argv[0])
    except Refused as refused:
        proc.error(f"{argv[0]}: {refused}")
        if refused.hint:
            proc.error(f"Try '{argv[0]} --help' for more information.")
        return 1
    conversions = set(given.get("conv", "").split(","))
    if conversions & {"ascii", "ebcdic", "ibm", "block", "unblock", "sparse"}:
        proc.error(f"kubenet: {argv[0]}: conv={given['conv']} is not emulated")
        return 1
    if "obs" in given and _number(given["obs"], 1) != size:
        proc.error(f"kubenet: {argv[0]}: obs= that is not the input's block size is not emulated")
        return 1
    return await _copy(proc, argv[0], given, size, count, skip, seek, conversions)


async def _copy(
    proc: Process, name: str, given: dict[str, str], size: int, count: int | None, skip: int, seek: int, conversions: set[str]
) -> int:
    source, target = given.get("if"), given.get("of")
    try:
        reader = proc.stdin if source is None else proc.files.open_reader(source, proc)
    except KernelError as error:
        proc.error(f"{name}: failed to open {quoteaf(source or '')}: {error.strerror}")
        return 1
    flags = given.get("iflag", "").split(",")
    if skip:
        await reader.read(skip if "skip_bytes" in flags else skip * size)
    whole_blocks = source is not None or "fullblock" in flags  # only a pipe gives less than is asked for
    whole = partial = 0
    data = bytearray()
    left = count if count is not None and "count_bytes" in flags else None
    try:
        while count is None or (left > 0 if left is not None else whole + partial < count):
            wanted = size if left is None else min(size, left)
            block = await reader.read(wanted)
            while whole_blocks and 0 < len(block) < wanted:
                more = await reader.read(wanted - len(block))
                if not more:
                    break
                block += more
            if not block:
                break
            left = None if left is None else left - len(block)
            whole, partial = whole + (len(block) == size), partial + (len(block) < size)
            if "sync" in conversions:
                block = block.ljust(size, b"\0")
            data += _converted(block, conversions)
    except KernelError as error:
        proc.error(f"{name}: error reading {quoteaf(source or 'standard input')}: {error.strerror}")
        return 1
    if target is None:
        proc.stdout.write(bytes(data))
    else:
        try:
            _write(proc, target, bytes(data), seek * size, conversions, given.get("oflag", "").split(","))
        except KernelError as error:
            proc.error(f"{name}: failed to open {quoteaf(target)}: {error.strerror}")
            return 1
    _tell(proc, given.get("status", ""), whole, partial, len(data))
    return 0


def _write(proc: Process, path: str, data: bytes, at: int, conversions: set[str], flags: list[str]) -> None:
    exists = proc.files.exists(path, proc)
    if "nocreat" in conversions and not exists:
        proc.files.open_reader(path, proc)
    node_is_file = not exists or proc.files.isfile(path, proc)
    if "append" in flags or not node_is_file:
        writer = proc.files.open_writer(path, proc, append=True)
        writer.write(data)
        writer.close()
        return
    old = proc.files.read(path, proc) if exists and (at or "notrunc" in conversions) else b""
    rest = old[at + len(data) :] if "notrunc" in conversions else b""
    proc.files.write(path, old[:at].ljust(at, b"\0") + data + rest, proc)


def _converted(block: bytes, conversions: set[str]) -> bytes:
    if "swab" in conversions:
        even = len(block) // 2 * 2
        block = b"".join(block[at : at + 2][::-1] for at in range(0, even, 2)) + block[even:]
    if "lcase" in conversions:
        block = block.lower()
    return block.upper() if "ucase" in conversions else block


def _tell(proc: Process, status: str, whole: int, partial: int, size: int) -> None:
    """Records in and out; how long it took is nothing on the lab's clock."""
    if status == "none":
        return
    proc.error(f"{whole}+{partial} records in\n{whole}+{partial} records out")
    if status == "noxfer":
        return
    parts = [f"{size} byte{'' if size == 1 else 's'}"]
    if size >= 1000:
        parts.append(f"({_human(size, 1000, 'kMG', 'B')}")
        parts[-1] += f", {_human(size, 1024, 'KMG', 'iB')})" if size >= 1024 else ")"
    proc.error(f"{' '.join(parts)} copied, 0 s, Infinity B/s")


def _human(size: int, base: int, letters: str, unit: str) -> str:
    power = 0
    value = float(size)
    while value >= base and power < len(letters):
        value, power = value / base, power + 1
    return f"{value:.1f} {letters[power - 1]}{unit}" if value < 9.95 else f"{value:.0f} {letters[power - 1]}{unit}"
