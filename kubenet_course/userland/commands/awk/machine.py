"""Running an AWK program: records, fields, statements, expressions."""

from __future__ import annotations

import math
import re
from typing import Any

from kubenet_course.userland.commands.awk.control import Exit, Next, Return, RuntimeFault
from kubenet_course.userland.commands.awk.functions import call_builtin
from kubenet_course.userland.commands.awk.parser import Program
from kubenet_course.userland.commands.awk.statements import Statements
from kubenet_course.userland.commands.awk.streams import Streams
from kubenet_course.userland.commands.awk.values import (
    Value,
    compare,
    from_input,
    to_number,
    to_string,
    truth,
)
from kubenet_course.userland.process import Process
from kubenet_course.userland.streams import Reader

MAX_CALLS = 40
ARITHMETIC = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else (math.nan if a == 0 or a != a else math.copysign(math.inf, a)),
    "%": lambda a, b: math.fmod(a, b) if b and not math.isinf(a) else math.nan,
}  # fmt: skip


class Machine(Statements):
    """One run; `variables` holds scalars and arrays (dicts) by name."""

    def __init__(self, proc: Process, program: Program, operands: list[str]):
        self.proc = proc
        self.program = program
        self.operands = operands
        self.streams = Streams(self)
        self.variables: dict[str, Any] = {
            "FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "NF": 0.0,
            "SUBSEP": "\x1c",
            "CONVFMT": "%.6g", "OFMT": "%.6g", "FILENAME": "", "RSTART": 0.0, "RLENGTH": -1.0,
            "ENVIRON": {name: from_input(text) for name, text in proc.env.items()},
            "ARGC": float(len(operands) + 1),
            "ARGV": {"0": "awk", **{str(at): from_input(text) for at, text in enumerate(operands, 1)}},
        }  # fmt: skip
        self.locals: list[dict[str, Any]] = []
        self.record = ""
        self.fields: list[Value] | None = None
        self.reader: Reader | None = None
        self.buffer = b""
        self.next_operand = 1
        self.used_file = False
        self.status = 0
        self.ranges: dict[int, bool] = {}
        self.regexes: dict[str, re.Pattern[str]] = {}
        self.steps = 0
        self.random = proc.system.host.random
        self.seed = 0.0

    # -- running ------------------------------------------------------------------------------
    async def run(self) -> int:
        try:
            try:
                for action in self.program.begin:
                    await self.block(action)
                if self.program.rules or self.program.end:
                    await self._main()
            except Exit:
                self.status &= 255
            try:
                for action in self.program.end:
                    await self.block(action)
            except Exit:
                self.status &= 255
        finally:
            await self.streams.close_all()
        return self.status

    async def _main(self) -> None:
        while await self.next_record():
            for at, (pattern, action) in enumerate(self.program.rules):
                try:
                    if await self._selected(at, pattern):
                        if action is None:
                            self.output(self.record + self.text("ORS"))
                        else:
                            await self.block(action)
                except Next:
                    break

    async def _selected(self, at: int, pattern: Any) -> bool:
        if pattern is None:
            return True
        if pattern[0] == "pattern_expr":
            return truth(await self.eval(pattern[1]))
        if not self.ranges.get(at):
            if not truth(await self.eval(pattern[1])):
                return False
            self.ranges[at] = True
        if truth(await self.eval(pattern[3])):
            self.ranges[at] = False
        return True

    def output(self, text: str) -> None:
        self.proc.stdout.write(text.encode("utf-8", "surrogateescape"))

    # -- records ------------------------------------------------------------------------------

    # -- variables ----------------------------------------------------------------------------

    async def regex_of(self, node: Any) -> re.Pattern[str]:
        """The pattern of an operand: a regex constant, or any value's text."""
        if node[0] == "regex":
            return self.regex(node[1].value)
        return self.regex(to_string(await self.eval(node)))

    # -- statements ---------------------------------------------------------------------------

    # -- expressions --------------------------------------------------------------------------
    async def eval(self, node: Any) -> Any:
        return await getattr(self, f"eval_{node[0]}")(node)

    async def eval_number(self, node: Any) -> float:
        return node[1].value

    async def eval_string(self, node: Any) -> str:
        return node[1].value

    async def eval_regex(self, node: Any) -> float:
        return float(self.regex(node[1].value).search(self.record) is not None)

    async def eval_group(self, node: Any) -> Any:
        return await self.eval(node[2])

    async def eval_value(self, node: Any) -> Any:
        return await self.load(node[1])

    async def load(self, target: Any) -> Any:
        kind = target[0]
        if kind == "variable":
            return self.get_variable(target[1].value)
        if kind == "field":
            return self.get_field(self._field_number(await self.eval(target[2])))
        array = self.array(target[1].value)
        return array.setdefault(await self.subscript(target[3]), None)

    def _field_number(self, value: Any) -> int:
        number = to_number(value)
        if number != number or abs(number) > 1e9:
            raise RuntimeFault("field number out of range")
        return int(number)

    async def store(self, target: Any, value: Any) -> None:
        kind = target[0]
        if kind == "variable":
            self.set_variable(target[1].value, value)
        elif kind == "field":
            self.set_field(self._field_number(await self.eval(target[2])), value)
        else:
            self.array(target[1].value)[await self.subscript(target[3])] = value

    async def subscript(self, nodes: list) -> str:
        values = [to_string(await self.eval(one), self.text("CONVFMT")) for one in nodes]
        return values[0] if len(values) == 1 else self.text("SUBSEP").join(values)

    async def eval_assign(self, node: Any) -> Any:
        _, target, operator, source = node
        value = await self.eval(source)
        if isinstance(value, dict):
            raise RuntimeFault("an array is used as a value")
        if operator.value != "=":
            value = self.calculate(operator.value[0], to_number(await self.load(target)), to_number(value))
        elif value is None:
            value = ""
        await self.store(target, value)
        return value

    def calculate(self, operator: str, a: float, b: float) -> float:
        if operator == "^":
            try:
                result = a**b
            except (OverflowError, ZeroDivisionError):
                return math.inf
            return result if isinstance(result, float) else math.nan
        return float(ARITHMETIC[operator](a, b))

    async def eval_conditional(self, node: Any) -> Any:
        return await self.eval(node[3] if truth(await self.eval(node[1])) else node[5])

    async def eval_logical(self, node: Any) -> float:
        left = truth(await self.eval(node[1]))
        if left == (node[2].type == "OR"):
            return float(left)
        return float(truth(await self.eval(node[3])))

    async def eval_member(self, node: Any) -> float:
        key = to_string(await self.eval(node[1]), self.text("CONVFMT"))
        return float(key in self.array(node[3].value))

    async def eval_member_list(self, node: Any) -> float:
        return float(await self.subscript([*node[2], node[4]]) in self.array(node[7].value))

    async def eval_match(self, node: Any) -> float:
        text = to_string(await self.eval(node[1]))
        found = (await self.regex_of(node[3])).search(text) is not None
        return float(found == (node[2].value == "~"))

    async def eval_compare(self, node: Any) -> float:
        order = compare(await self.eval(node[1]), await self.eval(node[3]))
        tests = {
            "<": order < 0,
            "<=": order <= 0,
            "==": order == 0,
            "!=": order != 0,
            ">": order > 0,
            ">=": order >= 0,
        }
        return float(tests[node[2].value])

    async def eval_concat(self, node: Any) -> str:
        form = self.text("CONVFMT")
        left = to_string(await self.eval(node[1]), form)
        return left + to_string(await self.eval(node[2]), form)

    async def eval_binary(self, node: Any) -> float:
        left = to_number(await self.eval(node[1]))
        return self.calculate(node[2].value, left, to_number(await self.eval(node[3])))

    async def eval_power_minus(self, node: Any) -> float:
        return self.calculate("^", to_number(await self.eval(node[1])), -to_number(await self.eval(node[4])))

    async def eval_unary(self, node: Any) -> float:
        value = await self.eval(node[2])
        if node[1].type == "NOT":
            return float(not truth(value))
        return -to_number(value) if node[1].type == "MINUS" else to_number(value)

    async def eval_post_step(self, node: Any) -> float:
        old = to_number(await self.load(node[1]))
        await self.store(node[1], old + (1 if node[2].value == "++" else -1))
        return old

    async def eval_pre_step(self, node: Any) -> float:
        new = to_number(await self.load(node[2])) + (1 if node[1].value == "++" else -1)
        await self.store(node[2], new)
        return new

    async def eval_call_builtin(self, node: Any) -> Any:
        arguments = node[3] if len(node) > 4 else []
        return await call_builtin(self, node[1].value, arguments)

    async def eval_call(self, node: Any) -> Any:
        name = node[1].value
        arguments = node[3] if len(node) > 4 else []
        names, body = self.program.functions[name]
        if len(arguments) > len(names):
            raise RuntimeFault(f"too many arguments in call to {name}")
        if len(self.locals) >= MAX_CALLS:
            raise RuntimeFault(f"kubenet: function calls are nested too deeply (more than {MAX_CALLS})")
        scope: dict[str, Any] = dict.fromkeys(names)
        passed: list[tuple[str, dict[str, Any], str]] = []
        for parameter, argument in zip(names, arguments, strict=False):
            plain = argument[0] == "value" and argument[1][0] == "variable"
            if plain:
                source = self.scope(argument[1][1].value)
                key = argument[1][1].value
                if source.get(key) is None:
                    passed.append((parameter, source, key))
            scope[parameter] = await self.eval(argument)
        self.locals.append(scope)
        try:
            await self.block(body)
            result = None
        except Return as leave:
            result = leave.args[0]
        finally:
            self.locals.pop()
            for parameter, source, key in passed:
                if isinstance(scope[parameter], dict):
                    source[key] = scope[parameter]
        return result

    async def eval_getline(self, node: Any) -> float:
        if self.reader is None and not await self._open_next():
            return 0.0
        before, fields, count = self.record, self.fields, self.variables["NF"]
        if not await self.next_record():
            return 0.0
        if len(node) > 2:
            line = self.record
            self.record, self.fields = before, fields
            self.variables["NF"] = count
            await self.store(node[2], from_input(line))
        return 1.0

    async def eval_getline_file(self, node: Any) -> float:
        target = node[2] if len(node) > 4 else None
        name = to_string(await self.eval(node[-1]))
        return await self._got(await self.streams.line_of_file(name), target, False)

    async def eval_command_getline(self, node: Any) -> float:
        command = to_string(await self.eval(node[1]))
        target = node[4] if len(node) > 4 else None
        return await self._got(await self.streams.line_of_command(command), target, True)

    async def _got(self, line: str | None | bool, target: Any, count: bool) -> float:
        if line is False:
            return -1.0
        if line is None:
            return 0.0
        if count:
            self.variables["NR"] = to_number(self.variables["NR"]) + 1
        if target is None:
            self.set_record(str(line))
        else:
            await self.store(target, from_input(str(line)))
        return 1.0
