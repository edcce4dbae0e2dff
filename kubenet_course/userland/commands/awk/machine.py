"""Running an AWK program: records, fields, statements, expressions."""

from __future__ import annotations

import math
import re
from typing import Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.awk.functions import call_builtin
from kubenet_course.userland.commands.awk.lexer import AwkError
from kubenet_course.userland.commands.awk.parser import Program
from kubenet_course.userland.commands.awk.streams import Streams
from kubenet_course.userland.commands.awk.values import (
    Value,
    compare,
    from_input,
    to_number,
    to_string,
    truth,
)
from kubenet_course.userland.files_io import decode, open_input
from kubenet_course.userland.process import Process
from kubenet_course.userland.regex import extended
from kubenet_course.userland.streams import Reader

MAX_CALLS = 40
ARITHMETIC = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else (math.nan if a == 0 or a != a else math.copysign(math.inf, a)),
    "%": lambda a, b: math.fmod(a, b) if b and not math.isinf(a) else math.nan,
}  # fmt: skip


class Next(Exception):
    """`next`."""


class Exit(Exception):
    """`exit`."""


class Loop(Exception):
    """`break` or `continue`."""


class Return(Exception):
    """`return`, with the value."""


class RuntimeFault(AwkError):
    """Something went wrong while running."""


class Machine:
    """One run; `variables` holds scalars and arrays (dicts) by name."""

    def __init__(self, proc: Process, program: Program, operands: list[str]):
        self.proc = proc
        self.program = program
        self.operands = operands
        self.streams = Streams(self)
        self.variables: dict[str, Any] = {
            "FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "NF": 0.0, "SUBSEP": "\x1c",
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
    async def _open_next(self) -> bool:
        argv = self.variables["ARGV"]
        while self.next_operand < to_number(self.variables["ARGC"]):
            operand = to_string(argv.get(str(self.next_operand), ""))
            self.next_operand += 1
            match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", operand, re.S)
            if match:
                self.assign_text(match[1], match[2])
                continue
            if not operand:
                continue
            self.used_file = True
            await self._open(operand)
            return True
        if self.used_file:
            return False
        self.used_file = True
        await self._open("-")
        return True

    async def _open(self, name: str) -> None:
        try:
            self.reader = open_input(self.proc, name)
        except KernelError as error:
            raise AwkError(f"cannot open {name} ({error.strerror})") from None
        self.variables["FILENAME"] = name
        self.variables["FNR"] = 0.0
        self.buffer = b""

    def assign_text(self, name: str, text: str) -> None:
        """``-v name=value`` and operands: escapes are understood."""
        from kubenet_course.userland.commands.awk.lexer import Lexer

        try:
            raw = Lexer('"' + text.replace('"', '\\"').replace("\n", "\\n") + '"').all()[0].value
        except AwkError:
            raw = text
        self.set_variable(name, from_input(raw))

    async def next_record(self) -> bool:
        """Read the next record of the main input into $0."""
        while True:
            if self.reader is None and not await self._open_next():
                return False
            assert self.reader is not None
            try:
                line, self.buffer = await self.read_from(self.reader, self.buffer)
            except KernelError as error:
                raise AwkError(f"read error ({error.strerror})") from None
            if line is None:
                self.reader = None
                continue
            self.set_record(line)
            self.variables["NR"] = to_number(self.variables["NR"]) + 1
            self.variables["FNR"] = to_number(self.variables["FNR"]) + 1
            return True

    async def read_from(self, reader: Reader, buffer: bytes) -> tuple[str | None, bytes]:
        """(a record or None at the end, what was read ahead)."""
        separator = self.text("RS")
        if separator == "\n":
            line = await reader.readline()
            return (decode(line.removesuffix(b"\n")), b"") if line else (None, b"")
        data = buffer + await reader.read()
        if not separator:
            data = data.lstrip(b"\n")
            if not data:
                return None, b""
            match = re.search(rb"\n\n+", data)
        else:
            if not data:
                return None, b""
            regex = re.escape(separator) if len(separator) == 1 else extended(separator)
            match = re.search(regex.encode("utf-8", "surrogateescape"), data)
        if match is None:
            return decode(data.removesuffix(b"\n")), b""
        return decode(data[: match.start()]), data[match.end() :]

    def set_record(self, text: str) -> None:
        self.record = text
        self.fields = None
        self.variables["NF"] = None

    def split_fields(self) -> list[Value]:
        if self.fields is None:
            self.fields = list(map(from_input, self.split(self.record, self.text("FS"))))
            self.variables["NF"] = float(len(self.fields))
        return self.fields

    def split(self, text: str, separator: str) -> list[str]:
        """What FS or split()'s third argument makes of `text`."""
        if separator == " ":
            return text.split()
        if not text:
            return []
        if not separator:
            return list(text)
        if not self.text("RS") and separator != "\n":
            text = text.replace("\n", separator if len(separator) == 1 else "\n")
        if len(separator) == 1:
            return text.split(separator)
        out, at = [], 0
        for match in self.regex(separator).finditer(text):
            if match.end() > match.start():
                out.append(text[at : match.start()])
                at = match.end()
        return [*out, text[at:]]

    def get_field(self, number: int) -> Value | None:
        if number < 0:
            raise RuntimeFault(f"negative field index ${number}")
        if number == 0:
            return from_input(self.record)
        fields = self.split_fields()
        return fields[number - 1] if number <= len(fields) else None

    def set_field(self, number: int, value: Value) -> None:
        if number < 0 or number > 32767:
            raise RuntimeFault(f"field number {number} exceeds MAX_FIELD" if number > 0 else f"negative field index ${number}")
        if number == 0:
            self.set_record(to_string(value))
            return
        fields = self.split_fields()
        while len(fields) < number:
            fields.append("")
        fields[number - 1] = value
        self._rebuild()

    def _rebuild(self) -> None:
        assert self.fields is not None
        self.variables["NF"] = float(len(self.fields))
        self.record = self.text("OFS").join(to_string(one, self.text("CONVFMT")) for one in self.fields)

    # -- variables ----------------------------------------------------------------------------
    def scope(self, name: str) -> dict[str, Any]:
        return self.locals[-1] if self.locals and name in self.locals[-1] else self.variables

    def text(self, name: str) -> str:
        return to_string(self.variables.get(name))

    def get_variable(self, name: str) -> Any:
        if name == "NF":
            self.split_fields()
        return self.scope(name).get(name)

    def set_variable(self, name: str, value: Any) -> None:
        scope = self.scope(name)
        if isinstance(scope.get(name), dict):
            raise RuntimeFault(f"can't assign to {name}; it's an array name.")
        scope[name] = value
        if name == "NF" and scope is self.variables:
            fields = self.split_fields()
            count = max(0, min(int(to_number(value)), 32767))
            del fields[count:]
            fields.extend([""] * (count - len(fields)))
            self._rebuild()

    def array(self, name: str) -> dict[str, Any]:
        scope = self.scope(name)
        found = scope.get(name)
        if found is None:
            found = scope[name] = {}
        if not isinstance(found, dict):
            raise RuntimeFault(f"attempt to use scalar {name} as array")
        return found

    def regex(self, text: str) -> re.Pattern[str]:
        found = self.regexes.get(text)
        if found is None:
            try:
                found = re.compile(extended(text))
            except (ValueError, re.error, OverflowError) as error:
                raise RuntimeFault(f"regular expression compile failed ({error})\n{text}") from None
            self.regexes[text] = found
        return found

    async def regex_of(self, node: Any) -> re.Pattern[str]:
        """The pattern of an operand: a regex constant, or any value's text."""
        if node[0] == "regex":
            return self.regex(node[1].value)
        return self.regex(to_string(await self.eval(node)))

    # -- statements ---------------------------------------------------------------------------
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
        await self._emit(node[3], sprintf(self, arguments, "printf"))

    async def _emit(self, where: Any, text: str) -> None:
        if where is None:
            self.output(text)
        else:
            await self.streams.write(where[1].value, to_string(await self.eval(where[2])), text)

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
        tests = {"<": order < 0, "<=": order <= 0, "==": order == 0, "!=": order != 0, ">": order > 0, ">=": order >= 0}
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


__all__ = ["Machine", "RuntimeFault"]
