"""base64 and base32: encode or decode."""

from __future__ import annotations

import base64
import binascii

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, read_input
from kubenet_course.userland.options import OptionError, extra_operand, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

NAMES = ("base64", "base32")
LONG = {"decode": "d", "ignore-garbage": "i", "wrap=": "w"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "diw:", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if len(names) > 1:
        return extra_operand(proc, argv[0], names[1])
    width = value(options, "w", "76") or "76"
    if not width.isdecimal():
        proc.error(f"{argv[0]}: invalid wrap size: {quote(width)}")
        return 1
    try:
        data = await read_input(proc, names[0] if names else "-")
    except KernelError as error:
        complain(proc, names[0] if names else "-", error)
        return 1
    flags = letters(options)
    if "d" in flags:
        if argv[0].endswith("32"):
            return _decode32(proc, argv[0], data, "i" in flags)
        return _decode(proc, argv[0], data, "i" in flags)
    thirty_two = argv[0].endswith("32")
    text = base64.b32encode(data) if thirty_two else base64.b64encode(data)
    size = int(width)
    if size and text:
        text = b"".join(text[at : at + size] + b"\n" for at in range(0, len(text), size))
    proc.stdout.write(text)
    return 0


def _decode32(proc: Process, name: str, data: bytes, lenient: bool) -> int:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567="
    data = bytes(byte for byte in data if byte in alphabet or not lenient and byte != 10)
    try:
        proc.stdout.write(base64.b32decode(data))
        return 0
    except binascii.Error:
        good = next((at for at, byte in enumerate(data) if byte not in alphabet), len(data)) // 8 * 8
        proc.stdout.write(base64.b32decode(data[:good]))
        proc.error(f"{name}: invalid input")
        return 1


def _decode(proc: Process, name: str, data: bytes, lenient: bool) -> int:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    if lenient:
        data = bytes(byte for byte in data if byte in alphabet)
    data = data.replace(b"\n", b"")
    good = len(data)
    for at, byte in enumerate(data):
        if byte not in alphabet:
            good = at
            break
    try:
        if good < len(data):
            raise binascii.Error
        proc.stdout.write(base64.b64decode(data, validate=True))
        return 0
    except (binascii.Error, ValueError):
        head = data[: good // 4 * 4]
        try:
            proc.stdout.write(base64.b64decode(head + b"=" * (-len(head) % 4)))
        except (binascii.Error, ValueError):
            proc.stdout.write(b"")
        proc.error(f"{name}: invalid input")
        return 1
