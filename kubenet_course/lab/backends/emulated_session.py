"""A shell that lives on between commands, on an emulated machine.

One `bash` process whose program waits for the next statement, runs it in the same `ShellState`
and reports its status: what `real/agent.py` does with a real bash.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubenet_course.lab.machine import Completed
from kubenet_course.sim.loop import Future, Queue
from kubenet_course.userland.process import Process, Signalled
from kubenet_course.userland.shell import run_script
from kubenet_course.userland.shell.state import ShellState
from kubenet_course.userland.streams import Capture, Reader
from kubenet_course.userland.system import System


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
            try:
                status = await run_script(proc, text, self.state)
            except Signalled as signalled:
                status = 128 + signalled.signum
            self.status = status
            done.set_result(None)

    def _ended(self, _: Future) -> None:
        code = self.process.returncode or 0
        self.status = code if code >= 0 else 128 - code
        if self._done is not None:
            self._done.set_result(None)
