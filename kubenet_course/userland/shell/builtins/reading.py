"""read, mapfile, getopts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND, TimeoutExpired
from kubenet_course.userland.shell.parameters import quote
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.redirect import get_fd
from kubenet_course.userland.shell.state import Variable
from kubenet_course.userland.streams import Reader

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


_TARGET = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.*)\])?", re.S)


class _ReadOptions:
    def __init__(self) -> None:
        self.raw = self.silent = False
        self.array: str | None = None
        self.delimiter = "\n"
        self.count: int | None = None
        self.exact = False
        self.timeout: float | None = None
        self.fd = 0
        self.prompt = ""
        self.names: list[str] = []


def _read_options(shell: Shell, argv: list[str]) -> _ReadOptions | None:
    options = _ReadOptions()
    words = argv[1:]
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "rse":
                options.raw = options.raw or letter == "r"
            elif letter in "andptuNi":
                value = letters or (words.pop(0) if words else None)
                letters = ""
                if value is None:
                    shell.complain(f"read: -{letter}: option requires an argument")
                    shell.proc.error(_READ_USAGE)
                    return None
                if not _read_value(shell, options, letter, value):
                    return None
            else:
                shell.complain(f"read: -{letter}: invalid option")
                shell.proc.error(_READ_USAGE)
                return None
    options.names = words
    return options


_READ_USAGE = (
    "read: usage: read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] "
    "[-t timeout] [-u fd] [name ...]"
)


def _read_value(shell: Shell, options: _ReadOptions, letter: str, value: str) -> bool:
    if letter == "a":
        options.array = value
    elif letter == "d":
        options.delimiter = value[:1] or "\0"
    elif letter in "nN":
        if not value.isdecimal():
            shell.complain(f"read: {value}: invalid number")
            return False
        options.count, options.exact = int(value), letter == "N"
    elif letter == "p":
        options.prompt = value
    elif letter == "t":
        if not re.fullmatch(r"\d*\.?\d*", value) or not value.strip("."):
            shell.complain(f"read: {value}: invalid timeout specification")
            return False
        options.timeout = float(value)
    elif letter == "u":
        if not value.isdecimal():
            shell.complain(f"read: {value}: invalid file descriptor specification")
            return False
        options.fd = int(value)
    return True


async def read(shell: Shell, argv: list[str]) -> int:
    options = _read_options(shell, argv)
    if options is None:
        return 2
    for name in options.names:
        if not _TARGET.fullmatch(name):
            shell.complain(f"read: `{name}': not a valid identifier")
            return 1
    stream = get_fd(shell.proc, options.fd)
    if not isinstance(stream, Reader):
        shell.complain(f"read: {options.fd}: invalid file descriptor: Bad file descriptor")
        return 1
    status = 0
    try:
        limit = round(options.timeout * SECOND) if options.timeout else None
        data, complete = await shell.proc.loop.wait_for(_read_data(stream, options), limit)
        status = 0 if complete else 1
    except TimeoutExpired:
        data, status = b"", 142
    except KernelError as error:
        shell.complain(f"read: read error: {options.fd}: {error.strerror}")
        return 1
    text = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    _store(shell, options, text)
    return status


async def _read_data(stream: Reader, options: _ReadOptions) -> tuple[bytes, bool]:
    """(bytes without the delimiter, whether the delimiter or the count was reached)."""
    out = bytearray()
    if options.delimiter == "\n" and options.count is None:
        while True:
            line = await stream.readline()
            if not line.endswith(b"\n"):
                return bytes(out + line), False
            backslashes = len(line) - 1 - len(line[:-1].rstrip(b"\\"))
            if options.raw or backslashes % 2 == 0:
                return bytes(out + line[:-1]), True
            out += line[:-2]
    delimiter = options.delimiter.encode("utf-8", "surrogateescape")[:1]
    escaped = False
    count = 0
    while options.count is None or count < options.count:
        byte = await stream.read(1)
        if not byte:
            return bytes(out), False
        if byte == delimiter and not escaped and not options.exact:
            return bytes(out), True
        escaped = byte == b"\\" and not escaped and not options.raw
        out += byte
        count += byte[0] & 0xC0 != 0x80
    return bytes(out), True


def _split_line(text: str, ifs: str, raw: bool, count: int | None) -> list[str]:
    """Fields of a line for `count` names (the last takes the rest), or all of them."""
    chars: list[tuple[str, bool]] = []
    i = 0
    while i < len(text):
        if text[i] == "\\" and not raw:
            if i + 1 < len(text):
                chars.append((text[i + 1], True))
            i += 2
        else:
            chars.append((text[i], False))
            i += 1
    white = [char for char in ifs if char in " \t\n"]

    def is_white(at: int) -> bool:
        return not chars[at][1] and chars[at][0] in white

    def is_ifs(at: int) -> bool:
        return not chars[at][1] and chars[at][0] in ifs

    begin, end = 0, len(chars)
    while begin < end and is_white(begin):
        begin += 1
    while end > begin and is_white(end - 1):
        end -= 1
    fields: list[str] = []
    while begin < end:
        if count is not None and len(fields) == count - 1:
            rest = chars[begin:end]
            stop = next((at for at in range(begin, end) if is_ifs(at)), None)
            if stop == end - 1 and not is_white(stop):
                rest = rest[:-1]
            fields.append("".join(char for char, _ in rest))
            return fields
        start = begin
        while begin < end and not is_ifs(begin):
            begin += 1
        fields.append("".join(char for char, _ in chars[start:begin]))
        while begin < end and is_white(begin):
            begin += 1
        if begin < end and is_ifs(begin):
            if not is_white(begin):
                begin += 1
            while begin < end and is_white(begin):
                begin += 1
    return fields


def _store(shell: Shell, options: _ReadOptions, text: str) -> None:
    ifs = shell.state.get("IFS")
    ifs = " \t\n" if ifs is None else ifs
    if options.array is not None:
        values = _split_line(text, ifs, options.raw, None)
        old = shell.state.variables.get(options.array) or Variable(None)
        shell.state.variables[options.array] = old._replace(value=dict(enumerate(values)), kind="a")
        return
    if not options.names:
        shell.state.put("REPLY", text if options.raw else re.sub(r"\\(.)", r"\1", text, flags=re.S))
        return
    if options.exact:
        values = [text]
    else:
        values = _split_line(text, ifs, options.raw, len(options.names))
    for at, name in enumerate(options.names):
        target = _TARGET.fullmatch(name)
        assert target is not None
        shell.assign(target[1], values[at] if at < len(values) else "", target[2])


_MAPFILE_USAGE = (
    "{0}: usage: {0} [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]"
)


async def mapfile(shell: Shell, argv: list[str]) -> int:
    """Lines of the input into an array (builtins/mapfile.def)."""
    values = {"n": 0, "s": 0, "O": 0, "u": 0, "c": 5000}
    strip, delimiter, callback = False, "\n", ""
    given: set[str] = set()
    words = argv[1:]
    while words and re.match("-.", words[0]):
        word = words.pop(0)
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "t":
                strip = True
                continue
            given.add(letter)
            if letter not in "dnOsuCc":
                return _mapfile_complaint(shell, argv[0], f"-{letter}: invalid option", True)
            value = letters or (words.pop(0) if words else None)
            letters = ""
            if value is None:
                return _mapfile_complaint(shell, argv[0], f"-{letter}: option requires an argument", True)
            if letter == "d":
                delimiter = value[:1] or "\0"
            elif letter == "C":
                callback = value
            elif not value.isdecimal() or letter == "c" and value == "0":
                return _mapfile_complaint(shell, argv[0], f"{value}: {_MAPFILE_NUMBERS[letter]}")
            else:
                values[letter] = int(value)
    name = words[0] if words else "MAPFILE"
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        return _mapfile_complaint(shell, argv[0], f"`{name}': not a valid identifier")
    old = shell.state.variables.get(name) or Variable(None)
    if old.kind == "A":
        return _mapfile_complaint(shell, argv[0], f"{name}: not an indexed array")
    stream = get_fd(shell.proc, values["u"])
    if not isinstance(stream, Reader):
        return _mapfile_complaint(shell, argv[0], f"{values['u']}: invalid file descriptor: Bad file descriptor")
    lines = await _records(stream, delimiter, values["s"], values["n"])
    kept: dict[int, str] = {}
    if "O" in given and isinstance(old.value, dict):
        kept = dict(old.value)  # type: ignore[assignment]
    for at, line in enumerate(lines):
        if callback and (at + 1) % values["c"] == 0:
            text = f"{callback} {values['O'] + at} {quote(line.removesuffix(delimiter) if strip else line)}"
            await shell.run_units(parse_units(text, shell.line), shell.origins[-1])
        kept[values["O"] + at] = line.removesuffix(delimiter) if strip else line.replace("\0", "")
    shell.state.variables[name] = old._replace(value=dict(sorted(kept.items())), kind="a")
    return 0


_MAPFILE_NUMBERS = {
    "n": "invalid line count", "s": "invalid line count", "O": "invalid array origin",
    "u": "invalid file descriptor specification", "c": "invalid callback quantum",
}  # fmt: skip


def _mapfile_complaint(shell: Shell, name: str, text: str, usage: bool = False) -> int:
    shell.complain(f"{name}: {text}")
    if usage:
        shell.proc.error(_MAPFILE_USAGE.format(name))
        return 2
    return 1


async def _records(stream: Reader, delimiter: str, skip: int, count: int) -> list[str]:
    """Up to `count` lines after `skip` (0: all), each with its delimiter; no more than those are read."""
    mark = delimiter.encode("utf-8", "surrogateescape")[:1]
    found: list[str] = []
    while not count or len(found) < skip + count:
        if mark == b"\n":
            record = await stream.readline()
        else:
            piece = bytearray()
            while byte := await stream.read(1):
                piece += byte
                if byte == mark:
                    break
            record = bytes(piece)
        if not record:
            break
        found.append(record.decode("utf-8", "surrogateescape"))
    return found[skip:]


async def getopts(shell: Shell, argv: list[str]) -> int:
    if len(argv) < 3:
        shell.proc.error("getopts: usage: getopts optstring name [arg ...]")
        return 2
    spec, name = argv[1], argv[2]
    arguments = argv[3:] if len(argv) > 3 else shell.state.positional
    state = shell.state
    try:
        index = max(1, int(state.get("OPTIND") or "1"))
    except ValueError:
        index = 1
    quiet = spec.startswith(":")
    spec = spec.lstrip(":")
    if index > len(arguments) or not re.match(r"-.", arguments[index - 1]):
        state.put(name, "?")
        return 1
    word = arguments[index - 1]
    if word == "--":
        state.put("OPTIND", str(index + 1))
        state.put(name, "?")
        return 1
    at = state.getopts_at
    letter = word[at]
    last = at + 1 >= len(word)
    known = spec.find(letter) if letter != ":" else -1
    state.variables.pop("OPTARG", None)
    result = letter
    if known < 0:
        result = "?"
        if quiet:
            state.put("OPTARG", letter)
        else:
            shell.proc.error(f"{state.name}: illegal option -- {letter}")
    elif spec[known + 1 : known + 2] == ":":
        if not last:
            state.put("OPTARG", word[at + 1 :])
        elif index < len(arguments):
            state.put("OPTARG", arguments[index])
            index += 1
        elif quiet:
            result = ":"
            state.put("OPTARG", letter)
        else:
            result = "?"
            shell.proc.error(f"{state.name}: option requires an argument -- {letter}")
        last = True
    state.getopts_at = 1 if last else at + 1
    state.put("OPTIND", str(index + last))
    state.put(name, result)
    return 0


BUILTINS = {"read": read, "mapfile": mapfile, "readarray": mapfile, "getopts": getopts}
