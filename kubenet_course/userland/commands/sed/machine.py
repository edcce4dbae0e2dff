"""Running a sed script: pattern space, hold space, and the input read one line ahead."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.sed.script import Address, Command, Substitution
from kubenet_course.userland.files_io import decode, encode, open_input
from kubenet_course.userland.process import Exit, Process
from kubenet_course.userland.streams import Reader, WriteError


class Machine:
    """`output` collects instead of printing while it is not None (-i)."""

    def __init__(self, proc: Process, name: str, commands: list[Command], quiet: bool):
        self.proc = proc
        self.name = name
        self.commands = commands
        self.quiet = quiet
        self.output: bytearray | None = None
        self.hold = ""
        self.last_regex: re.Pattern[str] | None = None
        self.quitting = False
        self.status = 0
        self.written: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Line numbers and ranges begin anew (-i, -s)."""
        self.space = self.incoming = ""
        self.changed = False
        self.newline = True
        self.line = 0
        self.ahead: bytes | None = None
        self.reader: Reader | None = None
        self.names: list[str] = []
        self.appended: list[str] = []
        self.missing_newline = False
        for command in self.commands:
            command.active = False

    # -- input and output ---------------------------------------------------------------------
    async def _fetch(self) -> bytes | None:
        """The next line of all inputs."""
        while True:
            if self.reader is None:
                if not self.names:
                    return None
                name = self.names.pop(0)
                if name != "-" and self.proc.files.isdir(name, self.proc):
                    self.proc.error(f"{self.name}: read error on {name}: Is a directory")
                    raise Exit(4)
                try:
                    self.reader = open_input(self.proc, name)
                except KernelError as error:
                    self.proc.error(f"{self.name}: can't read {name}: {error.strerror}")
                    self.status = 2
                    continue
            try:
                line = await self.reader.readline()
            except KernelError as error:
                self.proc.error(f"{self.name}: read error: {error.strerror}")
                self.status = 2
                line = b""
            if line:
                return line
            self.reader = None

    async def read(self) -> bool:
        """Make the next line the pattern space's new content."""
        line = self.ahead if self.ahead is not None else await self._fetch()
        self.ahead = None
        if line is None:
            return False
        self.newline = line.endswith(b"\n")
        self.incoming = decode(line.removesuffix(b"\n"))
        self.line += 1
        return True

    async def is_last(self) -> bool:
        if self.ahead is None:
            self.ahead = await self._fetch()
        return self.ahead is None

    def put(self, text: str, newline: bool = True) -> None:
        data = encode(text) + (b"\n" if newline else b"")
        if self.missing_newline:
            data = b"\n" + data
            self.missing_newline = False
        self.missing_newline = not newline
        if self.output is not None:
            self.output += data
        else:
            self.proc.stdout.write(data)

    def raw(self, text: str) -> None:
        """Text that brings its own newline (a, i, c, r)."""
        if not text:
            return
        self.put(text.removesuffix("\n"), text.endswith("\n"))

    def _finish_cycle(self, show: bool) -> None:
        if show and not self.quiet:
            self.put(self.space, self.newline)
        for text in self.appended:
            self.raw(text)
        self.appended.clear()

    # -- running ------------------------------------------------------------------------------
    async def run(self, names: list[str]) -> int:
        self.names = list(names)
        keep = False
        while not self.quitting:
            if not keep:
                if not await self.read():
                    break
                self.space = self.incoming
            keep = await self.cycle()
        return self.status

    async def cycle(self) -> bool:
        """One pass over the commands; True if the next one starts with what is left (D)."""
        at, steps = 0, 0
        self.changed = False
        while at < len(self.commands):
            command = self.commands[at]
            steps += 1
            if steps % 1000 == 0:
                await self.proc.sleep(0.001)
            at += 1
            if not await self.selected(command):
                if command.name == "{":
                    at = command.target + 1
                continue
            move = await self.execute(command)
            if move is None:
                continue
            if move == "again":
                self._finish_cycle(False)
                return True
            if move in ("end", "delete"):
                self._finish_cycle(move == "end")
                return False
            at = command.target
        self._finish_cycle(True)
        return False

    def _regex(self, regex: re.Pattern[str] | None) -> re.Pattern[str]:
        if regex is None:
            if self.last_regex is None:
                return re.compile("")
            return self.last_regex
        self.last_regex = regex
        return regex

    async def _hits(self, address: Address) -> bool:
        if address.kind == "line":
            return self.line == address.number
        if address.kind == "last":
            return await self.is_last()
        if address.kind == "step":
            if address.step <= 0:
                return self.line == address.number
            return self.line >= address.number and (self.line - address.number) % address.step == 0
        return self._regex(address.regex).search(self.space) is not None

    async def selected(self, command: Command) -> bool:
        if command.first is None:
            return not command.negate
        if command.second is None:
            return await self._hits(command.first) != command.negate
        return await self._range(command, command.first, command.second) != command.negate

    async def _range(self, command: Command, first: Address, second: Address) -> bool:
        if not command.active:
            if first.kind == "line" and first.number == 0 and self.line == 1:
                command.active = True
                if self._regex(second.regex).search(self.space):
                    command.active = False
                return True
            if not await self._hits(first):
                return False
            command.active = True
            if second.kind == "line" and second.number <= self.line:
                command.active = False
            elif second.kind == "plus":
                command.until = self.line + second.number
                command.active = second.number > 0
            elif second.kind == "multiple":
                command.until = -(-self.line // second.number) * second.number if second.number else self.line
                command.active = command.until > self.line
            return True
        if second.kind in ("plus", "multiple"):
            command.active = self.line < command.until
            return True
        if second.kind == "line":
            command.active = self.line < second.number
            return self.line <= second.number
        if await self._hits(second):
            command.active = False
        return True

    async def execute(self, command: Command) -> str | None:
        """None goes on; "end" and "delete" end the cycle; "again" restarts it; "jump" jumps."""
        name = command.name
        if name == "s":
            assert command.substitution is not None
            self.substitute(command.substitution)
        elif name == "p":
            self.put(self.space)
        elif name == "d":
            return "delete"
        elif name == "y":
            self.space = self.space.translate(command.table)
        elif name in "aic":
            return await self._text(command)
        elif name in "hHgGx":
            self._hold(name)
        elif name in "nN":
            return await self._next(name)
        elif name == "D":
            head, newline, tail = self.space.partition("\n")
            if not newline:
                return "delete"
            self.space = tail
            return "again"
        elif name == "P":
            self.put(self.space.partition("\n")[0])
        elif name in "bt" or name == "T":
            jump = name == "b" or (name == "t") == self.changed
            if name in "tT":
                self.changed = False
            return "jump" if jump else None
        elif name in "qQ":
            self.quitting = True
            self.status = command.number
            return "end" if name == "q" else "delete"
        elif name == "=":
            self.put(str(self.line))
        elif name == "l":
            self.put(_visible(self.space, command.number or 70))
        elif name == "z":
            self.space = ""
        elif name == "F":
            self.put("-")
        elif name in "rwRW":
            self._file(command)
        return None

    async def _text(self, command: Command) -> str | None:
        if command.name == "a":
            self.appended.append(command.text)
        elif command.name == "i":
            self.raw(command.text)
        else:
            if command.second is None or command.negate or not command.active:
                self.raw(command.text)
            return "delete"
        return None

    def _hold(self, name: str) -> None:
        if name == "h":
            self.hold = self.space
        elif name == "H":
            self.hold += "\n" + self.space
        elif name == "g":
            self.space = self.hold
        elif name == "G":
            self.space += "\n" + self.hold
        else:
            self.space, self.hold = self.hold, self.space

    async def _next(self, name: str) -> str | None:
        if await self.is_last():
            self.quitting = True
            return "end"
        if name == "n":
            if not self.quiet:
                self.put(self.space, self.newline)
        for text in self.appended:
            self.raw(text)
        self.appended.clear()
        await self.read()
        self.space = self.incoming if name == "n" else f"{self.space}\n{self.incoming}"
        return None

    def _file(self, command: Command) -> None:
        proc = self.proc
        if command.name == "r":
            try:
                self.appended.append(decode(proc.files.read(command.text, proc)))
            except KernelError:
                return
        elif command.name == "w":
            self.write_file(command.text, self.space)
        else:
            proc.error(f"kubenet: {self.name}: the command `{command.name}' is not emulated")
            self.status = 1

    def write_file(self, path: str, text: str) -> None:
        if path == "/dev/stdout":
            self.put(text)
            return
        try:
            self.proc.files.write(path, encode(text) + b"\n", self.proc, append=path in self.written)
            self.written.add(path)
        except WriteError:
            raise
        except KernelError as error:
            self.proc.error(f"{self.name}: couldn't open file {path}: {error.strerror}")
            self.status = 4

    def substitute(self, command: Substitution) -> None:
        regex = self._regex(command.regex)
        out: list[str] = []
        at = count = 0
        last_end = -1
        done = False
        text = self.space
        for match in regex.finditer(text):
            if match.start() == match.end() == last_end:
                continue
            count += 1
            last_end = match.end()
            if count < command.number:
                continue
            out.append(text[at : match.start()])
            out.append(_fill(command.replacement, match))
            at = match.end()
            done = True
            if not command.everywhere:
                break
        if not done:
            return
        self.space = "".join(out) + text[at:]
        self.changed = True
        if command.show:
            self.put(self.space)
        if command.path:
            self.write_file(command.path, self.space)


def _fill(parts: list[tuple[str, str]], match: re.Match[str]) -> str:
    """The replacement, with \\U, \\L, \\u, \\l and \\E."""
    out = ""
    mode = once = ""
    for kind, text in parts:
        if kind == "case":
            if text in "UL":
                mode, once = text, ""
            elif text == "E":
                mode = once = ""
            else:
                once = text
            continue
        piece = text if kind == "text" else match[int(text)] or ""
        if mode:
            piece = piece.upper() if mode == "U" else piece.lower()
        if once and piece:
            piece = (piece[0].upper() if once == "u" else piece[0].lower()) + piece[1:]
            once = ""
        out += piece
    return out


def _visible(text: str, width: int) -> str:
    """The command `l`."""
    names = {
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    pieces = []
    for char in text:
        if char in names:
            pieces.append(names[char])
        elif " " <= char <= "~":
            pieces.append(char)
        else:
            pieces += [f"\\{byte:03o}" for byte in encode(char)]
    lines, line = [], ""
    for piece in pieces:
        if width > 1 and len(line) + len(piece) > width - 1:
            lines.append(line + "\\")
            line = ""
        line += piece
    return "\n".join([*lines, line + "$"])
