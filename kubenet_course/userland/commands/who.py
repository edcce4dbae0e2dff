"""who, users, logname, link, pathchk: nobody logs in to a machine of a lab, its commands are just run."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, extra_operand, letters, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

NAMES = ("who", "users", "logname", "link", "pathchk")
SHORT = {"who": "abdHlmpqrstTuw", "users": "", "logname": "", "link": "", "pathchk": "pP"}
LONG = {"who": {"all": "a", "boot": "b", "count": "q", "heading": "H", "ips": "ips", "login": "l", "users": "u"}}
PORTABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/")


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, names = parse(argv, SHORT[program], LONG.get(program, {}))
    except OptionError as error:
        return error.report(proc, argv[0])
    if program == "who":
        if len(names) > 2:
            return extra_operand(proc, argv[0], names[2])
        if "q" in letters(options):
            proc.print("\n# users=0")
        elif "H" in letters(options):
            proc.print("NAME     LINE         TIME             COMMENT")
        return 0
    if program == "users":
        return 0
    if program == "logname":
        if names:
            return extra_operand(proc, argv[0], names[0])
        proc.error("logname: no login name")
        return 1
    if program == "link":
        return _link(proc, names)
    return _pathchk(proc, names, letters(options))


def _link(proc: Process, names: list[str]) -> int:
    if len(names) < 2:
        return missing_operand(proc, "link", names[0] if names else None)
    if len(names) > 2:
        return extra_operand(proc, "link", names[2])
    try:
        proc.files.link(names[0], names[1], proc)
    except KernelError as error:
        proc.error(f"link: cannot create link {quoteaf(names[1])} to {quoteaf(names[0])}: {error.strerror}")
        return 1
    return 0


def _pathchk(proc: Process, names: list[str], flags: set[str]) -> int:
    if not names:
        return missing_operand(proc, "pathchk")
    status = 0
    for name in names:
        odd = next((char for char in name if char not in PORTABLE), None)
        if "p" in flags and odd is not None:
            proc.error(f"pathchk: nonportable character {quote(odd)} in file name {quoteaf(name)}")
            status = 1
        elif not name:
            proc.error("pathchk: '': No such file or directory")
            status = 1
    return status
