"""The format language of `printf` (POSIX, with bash's %q, %b and %(…)T)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from kubenet_course.userland.echo import unescape

if TYPE_CHECKING:
    from decimal import Decimal

_SPEC = re.compile(r"%(?P<flags>[-+ #0']*)(?P<width>\*|\d*)(?:\.(?P<precision>\*|-?\d*))?"
                   r"(?:hh|h|ll|l|L|j|z|t)?(?:(?P<time>\((?P<form>[^)]*)\)T)|(?P<kind>.))", re.S)  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(.))", re.S
)
_SIMPLE = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
           "\\": "\\", '"': '"', "'": "'"}  # fmt: skip
MAX_WIDTH = 100_000


class _Stop(Exception):
    """``\\c``: no more output."""


class _Format:
    """One use of a format string, with the arguments left."""

    def __init__(self, arguments: list[str], now: int, builtin: bool):
        self.arguments = arguments
        self.now = now
        self.builtin = builtin
        self.at = 0
        self.out = bytearray()
        self.errors: list[str] = []

    def take(self) -> str | None:
        if self.at < len(self.arguments):
            self.at += 1
            return self.arguments[self.at - 1]
        self.at += 1
        return None

    def literal(self, text: str) -> None:
        at = 0
        for match in _ESCAPE.finditer(text):
            self.out += _bytes(text[at : match.start()])
            at = match.end()
            octal, hexa, short, long, simple = match.groups()
            if octal is not None:
                self.out.append(int(octal, 8) & 255)
            elif hexa is not None:
                self.out.append(int(hexa, 16))
            elif simple == "c" and not self.builtin:
                raise _Stop
            elif simple is not None:
                self.out += _bytes(_SIMPLE.get(simple, "\\" + simple))
            else:
                number = int(short or long, 16)
                self.out += chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b""
        self.out += _bytes(text[at:])

    def number(self, text: str | None) -> int:
        """A C integer constant, or ``'c`` for a character's code."""
        if not text:
            return 0
        if text[0] in "'\"":
            return ord(text[1]) if len(text) > 1 else 0
        stripped = text.lstrip(" \t\n")
        match = re.match(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", stripped)
        if match is None:
            self.errors.append(
                f"{text}: invalid number" if self.builtin else f"{_q(text)}: expected a numeric value"
            )
            return 0
        if match.end() != len(stripped):
            self.errors.append(
                f"{text}: invalid number" if self.builtin else f"{_q(text)}: value not completely converted"
            )
        digits = match[0].lstrip("+-")
        base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" and len(digits) > 1 else 10
        value = int(digits, base) * (-1 if match[0][0] == "-" else 1)
        if not -(2**63) <= value < 2**64:
            self.errors.append(
                f"warning: {text}: Numerical result out of range" if self.builtin
                else f"{_q(text)}: Numerical result out of range"
            )  # fmt: skip
            value = max(-(2**63), min(value, 2**63 - 1))
        return value

    def floating(self, text: str | None) -> Decimal:
        from decimal import Decimal, InvalidOperation

        if not text:
            return Decimal(0)
        if text[0] in "'\"":
            return Decimal(ord(text[1]) if len(text) > 1 else 0)
        match = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?)", text)
        hexa = re.match(r"\s*([-+]?)0[xX]([0-9a-fA-F]+)", text)
        if hexa:
            value = Decimal(int(hexa[2], 16)) * (-1 if hexa[1] == "-" else 1)
            end = hexa.end()
        elif match:
            try:
                value, end = Decimal(match[1]), match.end()
            except InvalidOperation:
                value, end = Decimal(0), 0
        else:
            self.errors.append(
                f"{text}: invalid number" if self.builtin else f"{_q(text)}: expected a numeric value"
            )
            return Decimal(0)
        if end != len(text):
            self.errors.append(
                f"{text}: invalid number" if self.builtin else f"{_q(text)}: value not completely converted"
            )
        return value

    def directive(self, match: re.Match[str]) -> None:
        flags, kind = match["flags"], match["kind"]
        if kind == "%":
            self.out += b"%"
            return
        width = self.number(self.take()) if match["width"] == "*" else int(match["width"] or 0)
        if width < 0:
            flags, width = flags + "-", -width
        width = min(width, MAX_WIDTH)
        precision: int | None = None
        if match["precision"] is not None:
            raw = match["precision"]
            precision = self.number(self.take()) if raw == "*" else int(raw or 0)
            precision = min(precision, MAX_WIDTH) if precision >= 0 else None
        if match["time"]:
            self.pad(_bytes(self.date(match["form"], self.take())), flags, width)
            return
        if kind in "sbqQ":
            self.string(kind, flags, width, precision)
        elif kind == "c":
            self.pad(_bytes((self.take() or "")[:1]), flags, width)
        elif kind in "diouxX":
            value = self.number(self.take())
            self.out += _integer(value, kind, flags, width, precision).encode()
        elif kind in "eEfFgGaA":
            self.out += _float(self.floating(self.take()), kind, flags, width, precision).encode()
        else:
            text = match[0] if not self.builtin else kind
            if self.builtin:
                self.errors.append(f"`{text}': invalid format character")
            else:
                self.errors.append(f"{match[0]}: invalid conversion specification")
            raise _Stop

    def string(self, kind: str, flags: str, width: int, precision: int | None) -> None:
        text = self.take() or ""
        data = _bytes(text)
        stop = False
        if kind == "b":
            data, stop = unescape(data, leading_zero=False)
        elif kind in "qQ":
            from kubenet_course.userland.shell.parameters import quote_backslash

            data = _bytes(quote_backslash(text))
        if precision is not None:
            data = data[:precision]
        self.pad(data, flags, width)
        if stop:
            raise _Stop

    def pad(self, data: bytes, flags: str, width: int) -> None:
        self.out += data.ljust(width) if "-" in flags else data.rjust(width)

    def date(self, form: str, argument: str | None) -> str:
        seconds = self.now // 1_000_000_000
        if argument and argument not in ("-1", "-2"):
            seconds = self.number(argument)
        return time.strftime(form or "%X", time.gmtime(seconds))


def _q(text: str) -> str:
    return f"‘{text}’"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _integer(value: int, kind: str, flags: str, width: int, precision: int | None) -> str:
    if kind in "ouxX" and value < 0:
        value += 1 << 64
    base = {"o": "o", "x": "x", "X": "X"}.get(kind, "d")
    digits = format(abs(value), base)
    if precision is not None:
        digits = digits.rjust(precision, "0") if precision or value else ""
    prefix = ""
    if "#" in flags:
        if kind == "o" and not digits.startswith("0"):
            digits = "0" + digits
        elif kind in "xX" and value:
            prefix = "0" + kind
    sign = (
        "-"
        if value < 0
        else "+"
        if "+" in flags and kind in "di"
        else " "
        if " " in flags and kind in "di"
        else ""
    )
    body = sign + prefix + digits
    if "-" in flags:
        return body.ljust(width)
    if "0" in flags and precision is None:
        return sign + prefix + digits.rjust(width - len(sign) - len(prefix), "0")
    return body.rjust(width)


def _float(value: Decimal, kind: str, flags: str, width: int, precision: int | None) -> str:
    if kind in "aA":
        text = float(value).hex()
        body = text if kind == "a" else text.upper()
    else:
        spec = ("#" if "#" in flags else "") + f".{6 if precision is None else precision}{kind}"
        if kind in "fF":
            body = (
                format(value, spec.replace("#", ""))
                if abs(value) < 10**300
                else format(float(value), spec)
            )
        else:
            body = format(float(value), spec)
    sign = "" if body.startswith("-") else "+" if "+" in flags else " " if " " in flags else ""
    body = sign + body
    if "-" in flags:
        return body.ljust(width)
    if "0" in flags:
        head = body[0] if body[0] in "+- " else ""
        return head + body[len(head) :].rjust(width - len(head), "0")
    return body.rjust(width)


def format_printf(
    form: str, arguments: list[str], now: int, builtin: bool = False
) -> tuple[bytes, list[str]]:
    """(output, error messages without the program's name); the format is reused while arguments last."""
    state = _Format(arguments, now, builtin)
    pieces: list[str | re.Match[str]] = []
    at = 0
    while at < len(form):
        percent = form.find("%", at)
        if percent < 0:
            pieces.append(form[at:])
            break
        if percent > at:
            pieces.append(form[at:percent])
        match = _SPEC.match(form, percent)
        if match is None:
            tail = form[percent:]
            message = (
                f"`{tail}': missing format character"
                if builtin
                else f"{tail}: invalid conversion specification"
            )
            pieces.append("\0error" + message)
            break
        pieces.append(match)
        at = match.end()
    try:
        while True:
            before = state.at
            for piece in pieces:
                if isinstance(piece, str):
                    if piece.startswith("\0error"):
                        state.errors.append(piece[6:])
                        raise _Stop
                    state.literal(piece)
                else:
                    state.directive(piece)
            if state.at >= len(arguments) or state.at == before:
                break
    except _Stop:
        pass
    return bytes(state.out), state.errors
