"""od, hexdump, hd, xxd: bytes as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, read_input
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

NAMES = ("od", "hexdump", "hd", "xxd")
LONG = {
    "address-radix=": "A", "skip-bytes=": "j", "read-bytes=": "N", "format=": "t", "output-duplicates": "v",
    "width=?": "w", "endian=": "endian", "strings=?": "S",
}  # fmt: skip
_NAMES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 0: "\\0"}
_NAMED = """nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle
    dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp""".split()


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


# -- od ---------------------------------------------------------------------------------------
@dataclass
class _Type:
    kind: str
    size: int
    text: bool = False

    @property
    def width(self) -> int:
        if self.kind in "ac":
            return 4
        digits = {"x": 2 * self.size, "o": -(-self.size * 8 // 3)}.get(self.kind)
        if digits is None:
            digits = len(str(256**self.size - 1)) + (self.kind == "d")
            if self.kind == "d":
                digits = len(str(256**self.size // 2)) + 1
        return digits + 1

    def cells(self, data: bytes) -> list[str]:
        if self.kind == "c":
            return [_NAMES.get(byte, chr(byte) if 32 <= byte < 127 else f"{byte:03o}") for byte in data]
        if self.kind == "a":
            return [
                "del" if byte & 127 == 127 else _NAMED[byte & 127] if byte & 127 < 33 else chr(byte & 127)
                for byte in data
            ]
        out = []
        for at in range(0, len(data), self.size):
            chunk = data[at : at + self.size].ljust(self.size, b"\0")
            number = int.from_bytes(chunk, "little", signed=self.kind == "d")
            digits = self.width - 1
            out.append({"x": f"{number:0{digits}x}", "o": f"{number:0{digits}o}"}.get(self.kind, str(number)))
        return out


class _TypeError(Exception):
    pass


def _types(text: str) -> list[_Type]:
    found = []
    at = 0
    sizes = {"C": 1, "S": 2, "I": 4, "L": 8}
    while at < len(text):
        match = re.compile(r"([acdoux])(\d+|[CSIL])?(z)?").match(text, at)
        if match is None:
            raise _TypeError(f"invalid type string {quote(text)}")
        size = 1 if match[1] in "ac" else 4
        if match[2]:
            size = sizes.get(match[2]) or int(match[2])
        if size not in (1, 2, 4, 8):
            raise _TypeError(
                f"invalid type string {quote(text)};\nthis system doesn't provide a {size}-byte integral type"
            )
        found.append(_Type(match[1], size, bool(match[3])))
        at = match.end()
    return found


_SHORT = {
    "a": "a",
    "b": "o1",
    "c": "c",
    "d": "u2",
    "o": "o2",
    "x": "x2",
    "i": "d4",
    "s": "d2",
    "l": "d8",
    "D": "u4",
    "O": "o4",
    "X": "x4",
}


async def _od(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "A:j:N:t:vabcdDoOxXislw::", LONG, unsupported="S")
    except OptionError as error:
        return error.report(proc, argv[0])
    try:
        types = [
            one for name, text in options for one in _types(text if name == "t" else _SHORT.get(name, ""))
        ]
    except _TypeError as error:
        proc.error(f"{argv[0]}: {error}")
        return 1
    radix = value(options, "A", "o") or "o"
    if radix not in "doxn":
        proc.error(f"{argv[0]}: invalid output address radix '{radix}'; it must be one character from [doxn]")
        return 1
    numbers = {}
    for letter in "jNw":
        text = value(options, letter)
        if text is not None:
            if not text.isdecimal() and text:
                proc.error(f"{argv[0]}: invalid -{letter} argument {quote(text)}")
                return 1
            numbers[letter] = int(text or 32)
    data, status = await _gather(proc, argv[0], names)
    skip = numbers.get("j", 0)
    if skip > len(data):
        proc.error(f"{argv[0]}: cannot skip past end of combined input")
        return 1
    data = data[skip:][: numbers.get("N")]
    dump = _Od(proc, types or [_Type("o", 2)], radix, numbers.get("w", 16) or 16, "v" in letters(options))
    dump.show(data, skip)
    return status


async def _gather(proc: Process, program: str, names: list[str]) -> tuple[bytes, int]:
    data, status = b"", 0
    for name in names or ["-"]:
        try:
            data += await read_input(proc, name)
        except KernelError as error:
            complain(proc, name, error, program)
            status = 1
    if status and not data:
        from kubenet_course.userland.process import Exit

        raise Exit(1)
    return data, status


@dataclass
class _Od:
    proc: Process
    types: list[_Type]
    radix: str
    width: int
    verbose: bool
    last: bytes = b""
    stars: bool = field(default=False)

    def address(self, offset: int) -> str:
        return {"d": f"{offset:07d}", "x": f"{offset:06x}", "o": f"{offset:07o}", "n": ""}[self.radix]

    def show(self, data: bytes, start: int) -> None:
        for at in range(0, len(data), self.width):
            chunk = data[at : at + self.width]
            if not self.verbose and at and chunk == self.last and len(chunk) == self.width:
                if not self.stars:
                    self.proc.print("*")
                self.stars = True
                continue
            self.stars = False
            self.last = chunk
            self._line(chunk, start + at)
        end = self.address(start + len(data))
        if end:
            self.proc.print(end)

    def _line(self, chunk: bytes, offset: int) -> None:
        block = max(one.size for one in self.types)
        per_block = max(one.width * (block // one.size) for one in self.types)
        for number, one in enumerate(self.types):
            head = self.address(offset) if number == 0 else " " * len(self.address(offset))
            width = per_block // (block // one.size)
            text = "".join(cell.rjust(width) for cell in one.cells(chunk))
            if one.text:
                text = text.ljust(width * (self.width // one.size)) + f"  >{_printable(chunk)}<"
            self.proc.print(head + text)


# -- hexdump and xxd ----------------------------------------------------------------------------
def _number(text: str) -> int | None:
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([bkm]?)", text)
    if match is None:
        return None
    base = (
        int(match[1], 16)
        if match[1][:2].lower() == "0x"
        else int(
            match[1],
            8 if match[1][0] == "0" and match[1].isdecimal() and not set(match[1]) - set("01234567") else 10,
        )
    )
    return base * {"": 1, "b": 512, "k": 1024, "m": 1 << 20}[match[2]]


async def _hexdump(proc: Process, argv: list[str]) -> int:
    long = {"canonical": "C", "length=": "n", "skip=": "s", "no-squeezing": "v", "one-byte-octal": "b",
        "two-bytes-hex": "x",
            "two-bytes-decimal": "d", "two-bytes-octal": "o", "one-byte-char": "c"}  # fmt: skip
    try:
        options, names = parse(argv, "Cn:s:vbcdox", long, unsupported="efLX")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    if argv[0].rpartition("/")[2] == "hd":
        flags.add("C")
    if flags & {"b", "c", "d", "o"}:
        proc.error(f"kubenet: {argv[0]}: only -C and -x are emulated")
        return 1
    limit, skip = (
        _number(value(options, name, default) or "0") for name, default in (("n", "999999999"), ("s", "0"))
    )
    if limit is None or skip is None:
        proc.error(f"{argv[0]}: failed to parse length")
        return 1
    data = b""
    failed = 0
    for name in names or ["-"]:
        try:
            data += await read_input(proc, name)
        except KernelError as error:
            proc.error(f"{argv[0]}: {name}: {error.strerror}")
            failed += 1
    if failed and failed == len(names):
        proc.error(f"{argv[0]}: all input file arguments failed")
        return 1
    data = data[skip : skip + limit]
    last: bytes | None = None
    stars = False
    for at in range(0, len(data), 16):
        chunk = data[at : at + 16]
        if chunk == last and len(chunk) == 16 and "v" not in flags:
            if not stars:
                proc.print("*")
            stars = True
            continue
        stars, last = False, chunk
        proc.print(_canonical(chunk, skip + at) if "C" in flags else _words(chunk, skip + at, "x" in flags))
    if data:
        proc.print(f"{skip + len(data):0{8 if 'C' in flags else 7}x}")
    return int(bool(failed))


def _canonical(chunk: bytes, offset: int) -> str:
    cells = [f"{byte:02x}" for byte in chunk] + ["  "] * (16 - len(chunk))
    return f"{offset:08x}  {' '.join(cells[:8])}  {' '.join(cells[8:])}  |{_printable(chunk)}|"


def _words(chunk: bytes, offset: int, wide: bool) -> str:
    cells = [f"{int.from_bytes(chunk[at : at + 2], 'little'):04x}" for at in range(0, len(chunk), 2)]
    width = 7 if wide else 4
    text = " ".join(cell.rjust(width) for cell in cells)
    return f"{offset:07x} {text}".ljust(8 + 8 * (width + 1) - 1)


async def _xxd(proc: Process, argv: list[str]) -> int:
    words = [argv[0], *(re.sub(r"^-(ps|plain|postscript)$", "-p", word) for word in argv[1:])]
    try:
        options, names = parse(words, "prbuic:g:l:s:", {}, unsupported="aCdeEnoRvt")
    except OptionError as error:
        return error.report(proc, argv[0], 1, "Usage:\n       xxd [options] [infile [outfile]]")
    flags = letters(options)
    numbers = {}
    for letter in "cgls":
        text = value(options, letter)
        numbers[letter] = _number(text) if text is not None else None
    try:
        data = await read_input(proc, names[0] if names else "-")
    except KernelError as error:
        proc.error(f"{argv[0]}: {names[0]}: {error.strerror}")
        return 2
    if "r" in flags:
        proc.stdout.write(_reverse(data.decode("latin-1"), "p" in flags))
        return 0
    if "i" in flags:
        proc.error(f"kubenet: {argv[0]}: option -i is not emulated")
        return 1
    start = numbers["s"] or 0
    data = data[start:]
    if numbers["l"] is not None:
        data = data[: numbers["l"]]
    if "p" in flags:
        columns = numbers["c"] or 30
        for at in range(0, len(data), columns):
            proc.print(data[at : at + columns].hex())
        return 0
    columns = numbers["c"] or (6 if "b" in flags else 16)
    group = numbers["g"] if numbers["g"] is not None else (1 if "b" in flags else 2)
    for at in range(0, len(data), columns):
        proc.print(_xxd_line(data[at : at + columns], start + at, columns, group or columns, flags))
    return 0


def _xxd_line(chunk: bytes, offset: int, columns: int, group: int, flags: set[str]) -> str:
    def show(part: bytes) -> str:
        if "b" in flags:
            return "".join(f"{byte:08b}" for byte in part)
        return part.hex().upper() if "u" in flags else part.hex()

    cells = [show(chunk[at : at + group]) for at in range(0, len(chunk), group)]
    digits = 8 if "b" in flags else 2
    width = columns * digits + (columns - 1) // group + 1
    return f"{offset:08x}: {' '.join(cells).ljust(width)} {_printable(chunk)}"


def _reverse(text: str, plain: bool) -> bytes:
    if plain:
        digits = re.sub(r"[^0-9a-fA-F]", "", text)
        return bytes.fromhex(digits[: len(digits) // 2 * 2])
    out = bytearray()
    for line in text.splitlines():
        match = re.match(r"\s*([0-9a-fA-F]+):((?: ?[0-9a-fA-F]{2})+)", line.partition("  ")[0])
        if match:
            digits = match[2].replace(" ", "")
            offset = min(int(match[1], 16), 1 << 24)
            out.extend(bytes(max(0, offset - len(out))))
            out[offset : offset + len(digits) // 2] = bytes.fromhex(digits)
    return bytes(out)


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    if program == "xxd":
        return await _xxd(proc, argv)
    return await (_od if program == "od" else _hexdump)(proc, argv)
