"""Run a command and follow its packets, on whichever kernel the lab has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from kubenet_course.view.journey import Journey
from kubenet_course.view.target import Target, containers, resolve, words

_SHELL_SIGNS = set("|&;<>()$`\\\"'*?[]#~=%\n")


def follow(lab: Any, where: Any, command: str | Sequence[str], **options: Any) -> Journey:
    """Run `command` on a machine or namespace of the lab; `options` are those of `Machine.run`.

    The command becomes part of the history, as if it had been run by `lab.run`.
    """
    target = resolve(lab, where)
    typed = words(command)
    if lab.backend.name != "emulated":
        from kubenet_course.view.real_journey import record

        return record(lab, target, typed, in_namespace(target, typed), **options)
    return _emulated(lab, target, typed, in_namespace(target, typed), options)


def sender(target: Target, command: str) -> Target:
    """Whose packets the command sends: ``ip netns exec red ping …`` sends red's."""
    entered = re.match(r"ip\s+netns\s+exec\s+([\w.-]+)\s", command)
    return Target(target.machine, entered[1]) if entered and not target.namespace else target


def in_namespace(target: Target, command: str) -> str:
    """What to type on the machine to run `command` in the namespace."""
    if not target.namespace:
        return command
    plain = not set(command) & _SHELL_SIGNS
    enter = f"nsenter --net={target.file} " if target.file else f"ip netns exec {target.namespace} "
    return enter + (command if plain else f"bash -c {shlex.quote(command)}")


def net_names(lab: Any) -> dict[Any, tuple[str, str]]:
    """Network namespace (an object of the emulated kernel) → machine, and the name that it goes by."""
    held = {(machine, one.inode): one.space for machine in lab.machines for one in containers(lab, machine)}
    named = lab.backend.namespace_names()
    return {net: (machine, held.get((machine, net.inode), name)) for net, (machine, name) in named.items()}


def _emulated(lab: Any, target: Target, typed: str, line: str, options: dict[str, Any]) -> Journey:
    from kubenet_course.sim.trace import Recorder
    from kubenet_course.view.emulated_journey import build

    backend = lab.backend
    names = net_names(lab)
    with Recorder(backend.loop) as recorder:
        result = lab.run(target.machine, line, **options)
    names = {**names, **net_names(lab)}

    def name_of(net: Any) -> tuple[str, str]:
        return names.get(net) or (net.host.hostname, f"net:[{net.inode}]")

    notes = tuple(f"(the trace point {name} failed: {error})" for name, error in recorder.dropped.items())
    return build(
        recorder.events,
        target.machine,
        words(line),
        name_of,
        stdout=result.stdout,
        stderr=result.stderr,
        returncode=result.returncode,
        missed=recorder.missed,
        notes=notes,
    )
