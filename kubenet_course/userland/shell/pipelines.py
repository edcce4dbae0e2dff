"""Pipelines: the processes of one, what `time` and `!` make of it, ``shopt -s lastpipe``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.process import Process
from kubenet_course.userland.shell.children import Children
from kubenet_course.userland.shell.nodes import Command, Pipeline, Script
from kubenet_course.userland.shell.redirect import Redirections
from kubenet_course.userland.shell.status import exit_status
from kubenet_course.userland.streams import Pipe, Reader

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


class Pipelines(Children):
    """What of a shell runs pipelines."""

    async def pipeline(self: Shell, node: Pipeline, tail: bool) -> int:  # type: ignore[misc]
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
            self._tell_time((self.proc.loop.now - started) / 1e9, node.posix)
        return int(not status) if node.negate else status

    def _tell_time(self, seconds: float, posix: bool) -> None:
        """What `time` prints, by TIMEFORMAT; a program's own time is nothing."""
        text = self.state.get("TIMEFORMAT")
        if posix:
            text = "real %2R\nuser %2U\nsys %2S"
        elif text is None:
            text = "\nreal\t%3lR\nuser\t%3lU\nsys\t%3lS"
        if not text:
            return
        bad = re.search(r"%(?![0-9]?l?[RUS]|P|%)(?:[0-9]?l?)(.?)", text.replace("%%", ""))
        if bad:
            self.complain(f"TIMEFORMAT: `{bad[1]}': invalid format character")
            return

        def one(match: re.Match[str]) -> str:
            if match[3] in "P%":
                return "%" if match[3] == "%" else "0.00"
            places, value = min(int(match[1] or 3), 3), seconds if match[3] == "R" else 0.0
            if match[2]:
                return f"{int(value // 60)}m{value % 60:.{places}f}s"
            return f"{value:.{places}f}"

        self.proc.error(re.sub(r"%([0-9]?)(l?)([RUSP%])", one, text))

    async def _pipe(self: Shell, node: Pipeline) -> int:  # type: ignore[misc]
        children: list[Process] = []
        source: Reader | None = None
        here = "lastpipe" in self.state.shopts and "m" not in self.state.options
        last = len(node.commands) - 1
        if not self.in_trap:
            self.command = node.commands[-1]
        for at, command in enumerate(node.commands[: last + 1 - here]):
            out = Pipe(self.proc.loop) if at < last else None
            err = out.add_writer() if out is not None and node.merge[at] else None
            children.append(self.fork(Script([(command, False)]), stdin=source, stdout=out, stderr=err))
            source = out
        statuses, own = [], []
        if here:
            assert source is not None
            own.append(await self._reading(source, node.commands[-1]))
        for at, child in enumerate(children):
            statuses.append(exit_status(await self.child_exit(child)))
            if at == last:
                self.report_death(child, child.returncode or 0, node)
        statuses += own
        self.state.pipestatus = statuses
        if "pipefail" in self.state.options:
            return next((status for status in reversed(statuses) if status), 0)
        return statuses[-1]

    async def _reading(self: Shell, source: Reader, command: Command) -> int:  # type: ignore[misc]
        """``shopt -s lastpipe``: the end of a pipeline runs in this shell."""
        redirections = Redirections(self)
        redirections.put(0, source)
        try:
            return await self.execute(command)
        finally:
            redirections.undo()
            source.close_read()
