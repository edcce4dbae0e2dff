"""pstree: the processes as a tree (psmisc 23.6, in ASCII). Not emulated: -g, -N, -s, -S, -u, -Z and colours."""

from __future__ import annotations

from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.owners import user_number
from kubenet_course.userland.process import Process

LONG = {
    "arguments": "a", "ascii": "A", "compact-not": "c", "long": "l", "numeric-sort": "n", "show-pids": "p",
    "hide-threads": "T", "thread-names": "t",
}  # fmt: skip


class _Tree:
    """The processes of one pid namespace and how they are shown."""

    def __init__(self, proc: Process, flags: set[str]):
        self.flags = flags
        pidns = proc.files.pidns
        self.number = pidns.number
        self.processes = {pidns.number(one): one for one in pidns.sorted()}
        self.children: dict[int, list[int]] = {}
        for number, one in self.processes.items():
            self.children.setdefault(pidns.parent_number(one), []).append(number)

    def label(self, number: int) -> str:
        process = self.processes[number]
        text = process.comm[:15]
        if "p" in self.flags:
            text += f",{number}" if "a" in self.flags else f"({number})"
        if "a" in self.flags:
            text += "".join(f" {word}" for word in process.argv[1:])
        return text

    def below(self, number: int) -> list[int]:
        found = self.children.get(number, [])
        if "n" in self.flags:
            return sorted(found)
        return sorted(found, key=lambda one: (self.processes[one].comm, one))

    def draw(self, number: int) -> list[str]:
        """The lines of a process and what hangs on it: the first child stands on its line."""
        label = self.label(number)
        branches = [self.draw(child) for child in self.below(number)]
        if not self.flags & {"c", "p"}:
            branches = _compacted(branches)
        if not branches:
            return [label]
        pad = " " * len(label)
        if len(branches) == 1:
            return [label + "---" + branches[0][0], *(pad + "   " + line for line in branches[0][1:])]
        lines = []
        for at, branch in enumerate(branches):
            head = label + "-+-" if at == 0 else pad + (" `-" if at == len(branches) - 1 else " |-")
            rest = pad + ("   " if at == len(branches) - 1 else " | ")
            lines += [head + branch[0], *(rest + line for line in branch[1:])]
        return lines

    def draw_arguments(self, number: int) -> list[str]:
        """-a: one process a line."""
        lines = [self.label(number)]
        below = self.below(number)
        for at, child in enumerate(below):
            last = at == len(below) - 1
            first, *rest = self.draw_arguments(child)
            lines += [f"  {'`' if last else '|'}-{first}", *(f"  {' ' if last else '|'} {line}" for line in rest)]
        return lines


def _compacted(branches: list[list[str]]) -> list[list[str]]:
    """Equal neighbours as ``2*[sleep]``."""
    found: list[tuple[int, list[str]]] = []
    for branch in branches:
        if found and found[-1][1] == branch:
            found[-1] = (found[-1][0] + 1, branch)
        else:
            found.append((1, branch))
    out = []
    for count, branch in found:
        if count > 1:
            head = f"{count}*["
            branch = [head + branch[0], *(" " * len(head) + line for line in branch[1:])]
            branch[-1] += "]"
        out.append(branch)
    return out


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "aAclnpTthU", LONG, unsupported="gHNsSuZCG")
    except OptionError as error:
        return error.report(proc, argv[0], 1, "Usage: pstree [-acglpsStTuZ] [ -h | -H PID ] [ -n | -N type ]\n"
                            "              [ -A | -G | -U ] [ PID | USER ]\n   or: pstree -V")  # fmt: skip
    flags = letters(options)
    tree = _Tree(proc, flags)
    root = 1
    if names and names[0].isdecimal():
        root = int(names[0])
    elif names:
        if user_number(proc, names[0]) is None:
            proc.error(f"No such user name: {names[0]}")
            return 1
    if root in tree.processes:
        for line in tree.draw_arguments(root) if "a" in flags else tree.draw(root):
            proc.print(line)
    return 0
