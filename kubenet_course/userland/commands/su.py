"""su, sudo: everything is root here; the command runs as it is (or with another user's name)."""

from __future__ import annotations

from kubenet_course.userland.execute import run_program
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.owners import known_user
from kubenet_course.userland.process import Process

NAMES = ("su", "sudo", "runuser")


async def main(proc: Process, argv: list[str]) -> int:
    if argv[0].rpartition("/")[2] == "sudo":
        return await _sudo(proc, argv)
    try:
        options, words = parse(
            argv, "c:lmps:g:G:u:", {"command=": "c", "login": "l", "shell=": "s", "user=": "u"}, permute=True
        )
    except OptionError as error:
        return error.report(proc, argv[0])
    words = [word for word in words if word != "-"]
    name = value(options, "u") or (words.pop(0) if words else "root")
    if not known_user(proc, name):
        proc.error(
            f"{argv[0]}: user {name} does not exist or the user entry does not contain all the required "
            "fields"
        )
        return 1
    proc.user = name
    command = value(options, "c")
    shell = value(options, "s") or "bash"
    return await run_program(
        proc, [shell, "-c", command, *words] if command is not None else [shell, *words], argv[0]
    )


async def _sudo(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(
            argv, "u:g:EHnSkKisbAPp:", {"user=": "u", "preserve-env": "E", "login": "i"}, permute=False
        )
    except OptionError as error:
        return error.report(
            proc, argv[0], 1, "usage: sudo [-EHnS] [-u user] [VAR=value] [-i | -s] [command [arg ...]]"
        )
    env = dict(proc.env)
    while words and "=" in words[0] and not words[0].startswith("="):
        name, _, text = words.pop(0).partition("=")
        env[name] = text
    user = value(options, "u") or "root"
    if not known_user(proc, user):
        proc.error(f"sudo: unknown user {user}\nsudo: error initializing audit plugin sudoers_audit")
        return 1
    if not words:
        if letters(options) & {"i", "s"}:
            words = ["bash"]
        else:
            proc.error("usage: sudo [-EHnS] [-u user] [VAR=value] [-i | -s] [command [arg ...]]")
            return 1
    proc.user = user
    return await run_program(proc, words, "sudo", env=env, message="sudo: {plain}: command not found")
