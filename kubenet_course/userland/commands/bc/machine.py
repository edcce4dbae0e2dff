"""What bc does with its tree: variables, functions, output in lines of 70 columns."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.bc import numbers
from kubenet_course.userland.commands.bc.numbers import Number
from kubenet_course.userland.commands.bc.parser import Parser, Quit, SyntaxFault, code_size

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

LINE = 70
DEPTH = 100
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "q": '"', "r": "\r", "t": "\t", "\\": "\\"}


class RuntimeFault(Exception):
    """What ends the line with ``Runtime error``."""


class _Leave(Exception):
    """`break` or `continue`."""

    def __init__(self, again: bool):
        self.again = again


class _Return(Exception):
    def __init__(self, value: Number):
        self.value = value


class Machine:
    """One run of bc."""

    def __init__(self, proc: Process, math_library: bool):
        self.proc = proc
        self.scale, self.ibase, self.obase = 20 if math_library else 0, 10, 10
        self.last = Number(0)
        self.variables: dict[str, Number] = {}
        self.arrays: dict[str, dict[int, Number]] = {}
        self.functions: dict[str, Any] = {}
        self.math = MATH if math_library else {}
        self.calls: list[str] = []
        #: Where in the real one's code the statement begins, and how far in it is.
        self.address = self.inside = 0

    async def run(self, text: str, name: str) -> None:
        """Line by line: what is wrong in one does not keep the next from running."""
        parser = Parser(text)
        for fault in parser.faults:
            self.proc.error(f"{name} {fault}")
        while True:
            try:
                line = parser.next_line()
            except SyntaxFault as fault:
                self.proc.error(f"{name} {fault.line}: {fault}")
                parser.skip_line()
                continue
            if line is None:
                return
            try:
                self.address = 0
                for statement in line:
                    self.execute(statement)
                    self.address += code_size(statement)
            except (RuntimeFault, ZeroDivisionError) as failure:
                message = "Divide by zero" if isinstance(failure, ZeroDivisionError) else str(failure)
                self.proc.error(f"Runtime error {self._place()}: {message}")
                self.calls.clear()
            except (_Leave, _Return):
                continue
            except RecursionError:
                self.proc.error("kubenet: bc: the calls are nested too deeply")

    def _place(self) -> str:
        return f"(func={self.calls[-1] if self.calls else '(main)'}, adr={self.address + self.inside})"

    # -- statements -------------------------------------------------------------------------
    def execute(self, node: Any) -> None:
        kind = node[0]
        if kind == "show":
            self.last = self.value(node[1])
            self._print_number(self.last, "\n")
        elif kind == "do":
            self.value(node[1])
        elif kind == "text":
            self.proc.print(node[1], end="")
        elif kind == "print":
            for part in node[1]:
                if part[0] == "text":
                    self.proc.print(unescaped(part[1]), end="")
                else:
                    self.last = self.value(part)
                    self._print_number(self.last, "")
        elif kind == "block":
            for inner in node[1]:
                self.execute(inner)
        elif kind == "if":
            branch = node[2] if self.value(node[1]).units else node[3]
            if branch is not None:
                self.execute(branch)
        elif kind == "while":
            self._loop(node[1], None, node[2])
        elif kind == "for":
            if node[1] is not None:
                self.value(node[1])
            self._loop(node[2], node[3], node[4])
        elif kind in ("break", "continue"):
            raise _Leave(kind == "continue")
        elif kind == "return":
            raise _Return(self.value(node[1]))
        elif kind == "define":
            self.functions[node[1]] = node
        else:
            raise Quit

    def _loop(self, test: Any, step: Any, body: Any) -> None:
        rounds = 0
        while test is None or self.value(test).units:
            rounds += 1
            if rounds > 1_000_000:
                raise RuntimeFault("kubenet: the loop has no end")
            try:
                self.execute(body)
            except _Leave as leave:
                if not leave.again:
                    return
            if step is not None:
                self.value(step)

    def _print_number(self, number: Number, end: str) -> None:
        text = numbers.text_of(number, self.obase)
        width = LINE - 2
        if len(text) > width:
            text = "\\\n".join(text[at : at + width] for at in range(0, len(text), width))
        self.proc.print(text, end=end)

    # -- expressions ------------------------------------------------------------------------
    def value(self, node: Any) -> Number:
        kind = node[0]
        if kind == "number":
            return numbers.parse(node[1], self.ibase)
        if kind == "parens":
            return self.value(node[1])
        if kind in ("variable", "element", "special"):
            return self._get(node)
        if kind == "assign":
            found = self.value(node[2])
            self._set(node[1], found)
            return found
        if kind == "assign_op":
            found = self._binary(node[1], self._get(node[2]), self.value(node[3]))
            self._set(node[2], found)
            return found
        if kind == "step":
            before = self._get(node[2])
            after = numbers.add(before, Number(1 if node[1] == "+" else -1))
            self._set(node[2], after)
            return after if node[3] else before
        if kind == "binary":
            left, right = self.value(node[2]), self.value(node[3])
            self.inside = code_size(node)
            return self._binary(node[1], left, right)
        if kind == "minus":
            return numbers.negate(self.value(node[1]))
        if kind == "not":
            return Number(int(not self.value(node[1]).units))
        if kind == "logic":
            known = bool(self.value(node[2]).units)
            if known == (node[1] == "&&"):
                known = bool(self.value(node[3]).units)
            return Number(int(known))
        if kind == "compare":
            return Number(int(_compare(node[1], self.value(node[2]), self.value(node[3]))))
        if kind == "function":
            return self._function(node[1], self.value(node[2]))
        if kind == "call":
            return self._call(node[1], node[2])
        raise RuntimeFault("kubenet: read() is not emulated")

    def _binary(self, operator: str, a: Number, b: Number) -> Number:
        if operator == "+":
            return numbers.add(a, b)
        if operator == "-":
            return numbers.add(a, numbers.negate(b))
        if operator == "*":
            return numbers.multiply(a, b, self.scale)
        if operator == "/":
            return numbers.divide(a, b, self.scale)
        if operator == "%":
            return numbers.modulo(a, b, self.scale)
        if b.scale and b.units % 10**b.scale:
            self.proc.error(f"Runtime warning {self._place()}: non-zero scale in exponent")
        if abs(b.whole) > 1_000_000:
            raise RuntimeFault("exponent too large in raise")
        return numbers.power(a, b.whole, self.scale)

    def _function(self, name: str, of: Number) -> Number:
        if name == "length":
            return Number(max(len(str(abs(of.units))), of.scale, 1))
        if name == "scale":
            return Number(of.scale)
        if of.units < 0:
            raise RuntimeFault("Square root of a negative number")
        return numbers.root(of, self.scale)

    def _get(self, node: Any) -> Number:
        if node[0] == "special":
            return self.last if node[1] == "last" else Number(getattr(self, node[1]))
        if node[0] == "variable":
            return self.variables.get(node[1], Number(0))
        return self.arrays.get(node[1], {}).get(self.value(node[2]).whole, Number(0))

    def _set(self, node: Any, value: Number) -> None:
        if node[0] == "variable":
            self.variables[node[1]] = value
        elif node[0] == "element":
            self.arrays.setdefault(node[1], {})[self.value(node[2]).whole] = value
        elif node[1] == "last":
            self.last = value
        else:
            lowest, highest = {"scale": (0, 2**31 - 1), "ibase": (2, 16), "obase": (2, 2**31 - 1)}[node[1]]
            setattr(self, node[1], min(max(value.whole, lowest), highest))

    def _call(self, name: str, arguments: list[Any]) -> Number:
        given = [argument if argument[0] == "array" else self.value(argument) for argument in arguments]
        function = self.functions.get(name)
        if function is None:
            if name in self.math and len(given) == (2 if name == "j" else 1):
                return self.math[name](given[-1], self.scale)
            raise RuntimeFault(f"Function {name} not defined.")
        _, _, parameters, autos, body = function
        if len(parameters) != len(given):
            raise RuntimeFault("Parameter number mismatch")
        if len(self.calls) >= DEPTH:
            raise RecursionError
        kept, kept_arrays = dict(self.variables), dict(self.arrays)
        for (parameter, array), value in zip(parameters, given):
            if array:
                self.arrays[parameter] = dict(kept_arrays.get(str(value[1]), {}))
            else:
                self.variables[parameter] = value
        for auto, array in autos:
            if array:
                self.arrays[auto] = {}
            else:
                self.variables[auto] = Number(0)
        self.calls.append(name)
        try:
            self.execute(body)
            result = Number(0)
        except _Return as leave:
            result = leave.value
        self.calls.pop()
        for own, array in [*parameters, *autos]:
            places: dict[str, Any] = self.arrays if array else self.variables
            before: dict[str, Any] = kept_arrays if array else kept
            if own in before:
                places[own] = before[own]
            else:
                places.pop(own, None)
        return result


def _compare(operator: str, a: Number, b: Number) -> bool:
    scale = max(a.scale, b.scale)
    left, right = a.at(scale), b.at(scale)
    return {
        "==": left == right, "!=": left != right, "<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right,
    }[operator]  # fmt: skip


def unescaped(text: str) -> str:
    """The escapes of `print`."""
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            out.append(ESCAPES.get(text[at + 1], ""))
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


# -- the mathematical library (bc -l) -----------------------------------------------------------
def _with_digits(work: Callable[[Decimal], Decimal]) -> Callable[[Number, int], Number]:
    def run(value: Number, scale: int) -> Number:
        with localcontext() as context:
            context.prec = scale + 30 + len(str(abs(value.units)))
            return numbers.from_decimal(work(value.decimal()), scale)

    return run


def _sine(x: Decimal) -> Decimal:
    turn = 2 * _pi()
    x = x % turn
    term, total, n = x, x, 1
    while abs(term) > Decimal(10) ** -_precision():
        term *= -x * x / ((n + 1) * (n + 2))
        total, n = total + term, n + 2
    return total


def _cosine(x: Decimal) -> Decimal:
    return _sine(x + _pi() / 2)


def _arctangent(x: Decimal) -> Decimal:
    if abs(x) > 1:
        return (_pi() / 2).copy_sign(x) - _arctangent(1 / x)
    halvings = 0
    while abs(x) > Decimal("0.1"):
        x = x / (1 + (1 + x * x).sqrt())
        halvings += 1
    term, total, n = x, x, 1
    while abs(term) > Decimal(10) ** -_precision():
        term *= -x * x
        n += 2
        total += term / n
    return total * 2**halvings


def _pi() -> Decimal:
    def inverse(n: int) -> Decimal:
        term = total = Decimal(1) / n
        k = 1
        while abs(term) > Decimal(10) ** -(_precision() + 3):
            term /= -n * n
            k += 2
            total += term / k
        return total

    return 4 * (4 * inverse(5) - inverse(239))


def _precision() -> int:
    with localcontext() as context:
        return context.prec


def _logarithm(x: Decimal) -> Decimal:
    return x.ln() if x > 0 else Decimal(1 - 10**20)


MATH: dict[str, Callable[[Number, int], Number]] = {
    "s": _with_digits(_sine), "c": _with_digits(_cosine), "a": _with_digits(_arctangent),
    "e": _with_digits(lambda x: x.exp()), "l": _with_digits(_logarithm),
}  # fmt: skip
