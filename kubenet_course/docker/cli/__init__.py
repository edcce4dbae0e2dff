"""The `docker` command. Each module of `MODULES` has a list COMMANDS of (Command, handler).

A handler is `async def handler(session, options, words) -> int`. The groups (`docker container ls`) and the old
short forms (`docker ps`) are the same entry under several paths.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from kubenet_course.docker import daemon
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.engine import Engine
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.templates import TemplateError
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

MODULES = (
    "run", "listing", "containers", "looking", "execute", "files", "usage", "networks", "images", "system", "prune", "events",
    "swarm", "services",
)  # fmt: skip
VERSION = "28.5.2"
NO_DAEMON = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
)
Handler = Callable[["Session", dict[str, Any], list[str]], Awaitable[int]]
#: Docker's other commands: known, and not emulated.
ABSENT = (
    "build builder buildx checkpoint commit compose config context export history import load login logout manifest "
    "plugin push save search secret stack trust"
).split()
GROUPS = {
    "container": "Manage containers",
    "image": "Manage images",
    "network": "Manage networks",
    "node": "Manage Swarm nodes",
    "service": "Manage Swarm services",
    "swarm": "Manage Swarm",
    "system": "Manage Docker",
    "volume": "Manage volumes",
}
COMMON = ("run", "exec", "ps", "pull", "images", "version", "info")


class Session:
    """One invocation: the machine, the engine (made on first use), and how things are said."""

    def __init__(self, here: Surroundings, path: str):
        self.here = here
        self.path = path
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self.here)
        return self._engine

    def use(self, engine: Engine) -> None:
        """Work with this engine, not with one of its own."""
        self._engine = engine

    def out(self, text: str) -> None:
        self.here.out(text)

    def err(self, text: str) -> None:
        self.here.err(text)

    def line(self, text: str) -> None:
        self.here.out(text + "\n")

    def complain(self, problem: DaemonError) -> None:
        self.here.err(f"Error response from daemon: {problem.message}\n")

    async def locked(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run `work()` while nobody else changes anything."""
        await self.engine.store.lock()
        try:
            return await work()
        finally:
            self.engine.store.unlock()

    async def each(self, words: list[str], work: Callable[[str], Awaitable[Any]]) -> int:
        """Do it for every word, print the word where it went well, go on where it did not."""
        status = 0
        for word in words:
            try:
                await work(word)
            except DaemonError as problem:
                self.complain(problem)
                status = 1
            else:
                self.line(word)
        return status


async def program(here: Surroundings, argv: list[str]) -> int:
    """docker(1)."""
    table = commands()
    words = argv[1:]
    while words and words[0] in ("-D", "--debug"):
        words = words[1:]
    if not words or words[0] in ("--help", "-h") or words == ["help"]:
        here.out(_overview(table)) if words else here.out(_overview(table))
        return 0
    if words[0] in ("-v", "--version"):
        here.out(f"Docker version {VERSION}, build ecc6942\n")
        return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    if words[0].startswith("-") and words[0] != "-":
        here.err(
            (
                f"unknown flag: {words[0]}"
                if words[0].startswith("--")
                else f"unknown shorthand flag: '{words[0][1]}' in {words[0]}"
            )
            + "\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n"
        )
        return 125
    found = _find(table, words)
    if found is None:
        return _unknown(here, table, words)
    path, (command, handler), rest = found
    try:
        command = command.under(path)
        options, operands = command.parse(rest)
        if options.get("help"):
            here.out("\n" + command.help() if False else command.help())
            return 0
        session = Session(here, path)
        if handler.__name__ not in ("version", "info_") and not await daemon.ensure(here):
            here.err(("docker: " if path in ("docker run", "docker create") else "") + NO_DAEMON + "\n")
            return 125 if path in ("docker run", "docker create") else 1
        return await handler(session, options, operands)
    except UsageError as problem:
        here.err(problem.message if problem.message.endswith("\n") else problem.message + "\n")
        return problem.status
    except TemplateError as problem:
        last = path.split()[-1]
        here.err(f"template parsing error: template: {'version' if last == 'version' else ''}{problem}\n")
        return 64 if last in ("inspect", "info", "version") else 1
    except DaemonError as problem:
        here.err(f"Error response from daemon: {problem.message}\n")
        return 1
    except KernelError as problem:
        here.err(f"Error response from daemon: {problem.strerror}\n")
        return 1


def commands() -> dict[str, tuple[Command, Handler]]:
    """By path without "docker ": "run", "container run", …"""
    found: dict[str, tuple[Command, Handler]] = {}
    for name in MODULES:
        module = importlib.import_module(f"{__name__}.{name}")
        for command, handler in module.COMMANDS:
            for path in (command.path, *command.aliases):
                found[path.removeprefix("docker ")] = command, handler
    return found


def _find(
    table: dict[str, tuple[Command, Handler]], words: list[str]
) -> tuple[str, tuple[Command, Handler], list[str]] | None:
    for length in (2, 1):
        path = " ".join(words[:length])
        if len(words) >= length and path in table:
            return f"docker {path}", table[path], words[length:]
    return None


def _unknown(here: Surroundings, table: dict[str, tuple[Command, Handler]], words: list[str]) -> int:
    if words[0] in GROUPS:
        if len(words) == 1 or words[1] in ("--help", "-h"):
            (here.out if len(words) > 1 else here.err)(_group(table, words[0]))
            return 0
        here.err(
            f"docker: unknown command: docker {words[0]} {words[1]}\n\n"
            f"Usage:  docker {words[0]}{' COMMAND' if words[0] == 'volume' else ''}\n\n"
            f"Run 'docker {words[0]} --help' for more information\n"
        )
        return 1
    if words[0] in ABSENT:
        here.err(f"kubenet: docker {words[0]}: not emulated\n")
        return 1
    here.err(f"docker: unknown command: docker {words[0]}\n\nRun 'docker --help' for more information\n")
    return 1


def _entries(names: dict[str, str]) -> str:
    width = max(11, *map(len, names)) + 1
    return "".join(f"  {name.ljust(width)}{names[name]}\n" for name in names)


def _group(table: dict[str, tuple[Command, Handler]], group: str) -> str:
    own = {
        path.partition(" ")[2]: entry[0].about
        for path, entry in sorted(table.items())
        if path.startswith(group + " ") and path.partition(" ")[2] not in ("list", "remove", "ps")
    }
    return (
        f"Usage:  docker {group} COMMAND\n\n{GROUPS[group]}\n\nCommands:\n{_entries(own)}\n"
        f"Run 'docker {group} COMMAND --help' for more information on a command.\n"
    )


def _overview(table: dict[str, tuple[Command, Handler]]) -> str:
    single = {path: entry[0].about for path, entry in sorted(table.items()) if " " not in path}
    common = {name: single[name] for name in COMMON if name in single}
    rest = {name: about for name, about in single.items() if name not in common}
    return (
        "Usage:  docker [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\n"
        f"Common Commands:\n{_entries(common)}\nManagement Commands:\n{_entries(GROUPS)}\nCommands:\n{_entries(rest)}\n"
        "Global Options:\n  -D, --debug              Enable debug mode\n  -v, --version            Print version information and quit\n\n"
        "Run 'docker COMMAND --help' for more information on a command.\n"
    )
