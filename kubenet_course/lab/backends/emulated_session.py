"""A shell that lives on between commands, on an emulated machine.

One `bash` process whose program waits for the next statement, runs it in the same `ShellState`
and reports its status: what `real/agent.py` does with a real bash.
"""

from __future__ import annotations

from collections.abc import Mapping
from signal import SIGINT

from kubenet_course.lab.machine import Completed
from kubenet_course.sim.loop import Future, Queue
from kubenet_course.userland.process import Process, Signalled
from kubenet_course.userland.shell.errors import ExpansionError, ShellExit
from kubenet_course.userland.shell.interpreter import Shell
from kubenet_course.userland.shell.main import prepare
from kubenet_course.userland.shell.parser import parse_units
from kubenet_course.userland.shell.state import ShellState
from kubenet_course.userland.streams import Capture, Reader
from kubenet_course.userland.system import System

#: Status of an expansion error that ends a shell which is not interactive: ${x?}, `set -u`.
FATAL = 127


class Session:
    """`submit` a statement, run the loop until its future is done, `take` what it printed."""

    def __init__(self, system: System, env: Mapping[str, str] | None = None):
        self.out, self.err = Capture(), Capture()
        self.state = ShellState()
        self.status = 0
        self._statements: Queue[tuple[str, Future[None]]] = Queue(system.loop)
        self._done: Future[None] | None = None
        self.process = system.spawn(
            ["bash"],
            program=self._main,
            stdin=Reader(),
            stdout=self.out,
            stderr=self.err,
            env={**system.default_env(), **(env or {})},
        )
        self.process.exited.add_done_callback(self._ended)

    def submit(self, text: str) -> Future[None]:
        """Hand over a statement; the future is done when it has ended (or the shell has)."""
        done: Future[None] = Future(self.process.loop)
        self._done = done
        self._statements.put((text, done))
        return done

    def take(self) -> Completed:
        """Output since last time, and the last statement's status."""
        result = Completed(self.out.text(), self.err.text(), self.status)
        self.out.data.clear()
        self.err.data.clear()
        return result

    async def _main(self, proc: Process, argv: list[str]) -> int:
        while True:
            text, done = await self._statements.get()
            over = False
            try:
                self.status, over = await self._run(proc, text)
            except Signalled as signalled:
                self.status = 128 + signalled.signum
            self.state.status = self.status
            if over:
                return self.status
            done.set_result(None)

    async def _run(self, proc: Process, text: str) -> tuple[int, bool]:
        """The statement's status, and whether it ended the shell (`exit`, `set -e`)."""
        prepare(proc, self.state)
        shell = Shell(proc, self.state)
        proc.handlers[int(SIGINT)] = shell.interrupted
        over = False

        async def run() -> int:
            nonlocal over
            try:
                return await shell.run_units(parse_units(text), f"{self.state.origin}: -c")
            except ShellExit:
                over = True
                raise
            except ExpansionError as error:
                if error.status != FATAL:
                    raise
                over = True
                shell.complain(error.message)
                return 1

        async def leave() -> int:
            return status

        try:
            status = await shell._ended(run)
        except RecursionError:
            proc.error(f"kubenet: {self.state.name}: the script is nested too deeply")
            status = 2
        if over:
            status = await shell.guard(leave)  # runs the EXIT trap
        self.state.cwd, self.state.umask = proc.cwd, proc.umask
        return status, over

    def _ended(self, _: Future) -> None:
        code = self.process.returncode or 0
        self.status = code if code >= 0 else 128 - code
        if self._done is not None:
            self._done.set_result(None)
