"""What iproute2 prints: the same facts as lines of text or, with ``-j``, as JSON.

A command names each fact once, ``out.any("mtu", "mtu %u ", dev.mtu)``; the text goes to the line, the key and
value into the JSON document. `fp` is for text only, `js` for JSON only. Keys may repeat, as in the original.
"""

from __future__ import annotations

from typing import Any

#: ANSI colours by meaning (lib/color.c, the palette for dark-on-light terminals).
IFNAME, MAC, INET, INET6, UP, DOWN = "\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[32m", "\x1b[31m"
CLEAR = "\x1b[0m"


class Raw(str):
    """A JSON value written as it stands (``0.00``)."""


class Pairs(list):
    """A JSON object as (key, value) pairs, in order."""


class Printer:
    """Collects the output of one command; `done()` gives it as text."""

    def __init__(self, *, json: bool = False, pretty: bool = False, oneline: bool = False, color: bool = False):
        self.json = json
        self.pretty = pretty
        self.oneline = oneline
        self.colored = color and not json
        self.parts: list[str] = []
        #: The program leaves in the middle: no closing bracket of the JSON's outermost array.
        self.cut_off = False
        self._root: list[Any] = []
        self._stack: list[list[Any]] = [self._root]

    # -- facts ------------------------------------------------------------------------------
    def any(self, key: str | None, form: str | None, value: Any) -> None:
        """One fact, in whichever form is wanted; `form` None: only in JSON."""
        if self.json:
            self._put(key, value)
        elif form is not None:
            self.parts.append(form % value if "%" in form else form)

    def color(self, color: str, key: str | None, form: str, value: Any) -> None:
        """A fact in a colour (where colours are on)."""
        if self.json:
            self._put(key, value)
        else:
            text = form % value
            self.parts.append(f"{color}{text}{CLEAR}" if self.colored and color else text)

    def fp(self, text: str) -> None:
        if not self.json:
            self.parts.append(text)

    def js(self, key: str | None, value: Any) -> None:
        if self.json:
            self._put(key, value)

    def flag(self, key: str, text: str) -> None:
        """print_null(): a word in the text, ``"key":null`` in JSON."""
        self.any(key, text, None)

    def nl(self) -> None:
        """The end of a line, a backslash with ``-o``."""
        self.fp("\\" if self.oneline else "\n")

    @property
    def sl(self) -> str:
        return "\\" if self.oneline else "\n"

    # -- structure --------------------------------------------------------------------------
    def _put(self, key: str | None, value: Any) -> None:
        here = self._stack[-1]
        if isinstance(here, Pairs):
            here.append((key, value))
        else:
            here.append(value)

    def open_object(self, key: str | None = None) -> None:
        if self.json:
            new = Pairs()
            self._put(key, new)
            self._stack.append(new)

    def open_array(self, key: str | None = None) -> None:
        if self.json:
            new: list[Any] = []
            self._put(key, new)
            self._stack.append(new)

    def close(self) -> None:
        if self.json and len(self._stack) > 1:
            self._stack.pop()

    # -- result -----------------------------------------------------------------------------
    def done(self) -> str:
        """Everything as text; JSON ends with a newline, text has its own."""
        if not self.json:
            return "".join(self.parts)
        text = _dump(self._root, 0, self.pretty)
        if self.cut_off:
            return text.removesuffix("]") if not self._root else text.removesuffix("]").removesuffix(" ")
        return text + "\n"


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\b": "\\b", "\\": "\\\\", '"': '\\"', "'": "'"}


def _string(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Raw):
        return str(value)
    if type(value) is int:
        return str(value)
    return _string(str(value))


def _dump(value: Any, depth: int, pretty: bool) -> str:
    """json_writer.c: with -p an object's members stand on lines of their own, an array's do not."""
    if isinstance(value, Pairs):
        if not value:
            return "{}"
        if not pretty:
            return "{" + ",".join(f"{_string(key)}:{_dump(item, 0, False)}" for key, item in value) + "}"
        pad = "    " * (depth + 1)
        lines = (f"\n{pad}{_string(key)}: {_dump(item, depth + 1, True)}" for key, item in value)
        return "{" + ",".join(lines) + f"\n{'    ' * depth}" + "}"
    if isinstance(value, list):
        if not pretty:
            return "[" + ",".join(_dump(item, 0, False) for item in value) + "]"
        if not value:
            return "[ ]"
        return "[ " + ",".join(_dump(item, depth + 1, True) for item in value) + " ]"
    return _scalar(value)
