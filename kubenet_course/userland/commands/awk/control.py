"""How control leaves an AWK statement, and runtime errors."""

from __future__ import annotations

from kubenet_course.userland.commands.awk.lexer import AwkError


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
