"""What can go wrong with an ipset command line."""

from __future__ import annotations


class UsageError(Exception):
    """Words that make no command: status 2, with a hint at ``ipset help``."""


class Failed(Exception):
    """A value that cannot be read, or a request the kernel refuses: status 1."""
