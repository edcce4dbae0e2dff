"""Which programs a machine has: every file of the command folders, by its name.

A command's module is imported when the command is first run, for a machine has hundreds and a
lesson uses ten. What the table needs beforehand, the module's `NAMES`, is read from its text; a
name that two modules claim is an error at once. A test imports them all.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from collections.abc import Awaitable, Mapping
from functools import lru_cache

from kubenet_course.errors import KubenetError
from kubenet_course.registry import discover, text_of
from kubenet_course.userland.process import Process, Program

COMMANDS = "kubenet_course.userland.commands"
_NAMES = re.compile(r"^NAMES(?:\s*:[^=\n]+)?\s*=\s*(\([^()]*\)|\[[^\[\]]*\])", re.M)

#: `NAMES` made or imported in another way: only importing can tell.
_BOUND = re.compile(r"^\s*NAMES\b|^\s*(?:from|import)\b.*\bNAMES\b(?! as)|\bas NAMES\b", re.M)


def _lazy(name: str) -> Program:
    """The `main` of a module that is imported when it is first called."""

    def main(proc: Process, argv: list[str]) -> Awaitable[int]:
        # Another thread's lab may be importing it right now: then import_module() waits.
        start = getattr(sys.modules.get(name), "main", None) or importlib.import_module(name).main
        return start(proc, argv)

    main.__module__ = name
    return main


def _declared(package: str, module: str, is_package: bool) -> tuple[str, ...] | None:
    """The names of a command module by its text; None where only importing can tell."""
    text = text_of(package, f"{module}/__init__.py" if is_package else f"{module}.py")
    if "NAMES" not in text:
        return (module,)
    match = _NAMES.search(text)
    if match is None:
        return None if _BOUND.search(text) else (module,)
    try:
        names = ast.literal_eval(match[1])
    except (ValueError, SyntaxError):
        return None
    return tuple(names)


@lru_cache(8)
def _programs(packages: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Program], ...]:
    found: dict[str, Program] = {}
    for package, prefix in packages:
        root = importlib.import_module(package)
        own: dict[str, Program] = {}
        for info in pkgutil.iter_modules(root.__path__):
            if info.name.startswith("_"):
                continue
            names = _declared(package, info.name, info.ispkg)
            if names is None:
                names = getattr(importlib.import_module(f"{package}.{info.name}"), "NAMES", (info.name,))
            program = _lazy(f"{package}.{info.name}")
            for name in names:
                if name in own:
                    raise KubenetError(
                        f"{name!r} is defined twice: by {own[name].__module__} and by {program.__module__}"
                    )
                own[name] = program
        found.update({prefix + name: program for name, program in own.items()})
    return tuple(found.items())


def standard_programs(*packages: str, plugins: Mapping[str, str] | None = None) -> dict[str, Program]:
    """A new table of all programs in `userland.commands` and in the command folders named.

    `plugins`: further folders, each with what its programs' names begin with (``cni/``). A name with a
    slash is no command: its file lies where `files.populate` puts it.
    """
    folders = [(package, "") for package in (COMMANDS, *packages)]
    return dict(_programs((*folders, *(plugins or {}).items())))


def import_all(*packages: str) -> dict[str, str]:
    """Import every command module, as `registry.discover` does: each name and its module."""
    return {
        name: module.__name__
        for package in (COMMANDS, *packages)
        for name, module in discover(package).items()
    }
