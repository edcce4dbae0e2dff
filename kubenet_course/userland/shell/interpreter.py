"""Running what was parsed: commands, pipelines, loops, functions.

One `Shell` is one shell process: `bash` itself, or a fork of it (a subshell, a member of a
pipeline, a substitution), which runs in its own process with a forked state. A program that is
the last thing a shell has to do replaces it (exec), as bash does, so `ps` shows the same tree.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from errno import EACCES, EAGAIN, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.files.loader import which
from kubenet_course.userland.process import Process, Signalled
from kubenet_course.userland.shell.assign import Assigner
from kubenet_course.userland.shell.compound import Compound
from kubenet_course.userland.shell.errors import (
    ExpansionError,
    LoopControl,
    Return,
    ShellAbort,
    ShellExit,
)
from kubenet_course.userland.shell.nodes import (
    AndOr,
    Assign,
    Command,
    Pipeline,
    ProcSub,
    Redirect,
    Redirected,
    Script,
    Simple,
    Subshell,
    Unit,
    Word,
)
from kubenet_course.userland.shell.parameters import quote_trace
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.redirect import Redirections
from kubenet_course.userland.shell.state import Job, ShellState, Variable
from kubenet_course.userland.shell.unparse import unparse
from kubenet_course.userland.streams import BrokenPipe, BytesReader, Pipe, Reader, WriteError, Writer

if TYPE_CHECKING:
    pass

MAX_CALLS = 50
DEATHS = {
    1: "Hangup", 3: "Quit", 4: "Illegal instruction", 5: "Trace/breakpoint trap", 6: "Aborted", 7: "Bus error",
    8: "Floating point exception", 9: "Killed", 10: "User defined signal 1", 11: "Segmentation fault",
    12: "User defined signal 2", 14: "Alarm clock", 15: "Terminated",
}  # fmt: skip
Builtin = Callable[["Shell", list[str]], Awaitable[int]]


def exit_status(code: int) -> int:
    """A process' returncode as ``$?``."""
    return code if code >= 0 else 128 - code


