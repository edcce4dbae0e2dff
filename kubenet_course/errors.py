"""The one exception tree of the package.

    KubenetError                 everything this package raises on purpose
    ├── KernelError(errno)       a system call on the emulated kernel failed
    ├── CommandError             a command line could not be run at all
    ├── ApiError(reason, code)   an API server refused a request
    ├── LabError                 a lab, topology, scenario or checkpoint is wrong
    └── BackendError             the kernel underneath cannot be had or broke

The fate of a packet is never an exception: it is a drop reason (`kernel/skbuff.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from kubenet_course import errno as _errno


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean NAME?)` where one of the known names is close to `word`, else "": for the middle of a sentence."""
    from difflib import get_close_matches

    names = {name.lower().replace("_", "-"): name for name in known}
    found = get_close_matches(word.lower().replace("_", "-"), names, 1, 0.7)
    return f" (did you mean {names[found[0]]}?)" if found else ""


class KubenetError(Exception):
    """Root of all errors raised on purpose by this package."""


class KernelError(KubenetError):
    """A system call or netlink request on the emulated kernel failed.

    `errno` is the positive number a program would see; `extack` is the kernel's extended
    acknowledgement, the sentence iproute2 prints as ``Error: …``, or ``""`` where the kernel
    gives none (iproute2 then prints ``RTNETLINK answers: <strerror>``).
    """

    def __init__(self, errno: int, extack: str = ""):
        super().__init__(errno, extack)
        self.errno = errno
        self.extack = extack

    @property
    def strerror(self) -> str:
        """The text of libc's strerror() for this errno, e.g. ``File exists``."""
        return _errno.strerror(self.errno)

    def __str__(self) -> str:
        name = _errno.errorcode.get(self.errno, str(self.errno))
        return f"{name}: {self.extack or self.strerror}"


class CommandError(KubenetError):
    """A command line could not be run at all (no such machine, no such program image)."""


class ApiError(KubenetError):
    """An API server refused a request: HTTP `code` and machine-readable `reason`."""

    def __init__(self, reason: str, code: int, message: str = ""):
        super().__init__(message or reason)
        self.reason = reason
        self.code = code


class LabError(KubenetError):
    """A lab, topology, scenario or checkpoint is wrong; the message says what to change."""


class BackendError(KubenetError):
    """The kernel underneath cannot be had here, or broke; the message says what to do."""
