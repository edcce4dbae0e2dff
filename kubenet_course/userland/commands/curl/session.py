"""All transfers of one command: kept connections, retries, and what is said after each (src/tool_operate.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.curl.easy import Connection, Easy, Result
from kubenet_course.userland.commands.curl.failure import CurlError
from kubenet_course.userland.commands.curl.progress import Meter
from kubenet_course.userland.commands.curl.sink import Sink
from kubenet_course.userland.commands.curl.transfer import perform
from kubenet_course.userland.commands.curl.writeout import write_out

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.options import Configuration, Output
    from kubenet_course.userland.process import Process


class Session:
    """Keeps connections open between transfers of one command."""

    def __init__(self, proc: Process, config: Configuration):
        self.proc, self.config = proc, config
        self.connections: list[Connection] = []
        self.next_number = 0
        self.known_hosts: set[tuple[str, int]] = set()
        self.old_servers: set[tuple[str, int]] = set()
        self.noted = False

    def close(self) -> None:
        for connection in self.connections:
            connection.stream.close()
        self.connections.clear()

    def info(self, text: str) -> None:
        if self.config.verbose:
            self.proc.error(f"* {text}")

    async def transfer(self, text: str, output: Output | None, number: int) -> int:
        """Curl's exit code; says what went wrong unless silent."""
        self.old_servers.clear()
        attempt = 0
        while True:
            status = await self._attempt(text, output, number)
            refused = status == 7 and self.config.retry_refused
            if status not in (6, 28) and not refused or attempt >= self.config.retry:
                return status
            pause = self.config.retry_delay or 2.0**attempt
            left = self.config.retry - attempt
            attempt += 1
            if not self.config.silent:
                what = "connection refused" if status == 7 else "timeout"
                tries = "retries" if left != 1 else "retry"
                self.proc.error(
                    f"Warning: Problem: {what}. Will retry in {int(pause)} seconds. {left} {tries} left."
                )
            await self.proc.sleep(pause)

    async def _attempt(self, text: str, output: Output | None, number: int) -> int:
        """One try at it, from the meter's first line to what --write-out prints; curl's exit code."""
        proc, config = self.proc, self.config
        result = Result(text, number)
        sink = Sink(proc, config, output)
        shown = not (config.silent or config.meter_off) and (
            sink.to_file or not getattr(proc.stdout, "is_terminal", False)
        )
        easy = Easy(self, result, sink, Meter(proc, shown, config.bar))
        proc.owns(easy.meter)
        try:
            await perform(easy, text)
        except CurlError as failure:
            result.code, result.error = failure.code, str(failure)
            if failure.quiet_meter:
                easy.meter.stop()
            else:
                easy.meter.end()
        else:
            easy.meter.end()
        proc.resources.remove(easy.meter)
        for note in easy.farewell:
            self.info(note)
        if result.code and config.show_errors:
            proc.error(f"curl: ({result.code}) {result.error}")
        sink.close()
        result.ended = result.ended or proc.loop.now
        result.filename = sink.name
        if config.write_out:
            write_out(proc, config.write_out, result, easy.meter)
        return result.code
