"""bc's numbers: an integer and how many digits of it stand behind the point; every result is cut, never rounded."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, localcontext
from math import isqrt
from typing import NamedTuple


class Number(NamedTuple):
    """`units` / 10**`scale`."""

    units: int
    scale: int = 0

    def at(self, scale: int) -> int:
        """The units at another scale; digits that do not fit are cut."""
        if scale >= self.scale:
            return self.units * 10 ** (scale - self.scale)
        return quotient(self.units, 10 ** (self.scale - scale))

    def cut(self, scale: int) -> Number:
        return self if scale >= self.scale else Number(self.at(scale), scale)

    @property
    def whole(self) -> int:
        return self.at(0)

    def decimal(self) -> Decimal:
        return Decimal(self.units).scaleb(-self.scale)


def quotient(a: int, b: int) -> int:
    """Division of integers towards zero."""
    found = abs(a) // abs(b)
    return found if (a < 0) == (b < 0) else -found


def add(a: Number, b: Number) -> Number:
    scale = max(a.scale, b.scale)
    return Number(a.at(scale) + b.at(scale), scale)


def negate(a: Number) -> Number:
    return Number(-a.units, a.scale)


def multiply(a: Number, b: Number, scale: int) -> Number:
    full = Number(a.units * b.units, a.scale + b.scale)
    return full.cut(min(full.scale, max(scale, a.scale, b.scale)))


def divide(a: Number, b: Number, scale: int) -> Number:
    """ZeroDivisionError where b is nothing."""
    return Number(quotient(a.units * 10 ** (b.scale + scale), b.units * 10**a.scale), scale)


def modulo(a: Number, b: Number, scale: int) -> Number:
    """a - (a/b)*b, with as many digits as that has."""
    digits = max(scale + b.scale, a.scale)
    part = divide(a, b, scale)
    return Number(a.at(digits) - Number(part.units * b.units, part.scale + b.scale).at(digits), digits)


def power(a: Number, exponent: int, scale: int) -> Number:
    if exponent == 0:
        return Number(1)
    full = Number(a.units ** abs(exponent), a.scale * abs(exponent))
    if exponent < 0:
        return divide(Number(1), full, scale)
    return full.cut(min(full.scale, max(scale, a.scale)))


def root(a: Number, scale: int) -> Number:
    digits = max(scale, a.scale)
    return Number(isqrt(a.at(2 * digits)), digits)


def from_decimal(value: Decimal, scale: int) -> Number:
    with localcontext() as context:
        context.prec = max(len(value.as_tuple().digits), 28) + scale + abs(value.adjusted()) + 10
        return Number(int(value.scaleb(scale).to_integral_value(rounding=ROUND_DOWN)), scale)


def parse(text: str, base: int) -> Number:
    """Digits in `base`; of a single digit each letter is its own value, else at most base - 1."""
    whole, _, part = text.partition(".")
    single = len(whole + part) == 1
    value = 0
    for digit in whole:
        value = value * base + _digit(digit, base, single)
    if not part:
        return Number(value)
    if base == 10:
        return (
            Number(int((whole or "0") + part), len(part))
            if (whole + part).isdigit()
            else _tenths(whole, part)
        )
    units, unit = 0, base ** len(part)
    for digit in part:
        units = units * base + _digit(digit, base, single)
    scale = len(part)
    return Number(value * 10**scale + units * 10**scale // unit, scale)


def _tenths(whole: str, part: str) -> Number:
    digits = [str(_digit(digit, 10, False)) for digit in whole + part]
    return Number(int("".join(digits)), len(part))


def _digit(char: str, base: int, single: bool) -> int:
    value = int(char, 36)
    return value if single else min(value, base - 1)


def text_of(number: Number, base: int) -> str:
    """How bc prints it; without the 70 columns' line breaks."""
    sign = "-" if number.units < 0 else ""
    units = abs(number.units)
    if units == 0:
        return "0"
    if base == 10:
        digits = str(units).rjust(number.scale + 1, "0")
        whole, part = (digits[: -number.scale], digits[-number.scale :]) if number.scale else (digits, "")
        return sign + ("" if whole.strip("0") == "" and part else whole) + (f".{part}" if part else "")
    whole_units, rest = divmod(units, 10**number.scale)
    out = _in_base(whole_units, base) if whole_units or not number.scale else ""
    if number.scale:
        out += "."
        weight = 1
        while weight < 10**number.scale:
            rest *= base
            digit, rest = divmod(rest, 10**number.scale)
            out += _place(digit, base)
            weight *= base
    return sign + out


def _in_base(value: int, base: int) -> str:
    digits = []
    while True:
        value, digit = divmod(value, base)
        digits.append(_place(digit, base))
        if not value:
            return "".join(reversed(digits))


def _place(digit: int, base: int) -> str:
    """One digit; above base 16 its number after a blank."""
    if base <= 16:
        return "0123456789ABCDEF"[digit]
    return f" {digit:0{len(str(base - 1))}}"
