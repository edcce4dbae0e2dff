"""tr: translate, delete or squeeze characters (bytes, as coreutils does)."""

from __future__ import annotations

import re

from kubenet_course.userland.files_io import encode
from kubenet_course.userland.options import OptionError, extra_operand, letters, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

LONG = {"complement": "c", "delete": "d", "squeeze-repeats": "s", "truncate-set1": "t"}
_CLASS = {
    "alnum": bytes.isalnum, "alpha": bytes.isalpha, "digit": bytes.isdigit, "lower": bytes.islower,
    "upper": bytes.isupper,
}  # fmt: skip
_EXTRA = {
    "blank": b"\t ", "space": b"\t\n\v\f\r ", "cntrl": bytes([*range(32), 127]), "punct": bytes(
        [*range(33, 48), *range(58, 65), *range(91, 97), *range(123, 127)]),
    "graph": bytes(range(33, 127)), "print": bytes(range(32, 127)), "xdigit": b"0123456789ABCDEFabcdef",
}  # fmt: skip
_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}


class _SetError(Exception):
    pass


def _class(name: str) -> bytes:
    if name in _CLASS:
        return bytes(byte for byte in range(128) if _CLASS[name](bytes([byte])))
    if name in _EXTRA:
        return _EXTRA[name]
    raise _SetError(f"invalid character class {quote(name)}")


def _units(text: str) -> list[tuple[int, bool]]:
    """(byte, whether it was escaped) for each character of a set."""
    data = encode(text)
    out: list[tuple[int, bool]] = []
    i = 0
    while i < len(data):
        if data[i] == 92 and i + 1 < len(data):
            octal = re.match(rb"[0-7]{1,3}", data[i + 1 :])
            if octal:
                number = int(octal[0], 8)
                digits = octal[0]
                if number > 255:
                    digits, number = octal[0][:2], int(octal[0][:2], 8)
                out.append((number, True))
                i += 1 + len(digits)
                continue
            out.append((_ESCAPES.get(chr(data[i + 1]), data[i + 1]), True))
            i += 2
        else:
            out.append((data[i], False))
            i += 1
    return out


def parse_set(text: str, length: int | None = None) -> bytes:
    """The bytes of a set; `length` is what ``[x*]`` fills up to (None: not allowed)."""
    units = _units(text)
    out = bytearray()
    fill: tuple[int, int] | None = None
    i = 0
    while i < len(units):
        plain = "".join(chr(byte) if not escaped else "\0" for byte, escaped in units[i:])
        match = re.match(r"\[:([a-z]+):\]", plain)
        if match:
            out += _class(match[1])
            i += match.end()
            continue
        match = re.match(r"\[=(.)=\]", plain)
        if match:
            out.append(units[i + 2][0])
            i += 5
            continue
        match = re.match(r"\[(.)\*(\d*)\]", plain, re.S)
        if match and length is not None:
            count = int(match[2], 8 if match[2].startswith("0") else 10) if match[2] else 0
            if count:
                out += bytes([units[i + 1][0]]) * min(count, 256)
            else:
                fill = (len(out), units[i + 1][0])
            i += match.end()
            continue
        if i + 2 < len(units) and units[i + 1] == (45, False):
            low, high = units[i][0], units[i + 2][0]
            if low > high:
                shown = f"{_show(low)}-{_show(high)}"
                raise _SetError(f"range-endpoints of '{shown}' are in reverse collating sequence order")
            out += bytes(range(low, high + 1))
            i += 3
            continue
        out.append(units[i][0])
        i += 1
    if fill is not None and length is not None:
        at, byte = fill
        out[at:at] = bytes([byte]) * max(0, length - len(out))
    return bytes(out)


def _show(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "cCdst", LONG, permute=False)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = {"c" if flag == "C" else flag for flag in letters(options)}
    name, hint = argv[0], f"Try '{argv[0]} --help' for more information."
    if not words:
        return missing_operand(proc, name)
    single = "d" in flags and "s" not in flags
    if len(words) > (1 if single else 2):
        word = words[1 if single else 2]
        if single and len(words) == 2:
            proc.error(
                f"{name}: extra operand {quote(word)}\nOnly one string may be given when deleting without "
                f"squeezing repeats.\n{hint}"
            )
            return 1
        return extra_operand(proc, name, word)
    need = 2 if ("d" in flags) == ("s" in flags) else 1
    if len(words) < need:
        what = "deleting and squeezing repeats" if "d" in flags else "translating"
        proc.error(
            f"{name}: missing operand after {quote(words[0])}\nTwo strings must be given when {what}.\n{hint}"
        )
        return 1
    try:
        table = _table(words, flags)
    except _SetError as error:
        proc.error(f"{name}: {error}")
        return 1
    await _filter(proc, *table)
    return 0


def _table(words: list[str], flags: set[str]) -> tuple[bytes | None, bytes, bytes]:
    """(translation, bytes to delete, bytes to squeeze)."""
    first = parse_set(words[0])
    if "c" in flags:
        first = bytes(byte for byte in range(256) if byte not in first)
    second = parse_set(words[1], len(first)) if len(words) > 1 else b""
    if "d" in flags:
        return None, first, second if "s" in flags else b""
    if len(words) == 1:
        return None, b"", first
    if not second and first and "t" not in flags:
        raise _SetError("when not truncating set1, string2 must be non-empty")
    if "t" in flags:
        first = first[: len(second)]
    padded = second + second[-1:] * (len(first) - len(second))
    table = bytearray(range(256))
    for source, target in zip(first, padded, strict=False):
        table[source] = target
    return bytes(table), b"", second if "s" in flags else b""


async def _filter(proc: Process, table: bytes | None, delete: bytes, squeeze: bytes) -> None:
    last = -1
    while True:
        chunk = await proc.stdin.read(65536)
        if not chunk:
            return
        data = chunk.translate(table, delete)
        if squeeze:
            out = bytearray()
            for byte in data:
                if byte != last or byte not in squeeze:
                    out.append(byte)
                last = byte
            data = bytes(out)
        proc.stdout.write(data)
