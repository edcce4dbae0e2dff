"""A sed script as a list of commands, parsed once (compile.c's rules and error messages)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kubenet_course.userland.regex import basic, extended


class SedError(Exception):
    """The script is wrong at character `position` (from 1)."""

    def __init__(self, message: str, position: int):
        super().__init__(message)
        self.position = position


@dataclass
class Address:
    """``5``, ``$``, ``/re/``, ``0~3``; as a second address also ``+3`` and ``~4``."""

    kind: str
    number: int = 0
    step: int = 0
    regex: re.Pattern[str] | None = None


@dataclass
class Substitution:
    regex: re.Pattern[str] | None
    replacement: list[tuple[str, str]]
    everywhere: bool = False
    number: int = 1
    show: bool = False
    path: str | None = None


@dataclass
class Command:
    name: str
    first: Address | None = None
    second: Address | None = None
    negate: bool = False
    text: str = ""
    substitution: Substitution | None = None
    table: dict[int, str] = field(default_factory=dict)
    number: int = 0
    target: int = -1
    active: bool = False
    until: int = 0


class _Parser:
    def __init__(self, text: str, ere: bool):
        self.text = text
        self.pos = 0
        self.ere = ere

    def fail(self, message: str, position: int | None = None) -> SedError:
        return SedError(message, self.pos if position is None else position)

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def skip(self, chars: str) -> None:
        while self.pos < len(self.text) and self.text[self.pos] in chars:
            self.pos += 1

    def regex(self, text: str, flags: str) -> re.Pattern[str] | None:
        """None stands for the empty expression: the last one used."""
        if not text:
            return None
        try:
            translated = (extended if self.ere else basic)(text)
            mode = (re.I if "I" in flags else 0) | (re.M if "M" in flags else 0)
            return re.compile(translated, mode)
        except (ValueError, re.error, OverflowError) as error:
            raise self.fail(str(error)) from None

    def delimited(self, delimiter: str, what: str, regex: bool) -> str:
        """Text up to the next unescaped delimiter."""
        out: list[str] = []
        bracket = False
        while True:
            if self.pos >= len(self.text):
                raise self.fail(what)
            char = self.text[self.pos]
            self.pos += 1
            if char == "\\" and not bracket:
                following = self.peek()
                self.pos += 1
                if following == delimiter:
                    out.append(
                        following if not (regex and following in "()|+?{}^$.*[]") else "\\" + following
                    )
                elif following == "n" and regex:
                    out.append("\\n" if not self.ere else "\n")
                else:
                    out.append("\\" + following)
                continue
            if regex and char == "[" and not bracket:
                bracket = "]" in self.text[self.pos + 1 :]
                out.append(char)
                if bracket and self.peek() in ("]", "^"):
                    out.append(self.peek())
                    self.pos += 1
                    if out[-1] == "^" and self.peek() == "]":
                        out.append("]")
                        self.pos += 1
                continue
            if char == "]" and bracket:
                bracket = False
            elif char == delimiter and not bracket:
                return "".join(out)
            elif char == "\n" and regex:
                raise self.fail(what)
            out.append(char)

    # -- addresses --------------------------------------------------------------------------
    def address(self, second: bool) -> Address | None:
        char = self.peek()
        if char.isdecimal() and char:
            match = re.compile(r"(\d+)(?:\s*~\s*(\d+))?").match(self.text, self.pos)
            assert match is not None
            self.pos = match.end()
            if match[2] is not None:
                return Address("step", int(match[1]), int(match[2]))
            return Address("line", int(match[1]))
        if char == "$":
            self.pos += 1
            return Address("last")
        if char == "/" or char == "\\":
            self.pos += 1
            delimiter = "/"
            if char == "\\":
                delimiter = self.peek()
                self.pos += 1
            text = self.delimited(delimiter, "unterminated address regex", True)
            flags = ""
            while self.peek() in ("I", "M") and self.peek():
                flags += self.peek()
                self.pos += 1
            return Address("regex", regex=self.regex(text, flags))
        if second and char in "+~" and char:
            match = re.compile(r"[+~](\d+)").match(self.text, self.pos)
            if match is None:
                raise self.fail("expected number")
            self.pos = match.end()
            return Address("plus" if char == "+" else "multiple", int(match[1]))
        return None

    # -- commands ---------------------------------------------------------------------------
    def commands(self) -> list[Command]:
        found: list[Command] = []
        blocks: list[tuple[int, int]] = []
        while True:
            self.skip(" \t\n;")
            if self.pos >= len(self.text):
                break
            command = self.command(blocks, len(found))
            if command is not None:
                found.append(command)
                if command.name == "}":
                    opened = blocks.pop()[0]
                    found[opened].target = len(found) - 1
        if blocks:
            raise SedError("unmatched `{'", 0)
        return _labels(found)

    def command(self, blocks: list[tuple[int, int]], at: int) -> Command | None:
        command = Command("")
        command.first = self.address(False)
        self.skip(" \t")
        if command.first is not None and self.peek() == ",":
            self.pos += 1
            self.skip(" \t")
            command.second = self.address(True)
            if command.second is None:
                raise self.fail("unexpected `,'", self.pos + 1)
            self.skip(" \t")
        if command.first is not None and command.first.kind == "line" and command.first.number == 0:
            if command.second is None or command.second.kind != "regex":
                raise self.fail("invalid usage of line address 0", self.pos + 1)
        while self.peek() == "!":
            command.negate = True
            self.pos += 1
            self.skip(" \t")
            if self.peek() == "!":
                raise self.fail("multiple `!'s", self.pos + 1)
        name = self.peek()
        self.pos += 1
        if not name or name in "\n;":
            raise self.fail("missing command", self.pos - 1 if not name else self.pos)
        command.name = name
        if name == "#":
            if command.first is not None:
                raise self.fail("comments don't accept any addresses")
            end = self.text.find("\n", self.pos)
            self.pos = end if end >= 0 else len(self.text)
            return None
        if name in "=dDgGhHnNpPxzF":
            self.end_of_command()
        elif name == "{":
            blocks.append((at, self.pos))
        elif name == "}":
            if not blocks:
                raise self.fail("unexpected `}'")
            if command.first is not None:
                raise self.fail("} doesn't want any addresses")
            self.end_of_command()
        elif name in "aic":
            command.text = self.text_argument()
        elif name in ":btTrRwW":
            self.label(command)
        elif name in "qQlL":
            self.number(command)
        elif name == "s":
            command.substitution = self.substitute()
        elif name == "y":
            self.transliterate(command)
        elif name == "e":
            raise self.fail("kubenet: the command `e' is not emulated")
        else:
            raise self.fail(f"unknown command: `{name}'")
        return command

    def end_of_command(self) -> None:
        self.skip(" \t")
        if self.pos >= len(self.text):
            return
        char = self.text[self.pos]
        if char in "};#":
            self.pos += char == ";"
            return
        if char == "\n":
            self.pos += 1
            return
        self.pos += 1
        raise self.fail("extra characters after command")

    def text_argument(self) -> str:
        """The text of a, i and c: on the same line, or after a backslash and a newline."""
        self.skip(" \t")
        if self.pos >= len(self.text):
            raise self.fail("expected \\ after `a', `c' or `i'")
        if self.text.startswith("\\", self.pos):
            self.pos += 1
            newline = re.compile(r"[ \t]*\n").match(self.text, self.pos)
            if newline:
                self.pos = newline.end()
            elif self.peek() == "":
                raise self.fail("expected \\ after `a', `c' or `i'")
        out: list[str] = []
        while self.pos < len(self.text):
            char = self.text[self.pos]
            self.pos += 1
            if char == "\\":
                out.append(self.peek())
                self.pos += 1
            elif char == "\n":
                break
            else:
                out.append(char)
        return "".join(out) + "\n"

    def label(self, command: Command) -> None:
        self.skip(" \t")
        stop = "\n" if command.name in "rRwW" else "\n;"
        start = self.pos
        while self.pos < len(self.text) and self.text[self.pos] not in stop:
            if command.name in "btT" and self.text[self.pos] == "}":
                break
            self.pos += 1
        command.text = self.text[start : self.pos].strip(" \t")
        if command.name == ":":
            if command.first is not None:
                raise self.fail(": doesn't want any addresses")
            command.text = re.split(r"[;\s]", command.text)[0]
            if not command.text:
                raise self.fail('":" lacks a label')
        elif command.name in "rRwW" and not command.text:
            raise self.fail("missing filename in r/R/w/W commands")

    def number(self, command: Command) -> None:
        self.skip(" \t")
        match = re.compile(r"\d+").match(self.text, self.pos)
        if match:
            command.number = int(match[0][:9])
            self.pos = match.end()
        if command.name in "qQ" and command.second is not None:
            raise self.fail("command only uses one address")
        self.end_of_command()

    def substitute(self) -> Substitution:
        delimiter = self.peek()
        self.pos += 1
        what = "unterminated `s' command"
        if not delimiter or delimiter in "\n\\":
            raise self.fail(what)
        pattern = self.delimited(delimiter, what, True)
        replacement = self.delimited(delimiter, what, False)
        made = Substitution(None, [])
        flags = ""
        while True:
            char = self.peek()
            if char in ("g", "p", "i", "I", "m", "M", "e") and char:
                self.pos += 1
                if char == "g":
                    if made.everywhere:
                        raise self.fail("multiple `g' options to `s' command")
                    made.everywhere = True
                elif char == "p":
                    if made.show:
                        raise self.fail("multiple `p' options to `s' command")
                    made.show = True
                elif char == "e":
                    raise self.fail("kubenet: the flag `e' of `s' is not emulated")
                flags += char.upper()
            elif char.isdecimal() and char:
                match = re.compile(r"\d+").match(self.text, self.pos)
                assert match is not None
                self.pos = match.end()
                made.number = int(match[0][:9])
                if not made.number:
                    raise self.fail("number option to `s' command may not be zero")
            elif char == "w":
                self.pos += 1
                command = Command("w")
                self.label(command)
                made.path = command.text
                break
            else:
                break
        if self.peek() not in ("", "\n", ";", "}", "#", " ", "\t"):
            self.pos += 1
            raise self.fail("unknown option to `s'")
        self.end_of_command()
        made.regex = self.regex(pattern, flags)
        made.replacement = self.replacement(replacement, made.regex)
        return made

    def replacement(self, text: str, regex: re.Pattern[str] | None) -> list[tuple[str, str]]:
        """Parts: (text, …), (group, number), (case, letter)."""
        out: list[tuple[str, str]] = []
        i = 0
        while i < len(text):
            char = text[i]
            if char == "&":
                out.append(("group", "0"))
            elif char == "\\" and i + 1 < len(text):
                i += 1
                following = text[i]
                if following.isdecimal():
                    if regex is not None and int(following) > regex.groups:
                        raise self.fail(f"invalid reference \\{following} on `s' command's RHS")
                    out.append(("group", following))
                elif following in "LUluE":
                    out.append(("case", following))
                else:
                    out.append(
                        (
                            "text",
                            {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}.get(
                                following, following
                            ),
                        )
                    )
            else:
                out.append(("text", char))
            i += 1
        return out

    def transliterate(self, command: Command) -> None:
        delimiter = self.peek()
        self.pos += 1
        what = "unterminated `y' command"
        if not delimiter or delimiter in "\n\\":
            raise self.fail(what)
        sides = []
        for _ in range(2):
            raw = self.delimited(delimiter, what, False)
            sides.append(re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), raw, flags=re.S))
        if len(sides[0]) != len(sides[1]):
            raise self.fail("strings for `y' command are different lengths")
        command.table = {ord(a): b for a, b in reversed(list(zip(sides[0], sides[1], strict=True)))}
        self.end_of_command()


def _labels(commands: list[Command]) -> list[Command]:
    places = {command.text: at for at, command in enumerate(commands) if command.name == ":"}
    for command in commands:
        if command.name in "btT" and command.name:
            if command.text and command.text not in places:
                raise SedError(f"can't find label for jump to `{command.text}'", -1)
            command.target = places.get(command.text, len(commands))
    return commands


def parse_script(text: str, ere: bool) -> list[Command]:
    """The commands of a script; raises SedError."""
    return _Parser(text, ere).commands()
