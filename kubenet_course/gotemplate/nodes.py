"""What a Go template consists of (text/template/parse/node.go); `str()` is how errors quote it, `at` its offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a string, a character, true, false or nil, as it was written (`text`) and what it is."""

    at: int
    text: str
    value: Any

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Word:
    """The name of a function."""

    at: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Path:
    """A chain of fields, from `.` (`variable` is empty) or from a variable; without fields, that itself."""

    at: int
    variable: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return self.variable + "".join(f".{name}" for name in self.fields) or "."


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of what a pipeline in parentheses gives."""

    at: int
    inner: Pipeline
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"({self.inner})" + "".join(f".{name}" for name in self.fields)


@dataclass(frozen=True, slots=True)
class Command:
    at: int
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " ".join(f"({term})" if isinstance(term, Pipeline) else str(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`$a, $b := command | command`; `declares` is False where a variable that is there gets a value."""

    at: int
    line: int
    names: tuple[str, ...]
    declares: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        names = f"{', '.join(self.names)} {':=' if self.declares else '='} " if self.names else ""
        return names + " | ".join(map(str, self.commands))


Term = Constant | Word | Path | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Control:
    """`kind` is if, with or range."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    other: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """`kind` is break or continue."""

    kind: str


@dataclass(frozen=True, slots=True)
class Call:
    """{{template "name" pipeline}}"""

    at: int
    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        words = f" {self.pipeline}" if self.pipeline else ""
        return f'{{{{template "{self.name}"{words}}}}}'


Node = Text | Pipeline | Control | Jump | Call
