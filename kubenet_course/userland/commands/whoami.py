"""whoami, id, groups, logname: who runs this."""

from __future__ import annotations

from kubenet_course.userland.options import OptionError, extra_operand, letters, parse
from kubenet_course.userland.owners import group_name, known_user, user_group, user_number
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

NAMES = ("whoami", "id", "groups")
LONG = {"user": "u", "group": "g", "groups": "G", "name": "n", "real": "r", "zero": "z"}


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, words = parse(argv, "ugGnrz" if program == "id" else "", LONG if program == "id" else {})
    except OptionError as error:
        return error.report(proc, argv[0])
    if program == "whoami":
        if words:
            return extra_operand(proc, argv[0], words[0])
        proc.print(proc.user)
        return 0
    status = 0
    for name in words or [proc.user]:
        uid = user_number(proc, name)
        if uid is None or not known_user(proc, name):
            proc.error(f"{argv[0]}: {quote(name)}: no such user")
            status = 1
            continue
        gid = user_group(proc, name)
        group = group_name(proc, gid)
        if program == "groups":
            proc.print(f"{name} : {group}" if words else group)
            continue
        _id(proc, letters(options), name, uid, gid, group)
    return status


def _id(proc: Process, flags: set[str], name: str, uid: int, gid: int, group: str) -> None:
    if "u" in flags:
        proc.print(name if "n" in flags else uid)
    elif flags & {"g", "G"}:
        proc.print(group if "n" in flags else gid)
    else:
        proc.print(f"uid={uid}({name}) gid={gid}({group}) groups={gid}({group})")
