"""-m bpf: a classic BPF program on the packet (libxt_bpf, xt_bpf.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

Instruction = tuple[int, int, int, int]
MASK = 0xFFFFFFFF


class Bpf(Extension):
    name = "bpf"
    options = (Opt("bytecode", "string"), Opt("object-pinned", "string"))

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "object-pinned":
            raise problem("bpf: failed to get bpf object")
        self.values["bytecode"] = parse_program(value)

    def check(self, names: Names) -> None:
        if "bytecode" not in self.values:
            raise problem("bpf: one of --bytecode or --pinned is required")

    def _text(self) -> str:
        return ",".join(" ".join(map(str, instruction)) for instruction in self.values["bytecode"])

    def save(self) -> str:
        return f'--bytecode "{len(self.values["bytecode"])},{self._text()}"'

    def listing(self, names: Names | None) -> str:
        # The tool prints the terminating zero of the program's text, too.
        return f"\bmatch bpf {self._text()}\0"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        program = self.values["bytecode"]
        return lambda skb, state: run(program, skb.network_bytes()) != 0


def parse_program(text: str) -> list[Instruction]:
    """``N,code jt jf k,…``."""
    head, comma, rest = text.partition(",")
    length = number(head) if comma else None
    if length is None:
        raise problem("bpf: error parsing program length")
    if length > 64:
        raise problem("bpf: number of instructions exceeds maximum")
    program = []  # type: ignore[var-annotated]
    for line in rest.removesuffix(",").split(","):
        words = line.split()
        values = [number(word) for word in words]
        if len(values) != 4 or any(value is None for value in values):
            raise problem("bpf: error at instr " + str(len(program)))
        program.append((values[0], values[1], values[2], values[3]))
    if len(program) < length:
        raise problem("bpf: parsed program length is less than the encoded length parameter")
    if len(program) > length:
        raise problem("bpf: real program length exceeds the encoded length parameter")
    return program  # type: ignore[return-value]


def run(program: list[Instruction], data: bytes) -> int:
    """The classic virtual machine: accumulator, index register, 16 words of memory."""
    a = x = pc = 0
    memory = [0] * 16
    while pc < len(program):
        code, true, false, k = program[pc]
        pc += 1
        kind = code & 7
        if kind in (0, 1):
            value = _load(code, k, x, data, memory)
            if value is None:
                return 0
            a, x = (value, x) if kind == 0 else (a, value)
        elif kind in (2, 3):
            memory[k & 15] = a if kind == 2 else x
        elif kind == 4:
            result = _arithmetic(code & 0xF0, a, x if code & 8 else k)
            if result is None:
                return 0
            a = result
        elif kind == 5:
            pc += _jump(code & 0xF0, a, x if code & 8 else k, k, true, false)
        elif kind == 6:
            return a if code & 0x18 == 0x10 else k
        elif code & 0xF8:
            a = x
        else:
            x = a
    return 0


def _load(code: int, k: int, x: int, data: bytes, memory: list[int]) -> int | None:
    mode, size = code & 0xE0, {0: 4, 8: 2, 0x10: 1}[code & 0x18]
    if mode == 0:
        return k
    if mode == 0x60:
        return memory[k & 15]
    if mode == 0x80:
        return len(data)
    if mode == 0xA0:
        return (data[k] & 15) * 4 if k < len(data) else None
    at = k + (x if mode == 0x40 else 0)
    return int.from_bytes(data[at : at + size], "big") if at + size <= len(data) else None


def _arithmetic(operator: int, a: int, b: int) -> int | None:
    if operator in (0x30, 0x90) and b == 0:
        return None
    results = {
        0x00: lambda: a + b, 0x10: lambda: a - b, 0x20: lambda: a * b, 0x30: lambda: a // b, 0x40: lambda: a | b,
        0x50: lambda: a & b, 0x60: lambda: a << (b & 31), 0x70: lambda: a >> (b & 31), 0x80: lambda: -a,
        0x90: lambda: a % b, 0xA0: lambda: a ^ b,
    }  # fmt: skip
    return results[operator]() & MASK if operator in results else None


def _jump(operator: int, a: int, b: int, k: int, true: int, false: int) -> int:
    if operator == 0:
        return k
    holds = {0x10: a == b, 0x20: a > b, 0x30: a >= b, 0x40: bool(a & b)}.get(operator, False)
    return true if holds else false


EXTENSION = Bpf
