"""What a shell knows: variables, functions, options, traps, jobs.

A `ShellState` may outlive the process that runs in it: a session on a machine keeps one and hands
it to each command line. `Variable` is never changed in place, so a forked state is a shallow copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.shell.nodes import Function

VERSION = "5.2.15(1)-release"


class Variable(NamedTuple):
    """`value` is a string, a dict (array: int keys, or str keys if `kind` is "A"), or None: unset."""

    value: str | dict[int, str] | dict[str, str] | None
    exported: bool = False
    readonly: bool = False
    integer: bool = False
    kind: str = ""
    case: str = ""

    @property
    def text(self) -> str | None:
        """The value as a scalar: of an array, element 0."""
        if isinstance(self.value, dict):
            return self.value.get("0" if self.kind == "A" else 0)  # type: ignore[call-overload, arg-type]
        return self.value


@dataclass(slots=True)
class Job:
    """A background job; `process` is the last of its pipeline."""

    number: int
    process: Process
    command: str
    told: bool = False


@dataclass(slots=True)
class ShellState:
    """See the module. `origin` is what error messages begin with; `name` is ``$0``."""

    name: str = "bash"
    origin: str = "bash"
    function_origin: str = "environment"
    script: bool = False
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    positional: list[str] = field(default_factory=list)
    options: set[str] = field(default_factory=set)
    shopts: set[str] = field(default_factory=set)
    shopts_off: set[str] = field(default_factory=set)
    #: Builtins that `enable -n` has switched off.
    disabled: set[str] = field(default_factory=set)
    traps: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    known_pids: dict[int, Process] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    status: int = 0
    pipestatus: list[int] = field(default_factory=lambda: [0])
    background: int | None = None
    cwd: str | None = None
    umask: int | None = None
    main_pid: int = 0
    level: int = 0
    started: int = 0
    locals: list[dict[str, Variable | None]] = field(default_factory=list)
    call_stack: list[str] = field(default_factory=list)
    last_argument: str = ""
    getopts_at: int = 1
    random_seed: int | None = None
    ready: bool = False
    trace_level: int = 0
    temporary_fds: list[int] = field(default_factory=list)
    outer_jobs: list[Job] = field(default_factory=list)

    def fork(self) -> ShellState:
        """The state of a subshell."""
        return ShellState(
            name=self.name,
            origin=self.origin,
            function_origin=self.function_origin,
            script=self.script,
            variables=dict(self.variables),
            functions=dict(self.functions),
            positional=list(self.positional),
            options=set(self.options),
            shopts=set(self.shopts),
            shopts_off=set(self.shopts_off),
            disabled=set(self.disabled),
            traps={name: text for name, text in self.traps.items() if self.inherits(name)},
            aliases=dict(self.aliases),
            history=self.history,
            status=self.status,
            pipestatus=self.pipestatus,
            background=self.background,
            main_pid=self.main_pid,
            level=self.level + 1,
            started=self.started,
            locals=[dict(scope) for scope in self.locals],
            call_stack=list(self.call_stack),
            last_argument=self.last_argument,
            getopts_at=self.getopts_at,
            random_seed=self.random_seed,
            trace_level=self.trace_level,
            outer_jobs=self.jobs or self.outer_jobs,
            ready=True,
        )

    def inherits(self, trap: str) -> bool:
        """Whether functions and subshells have a trap too: `errtrace` and `functrace`."""
        return {"ERR": "E", "DEBUG": "T", "RETURN": "T"}.get(trap, "") in self.options

    # -- variables --------------------------------------------------------------------------
    def import_environment(self, env: dict[str, str]) -> None:
        """Make exported variables of the environment."""
        for name, value in env.items():
            self.variables[name] = Variable(value, exported=True)

    def get(self, name: str) -> str | None:
        variable = self.variables.get(name)
        return variable.text if variable is not None else None

    def put(self, name: str, value: str, exported: bool = False) -> None:
        """Set a scalar regardless of attributes (what the shell itself sets)."""
        old = self.variables.get(name)
        self.variables[name] = Variable(value, exported or (old.exported if old else False))

    def environment(self) -> dict[str, str]:
        """What a program that is started gets."""
        return {
            name: variable.value
            for name, variable in self.variables.items()
            if variable.exported and isinstance(variable.value, str)
        }

    def pipestatus_text(self) -> list[str]:
        """The elements of ``PIPESTATUS``."""
        return [str(status) for status in self.pipestatus]

    def flags(self) -> str:
        """``$-``."""
        return "".join(letter for letter in "aefhmnuvxBCEHT" if letter in self.options | {"h", "B"}) + "c"


def attribute_letters(variable: Variable) -> str:
    """The letters of ``declare -p``."""
    letters = variable.kind
    letters += "i" if variable.integer else ""
    letters += variable.case
    letters += "r" if variable.readonly else ""
    letters += "x" if variable.exported else ""
    return letters
