"""What the parser makes of a script: words and commands, all immutable in use.

A `Word` is a sequence of parts. `quoted` on a part means that its result is neither split nor
matched against file names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Lit(NamedTuple):
    """Text as it stands."""

    text: str
    quoted: bool


class Param(NamedTuple):
    """``$name`` and ``${…}``. `op` is the operator (":-", "##", "/", …), `arg` and `arg2` its words."""

    name: str
    quoted: bool
    op: str = ""
    arg: Word | None = None
    arg2: Word | None = None
    subscript: Word | None = None
    length: bool = False
    indirect: bool = False


class CmdSub(NamedTuple):
    """``$(…)`` or backquotes."""

    body: Script
    quoted: bool


class ArithSub(NamedTuple):
    """``$((…))``; the expression is expanded like a double-quoted string first."""

    expression: Word
    quoted: bool


class ProcSub(NamedTuple):
    """``<(…)`` or ``>(…)``."""

    op: str
    body: Script
    quoted: bool = True


class BadSubst(NamedTuple):
    """``${…}`` that makes no sense; an error when it is expanded."""

    raw: str
    quoted: bool


Part = Lit | Param | CmdSub | ArithSub | ProcSub | BadSubst


@dataclass(slots=True)
class Word:
    """One word; `literal` is its value where nothing in it can change, else None."""

    parts: tuple[Part, ...]
    raw: str
    literal: str | None = None


@dataclass(slots=True)
class ArrayValue:
    """``(a b [3]=c)``: elements with their subscripts, where given."""

    elements: list[tuple[Word | None, Word]]
    raw: str


@dataclass(slots=True)
class Assign:
    """``name=value``, ``name+=value``, ``name[index]=value``, ``name=(…)``."""

    name: str
    index: Word | None
    append: bool
    value: Word | ArrayValue
    raw: str


@dataclass(slots=True)
class Redirect:
    """``2>file``; `fd` None is the operator's own, a name that of the variable in ``{name}>file``.

    `body` is a here-document's text as a word.
    """

    op: str
    fd: int | str | None
    target: Word
    body: Word | None = None

    def number(self) -> int:
        """The descriptor it is about."""
        if isinstance(self.fd, int):
            return self.fd
        return 0 if self.op.startswith("<") else 1


@dataclass(slots=True)
class Simple:
    """Assignments, words, redirections."""

    assigns: list[Assign]
    words: list[Word | Assign]
    redirects: list[Redirect]
    line: int


@dataclass(slots=True)
class Pipeline:
    """Commands joined by ``|``; `merge[i]` is true where ``|&`` follows command i."""

    commands: list[Command]
    merge: list[bool]
    negate: bool = False
    timed: bool = False
    #: ``time -p``.
    posix: bool = False


@dataclass(slots=True)
class AndOr:
    """A first command and (``&&`` or ``||``, command) pairs, left to right."""

    first: Command
    rest: list[tuple[str, Command]]


@dataclass(slots=True)
class Script:
    """Commands one after the other; each with whether it runs in the background."""

    items: list[tuple[Command, bool]]


@dataclass(slots=True)
class Subshell:
    body: Script


@dataclass(slots=True)
class Group:
    body: Script


@dataclass(slots=True)
class If:
    clauses: list[tuple[Script, Script]]
    otherwise: Script | None


@dataclass(slots=True)
class For:
    name: str
    words: list[Word] | None
    body: Script
    line: int
    select: bool = False


@dataclass(slots=True)
class ArithFor:
    init: Word
    test: Word
    step: Word
    body: Script
    line: int


@dataclass(slots=True)
class While:
    test: Script
    body: Script
    until: bool


@dataclass(slots=True)
class Case:
    """Items are (patterns, body, terminator ``;;``, ``;&`` or ``;;&``)."""

    word: Word
    items: list[tuple[list[Word], Script, str]]
    line: int


@dataclass(slots=True)
class ArithCommand:
    """``((…))``."""

    expression: Word
    line: int


@dataclass(slots=True)
class CondTest:
    """One test of ``[[ ]]``: operator and operands; "" tests a word for not being empty."""

    op: str
    left: Word
    right: Word | None = None


@dataclass(slots=True)
class CondNode:
    """``!``, ``&&`` or ``||`` over tests."""

    op: str
    children: list[CondTest | CondNode]


@dataclass(slots=True)
class Cond:
    """``[[ … ]]``."""

    expression: CondTest | CondNode
    line: int


@dataclass(slots=True)
class Function:
    name: str
    body: Command
    source: str
    line: int = 0


@dataclass(slots=True)
class Redirected:
    """A compound command with redirections."""

    command: Command
    redirects: list[Redirect]


@dataclass(slots=True)
class Coproc:
    """``coproc [NAME] command``: in the background, with a pipe to it and one from it."""

    name: str
    command: Command


Command = (
    Coproc | Simple | Pipeline | AndOr | Subshell | Group | If | For | ArithFor | While | Case | ArithCommand | Cond
    | Function | Redirected
)  # fmt: skip


@dataclass(slots=True)
class Unit:
    """One line's worth of commands, or the syntax error that ends the script (`error` lines)."""

    script: Script | None
    line: int
    error: list[str] = field(default_factory=list)
    status: int = 2
    warnings: list[tuple[int, str]] = field(default_factory=list)