class Shell(Assigner, Compound):
    """See the module. `quiet` > 0 while `set -e` does not apply."""

    def __init__(self, proc: Process, state: ShellState):
        self.proc = proc
        self.state = state
        self.line = 1
        self.quiet = 0
        self.loops = 0
        self.sourced = 0
        self.origins: list[str] = [state.origin]
        self.waiting = False
        self.pending_traps: list[str] = []
        self.in_trap = False
        self.substituted: int | None = None
        self.interrupts = 0
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
        if isinstance(node, Simple):
            status = await self.simple(node, tail)
            failing = True
        elif isinstance(node, Pipeline):
            status = await self.pipeline(node, tail)
            failing = not node.negate
        elif isinstance(node, AndOr):
            return await self.and_or(node, tail)
        elif isinstance(node, Subshell):
            status = await self.wait_for(self.fork(node.body), node)
            failing = True
        else:
            status, failing = await self.compound(node)
        self.state.status = status
        if status and failing and not self.quiet and "e" in self.state.options:
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

    async def pipeline(self, node: Pipeline, tail: bool) -> int:
        started = self.proc.loop.now
        self.quiet += node.negate
        try:
            if len(node.commands) == 1:
                status = await self.execute(node.commands[0])
            elif not node.commands:
                status = 0
            else:
                status = await self._pipe(node)
        finally:
            self.quiet -= node.negate
        if node.timed:
            seconds = (self.proc.loop.now - started) / 1e9
            self.proc.error(f"\nreal\t{int(seconds // 60)}m{seconds % 60:.3f}s\nuser\t0m0.000s\nsys\t0m0.000s")
        return int(not status) if node.negate else status

    async def _pipe(self, node: Pipeline) -> int:
        children: list[Process] = []
        source: Reader | None = None
        last = len(node.commands) - 1
        for at, command in enumerate(node.commands):
            out = Pipe(self.proc.loop) if at < last else None
            err = out.add_writer() if out is not None and node.merge[at] else None
            children.append(self.fork(Script([(command, False)]), stdin=source, stdout=out, stderr=err))
            source = out
        statuses = []
        for at, child in enumerate(children):
            statuses.append(exit_status(await self.child_exit(child)))
            if at == last:
                self.report_death(child, child.returncode or 0, node)
        self.state.pipestatus = statuses
        if "pipefail" in self.state.options:
            return next((status for status in reversed(statuses) if status), 0)
        return statuses[-1]

    # -- children ---------------------------------------------------------------------------
    def fork(
        self,
        body: Script,
        stdin: Reader | None = None,
        stdout: Writer | None = None,
        stderr: Writer | None = None,
        background: bool = False,
        substituting: bool = False,
    ) -> Process:
        """Start a copy of this shell that runs `body`."""
        state = self.state.fork()
        if substituting:
            state.trace_level += 1
            state.options.discard("e")
        line, origins, quiet = self.line, list(self.origins), self.quiet
        loops, sourced = self.loops, self.sourced

        async def program(proc: Process, argv: list[str]) -> int:
            child = Shell(proc, state)
            child.line, child.origins, child.quiet = line, origins, quiet
            child.loops, child.sourced = loops, sourced
            proc.fds = dict(self.proc.fds)
            if background:
                proc.ignored |= {int(signal.SIGINT), int(signal.SIGQUIT)}
            return await child.run_child(body)

        return self.proc.system.spawn(
            self.proc.argv,
            program=program,
            parent=self.proc,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=self.proc.env,
        )

    async def run_child(self, body: Script) -> int:
        """What a forked shell does; a lone ``( … )`` needs no second fork."""
        while len(body.items) == 1 and isinstance(body.items[0][0], Subshell):
            body = body.items[0][0].body
        return await self.guard(lambda: self.run_script(body, tail=True))

    async def guard(self, run: Callable[[], Awaitable[int]]) -> int:
        """Run to the shell's end: exits, aborts, the EXIT trap."""
        self.proc.handlers[int(signal.SIGINT)] = self.interrupted
        try:
            try:
                status = await self._ended(run)
            except Replaced as done:
                return done.status
            if "EXIT" in self.state.traps:
                status = await self._exit_trap(status)
        except RecursionError:
            self.proc.error(f"kubenet: {self.state.name}: the script is nested too deeply")
            return 2
        return status

    async def _ended(self, run: Callable[[], Awaitable[int]]) -> int:
        try:
            return await run()
        except Replaced:
            raise
        except ShellExit as leave:
            return leave.status
        except ShellAbort as abort:
            return abort.status
        except ExpansionError as error:
            self.complain(error.message)
            return error.status
        except Return as leave:
            return leave.status
        except LoopControl:
            return 0

    async def _exit_trap(self, status: int) -> int:
        text = self.state.traps.pop("EXIT")
        self.state.status = status

        async def run() -> int:
            await self.run_units(parse_units(text), f"{self.origins[0]}: exit trap")
            return status

        return await self._ended(run)

    async def child_exit(self, child: Process) -> int:
        """Wait for a foreground child; Ctrl-C waits for the child, then follows it."""
        before, self.waiting = self.waiting, True
        self.interrupts = 0
        try:
            code = await child.exited
        finally:
            self.waiting = before
        if self.interrupts and code == -signal.SIGINT and not before:
            raise Signalled(int(signal.SIGINT))
        return code

    def interrupted(self) -> None:
        """SIGINT without a trap."""
        if self.waiting:
            self.interrupts += 1
        elif self.proc.task is not None:
            self.proc.task.throw(Signalled(int(signal.SIGINT)))

    async def wait_for(self, child: Process, node: Command | str) -> int:
        code = await self.child_exit(child)
        self.report_death(child, code, node)
        self.state.pipestatus = [exit_status(code)]
        return exit_status(code)

    def report_death(self, child: Process, code: int, node: Command | str) -> None:
        """``bash: line 1:  1234 Killed   command``, for most signals."""
        if code >= 0 or -code in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
            return
        text = DEATHS.get(-code, f"Signal {-code}")
        command = node if isinstance(node, str) else unparse(node)
        self.complain(f"{child.pid:>5} {text:<23} {command}")

    def start_job(self, command: Command) -> None:
        """``command &``."""
        child = self.fork(Script([(command, False)]), stdin=Reader(), background=True)
        self.state.background = child.pid
        number = max((job.number for job in self.state.jobs), default=0) + 1
        self.state.jobs.append(Job(number, child, unparse(command)))
        self.state.known_pids[child.pid] = child

    async def substitute(self, body: Script) -> str:
        """``$(…)``: the output without its trailing newlines."""
        quick = self._file_substitution(body)
        if quick is not None:
            data = await self._read_file(quick)
        else:
            pipe = Pipe(self.proc.loop)
            child = self.fork(body, stdout=pipe, substituting=True)
            before, self.waiting = self.waiting, True
            try:
                data = await pipe.read()
                code = await child.exited
            finally:
                self.waiting = before
            if code == -signal.SIGINT:
                raise Signalled(int(signal.SIGINT))
            self.substituted = exit_status(code)
            self.state.status = self.substituted
        if b"\0" in data:
            self.complain("warning: command substitution: ignored null byte in input")
        return data.replace(b"\0", b"").decode("utf-8", "surrogateescape").rstrip("\n")

    def _file_substitution(self, body: Script) -> Redirect | None:
        """``$(<file)``."""
        if len(body.items) == 1 and isinstance(body.items[0][0], Simple):
            simple = body.items[0][0]
            if not simple.words and not simple.assigns and len(simple.redirects) == 1:
                return simple.redirects[0] if simple.redirects[0].op == "<" else None
        return None

    async def _read_file(self, redirect: Redirect) -> bytes:
        redirections = Redirections(self)
        try:
            await redirections.apply([redirect])
            self.substituted = 0
            return await self.proc.stdin.read()
        except ExpansionError as error:
            self.complain(error.message)
            self.substituted = 1
            return b""
        except KernelError:
            return b""
        finally:
            redirections.undo()

    async def process_substitution(self, part: ProcSub) -> str:
        """``<(…)``: run to its end, then readable as /dev/fd/N; ``>(…)`` gets what is written."""
        number = 63
        while number in self.proc.fds:
            number -= 1
        if part.op == "<":
            pipe = Pipe(self.proc.loop)
            self.fork(part.body, stdout=pipe)
            data = await pipe.read()
            self.proc.fds[number] = BytesReader(data)
        else:
            pipe = Pipe(self.proc.loop)
            self.fork(part.body, stdin=pipe)
            self.proc.fds[number] = pipe
        self.temporary_fds.append(number)
        return f"/dev/fd/{number}"

    def drop_temporary_fds(self) -> None:
        for number in self.temporary_fds:
            stream = self.proc.fds.pop(number, None)
            if isinstance(stream, Pipe):
                stream.close()
        self.temporary_fds.clear()

    # -- simple commands --------------------------------------------------------------------
    async def simple(self, node: Simple, tail: bool) -> int:
        self.line = node.line
        self.substituted = None
        try:
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
            try:
                await redirections.apply(node.redirects)
            except ExpansionError as error:
                if error.fatal:
                    raise
                self.complain(error.message)
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
            await redirections.apply(node.redirects)
        except ExpansionError as error:
            if error.fatal:
                raise
            self.complain(error.message)
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
            undo.setdefault(assign.name, self.state.variables.get(assign.name))
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

        return table().get(name)

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
        self.origins.append(function.source or state.function_origin)
        self.loops = 0
        try:
            return await self.execute(function.body)
        except Return as leave:
            return leave.status
        finally:
            self.origins.pop()
            state.call_stack.pop()
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
            try:
                await redirections.apply(node.redirects)
            except ExpansionError as error:
                if error.fatal:
                    raise
                self.complain(error.message)
                return 1
            undo = await self._temporary(node.assigns) if node.assigns else {}
            env = self.state.environment()
            if undo:
                self._restore(undo, argv[0])
            env["_"] = argv[0]
            if "x" in self.state.options:
                self._trace_command(argv, {})
            if tail and not self.state.traps and not self.loops and not self.state.jobs:
                status = await self.replace(argv, env, redirections)
                return status
            try:
                self.check_path(argv[0], env)
                child = self.proc.system.spawn(argv, parent=self.proc, env=env)
            except KernelError as error:
                return self.not_started(argv[0], error, env)
            return await self.wait_for(child, node)
        finally:
            redirections.undo()

    async def run_argv(self, argv: list[str]) -> int:
        """Run a program by its words (what `command` does)."""
        env = self.state.environment()
        try:
            child = self.proc.system.spawn(argv, parent=self.proc, env=env)
        except KernelError as error:
            return self.not_started(argv[0], error, env)
        return await self.wait_for(child, " ".join(argv))

    def check_path(self, name: str, env: dict[str, str]) -> None:
        """Without PATH the shell finds nothing, though execvp(3) has a path of its own."""
        if "PATH" not in env and "/" not in name:
            raise KernelError(ENOENT)

    async def replace(self, argv: list[str], env: dict[str, str], redirections: Redirections, who: str = "") -> int:
        """execve(2): this process becomes the program; the status if it cannot, after a message."""
        proc = self.proc
        if env.get("SHLVL", "").isdigit():
            env["SHLVL"] = str(max(int(env["SHLVL"]) - 1, 0))
        try:
            self.check_path(argv[0], env)
            program, final = proc.system.files.load_program(argv, env, proc.cwd, proc.files)
        except KernelError as error:
            return self.not_started(argv[0], error, env, who)
        proc.script = final is not argv
        proc.argv = final
        proc.env = env
        proc.handlers.clear()
        status = await program(proc, final)
        raise Replaced(status)

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

    def not_started(self, name: str, error: KernelError, env: dict[str, str], who: str = "") -> int:
        """Say why a program could not be run: 127 not found, 126 found but not runnable."""
        files, proc = self.proc.files, self.proc
        if error.errno == EAGAIN:
            self.complain("fork: retry: Resource temporarily unavailable")
            return 254
        if "/" not in name:
            if error.errno != ENOENT:
                found = which(name, env.get("PATH", ""), proc.cwd, files) or name
                self.complain(f"{found}: {_reason(error)}")
                return 126
            for directory in env.get("PATH", "").split(":"):
                path = f"{directory}/{name}"
                if name and files.isfile(path, proc):
                    self.complain(f"{path}: Permission denied")
                    return 126
            if "PATH" not in env:
                self.complain(f"{who}{name}: No such file or directory")
            else:
                self.complain(f"{who}{name}: {'not found' if who else 'command not found'}")
            return 127
        if files.isdir(name, proc):
            self.complain(f"{who}{name}: {'cannot execute: ' if who else ''}Is a directory")
            return 126
        if error.errno == ENOENT and files.exists(name, proc):
            self.complain(f"{name}: cannot execute: required file not found")
            return 127
        if who and error.errno != ENOENT:
            self.complain(f"{who}{name}: cannot execute: {_reason(error)}")
        self.complain(f"{who if error.errno == ENOENT else ''}{name}: {_reason(error)}")
        return 127 if error.errno == ENOENT else 126

    # -- traps ------------------------------------------------------------------------------
    def trap_signal(self, name: str, number: int) -> None:
        """A signal with a trap arrived."""
        self.pending_traps.append(name)
        if not self.waiting and self.interruptible and self.proc.task is not None:
            self.proc.task.throw(_Wake())

    async def run_traps(self) -> None:
        while self.pending_traps and not self.in_trap:
            text = self.state.traps.get(self.pending_traps.pop(0))
            if text:
                self.in_trap = True
                status = self.state.status
                try:
                    await self.run_units(parse_units(text), self.origins[0])
                finally:
                    self.in_trap = False
                self.state.status = status


    @property
    def temporary_fds(self) -> list[int]:
        return self.state.temporary_fds


class Replaced(ShellExit):
    """The process has become a program, which has ended; nothing of the shell is left to run."""


class _Wake(Exception):
    """Wakes the builtin `wait` for a trap."""


def _reason(error: KernelError) -> str:
    if error.errno == ENOEXEC:
        return "cannot execute binary file: Exec format error"
    if error.errno in (EACCES, EISDIR, ENOTDIR, ELOOP, ENOENT):
        return error.strerror
    return error.strerror


__all__ = ["BrokenPipe", "Redirected", "Shell", "Word", "exit_status"]
