"""Compound commands: if, loops, case, groups, (( )), [[ ]], function definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.userland.files.pattern import matches
from kubenet_course.userland.shell.condition import evaluate_condition, trace_condition
from kubenet_course.userland.shell.errors import ExpansionError, LoopControl, ShellAbort, ShellExit
from kubenet_course.userland.shell.expand import Expander
from kubenet_course.userland.shell.nodes import (
    ArithCommand,
    ArithFor,
    Case,
    Command,
    Cond,
    For,
    Function,
    Group,
    If,
    Redirected,
    Script,
    Subshell,
    While,
)
from kubenet_course.userland.shell.redirect import Redirections

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


class Compound(Expander):
    """What of the shell runs compound commands."""

    quiet: int
    loops: int

    async def compound(self: Shell, node: Command) -> tuple[int, bool]:  # type: ignore[misc]
        """(status, whether ``set -e`` looks at it)."""
        try:
            return await self._compound(node)
        except ExpansionError as error:
            self.complain(error.message)
            if error.fatal:
                raise ShellExit(error.status) from None
            raise ShellAbort(error.status) from None

    async def _compound(self: Shell, node: Command) -> tuple[int, bool]:  # type: ignore[misc]
        if "DEBUG" in self.state.traps and isinstance(node, Case | ArithCommand | Cond):
            await self.debug(node)
        if isinstance(node, Group):
            return await self.run_script(node.body), False
        if isinstance(node, If):
            return await self._if(node), False
        if isinstance(node, While):
            return await self._while(node), False
        if isinstance(node, For):
            return await self._for(node), False
        if isinstance(node, ArithFor):
            return await self._arith_for(node), False
        if isinstance(node, Case):
            return await self._case(node), False
        if isinstance(node, Redirected):
            return await self._redirected(node)
        if isinstance(node, ArithCommand):
            self.line = node.line
            expression = await self.expand_string(node.expression)
            if not self.in_trap:
                self.command = node
            if "x" in self.state.options:
                self.trace(f"(( {expression.strip()} ))")
            try:
                return int(not self.arith(expression)), True
            except ExpansionError as error:
                self.complain(f"((: {error.message}")
                return 1, True
        if isinstance(node, Cond):
            return await self._cond(node), True
        assert isinstance(node, Function)
        node.source = node.source or (
            self.state.function_origin if len(self.origins) == 1 else self.origins[-1]
        )
        self.state.functions[node.name] = node
        return 0, False

    async def debug(self: Shell, node: Command) -> None:  # type: ignore[misc]
        """The DEBUG trap before a command that is not simple."""
        if not self.in_trap:
            self.command, self.line = node, getattr(node, "line", self.line)
        await self.run_trap("DEBUG")

    async def _cond(self: Shell, node: Cond) -> int:  # type: ignore[misc]
        self.line = node.line
        if not self.in_trap:
            self.command = node
        if "x" in self.state.options:
            self.trace(f"[[ {await trace_condition(self, node.expression)} ]]")
        try:
            return int(not await evaluate_condition(self, node.expression))
        except ExpansionError as error:
            if error.fatal:
                raise
            self.complain(f"[[: {error.message}" if "error token" in error.message else error.message)
            return error.status

    async def _test(self: Shell, script: Script) -> bool:  # type: ignore[misc]
        self.quiet += 1
        try:
            return await self.run_script(script) == 0
        finally:
            self.quiet -= 1

    async def _if(self: Shell, node: If) -> int:  # type: ignore[misc]
        for test, body in node.clauses:
            if await self._test(test):
                return await self.run_script(body)
        return await self.run_script(node.otherwise) if node.otherwise else 0

    async def _body(self: Shell, body: Script) -> tuple[int, bool]:  # type: ignore[misc]
        """Run a loop's body once: (status, whether the loop goes on)."""
        try:
            return await self.run_script(body), True
        except LoopControl as control:
            if control.count > 1 and self.loops > 1:
                raise LoopControl(control.count - 1, control.again) from None
            return 0, control.again

    async def _while(self: Shell, node: While) -> int:  # type: ignore[misc]
        status = 0
        self.loops += 1
        try:
            while True:
                began = self.proc.loop.now
                try:
                    if await self._test(node.test) == node.until:
                        break
                except LoopControl as control:
                    if control.count > 1 and self.loops > 1:
                        raise LoopControl(control.count - 1, control.again) from None
                    if not control.again:
                        break
                    continue
                status, on = await self._body(node.body)
                if not on:
                    break
                await self._pass_time(began)
        finally:
            self.loops -= 1
        return status

    async def _pass_time(self: Shell, began: int) -> None:  # type: ignore[misc]
        """A loop that waits for nothing must still let the clock go on."""
        if self.proc.loop.now == began:
            await self.proc.loop.sleep(MILLISECOND)

    async def _for(self: Shell, node: For) -> int:  # type: ignore[misc]
        self.line = node.line
        if not re.fullmatch(r"[A-Za-z_]\w*", node.name):
            self.complain(f"`{node.name}': not a valid identifier")
            return 1
        if node.words is None:
            values = list(self.state.positional)
        else:
            values = await self.expand_words(node.words)
        if node.select:
            return await self._select(node, values)
        status = 0
        self.loops += 1
        try:
            for value in values:
                if "x" in self.state.options:
                    words = ['"$@"'] if node.words is None else [word.raw for word in node.words]
                    self.trace(f"for {node.name} in {' '.join(words)}")
                if "DEBUG" in self.state.traps:
                    await self.debug(node)
                self.assign(node.name, value)
                status, on = await self._body(node.body)
                if not on:
                    break
        finally:
            self.loops -= 1
        return status

    async def _select(self: Shell, node: For, values: list[str]) -> int:  # type: ignore[misc]
        """The menu of `select`, until the input ends or the body breaks."""
        status = 0
        self.loops += 1
        try:
            reply = ""
            while values:
                width = len(str(len(values)))
                for number, value in enumerate(values, 1) if not reply else ():
                    self.proc.error(f"{number:>{width}}) {value}")
                self.proc.error(self.state.get("PS3") or "#? ", end="")
                line = await self.proc.stdin.readline()
                if not line:
                    self.proc.print("")
                    return 1
                reply = line.decode("utf-8", "surrogateescape").strip()
                self.assign("REPLY", reply)
                if not reply:
                    continue
                chosen = int(reply) if reply.isdecimal() and len(reply) < 9 else 0
                self.assign(node.name, values[chosen - 1] if 1 <= chosen <= len(values) else "")
                status, on = await self._body(node.body)
                if not on:
                    break
        finally:
            self.loops -= 1
        return status

    async def _arith_for(self: Shell, node: ArithFor) -> int:  # type: ignore[misc]
        self.line = node.line
        self.arith(await self.expand_string(node.init))
        status = 0
        self.loops += 1
        try:
            while True:
                began = self.proc.loop.now
                test = await self.expand_string(node.test)
                if test.strip() and not self.arith(test):
                    break
                status, on = await self._body(node.body)
                if not on:
                    break
                self.arith(await self.expand_string(node.step))
                await self._pass_time(began)
        finally:
            self.loops -= 1
        return status

    async def _case(self: Shell, node: Case) -> int:  # type: ignore[misc]
        self.line = node.line
        value = await self.expand_string(node.word)
        if "x" in self.state.options:
            self.trace(f"case {node.word.raw} in")
        status, falling = 0, False
        for patterns, body, stop in node.items:
            hit = falling
            for pattern in patterns:
                hit = hit or matches(
                    value,
                    await self.expand_pattern(pattern),
                    "extglob" in self.state.shopts,
                    "nocasematch" in self.state.shopts,
                )
            falling = False
            if hit:
                status = await self.run_script(body)
                if stop == ";;":
                    break
                falling = stop == ";&"
        return status

    async def _redirected(self: Shell, node: Redirected) -> tuple[int, bool]:  # type: ignore[misc]
        redirections = Redirections(self)
        try:
            if not await redirections.made(node.redirects):
                return 1, True
            if isinstance(node.command, Subshell):
                return await self.wait_for(self.fork(node.command.body), node.command), True
            return await self.compound(node.command)
        finally:
            redirections.undo()
