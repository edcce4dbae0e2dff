"""cksum and sum: POSIX' CRC with the length, and the old 16 bits of BSD and System V."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, read_input
from kubenet_course.userland.options import OptionError, parse, value
from kubenet_course.userland.process import Process

NAMES = ("cksum", "sum")
ALGORITHMS = {
    "md5": "md5", "sha1": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512",
    "blake2b": "blake2b",
}  # fmt: skip
LABELS = {"blake2b": "BLAKE2b"}
POLYNOMIAL = 0x04C11DB7


@lru_cache(1)
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (POLYNOMIAL if crc >> 31 else 0)
            crc &= 0xFFFFFFFF
        found.append(crc)
    return tuple(found)


def posix_crc(data: bytes) -> int:
    """The CRC of the bytes and then of their number (POSIX, cksum)."""
    table, crc, length = _table(), 0, len(data)
    tail = bytearray()
    while length:
        tail.append(length & 0xFF)
        length >>= 8
    for byte in data + bytes(tail):
        crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
    return crc ^ 0xFFFFFFFF


def bsd_sum(data: bytes) -> int:
    total = 0
    for byte in data:
        total = (total >> 1) + ((total & 1) << 15) + byte & 0xFFFF
    return total


def system_v_sum(data: bytes) -> int:
    total = sum(data)
    folded = (total & 0xFFFF) + (total >> 16 & 0xFFFF) + (total >> 32)
    return (folded & 0xFFFF) + (folded >> 16)


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    short, long = ("rs", {"sysv": "s"}) if program == "sum" else ("a:", {"algorithm=": "a"})
    try:
        options, names = parse(argv, short, long)
    except OptionError as error:
        return error.report(proc, argv[0])
    algorithm = value(options, "a", "crc") or "crc"
    if algorithm not in ("crc", "bsd", "sysv", *ALGORITHMS):
        proc.error(f"kubenet: {argv[0]}: the algorithm {algorithm} is not emulated")
        return 1
    if program == "sum":
        algorithm = "sysv" if options and options[-1][0] == "s" else "bsd"
    status = 0
    for name in names or ["-"]:
        try:
            data = await read_input(proc, name)
        except KernelError as error:
            complain(proc, name, error)
            status = 1
            continue
        proc.print(_line(algorithm, data, name, bool(names), len(names)))
    return status


def _line(algorithm: str, data: bytes, name: str, named: bool, count: int) -> str:
    shown = f" {name}" if named else ""
    if algorithm == "crc":
        return f"{posix_crc(data)} {len(data)}{shown}"
    if algorithm == "bsd":
        return f"{bsd_sum(data):05d} {-(-len(data) // 1024):5d}{shown}"
    if algorithm == "sysv":
        return f"{system_v_sum(data)} {-(-len(data) // 512)}{shown}"
    digest = hashlib.new(ALGORITHMS[algorithm], data, usedforsecurity=False).hexdigest()
    return f"{LABELS.get(algorithm, algorithm.upper())} ({name}) = {digest}"


