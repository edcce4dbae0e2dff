"""df, du: space on disk."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory, Node
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quotef
from kubenet_course.userland.sizes import human

NAMES = ("df", "du")
LONG = {
    "human-readable": "h",
    "summarize": "s",
    "all": "a",
    "total": "c",
    "print-type": "T",
    "max-depth=": "d",
    "bytes": "b",
}
#: The disk of a lab machine in kB: size, used, available.
DISK = (20466256, 2143660, 17257652)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "ahskmcTd:biPl", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if argv[0].rpartition("/")[2] == "df":
        return _df(proc, letters(options), names)
    return _du(proc, argv[0], letters(options), names)


def _df(proc: Process, flags: set[str], names: list[str]) -> int:
    if "i" in flags:
        proc.error("kubenet: df: option -i is not emulated")
        return 1
    status = 0
    for name in names:
        if not proc.files.exists(name, proc):
            proc.error(f"df: {quotef(name)}: No such file or directory")
            status = 1
    if names and status:
        return status
    cells = [human(one * 1024) if "h" in flags else str(one) for one in DISK]
    percent = -(-DISK[1] * 100 // (DISK[1] + DISK[2]))
    kind, head = ("ext4 ", "Type ") if "T" in flags else ("", "")
    if "h" in flags:
        proc.print(f"Filesystem      {head}Size  Used Avail Use% Mounted on")
        proc.print(f"/dev/vda1       {kind}{cells[0]:>4}  {cells[1]:>4}  {cells[2]:>4} {percent:>3}% /")
    else:
        proc.print(f"Filesystem     {head}1K-blocks    Used Available Use% Mounted on")
        proc.print(f"/dev/vda1      {kind} {cells[0]} {cells[1]}  {cells[2]}  {percent}% /")
    return 0


def _du(proc: Process, program: str, flags: set[str], names: list[str]) -> int:
    status = 0

    def show(size: int, name: str) -> None:
        proc.print(f"{human(size * 1024) if 'h' in flags else size}\t{name}")

    def blocks(node: Node) -> int:
        size = node.size(proc)
        return 4 if isinstance(node, Directory) else -(-size // 4096) * 4

    def walk(path: str, top: bool) -> int:
        node = proc.files.node(path, None, proc, follow=False)
        total = blocks(node)
        if isinstance(node, Directory):
            for child in node.names(proc):
                total += walk(f"{path.rstrip('/')}/{child}", False)
        if top or ("s" not in flags and (isinstance(node, Directory) or "a" in flags)):
            show(total, path)
        return total

    for name in names or ["."]:
        try:
            walk(name, True)
        except KernelError as error:
            proc.error(
                f"{program}: cannot access {quotef(name)!s}: {error.strerror}".replace(
                    quotef(name), f"'{name}'"
                )
            )
            status = 1
    return status
