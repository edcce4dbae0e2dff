"""export, readonly, declare, local, unset, shift, let, read, mapfile, getopts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND, TimeoutExpired
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.expand import attribute_letters
from kubenet_course.userland.shell.nodes import ArrayValue, Assign
from kubenet_course.userland.shell.parameters import ansi_quote, quote_double, quote_trace
from kubenet_course.userland.shell.redirect import get_fd
from kubenet_course.userland.shell.state import Variable
from kubenet_course.userland.streams import Reader

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TARGET = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.*)\])?", re.S)


def show_value(variable: Variable) -> str:
    """The value as `set` and `declare` show it."""
    if isinstance(variable.value, dict):
        return _array_text(variable)
    return quote_trace(variable.value or "") if variable.value else ""


def _array_text(variable: Variable) -> str:
    assert isinstance(variable.value, dict)
    keys = list(variable.value)
    cells = []
    for key in keys:
        name = str(key)
        if variable.kind == "A" and not re.fullmatch(r"\w+", name):
            name = quote_double(name)
        cells.append(f"[{name}]={quote_double(variable.value[key])}")  # type: ignore[index]
    tail = " " if variable.kind == "A" and cells else ""
    return f"({' '.join(cells)}{tail})"


def declaration(name: str, variable: Variable) -> str:
    """One line of ``declare -p``."""
    letters = attribute_letters(variable) or "-"
    if variable.value is None:
        return f"declare -{letters} {name}"
    if isinstance(variable.value, dict):
        return f"declare -{letters} {name}={_array_text(variable)}"
    return f"declare -{letters} {name}={quote_double(variable.value)}"


async def export(shell: Shell, argv: list[str]) -> int:
    return await _mark(shell, argv, "exported", "x")


async def readonly(shell: Shell, argv: list[str]) -> int:
    return await _mark(shell, argv, "readonly", "r")


async def _mark(shell: Shell, argv: list[str], attribute: str, letter: str) -> int:
    words = list(enumerate(argv))[1:]
    options = ""
    while words and re.fullmatch(r"-[A-Za-z]+", words[0][1]):
        options += words.pop(0)[1][1:]
    if words and words[0][1] == "--":
        words.pop(0)
    bad = next((one for one in options if one not in "fnpaA"), None)
    if bad:
        shell.complain(f"{argv[0]}: -{bad}: invalid option")
        shell.proc.error(f"{argv[0]}: usage: {argv[0]} [-{'fn' if letter == 'x' else 'aAf'}] [name[=value] ...] or {argv[0]} -p")
        return 2
    if not words:
        for name in sorted(shell.state.variables):
            variable = shell.state.variables[name]
            if getattr(variable, attribute):
                shell.proc.print(declaration(name, variable))
        return 0
    status = 0
    for at, word in words:
        if "f" in options:
            status |= word not in shell.state.functions
            continue
        name = await _declare_one(shell, argv[0], at, word, {})
        if name is None:
            status = 1
            continue
        old = shell.state.variables.get(name) or Variable(None)
        shell.state.variables[name] = old._replace(**{attribute: "n" not in options})
    return status


async def _declare_one(shell: Shell, command: str, at: int, word: str, changes: dict) -> str | None:
    """Assign an argument ``name``, ``name=value``, ``name=(…)``; its name, or None if it is none."""
    assign = shell.assigned_arguments.get(at)
    name = assign.name if assign else word.partition("=")[0].removesuffix("+")
    index = None
    if assign is None:
        target = _TARGET.fullmatch(name)
        if target is None:
            shell.complain(f"{command}: `{word}': not a valid identifier")
            return None
        name, index = target[1], target[2]
    if changes:
        old = shell.state.variables.get(name) or Variable(None)
        if old.readonly and ("value" in changes or "=" in word):
            shell.complain(f"{command}: {name}: readonly variable")
            return None
        if old.kind != changes.get("kind", old.kind) and isinstance(old.value, str):
            changes = {**changes, "value": {0: old.value} if changes.get("kind") == "a" else {"0": old.value}}
        shell.state.variables[name] = old._replace(**changes)
    try:
        await _assign_argument(shell, assign, word, name, index)
    except ExpansionError as error:
        if error.fatal:
            raise
        shell.complain(f"{command}: {error.message}" if command != "readonly" else error.message)
        return None
    return name


async def _assign_argument(shell: Shell, assign: Assign | None, word: str, name: str, index: str | None) -> None:
    if assign is not None and isinstance(assign.value, ArrayValue):
        await shell.assign_array(name, assign.value, assign.append)
        return
    left, equals, value = word.partition("=")
    if equals:
        if assign is not None and assign.index is not None:
            index = await shell.expand_string(assign.index)
        shell.assign(name, value, index, left.endswith("+"))


async def declare(shell: Shell, argv: list[str]) -> int:
    words = list(enumerate(argv))[1:]
    changes: dict = {}
    options = ""
    while words and re.fullmatch(r"[-+][A-Za-z]+", words[0][1]):
        text = words.pop(0)[1]
        for letter in text[1:]:
            options += letter if text[0] == "-" else ""
            on = text[0] == "-"
            if letter in "aA":
                changes["kind"] = letter
            elif letter in "ixr":
                changes[{"i": "integer", "x": "exported", "r": "readonly"}[letter]] = on
            elif letter in "ul":
                changes["case"] = letter if on else ""
            elif letter not in "fFgpnt":
                shell.complain(f"{argv[0]}: {text[0]}{letter}: invalid option")
                usage = "[-aAfFgiIlnrtux] [name[=value] ...]" if argv[0] != "local" else "[option] name[=value] ..."
                shell.proc.error(f"{argv[0]}: usage: {argv[0]} {usage}" + (" or declare -p [-aAfFilnrtux] [name ...]" if argv[0] == "declare" else ""))
                return 2
    if "f" in options or "F" in options:
        return _functions(shell, [word for _, word in words], "F" in options)
    if not words or "p" in options:
        return _show(shell, argv[0], [word for _, word in words], options)
    local = bool(shell.state.locals) and "g" not in options
    status = 0
    late = {key: changes.pop(key) for key in ("readonly",) if key in changes}
    for at, word in words:
        assign = shell.assigned_arguments.get(at)
        name = assign.name if assign else word.partition("=")[0].removesuffix("+").partition("[")[0]
        if local and _NAME.fullmatch(name):
            make_local(shell, name)
        done = await _declare_one(shell, argv[0], at, word, changes)
        if done is None:
            status = 1
            continue
        old = shell.state.variables.get(done) or Variable(None)
        shell.state.variables[done] = old._replace(**late)
    return status


def make_local(shell: Shell, name: str) -> None:
    """Remember the outer variable, to be put back when the function returns."""
    scope = shell.state.locals[-1]
    if name not in scope:
        old = shell.state.variables.get(name)
        scope[name] = old
        shell.state.variables[name] = Variable(None, exported=old.exported if old else False)


def _functions(shell: Shell, names: list[str], short: bool) -> int:
    from kubenet_course.userland.shell.unparse import unparse_function

    status = 0
    for name in names or sorted(shell.state.functions):
        function = shell.state.functions.get(name)
        if function is None:
            status = 1
        elif short:
            shell.proc.print(name if names else f"declare -f {name}")
        else:
            shell.proc.print(unparse_function(function))
    return status


def _show(shell: Shell, command: str, names: list[str], options: str) -> int:
    status = 0
    wanted = [letter for letter in options if letter in "aAixru"]
    for name in names or sorted(shell.state.variables):
        variable = shell.state.variables.get(name)
        if variable is None:
            shell.complain(f"{command}: {name}: not found")
            status = 1
        elif names or "p" in options or wanted:
            if all(letter in attribute_letters(variable) for letter in wanted):
                shell.proc.print(declaration(name, variable))
        elif variable.value is not None:
            shell.proc.print(f"{name}={show_value(variable)}")
    return status


async def local(shell: Shell, argv: list[str]) -> int:
    if not shell.state.locals:
        shell.complain("local: can only be used in a function")
        return 1
    if len(argv) == 1:
        return 0
    return await declare(shell, argv)


async def unset(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    mode = ""
    while words and words[0] in ("-f", "-v", "-n"):
        mode = words.pop(0)[1]
    status = 0
    for word in words:
        target = _TARGET.fullmatch(word)
        if mode == "f":
            shell.state.functions.pop(word, None)
            continue
        if target is None:
            if mode == "v":
                shell.complain(f"unset: `{word}': not a valid identifier")
                status = 1
            else:
                shell.state.functions.pop(word, None)
            continue
        variable = shell.state.variables.get(target[1])
        if variable is not None and variable.readonly:
            shell.complain(f"unset: {target[1]}: cannot unset: readonly variable")
            status = 1
        elif target[2] is not None and variable is not None and isinstance(variable.value, dict):
            _unset_element(shell, target[1], variable, target[2])
        elif variable is not None:
            del shell.state.variables[target[1]]
        elif not mode:
            shell.state.functions.pop(word, None)
    return status


def _unset_element(shell: Shell, name: str, variable: Variable, index: str) -> None:
    assert isinstance(variable.value, dict)
    if index in ("@", "*"):
        shell.state.variables[name] = variable._replace(value={})
        return
    items: dict = dict(variable.value)
    items.pop(index if variable.kind == "A" else shell.arith(index), None)
    shell.state.variables[name] = variable._replace(value=items)


async def shift(shell: Shell, argv: list[str]) -> int:
    if len(argv) > 2:
        shell.complain("shift: too many arguments")
        return 1
    text = argv[1] if len(argv) > 1 else "1"
    if not re.fullmatch(r"[-+]?\d+", text):
        shell.complain(f"shift: {text}: numeric argument required")
        return 1
    count = int(text)
    if count < 0:
        shell.complain(f"shift: {text}: shift count out of range")
        return 1
    if count > len(shell.state.positional):
        return 1
    del shell.state.positional[:count]
    return 0


async def let(shell: Shell, argv: list[str]) -> int:
    if len(argv) < 2:
        shell.complain("let: expression expected")
        return 1
    value = 0
    for text in argv[1:]:
        try:
            value = shell.arith(text)
        except ExpansionError as error:
            shell.complain(f"let: {error.message}")
            return 1
    return int(value == 0)


# -- read -----------------------------------------------------------------------------------
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
        if not value.isdigit():
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
        if not value.isdigit():
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


async def mapfile(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    strip, count, skip, delimiter = False, 0, 0, "\n"
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "-t":
            strip = True
        elif word in ("-n", "-s", "-d", "-O", "-u", "-C", "-c") and words:
            value = words.pop(0)
            if word == "-d":
                delimiter = value[:1] or "\0"
            elif word in ("-n", "-s") and value.isdigit():
                count, skip = (int(value), skip) if word == "-n" else (count, int(value))
            else:
                shell.proc.error(f"kubenet: {argv[0]}: {word} is not supported")
                return 2
        else:
            shell.complain(f"{argv[0]}: {word}: invalid option")
            shell.proc.error(f"{argv[0]}: usage: {argv[0]} [-d delim] [-n count] [-O origin] [-s count] [-t] "
                             "[-u fd] [-C callback] [-c quantum] [array]")  # fmt: skip
            return 2
    name = words[0] if words else "MAPFILE"
    text = (await shell.proc.stdin.read()).decode("utf-8", "surrogateescape")
    pieces = text.split(delimiter)
    lines = [piece + delimiter for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
    lines = lines[skip:]
    if count:
        lines = lines[:count]
    if strip:
        lines = [line.removesuffix(delimiter) for line in lines]
    old = shell.state.variables.get(name) or Variable(None)
    shell.state.variables[name] = old._replace(value=dict(enumerate(lines)), kind="a")
    return 0


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


BUILTINS = {
    "export": export,
    "readonly": readonly,
    "declare": declare,
    "typeset": declare,
    "local": local,
    "unset": unset,
    "shift": shift,
    "let": let,
    "read": read,
    "mapfile": mapfile,
    "readarray": mapfile,
    "getopts": getopts,
}
__all__ = ["BUILTINS", "ansi_quote", "declaration", "make_local", "show_value"]
