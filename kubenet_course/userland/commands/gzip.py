"""gzip, gunzip, zcat: compress files (the same bytes for the same content, whatever the time)."""

from __future__ import annotations

import gzip
import zlib

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import read_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

NAMES = ("gzip", "gunzip", "zcat")
LONG = {
    "stdout": "c", "to-stdout": "c", "decompress": "d", "uncompress": "d", "force": "f", "keep": "k",
    "list": "l",
    "no-name": "n", "name": "N", "quiet": "q", "test": "t", "verbose": "v", "fast": "1", "best": "9",
    "recursive": "r",
}  # fmt: skip


def compress(data: bytes, level: int = 6) -> bytes:
    """gzip without a time stamp."""
    return gzip.compress(data, level, mtime=0)


def decompress(data: bytes) -> bytes | None:
    """The content, or None where it is not gzip's format."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, names = parse(argv, "cdfklnNqtvr123456789", LONG, unsupported="Sab")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if flags & {"l", "r"}:
        proc.error(f"kubenet: {argv[0]}: options -l and -r are not emulated")
        return 1
    if program == "zcat":
        flags |= {"c", "d"}
    if program == "gunzip" or "t" in flags:
        flags.add("d")
    level = max((int(one) for one in flags if one.isdecimal()), default=6)
    status = 0
    for name in names or ["-"]:
        status = max(status, await _one(proc, name, flags, level))
    return status


async def _one(proc: Process, name: str, flags: set[str], level: int) -> int:
    unpack = "d" in flags
    path = name
    if unpack and name != "-" and not proc.files.exists(name, proc) and proc.files.exists(name + ".gz", proc):
        path = name + ".gz"
    if name != "-" and proc.files.isdir(path, proc):
        proc.error(f"gzip: {name} is a directory -- ignored")
        return 2
    try:
        data = await read_input(proc, path)
    except KernelError as error:
        proc.error(f"gzip: {name if not unpack or '.' in name else name + '.gz'}: {error.strerror}")
        return 1
    to_output = "c" in flags or name == "-"
    if unpack and not to_output and "t" not in flags and not path.endswith((".gz", ".tgz", ".z")):
        proc.error(f"gzip: {name}: unknown suffix -- ignored")
        return 2
    if unpack:
        result = decompress(data)
        if result is None:
            proc.error(
                f"\ngzip: {'stdin' if name == '-' else name}: "
                + ("not in gzip format" if data else "unexpected end of file")
            )
            return 1
        if "t" in flags:
            return 0
    else:
        if not to_output and path.endswith(".gz"):
            proc.error(f"gzip: {name} already has .gz suffix -- unchanged")
            return 2
        result = compress(data, level)
    if to_output:
        proc.stdout.write(result)
        return 0
    target = (
        path[:-4] + ".tar"
        if path.endswith(".tgz") and unpack
        else path.rpartition(".")[0]
        if unpack
        else path + ".gz"
    )
    if proc.files.exists(target, proc) and "f" not in flags:
        proc.error(f"gzip: {target} already exists;\tnot overwritten")
        return 2
    old = proc.files.stat(path, proc)
    try:
        proc.files.write(target, result, proc, mode=old.mode & 0o7777)
        proc.files.utime(target, old.mtime, proc)
        if "k" not in flags:
            proc.files.remove(path, proc)
    except KernelError as error:
        proc.error(f"gzip: {target}: {error.strerror}")
        return 1
    return 0
