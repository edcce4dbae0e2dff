"""diff, cmp: compare files."""

from __future__ import annotations

import difflib
import time

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory
from kubenet_course.userland.files_io import read_input
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process

NAMES = ("diff", "cmp")
LONG = {
    "unified=?": "U", "brief": "q", "recursive": "r", "ignore-case": "i", "ignore-all-space": "w",
    "ignore-space-change": "b", "ignore-blank-lines": "B", "new-file": "N", "report-identical-files": "s",
    "text": "a", "side-by-side": "y", "label=": "label", "color=?": "color", "context=?": "C",
    "normal": "normal",
    "minimal": "d", "ignore-trailing-space": "Z",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    if argv[0].rpartition("/")[2] == "cmp":
        return await _cmp(proc, argv)
    try:
        options, names = parse(argv, "uqriwbBNsadZU:", LONG, unsupported="yceCDEFHIlnpStTWxX")
    except OptionError as error:
        return error.report(proc, argv[0], 2)
    flags = letters(options)
    if flags & {"y", "C"}:
        proc.error(f"kubenet: {argv[0]}: this output format is not emulated; use -u")
        return 2
    if len(names) != 2:
        word = (
            f"missing operand after '{names[0] if names else argv[0]}'"
            if len(names) < 2
            else f"extra operand '{names[2]}'"
        )
        proc.error(f"{argv[0]}: {word}\n{argv[0]}: Try '{argv[0]} --help' for more information.")
        return 2
    context = 3
    text = value(options, "U")
    if text:
        if not text.isdecimal():
            proc.error(f"{argv[0]}: invalid context length '{text}'")
            proc.error(f"{argv[0]}: Try '{argv[0]} --help' for more information.")
            return 2
        context = int(text)
    labels = [text for name, text in options if name == "label"]
    return await _Diff(proc, argv[0], flags, context, labels, argv[1:]).paths(names[0], names[1])


class _Diff:
    def __init__(
        self, proc: Process, program: str, flags: set[str], context: int, labels: list[str], words: list[str]
    ):
        self.proc = proc
        self.program = program
        self.flags = flags
        self.context = context
        self.labels = labels
        self.words = words

    async def paths(self, left: str, right: str) -> int:
        files, proc = self.proc.files, self.proc
        directories = [name != "-" and files.isdir(name, proc) for name in (left, right)]
        if all(directories):
            return await self._trees(left, right)
        if directories[0]:
            left = f"{left.rstrip('/')}/{right.rpartition('/')[2]}"
        elif directories[1]:
            right = f"{right.rstrip('/')}/{left.rpartition('/')[2]}"
        return await self.files(left, right)

    async def _trees(self, left: str, right: str) -> int:
        files, proc, status = self.proc.files, self.proc, 0
        names = sorted(set(files.listdir(left, proc)) | set(files.listdir(right, proc)))
        for name in names:
            a, b = f"{left.rstrip('/')}/{name}", f"{right.rstrip('/')}/{name}"
            here = [files.exists(path, proc) for path in (a, b)]
            if not all(here) and "N" not in self.flags:
                proc.print(f"Only in {(left if here[0] else right).rstrip('/') or '/'}: {name}")
                status = max(status, 1)
                continue
            kinds = [
                isinstance(files.node(path, None, proc), Directory) if ok else False
                for path, ok in zip((a, b), here, strict=True)
            ]
            if all(kinds):
                if "r" in self.flags:
                    status = max(status, await self._trees(a, b))
                else:
                    proc.print(f"Common subdirectories: {a} and {b}")
                continue
            status = max(status, await self.files(a, b, True))
        return status

    async def files(self, left: str, right: str, header: bool = False) -> int:
        contents = []
        for name in (left, right):
            try:
                contents.append(await read_input(self.proc, name))
            except KernelError as error:
                if "N" in self.flags and error.strerror == "No such file or directory":
                    contents.append(b"")
                    continue
                self.proc.error(f"{self.program}: {name}: {error.strerror}")
                return 2
        a, b = (_lines(data) for data in contents)
        keys_a, keys_b = ([self._key(line) for line in rows] for rows in (a, b))
        if keys_a == keys_b:
            if "s" in self.flags:
                self.proc.print(f"Files {left} and {right} are identical")
            return 0
        if "q" in self.flags:
            self.proc.print(f"Files {left} and {right} differ")
            return 1
        if any(b"\0" in data for data in contents) and "a" not in self.flags:
            self.proc.print(f"Binary files {left} and {right} differ")
            return 1
        if header:
            self.proc.print(f"{self.program} {' '.join(self.words[:-2])} {left} {right}")
        opcodes = difflib.SequenceMatcher(None, keys_a, keys_b, autojunk=False).get_opcodes()
        if "B" in self.flags and all(
            tag == "equal" or not any(line.strip() for line in a[i1:i2] + b[j1:j2])
            for tag, i1, i2, j1, j2 in opcodes
        ):
            return 0
        if self.flags & {"u", "U"}:
            self._unified(left, right, a, b, keys_a, keys_b)
        else:
            self._normal(a, b, opcodes)
        return 1

    def _key(self, line: bytes) -> bytes:
        body = line
        if "w" in self.flags:
            body = b"".join(line.split())
        elif "b" in self.flags:
            body = (
                b" ".join(line.rstrip().split()) if not line[:1].isspace() else b" " + b" ".join(line.split())
            )
        elif "Z" in self.flags:
            body = line.rstrip()
        return body.lower() if "i" in self.flags else body

    def _put(self, mark: str, line: bytes) -> None:
        self.proc.stdout.write(mark.encode() + line)
        if not line.endswith(b"\n"):
            self.proc.stdout.write(b"\n\\ No newline at end of file\n")

    def _normal(self, a: list[bytes], b: list[bytes], opcodes: list) -> None:
        for tag, i1, i2, j1, j2 in opcodes:
            if tag == "equal":
                continue
            letter = {"replace": "c", "delete": "d", "insert": "a"}[tag]
            left = _range(i1, i2) if tag != "insert" else str(i1)
            right = _range(j1, j2) if tag != "delete" else str(j1)
            self.proc.print(f"{left}{letter}{right}")
            for line in a[i1:i2]:
                self._put("< ", line)
            if tag == "replace":
                self.proc.print("---")
            for line in b[j1:j2]:
                self._put("> ", line)

    def _unified(
        self, left: str, right: str, a: list[bytes], b: list[bytes], ka: list[bytes], kb: list[bytes]
    ) -> None:
        labels = iter(self.labels)
        for mark, name in (("---", left), ("+++", right)):
            label = next(labels, None)
            self.proc.print(
                f"{mark} {label}" if label is not None else f"{mark} {name}\t{self._moment(name)}"
            )
        matcher = difflib.SequenceMatcher(None, ka, kb, autojunk=False)
        for group in matcher.get_grouped_opcodes(self.context):
            first, last = group[0], group[-1]
            self.proc.print(f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@")
            for tag, i1, i2, j1, j2 in group:
                if tag == "equal":
                    for line in a[i1:i2]:
                        self._put(" ", line)
                    continue
                for line in a[i1:i2]:
                    self._put("-", line)
                for line in b[j1:j2]:
                    self._put("+", line)

    def _moment(self, name: str) -> str:
        try:
            when = (
                self.proc.files.stat(name, self.proc).mtime if name != "-" else self.proc.system.files.now()
            )
        except KernelError:
            when = 0
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when // 10**9)) + f".{when % 10**9:09d} +0000"


def _lines(data: bytes) -> list[bytes]:
    rows = [row + b"\n" for row in data.split(b"\n")]
    rows[-1] = rows[-1][:-1]
    return rows if rows[-1] else rows[:-1]


def _range(start: int, stop: int) -> str:
    return str(start + 1) if stop - start == 1 else f"{start + 1},{stop}"


def _span(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start if not length else start + 1},{length}"


async def _cmp(proc: Process, argv: list[str]) -> int:
    long = {"print-bytes": "b", "verbose": "l", "quiet": "s", "silent": "s", "bytes=": "n"}
    try:
        options, names = parse(argv, "bln:s", long, unsupported="i")
    except OptionError as error:
        return error.report(proc, argv[0], 2, f"{argv[0]}: Try '{argv[0]} --help' for more information.")
    if not names or len(names) > 2:
        word = f"missing operand after '{argv[0]}'" if not names else f"extra operand '{names[2]}'"
        proc.error(f"{argv[0]}: {word}\n{argv[0]}: Try '{argv[0]} --help' for more information.")
        return 2
    if len(names) == 1:
        names.append("-")
    flags = letters(options)
    contents = []
    for name in names:
        try:
            contents.append(await read_input(proc, name))
        except KernelError as error:
            if "s" not in flags:
                proc.error(f"{argv[0]}: {name}: {error.strerror}")
            return 2
    limit = value(options, "n")
    a, b = (data[: int(limit)] if limit and limit.isdecimal() else data for data in contents)
    if a == b:
        return 0
    if "s" in flags:
        return 1
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if "l" in flags:
        for i, (x, y) in enumerate(zip(a, b, strict=False), 1):
            if x != y:
                proc.print(f"{i:>{len(str(max(len(a), len(b))))}} {x:3o} {y:3o}")
        if len(a) == len(b):
            return 1
    elif at is not None:
        line = a[:at].count(b"\n") + 1
        proc.print(f"{names[0]} {names[1]} differ: byte {at + 1}, line {line}")
        return 1
    short, data = (names[0], a) if len(a) < len(b) else (names[1], b)
    if not data:
        proc.error(f"{argv[0]}: EOF on {short} which is empty")
    elif data.endswith(b"\n"):
        proc.error(f"{argv[0]}: EOF on {short} after byte {len(data)}, line {data.count(bytes([10]))}")
    else:
        proc.error(f"{argv[0]}: EOF on {short} after byte {len(data)}, in line {data.count(bytes([10])) + 1}")
    return 1
