"""Command lines as Docker's own parser (cobra and pflag) reads them, and the help that goes with them.

A command's options are written as its help shows them, one a line; what takes a value has a kind after its
name (`string`, `list`, …). So the text is the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubenet_course.errors import KubenetError

_LINE = re.compile(
    r"^\s+(?:-(?P<short>\w), |    )--(?P<long>[\w-]+)(?: (?P<kind>[a-z][\w-]*))?\s{2,}(?P<text>\S.*)$"
)
LISTS = (
    "list",
    "map",
    "stringArray",
    "strings",
    "filter",
    "port",
    "ulimit",
    "mount",
    "network",
    "ipNetSlice",
)
TRUE = ("1", "t", "T", "true", "TRUE", "True")
FALSE = ("0", "f", "F", "false", "FALSE", "False")


class UsageError(KubenetError):
    """The command line is wrong; `message` is all that is printed."""

    def __init__(self, message: str, status: int = 125):
        super().__init__(message)
        self.message = message
        self.status = status


def quoted(text: str) -> str:
    """strconv.Quote, for what a command line has."""
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    )


def unsigned(text: str) -> int:
    """strconv.ParseUint."""
    if not re.fullmatch(r"\d+", text):
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) >= 1 << 64:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def duration(text: str) -> int:
    """time.ParseDuration, in nanoseconds: 300ms, 1.5h, 2h45m."""
    rest = text.lstrip("+-")
    total = 0.0
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    while rest:
        match = re.match(r"(\d+\.?\d*|\.\d+)([a-zA-Zµμ]*)", rest)
        if match is None:
            raise ValueError(f'time: invalid duration "{text}"')
        if not match[2]:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if match[2] not in UNITS:
            raise ValueError(f'time: unknown unit "{match[2]}" in duration "{text}"')
        total += float(match[1]) * UNITS[match[2]]
        rest = rest[match.end() :]
    return round(-total if text.startswith("-") else total)


def ratio(text: str) -> float:
    """strconv.ParseFloat."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


