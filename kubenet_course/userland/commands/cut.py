"""cut: parts of each line."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, decode, each_input, encode, lines
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

LONG = {
    "bytes=": "b", "characters=": "c", "delimiter=": "d", "fields=": "f", "only-delimited": "s",
    "complement": "complement", "output-delimiter=": "out", "zero-terminated": "z",
}  # fmt: skip
Ranges = list[tuple[int, int]]


class _ListError(Exception):
    pass


def _ranges(text: str, what: str) -> Ranges:
    found: Ranges = []
    noun = "field" if what == "f" else "byte/character position"
    for item in re.split(r"[, \t]", text):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", item)
        if match is None:
            bad = re.sub(r"^[\d-]*", "", item)
            raise _ListError(
                f"invalid {'field value' if what == 'f' else 'byte/character position'} {quote(bad)}"
            )
        low, dash, high = match.groups()
        if not low and not high:
            raise _ListError("invalid range with no endpoint: -" if dash else
                             ("fields are numbered from 1" if what == "f"
                                 else "byte/character positions are numbered from 1"))  # fmt: skip
        first = int(low or 1)
        last = int(high) if high else (10**18 if dash else first)
        if first == 0 or (low and int(low) == 0) or (high and not low and last == 0):
            raise _ListError(
                "fields are numbered from 1"
                if what == "f"
                else "byte/character positions are numbered from 1"
            )
        if last < first:
            raise _ListError("invalid decreasing range")
        found.append((first, last))
    del noun
    return sorted(found)


def _chosen(count: int, ranges: Ranges, complement: bool) -> list[int]:
    """Indices (from 0) that are wanted."""
    picked = [False] * count
    for first, last in ranges:
        for at in range(first - 1, min(last, count)):
            picked[at] = True
    return [at for at in range(count) if picked[at] != complement]


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "b:c:d:f:ns", LONG, unsupported="z")
    except OptionError as error:
        return error.report(proc, argv[0])
    kinds = [name for name, _ in options if name in ("b", "c", "f")]
    hint = f"Try '{argv[0]} --help' for more information."
    flags = letters(options)
    delimiter = value(options, "d")
    problem = None
    if len(kinds) > 1:
        problem = "only one list may be specified"
    elif delimiter is not None and len(delimiter.encode("utf-8", "surrogateescape")) > 1:
        problem = "the delimiter must be a single character"
    elif not kinds:
        problem = "you must specify a list of bytes, characters, or fields"
    elif delimiter is not None and kinds[0] != "f":
        problem = "an input delimiter may be specified only when operating on fields"
    elif "s" in flags and kinds[0] != "f":
        problem = "suppressing non-delimited lines makes sense\n\tonly when operating on fields"
    if problem is None:
        try:
            ranges = _ranges(value(options, kinds[0]) or "", kinds[0])
        except _ListError as error:
            problem = str(error)
    if problem is not None:
        proc.error(f"{argv[0]}: {problem}\n{hint}")
        return 1
    failures: list[str] = []
    separator = "\t" if delimiter is None else (delimiter or "\0")
    joiner = value(options, "out")
    async for name, reader in each_input(proc, names, failures):
        try:
            async for line in lines(reader):
                body = line[:-1] if line.endswith(b"\n") else line
                shown = _line(body, kinds[0], ranges, separator, joiner, flags)
                if shown is not None:
                    proc.stdout.write(shown + b"\n")
        except KernelError as error:
            complain(proc, name, error)
            failures.append(name)
    return int(bool(failures))


def _line(
    body: bytes, kind: str, ranges: Ranges, separator: str, joiner: str | None, flags: set[str]
) -> bytes | None:
    complement = "complement" in flags
    if kind in "bc":
        picked = _chosen(len(body), ranges, complement)
        if joiner is None:
            return bytes(body[at] for at in picked)
        out = b""
        for place, at in enumerate(picked):
            if place and picked[place - 1] != at - 1:
                out += encode(joiner)
            out += body[at : at + 1]
        return out
    text = decode(body)
    if separator not in text:
        return None if "s" in flags else body
    fields = text.split(separator)
    picked = _chosen(len(fields), ranges, complement)
    return encode((separator if joiner is None else joiner).join(fields[at] for at in picked))
