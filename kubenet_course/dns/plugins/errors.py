"""errors: logs what went wrong while answering (plugin/errors)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.goregexp import LONGEST, compile_regexp
from kubenet_course.dns.names import go_duration, go_duration_text
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig

LEVELS = ("warning", "error", "info", "debug")


@dataclass
class Pattern:
    """Errors that match are counted for `period` ns and told in one line."""

    expression: re.Pattern[str]
    text: str
    period: int
    level: str = "error"
    count: int = 0
    running: bool = False
    show_first: bool = False


@dataclass
class Errors(Plugin):
    config: ServerConfig
    patterns: list[Pattern] = field(default_factory=list)
    stack_trace: bool = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        try:
            return await self.next_plugin(request)
        except PluginError as problem:
            if str(problem):
                self._note(request, problem)
            raise

    def _note(self, request: Request, problem: PluginError) -> None:
        text = str(problem)
        environment = self.config.environment
        for pattern in self.patterns:
            if pattern.expression.search(text):
                pattern.count += 1
                if not pattern.running:
                    pattern.running = True
                    environment.spawn(self._report(pattern))
                    if pattern.show_first:
                        break
                return
        environment.log(f"[ERROR] plugin/errors: {int(problem.rcode)} {request.name} {request.type}: {text}")

    async def _report(self, pattern: Pattern) -> None:
        await self.config.environment.sleep(pattern.period)
        self._tell(pattern)

    def stop(self) -> None:
        """What is not told yet is told at the end."""
        for pattern in self.patterns:
            self._tell(pattern)

    def _tell(self, pattern: Pattern) -> None:
        pattern.running = False
        count, pattern.count = pattern.count, 0
        if not count:
            return
        self.config.environment.log(
            f"[{pattern.level.upper()}] plugin/errors: {count} errors like '{pattern.text}' "
            f"occurred in last {go_duration_text(pattern.period)}"
        )


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Errors(config)
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if arguments not in ([], ["stdout"]):
            raise c.error(f"plugin/errors: invalid log file: {arguments[0]}")
        while c.next_block():
            if c.text == "stacktrace":
                handler.stack_trace = True
            elif c.text == "consolidate":
                handler.patterns.append(_consolidate(c))
            else:
                raise c.arg_error() if c.text == "" else c.error(f"unknown property '{c.text}'")
    return handler


def _consolidate(c: Dispenser) -> Pattern:
    arguments = c.remaining_args()
    if not 2 <= len(arguments) <= 4:
        raise c.arg_error()
    try:
        period = go_duration(arguments[0])
        if len(arguments[1]) > LONGEST:
            raise c.error(f"regex pattern too long: {len(arguments[1])} > {LONGEST}")
        expression = compile_regexp(arguments[1])
    except ValueError as problem:
        raise c.error(str(problem)) from None
    options = arguments[2:]
    first = options[-1:] == ["show_first"]
    if first:
        options.pop()
    level = options.pop(0) if options else "error"
    if level not in LEVELS or options:
        raise c.error(f"unknown log level argument in consolidate: {options[0] if options else level}")
    return Pattern(expression, arguments[1], period, level, show_first=first)
