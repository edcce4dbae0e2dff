"""Whose tables are asked for: a machine, or a network namespace in one.

``red`` is the machine red, or, where no machine has that name, the one namespace red in the lab;
``host/red`` is the namespace red of the machine host. A container's namespace has the container's name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from kubenet_course.errors import LabError

#: Docker's folder of namespaces; `ip netns` does not look there. The host's own is in it as well.
SANDBOXES, HOSTS_OWN = "/run/docker/netns", "default"
#: The containers' namespaces and names, the oldest first; then every namespace file with its inode.
_CONTAINERS = f"""cd /var/lib/docker/containers && docker inspect -f \
  '{{{{.Created}}}} {{{{.NetworkSettings.SandboxKey}}}} {{{{.Name}}}}' * 2> /dev/null | sort
stat -Lc '%i %n' /run/netns/* {SANDBOXES}/* 2> /dev/null"""


class Target(NamedTuple):
    """A machine and the name of a namespace in it ("" for its own).

    `file` is where a namespace is found that `ip netns` does not list: a container's.
    """

    machine: str
    namespace: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.machine}/{self.namespace}" if self.namespace else self.machine

    def command(self, *argv: str) -> list[str]:
        """`argv` inside of the namespace; `ip` and `bridge` by their own option."""
        if self.file:
            return ["nsenter", f"--net={self.file}", *argv]
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


class Container(NamedTuple):
    """A container with a network namespace of its own.

    `file` is the namespace's; `linked` its name in /run/netns, "" where it has none there; `space` the
    name that it goes by: that one, else the container's, or the file's where another namespace is called so.
    """

    name: str
    file: str
    inode: int
    linked: str
    space: str


def containers(lab: Any, machine: str) -> list[Container]:
    """The running containers of Docker on a machine; of several that share a namespace the oldest."""
    listed = lab.query(machine, ["ls", SANDBOXES])
    if not set(listed.stdout.split()) - {HOSTS_OWN}:
        return []
    named: dict[str, str] = {}
    inodes: dict[str, int] = {}
    for line in lab.query(machine, ["bash", "-c", _CONTAINERS]).stdout.splitlines():
        first, *rest = line.split()
        if len(rest) == 2:
            named.setdefault(rest[0].rpartition("/")[2], rest[1].removeprefix("/"))
        elif len(rest) == 1 and first.isdigit():
            inodes[rest[0]] = int(first)
    links = {inode: path.rpartition("/")[2] for path, inode in inodes.items() if not path.startswith(SANDBOXES)}
    found = []
    for key, name in named.items():
        inode = inodes.get(f"{SANDBOXES}/{key}")
        if inode is not None and key != HOSTS_OWN:
            linked = links.get(inode, "")
            space = linked or (key if name in links.values() else name)
            found.append(Container(name, f"{SANDBOXES}/{key}", inode, linked, space))
    return sorted(found)


def spaces(lab: Any, machine: str, held: list[Container] | None = None) -> list[Target]:
    """A machine's own namespace, those that `ip netns` lists, and those of its containers that it does not.

    `held` are the machine's containers, if they are known already.
    """
    others = containers(lab, machine) if held is None else held
    listed = [Target(machine, name) for name in ("", *sorted(namespaces(lab, machine)))]
    return [*listed, *(Target(machine, one.space, one.file) for one in others if not one.linked)]


def resolve(lab: Any, where: Any) -> Target:
    """The target that `where` names; LabError, naming what there is, if none or several."""
    if isinstance(where, Target):
        return where
    if where in lab:
        return Target(where)
    machine, slash, namespace = str(where).partition("/")
    if slash and machine in lab:
        inside = _named(lab, machine, namespace)
        if inside is None:
            raise LabError(f"{machine} has no network namespace {namespace!r}")
        return inside
    found = [target for name in lab.machines if (target := _named(lab, name, str(where))) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        raise LabError(
            f"several machines have a namespace {where!r}: say one of {', '.join(map(str, found))}"
        )
    raise LabError(
        f"there is no machine or namespace {where!r} in this lab; machines: {', '.join(lab.machines)}"
    )


def _named(lab: Any, machine: str, name: str) -> Target | None:
    """The namespace of that name, or that of the container of that name, whichever name `ip netns` has for it."""
    if name in namespaces(lab, machine):
        return Target(machine, name)
    for container in containers(lab, machine):
        if name in (container.name, container.space):
            return Target(machine, container.space, "" if container.linked else container.file)
    return None


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
