"""What the shell does itself: each module's `BUILTINS` maps names to `async def f(shell, argv)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from kubenet_course.errors import KubenetError
from kubenet_course.registry import discover


@lru_cache(1)
def table() -> dict[str, Callable[[Any, list[str]], Awaitable[int]]]:
    """All builtins by name."""
    found: dict[str, Callable[[Any, list[str]], Awaitable[int]]] = {}
    for module in discover(__name__).values():
        for name, function in module.BUILTINS.items():
            if name in found:
                raise KubenetError(f"the shell builtin {name!r} is defined twice")
            found[name] = function
    return found
