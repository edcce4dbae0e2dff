"""Processes that a shell starts: forks, substitutions, programs, and the program that replaces it."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EAGAIN, ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.userland.files.loader import which
from kubenet_course.userland.process import Process, Signalled
from kubenet_course.userland.shell.assign import Assigner
from kubenet_course.userland.shell.compound import Compound
from kubenet_course.userland.shell.errors import (
    ExpansionError,
    LoopControl,
    Replaced,
    Return,
    ShellAbort,
    ShellExit,
)
from kubenet_course.userland.shell.nodes import (
    Command,
    Coproc,
    ProcSub,
    Redirect,
    Script,
    Simple,
    Subshell,
)
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.redirect import Redirections
from kubenet_course.userland.shell.state import Job, Variable
from kubenet_course.userland.shell.status import DEATHS, exit_status, reason
from kubenet_course.userland.shell.unparse import unparse
from kubenet_course.userland.streams import BytesReader, Pipe, Reader, Writer

if TYPE_CHECKING:
    pass


class Children(Assigner, Compound):
    """What of a shell deals with other processes."""

    waiting: bool
    awaited: Process | None
    substituted: int | None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Shell` has besides."""

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
        command, call_lines = self.command, list(self.call_lines)

        async def program(proc: Process, argv: list[str]) -> int:
            from kubenet_course.userland.shell.interpreter import Shell

            child = Shell(proc, state)
            child.line, child.origins, child.quiet = line, origins, quiet
            child.loops, child.sourced = loops, sourced
            child.command, child.call_lines = command, call_lines
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
            except Signalled as killed:
                if "EXIT" in self.state.traps:
                    await self._exit_trap(128 + killed.signum)
                raise
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
        self.interrupts, self.awaited = 0, child
        try:
            code = await child.exited
        finally:
            self.waiting = before
        if self.interrupts and code == -signal.SIGINT and not before:
            raise Signalled(int(signal.SIGINT))
        return code

    def interrupted(self) -> None:
        """SIGINT without a trap."""
        if self.waiting and self.awaited is not None and self.awaited.returncode is None:
            self.interrupts += 1  # the child's death decides
        elif self.proc.task is not None:
            self.proc.task.throw(Signalled(int(signal.SIGINT)))

    async def wait_for(self, child: Process, node: Command | str) -> int:
        code = await self.child_exit(child)
        self.report_death(child, code, node)
        self.state.pipestatus = [exit_status(code)]
        return exit_status(code)

    def report_death(self, child: Process, code: int, node: Command | str, foreground: bool = True) -> None:
        """``bash: line 1:  1234 Killed   command``, for most signals."""
        if code >= 0 or -code in (signal.SIGINT, signal.SIGPIPE):
            return
        if -code == signal.SIGTERM:
            if foreground:
                self.proc.error("Terminated")
            return
        text = DEATHS.get(-code, f"Signal {-code}")
        command = node if isinstance(node, str) else unparse(node)
        self.complain(f"{self.proc.pidns.number(child) or child.vpid:>5} {text:<23} {command}")

    def start_job(self, command: Command) -> None:
        """``command &``."""
        self.started(self.fork(Script([(command, False)]), stdin=Reader(), background=True), unparse(command))

    def started(self, child: Process, command: str) -> None:
        """A new job."""
        self.state.background = self.proc.pidns.number(child)
        number = max((job.number for job in self.state.jobs), default=0) + 1
        self.state.jobs.append(Job(number, child, command))
        self.state.known_pids[self.state.background] = child

    def start_coproc(self, node: Coproc) -> int:
        """``coproc``: NAME[0] reads what the command prints, NAME[1] writes to it."""
        to, back = Pipe(self.proc.loop), Pipe(self.proc.loop)
        free = [number for number in range(63, 9, -1) if number not in self.proc.fds][:4:3]
        child = self.fork(Script([(node.command, False)]), stdin=to, stdout=back, background=True)
        self.proc.fds[free[0]], self.proc.fds[free[1]] = back, to
        self.state.variables[node.name] = Variable({0: str(free[0]), 1: str(free[1])}, kind="a")
        self.started(child, unparse(node))
        self.state.put(f"{node.name}_PID", str(self.state.background))
        return 0

    async def substitute(self, body: Script) -> str:
        """``$(…)``: the output without its trailing newlines."""
        quick = self._file_substitution(body)
        if quick is not None:
            data = await self._read_file(quick)
        else:
            pipe = Pipe(self.proc.loop)
            child = self.fork(body, stdout=pipe, substituting=True)
            before, self.waiting = self.waiting, True
            self.awaited = child
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
        redirections = Redirections(self)  # type: ignore[arg-type]
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

    async def replace(
        self, argv: list[str], env: dict[str, str], redirections: Redirections, who: str = ""
    ) -> int:
        """execve(2): this process becomes the program; the status if it cannot, after a message."""
        proc = self.proc
        if env.get("SHLVL", "").isdecimal():
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

    def not_started(self, name: str, error: KernelError, env: dict[str, str], who: str = "") -> int:
        """Say why a program could not be run: 127 not found, 126 found but not runnable."""
        files, proc = self.proc.files, self.proc
        if error.errno == EAGAIN:
            self.complain("fork: retry: Resource temporarily unavailable")
            return 254
        if "/" not in name:
            if error.errno != ENOENT:
                found = which(name, env.get("PATH", ""), proc.cwd, files) or name
                self.complain(f"{found}: {reason(error)}")
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
            self.complain(f"{who}{name}: cannot execute: {reason(error)}")
        self.complain(f"{who if error.errno == ENOENT else ''}{name}: {reason(error)}")
        return 127 if error.errno == ENOENT else 126
