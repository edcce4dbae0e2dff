"""Which programs a machine has: every file of the command folders, by its name."""

from __future__ import annotations

from functools import lru_cache

from kubenet_course.registry import discover
from kubenet_course.userland.process import Program

COMMANDS = "kubenet_course.userland.commands"


@lru_cache(8)
def _programs(packages: tuple[str, ...]) -> tuple[tuple[str, Program], ...]:
    found: dict[str, Program] = {}
    for package in packages:
        found.update((name, module.main) for name, module in discover(package).items())
    return tuple(found.items())


def standard_programs(*packages: str) -> dict[str, Program]:
    """A new table of all programs in `userland.commands` and in the command folders named."""
    return dict(_programs((COMMANDS, *packages)))
