"""Running what was parsed: commands, pipelines, loops, functions.

One `Shell` is one shell process: `bash` itself, or a fork of it (a subshell, a member of a
pipeline, a substitution), which runs in its own process with a forked state. A program that is
the last thing a shell has to do replaces it (exec), as bash does, so `ps` shows the same tree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.userland.shell.errors import (
    ExpansionError,
    Return,
    ShellAbort,
    ShellExit,
)
from kubenet_course.userland.shell.nodes import (
    AndOr,
    Assign,
    Command,
    Coproc,
    Pipeline,
    Script,
    Simple,
    Subshell,
    Unit,
)
from kubenet_course.userland.shell.parameters import quote_trace
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.pipelines import Pipelines
from kubenet_course.userland.shell.redirect import Redirections
from kubenet_course.userland.shell.state import ShellState, Variable
from kubenet_course.userland.streams import WriteError

if TYPE_CHECKING:
    pass

MAX_CALLS = 50
#: Traps that are no signals'; functions have them only where `set -E` or `set -T` says so.
PSEUDO = ("DEBUG", "ERR", "RETURN")
Builtin = Callable[["Shell", list[str]], Awaitable[int]]


class Shell(Pipelines):
    """See the module. `quiet` > 0 while `set -e` does not apply."""

    def __init__(self, proc: Process, state: ShellState):
        self.proc = proc
        self.state = state
        self.line = 1
        self.quiet = 0
        self.loops = 0
        self.sourced = 0
        self.origins: list[str] = [state.origin]
        self.waiting: bool = False
        self.pending_traps: list[str] = []
        self.in_trap = False
        self.substituted: int | None = None
        self.interrupts = 0
        self.awaited: Process | None = None
        #: The command that runs (``BASH_COMMAND``), and the lines of the calls that led to it.
        self.command: Command | None = None
        self.call_lines: list[int] = []
        self.interruptible = False
        self.assigned_arguments: dict[int, Assign] = {}

    # -- messages ---------------------------------------------------------------------------
    def complain(self, message: str) -> None:
        """An error message with the script's name and line."""
        self.proc.error(f"{self.origins[-1]}: line {self.line}: {message}")

    def trace(self, text: str) -> None:
        """``set -x``."""
        marks = (self.state.get("PS4") or "+ ")[:1] * (self.state.trace_level + 1)
        self.proc.error(f"{marks} {text}")

    # -- scripts ----------------------------------------------------------------------------
    async def run_units(self, units: tuple[Unit, ...], origin: str, tail: bool = False) -> int:
        """Run a parsed script; syntax errors are said and end it. `origin` is for those."""
        status = 0
        for at, unit in enumerate(units):
            self.line = unit.line
            for line, warning in unit.warnings:
                self.proc.error(f"{self.origins[-1]}: line {line}: warning: {warning}")
            if unit.script is None:
                for text in unit.error:
                    where = "" if text.startswith("kubenet:") else f"{origin}: line {unit.line}: "
                    self.proc.error(f"{where}{text}")
                status = self.state.status = unit.status
                break
            status = await self.run_script(unit.script, tail and at == len(units) - 1)
        return status

    async def run_script(self, script: Script, tail: bool = False) -> int:
        """Run a list of commands and return the last one's status."""
        status = 0
        last = len(script.items) - 1
        for at, (command, background) in enumerate(script.items):
            if background:
                self.start_job(command)
                status = self.state.status = 0
            else:
                status = await self.execute(command, tail and at == last)
            if self.pending_traps:
                await self.run_traps()
        return status

    async def execute(self, node: Command, tail: bool = False) -> int:
        """Run one command; its status is also left in the state."""
        if "n" in self.state.options and self.state.cwd is None:
            return 0
        if isinstance(node, Simple):
            status = await self.simple(node, tail)
            failing = True
        elif isinstance(node, Pipeline):
            status = await self.pipeline(node, tail)
            failing = not node.negate and len(node.commands) > 1
        elif isinstance(node, AndOr):
            return await self.and_or(node, tail)
        elif isinstance(node, Subshell):
            self.command = node
            status = await self.wait_for(self.fork(node.body), node)
            failing = True
        elif isinstance(node, Coproc):
            status, failing = self.start_coproc(node), False
        else:
            status, failing = await self.compound(node)
        self.state.status = status
        if status and failing and not self.quiet:
            if "ERR" in self.state.traps and not (tail and isinstance(node, Simple) and self.state.level):
                await self.run_trap("ERR")
            if "e" in self.state.options:
                raise ShellExit(status)
        return status

    async def and_or(self, node: AndOr, tail: bool) -> int:
        last = len(node.rest) - 1
        self.quiet += 1
        try:
            status = await self.execute(node.first)
        finally:
            self.quiet -= 1
        for at, (operator, command) in enumerate(node.rest):
            if (status == 0) != (operator == "&&"):
                continue
            if at == last:
                return await self.execute(command, tail)
            self.quiet += 1
            try:
                status = await self.execute(command)
            finally:
                self.quiet -= 1
        self.state.status = status
        return status

    # -- simple commands --------------------------------------------------------------------
    async def simple(self, node: Simple, tail: bool) -> int:
        self.line = node.line
        self.substituted = None
        if not self.in_trap:
            self.command = node
        try:
            if "DEBUG" in self.state.traps:
                await self.run_trap("DEBUG")
            return await self._simple(node, tail)
        except ExpansionError as error:
            self.complain(error.message)
            if error.fatal:
                raise ShellExit(error.status) from None
            raise ShellAbort(error.status) from None
        finally:
            if self.temporary_fds:
                self.drop_temporary_fds()

    async def _simple(self, node: Simple, tail: bool) -> int:
        if not node.words:
            return await self._only_assignments(node)
        argv, assigned = await self._arguments(node)
        if "x" in self.state.options and not argv:
            self.trace("")
        if not argv:
            return await self._only_assignments(node)
        self.state.last_argument = argv[-1]
        name = argv[0]
        function = self.state.functions.get(name)
        builtin = None if function is not None else self.builtin(name)
        if function is None and builtin is None:
            return await self._program(node, argv, tail)
        redirections = Redirections(self)
        try:
            if not await redirections.made(node.redirects):
                return 1
            undo = await self._temporary(node.assigns)
            if "x" in self.state.options:
                self._trace_command(argv, assigned)
            try:
                if function is not None:
                    return await self.call(name, argv[1:])
                assert builtin is not None
                if name == "exec":
                    return await self._exec(argv, redirections)
                return await self.call_builtin(builtin, argv, assigned)
            finally:
                self._restore(undo, name)
        finally:
            redirections.undo()

    async def _arguments(self, node: Simple) -> tuple[list[str], dict[int, Assign]]:
        """The words, expanded; assignments as arguments (of `export` …) by their position."""
        argv: list[str] = []
        assigned: dict[int, Assign] = {}
        for word in node.words:
            if isinstance(word, Assign):
                assigned[len(argv)] = word
                argv.append(await self.assign_text(word))
            elif word.literal is not None:
                argv.append(word.literal)
            else:
                argv.extend(await self.expand_words([word]))
        return argv, assigned

    def _trace_command(self, argv: list[str], assigned: dict[int, Assign]) -> None:
        shown = [
            quote_trace(word) if at not in assigned else word if " " not in word else quote_trace(word)
            for at, word in enumerate(argv)
        ]
        self.trace(" ".join(shown))

    async def _only_assignments(self, node: Simple) -> int:
        redirections = Redirections(self)
        self.substituted = None
        try:
            if not await redirections.made(node.redirects):
                return 1
        finally:
            redirections.undo()
        for assign in node.assigns:
            await self.do_assign(assign, show=True)
        return self.substituted or 0

    async def _temporary(self, assigns: list[Assign]) -> dict[str, Variable | None]:
        """``name=value command``: set for the command, then put back."""
        undo: dict[str, Variable | None] = {}
        for assign in assigns:
            old = self.state.variables.get(assign.name)
            if old is not None and old.readonly:
                self.complain(f"{assign.name}: readonly variable")
                continue
            undo.setdefault(assign.name, old)
            await self.do_assign(assign, show=True)
            variable = self.state.variables[assign.name]
            self.state.variables[assign.name] = variable._replace(exported=True)
        return undo

    def _restore(self, undo: dict[str, Variable | None], name: str) -> None:
        for variable, old in undo.items():
            if old is None:
                self.state.variables.pop(variable, None)
            else:
                self.state.variables[variable] = old

    # -- builtins and functions -------------------------------------------------------------
    def builtin(self, name: str) -> Builtin | None:
        from kubenet_course.userland.shell.builtins import table

        return table().get(name) if name not in self.state.disabled else None

    async def call_builtin(self, builtin: Builtin, argv: list[str], assigned: dict[int, Assign]) -> int:
        self.assigned_arguments = assigned
        try:
            return await builtin(self, argv)
        except WriteError as error:
            self.complain(f"{argv[0]}: write error: {error.strerror}")
            return 1
        except KernelError as error:
            self.complain(f"{argv[0]}: {error.strerror}")
            return 1

    async def call(self, name: str, arguments: list[str]) -> int:
        """Call a function."""
        function = self.state.functions[name]
        state = self.state
        if len(state.call_stack) >= MAX_CALLS:
            self.complain(f"{name}: maximum function nesting level exceeded ({MAX_CALLS})")
            raise ShellAbort(1)
        before, state.positional = state.positional, arguments
        line, loops = self.line, self.loops
        state.locals.append({})
        state.call_stack.append(name)
        self.call_lines.append(line)
        held = {trap: state.traps.pop(trap) for trap in PSEUDO if trap in state.traps and not state.inherits(trap)}
        self.origins.append(function.source or state.function_origin)
        self.loops = 0
        try:
            status = await self.execute(function.body)
            if "RETURN" in state.traps:
                await self.run_trap("RETURN")
            return status
        except Return as leave:
            if "RETURN" in state.traps:
                await self.run_trap("RETURN")
            return leave.status
        finally:
            state.traps = {**held, **state.traps}
            self.origins.pop()
            state.call_stack.pop()
            self.call_lines.pop()
            for variable, old in state.locals.pop().items():
                if old is None:
                    state.variables.pop(variable, None)
                else:
                    state.variables[variable] = old
            state.positional = before
            self.line, self.loops = line, loops

    # -- programs ---------------------------------------------------------------------------
    async def _program(self, node: Simple, argv: list[str], tail: bool) -> int:
        redirections = Redirections(self)
        try:
            if not await redirections.made(node.redirects):
                return 1
            undo = await self._temporary(node.assigns) if node.assigns else {}
            env = self.state.environment()
            if undo:
                self._restore(undo, argv[0])
            env["_"] = argv[0]
            if "x" in self.state.options:
                self._trace_command(argv, {})
            if tail and not self.state.traps and not self.loops and not self.state.jobs:
                return await self.replace(argv, env, redirections)
            try:
                self.check_path(argv[0], env)
                child = self.proc.system.spawn(argv, parent=self.proc, env=env)
            except KernelError as error:
                return self.not_started(argv[0], error, env)
            return await self.wait_for(child, node)
        finally:
            redirections.undo()

    async def _exec(self, argv: list[str], redirections: Redirections) -> int:
        """The builtin `exec`."""
        words = argv[1:]
        if words[:1] == ["--"]:
            words = words[1:]
        if not words:
            redirections.keep()
            return 0
        env = self.state.environment()
        status = await self.replace(words, env, redirections, "exec: ")
        raise ShellExit(status)

    # -- traps ------------------------------------------------------------------------------
    def trap_signal(self, name: str, number: int) -> None:
        """A signal with a trap arrived."""
        self.pending_traps.append(name)
        if not self.waiting and self.interruptible and self.proc.task is not None:
            self.proc.task.throw(_Wake())

    async def run_traps(self) -> None:
        while self.pending_traps and not self.in_trap:
            await self.run_trap(self.pending_traps.pop(0))

    async def run_trap(self, name: str) -> None:
        """The commands of a trap, where none of another runs; ``$?`` stays."""
        text = self.state.traps.get(name)
        if not text or self.in_trap:
            return
        self.in_trap = True
        status, line = self.state.status, self.line
        try:
            await self.run_units(parse_units(text, line), self.origins[0])
        finally:
            self.in_trap = False
            self.line = line
        self.state.status = status

    @property
    def temporary_fds(self) -> list[int]:
        return self.state.temporary_fds


class _Wake(Exception):
    """Wakes the builtin `wait` for a trap."""
