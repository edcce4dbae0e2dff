"""How control leaves a command of the shell other than by its end."""

from __future__ import annotations


class ShellExit(Exception):
    """`exit`, `set -e`, or a fatal error: the shell ends with `status`."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


class ShellAbort(Exception):
    """The rest of the script is dropped (an expansion failed); the message has been printed."""

    def __init__(self, status: int = 1):
        super().__init__(status)
        self.status = status


class ExpansionError(Exception):
    """An expansion or assignment failed; `fatal` ends the shell with `status`."""

    def __init__(self, message: str, status: int = 1, fatal: bool = False):
        super().__init__(message)
        self.message = message
        self.status = status
        self.fatal = fatal


class LoopControl(Exception):
    """`break` or `continue` of `count` loops."""

    def __init__(self, count: int, again: bool):
        super().__init__(count)
        self.count = count
        self.again = again


class Return(Exception):
    """`return` from a function or sourced script."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


class Replaced(ShellExit):
    """The process has become a program, which has ended; nothing of the shell is left to run."""