UNITS = {"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
#: What a value of this kind is read as; ValueError with Go's words.
CHECKS: dict[str, Callable[[str], Any]] = {
    "uint": unsigned,
    "uint32": unsigned,
    "duration": duration,
    "float": ratio,
}


@dataclass(frozen=True)
class Flag:
    short: str
    long: str
    kind: str

    @property
    def shown(self) -> str:
        return f"-{self.short}, --{self.long}" if self.short else f"--{self.long}"


@dataclass(frozen=True)
class Command:
    """`path` is "docker network create"; `use` what follows it in `Usage:`; `hidden` options work, unshown.

    `checks` look at values, by their options' long names.
    """

    path: str
    use: str
    about: str
    options: str = ""
    least: int = 0
    most: int = -1
    stop_at_first: bool = False
    aliases: tuple[str, ...] = ()
    hidden: str = ""
    checks: Mapping[str, Callable[[str], None]] = field(default_factory=dict, compare=False)
    flags: dict[str, Flag] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for line in (self.options + "\n" + self.hidden).splitlines():
            match = _LINE.match(line)
            if match:
                flag = Flag(match["short"] or "", match["long"], match["kind"] or "bool")
                self.flags[f"--{flag.long}"] = flag
                if flag.short:
                    self.flags[f"-{flag.short}"] = flag

    def under(self, path: str) -> Command:
        """The same, called by one of its other names; `list` and `remove` are but aliases of `ls` and `rm`."""
        for end, name in (
            (" list", " ls"),
            (" remove", " rm"),
            ("docker container ps", "docker container ls"),
        ):
            if path.endswith(end) and path.removesuffix(end) + name in (self.path, *self.aliases):
                path = path.removesuffix(end) + name
        if path not in self.aliases:
            return self
        others = tuple(name for name in self.aliases if name != path)
        return replace(self, path=path, aliases=(self.path, *others))

    @property
    def usage(self) -> str:
        return f"Usage:  {self.path}{' ' + self.use if self.use else ''}"

    def help(self) -> str:
        text = f"{self.usage}\n\n{self.about}\n"
        if self.aliases:
            text += f"\nAliases:\n  {', '.join(sorted([self.path, *self.aliases]))}\n"
        if self.options:
            text += "\nOptions:\n" + self.options.strip("\n") + "\n"
        return text

    def parse(self, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """({long name: value}, operands); lists for what may come more than once. UsageError."""
        found: dict[str, Any] = {}
        operands: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                operands += rest
                break
            if word.startswith("--"):
                self._long(word, rest, found)
            elif word.startswith("-") and len(word) > 1:
                self._short(word, rest, found)
            else:
                operands.append(word)
                if self.stop_at_first:
                    operands += rest
                    break
        if not found.get("help"):
            self._count(operands)
        return found, operands

    def _long(self, word: str, rest: list[str], found: dict[str, Any]) -> None:
        name, equals, value = word.partition("=")
        if name == "--help":
            found["help"] = True
            return
        flag = self.flags.get(name)
        if flag is None:
            raise self._wrong(f"unknown flag: {name}")
        if flag.kind != "bool" and not equals:
            if not rest:
                raise self._wrong(f"flag needs an argument: {name}")
            value, equals = rest.pop(0), "="
        self._store(flag, value if equals else "true", found)

    def _short(self, word: str, rest: list[str], found: dict[str, Any]) -> None:
        letters = word[1:]
        while letters:
            word = f"-{letters}"
            letter, letters = letters[0], letters[1:]
            if letter == "h" and "-h" not in self.flags:
                found["help"] = True
                continue
            flag = self.flags.get(f"-{letter}")
            if flag is None:
                raise self._wrong(f"unknown shorthand flag: '{letter}' in {word}")
            if flag.kind == "bool":
                if letters.startswith("="):
                    self._store(flag, letters[1:], found)
                    return
                self._store(flag, "true", found)
                continue
            if letters:
                value = letters.removeprefix("=")
            elif rest:
                value = rest.pop(0)
            else:
                raise self._wrong(f"flag needs an argument: '{letter}' in {word}")
            self._store(flag, value, found)
            return

    def _store(self, flag: Flag, text: str, found: dict[str, Any]) -> None:
        if flag.kind == "filter" and "=" not in text:
            raise self._wrong(
                f'invalid argument "{text}" for "{flag.shown}" flag: bad format of filter (expected name=value)'
            )
        if flag.long in self.checks:
            try:
                self.checks[flag.long](text)
            except ValueError as problem:
                raise self._wrong(
                    f'invalid argument {quoted(text)} for "{flag.shown}" flag: {problem}'
                ) from None
        if flag.kind in LISTS:
            found.setdefault(flag.long, []).append(text)
        elif flag.kind == "bool":
            if text not in (*TRUE, *FALSE):
                raise self._wrong(
                    f'invalid argument "{text}" for "{flag.shown}" flag: strconv.ParseBool: parsing "{text}": invalid syntax'
                )
            found[flag.long] = text in TRUE
        elif flag.kind == "int":
            if not re.fullmatch(r"[-+]?\d+", text):
                raise self._wrong(
                    f'invalid argument "{text}" for "{flag.shown}" flag: strconv.ParseInt: parsing "{text}": invalid syntax'
                )
            found[flag.long] = int(text)
        elif flag.kind in CHECKS:
            try:
                found[flag.long] = CHECKS[flag.kind](text)
            except ValueError as problem:
                raise self._wrong(f'invalid argument "{text}" for "{flag.shown}" flag: {problem}') from None
        else:
            found[flag.long] = text

    def _wrong(self, problem: str) -> UsageError:
        return UsageError(f"{problem}\n\n{self.usage}\n\nRun '{self.path} --help' for more information\n")

    def _count(self, operands: list[str]) -> None:
        number, least, most = len(operands), self.least, self.most
        if number >= least and (most < 0 or number <= most):
            return
        tail = f"\n\n{self.usage}\n\nRun '{self.path} --help' for more information\n"
        if most == 0:
            said = "accepts no arguments"
        elif least == most:
            said = f"requires {least} argument{'' if least == 1 else 's'}"
        elif most < 0:
            said = f"requires at least {least} argument{'' if least == 1 else 's'}"
            tail = tail.replace("\n\nRun ", "\n\nSee ")
        elif not least:
            said = f"requires at most {most} argument{'' if most == 1 else 's'}"
            tail = tail.replace("\n\nRun ", "\n\nSRun ")  # so it stands in docker/cli's required.go
        else:
            said = f"requires at least {least} and at most {most} arguments"
        raise UsageError(f"docker: '{self.path}' {said}{tail}", 1)
