"""What `echo` prints."""

from __future__ import annotations

import re

_SIMPLE = {"a": 7, "b": 8, "e": 27, "E": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_ESCAPE = re.compile(
    rb"\\(?:0([0-7]{0,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([abeEfnrtv\\c]))"
)


def unescape(data: bytes, leading_zero: bool = True) -> tuple[bytes, bool]:
    """Backslash escapes of `echo -e` and ``printf %b``; (bytes, whether ``\\c`` said to stop).

    `leading_zero` False takes ``\\101`` too (``%b``).
    """
    out = bytearray()
    at = 0
    pattern = _ESCAPE if leading_zero else _PRINTF_ESCAPE
    for match in pattern.finditer(data):
        out += data[at : match.start()]
        at = match.end()
        octal, hexa, short, long, simple = match.groups()
        if octal is not None:
            out.append(int(octal or b"0", 8) & 255)
        elif hexa is not None:
            out.append(int(hexa, 16))
        elif simple == b"c":
            return bytes(out), True
        elif simple is not None:
            out.append(_SIMPLE[simple.decode()])
        else:
            number = int(short or long, 16)
            if number < 0x110000:
                out += chr(number).encode("utf-8", "surrogatepass")
    return bytes(out + data[at:]), False


_PRINTF_ESCAPE = re.compile(
    rb"\\(?:(0?[0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([abeEfnrtv\\c]))"
)


def echo_bytes(arguments: list[str]) -> bytes:
    """The output for echo's arguments, options included."""
    newline, escapes = True, False
    at = 0
    for argument in arguments:
        if not re.fullmatch(r"-[neE]+", argument):
            break
        for letter in argument[1:]:
            if letter == "n":
                newline = False
            else:
                escapes = letter == "e"
        at += 1
    data = " ".join(arguments[at:]).encode("utf-8", "surrogateescape")
    if escapes:
        data, stopped = unescape(data)
        newline = newline and not stopped
    return data + (b"\n" if newline else b"")
