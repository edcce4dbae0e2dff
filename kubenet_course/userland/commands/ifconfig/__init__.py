"""ifconfig: interfaces as net-tools 2.10 shows and changes them (superseded by `ip link` and `ip addr`).

Addresses are set as the old ioctls do: one address for each label, its prefix length from the class of
the address unless a netmask follows.
"""

from __future__ import annotations

from kubenet_course.kernel.netns import IFNAMSIZ
from kubenet_course.userland.commands.ifconfig.arguments import FAMILIES, HARDWARE, HINT, USAGE, Failed
from kubenet_course.userland.commands.ifconfig.change import configure
from kubenet_course.userland.interfaces import TABLE_HEAD, find, long_form, named, table_row
from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    letters = ""
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("--help", "-h", "-?"):
            # The lists go to the other stream: so does net-tools 2.10.
            proc.print(USAGE.format(hardware="", families=""), end="")
            proc.error(HARDWARE + FAMILIES, end="")
            return 0
        if word in ("-V", "--version"):
            proc.print("net-tools 2.10")
            return 0
        if word not in ("-a", "-s", "-v"):
            proc.error(f"ifconfig: option `{word}' not recognised.\n{HINT}")
            return 1
        letters += word[1]
    words[:1] = [word[: IFNAMSIZ - 1] for word in words[:1]]
    if len(words) < 2:
        return _show(proc, words, letters)
    try:
        for text in await configure(proc, words[0], words[1:]):
            proc.error(text)
    except Failed as failed:
        proc.error(str(failed))
        return failed.status
    return 0


def _show(proc: Process, words: list[str], letters: str) -> int:
    if words:
        row = find(proc.net, words[0])
        if row is None:
            proc.error(f"{words[0]}: error fetching interface information: Device not found")
            return 1
        rows = [row]
    else:
        rows = list(named(proc.net, every="a" in letters))
    if "s" in letters:
        proc.print(TABLE_HEAD.replace("{gap}", "      "))
        for row in rows:
            proc.print(table_row(row))
        return 0
    for row in rows:
        proc.print(long_form(proc.net, row))
    return 0
