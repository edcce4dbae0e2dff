"""AWK statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.awk.control import Exit, Loop, Next, Return, RuntimeFault
from kubenet_course.userland.commands.awk.records import Records
from kubenet_course.userland.commands.awk.values import (
    from_input,
    to_number,
    to_string,
    truth,
)


class Statements(Records):
    """What of a run executes statements."""

    steps: int

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Machine` has besides."""

    async def block(self, node: Any) -> None:
        for statement in node[2]:
            await self.statement(statement)

    async def statement(self, node: Any) -> None:
        if node is None:
            return
        self.steps += 1
        if self.steps % 5000 == 0:
            await self.proc.sleep(0.001)
        await getattr(self, f"do_{node[0]}")(node)

    async def do_block(self, node: Any) -> None:
        await self.block(node)

    async def do_expression(self, node: Any) -> None:
        await self.eval(node[1])

    async def do_if_only(self, node: Any) -> None:
        if truth(await self.eval(node[3])):
            await self.statement(node[5])

    async def do_if_else(self, node: Any) -> None:
        await self.statement(node[5] if truth(await self.eval(node[3])) else node[7])

    async def _round(self, body: Any) -> bool:
        """Run a loop's body; False after `break`."""
        try:
            await self.statement(body)
        except Loop as control:
            return control.args[0] == "continue"
        return True

    async def do_while_loop(self, node: Any) -> None:
        while truth(await self.eval(node[3])):
            if not await self._round(node[5]):
                return
            await self._tick()

    async def _tick(self) -> None:
        self.steps += 1
        if self.steps % 5000 == 0:
            await self.proc.sleep(0.001)

    async def do_do_loop(self, node: Any) -> None:
        while True:
            if not await self._round(node[2]) or not truth(await self.eval(node[5])):
                return
            await self._tick()

    async def do_for_loop(self, node: Any) -> None:
        _, _, _, init, _, test, _, step, _, body = node
        await self.statement(init)
        while test is None or truth(await self.eval(test)):
            if not await self._round(body):
                return
            await self.statement(step)
            await self._tick()

    async def do_for_in(self, node: Any) -> None:
        name, array = node[3].value, self.array(node[5].value)
        for key in list(array):
            self.set_variable(name, from_input(key))
            if not await self._round(node[7]):
                return

    async def do_break_(self, node: Any) -> None:
        raise Loop("break")

    async def do_continue_(self, node: Any) -> None:
        raise Loop("continue")

    async def do_next_(self, node: Any) -> None:
        raise Next

    async def do_exit_(self, node: Any) -> None:
        if node[2] is not None:
            self.status = int(to_number(await self.eval(node[2]))) & 255
        raise Exit

    async def do_return_(self, node: Any) -> None:
        raise Return(await self.eval(node[2]) if node[2] is not None else None)

    async def do_delete(self, node: Any) -> None:
        self.array(node[2].value).pop(await self.subscript(node[4]), None)

    async def do_delete_all(self, node: Any) -> None:
        self.array(node[2].value).clear()

    async def do_print_(self, node: Any) -> None:
        arguments = node[2]
        if not arguments:
            text = self.record
        else:
            form = self.text("OFMT")
            text = self.text("OFS").join([to_string(await self.eval(one), form) for one in arguments])
        await self._emit(node[3], text + self.text("ORS"))

    async def do_printf(self, node: Any) -> None:
        from kubenet_course.userland.commands.awk.functions import sprintf

        arguments = [await self.eval(one) for one in node[2]]
        if not arguments:
            raise RuntimeFault("no arguments in call to printf")
        await self._emit(node[3], sprintf(self, arguments, "printf"))  # type: ignore[arg-type]

    async def _emit(self, where: Any, text: str) -> None:
        if where is None:
            self.output(text)
        else:
            await self.streams.write(where[1].value, to_string(await self.eval(where[2])), text)
