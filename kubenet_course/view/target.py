"""Whose tables are asked for: a machine, or a network namespace in one.

``red`` is the machine red, or, where no machine has that name, the one namespace red in the lab;
``host/red`` is the namespace red of the machine host.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from kubenet_course.errors import LabError


class Target(NamedTuple):
    """A machine and the name of a namespace in it ("" for its own)."""

    machine: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.machine}/{self.namespace}" if self.namespace else self.machine

    def command(self, *argv: str) -> list[str]:
        """`argv` inside of the namespace; `ip` and `bridge` by their own option."""
        if not self.namespace:
            return list(argv)
        if argv[0] in ("ip", "bridge"):
            return [argv[0], "-n", self.namespace, *argv[1:]]
        return ["ip", "netns", "exec", self.namespace, *argv]


def namespaces(lab: Any, machine: str) -> dict[str, int]:
    """Name → nsid (-1 where it has none) of the namespaces in /run/netns, as `ip netns` lists them."""
    found = {}
    for line in lab.query(machine, ["ip", "netns", "list"]).stdout.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            found[name] = int(rest[5:-1]) if rest.startswith("(id: ") else -1
    return found


def resolve(lab: Any, where: Any) -> Target:
    """The target that `where` names; LabError, naming what there is, if none or several."""
    if isinstance(where, Target):
        return where
    if where in lab:
        return Target(where)
    machine, slash, namespace = str(where).partition("/")
    if slash and machine in lab:
        if namespace not in namespaces(lab, machine):
            raise LabError(f"{machine} has no network namespace {namespace!r}")
        return Target(machine, namespace)
    found = [Target(name, str(where)) for name in lab.machines if where in namespaces(lab, name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise LabError(
            f"several machines have a namespace {where!r}: say one of {', '.join(map(str, found))}"
        )
    raise LabError(
        f"there is no machine or namespace {where!r} in this lab; machines: {', '.join(lab.machines)}"
    )


def ask(lab: Any, target: Target, *argv: str) -> str:
    """What the command prints there; LabError with its own message if it fails."""
    result = lab.query(target.machine, target.command(*argv))
    if result.returncode:
        message = (result.stderr or result.stdout).strip().splitlines()
        raise LabError(
            f"{target}: {' '.join(argv)}: {message[-1] if message else f'status {result.returncode}'}"
        )
    return str(result.stdout)


def ask_json(lab: Any, target: Target, *argv: str) -> list[dict[str, Any]]:
    """The rows of a command with `-j`; [] where it prints nothing."""
    text = ask(lab, target, *argv).strip()
    return [row for row in json.loads(text) if row] if text else []


def words(command: str | Sequence[str]) -> str:
    """A command as typed."""
    import shlex

    return command if isinstance(command, str) else shlex.join(command)
