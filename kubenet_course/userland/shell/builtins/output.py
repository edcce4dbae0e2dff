"""echo, printf, test, [, true, false, :, pwd: also programs, with the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.echo import echo_bytes
from kubenet_course.userland.printf import format_printf
from kubenet_course.userland.testexpr import TestError, evaluate_test

if TYPE_CHECKING:
    from kubenet_course.userland.shell.interpreter import Shell


async def echo(shell: Shell, argv: list[str]) -> int:
    shell.proc.stdout.write(echo_bytes(argv[1:]))
    return 0


async def printf(shell: Shell, argv: list[str]) -> int:
    arguments = argv[1:]
    variable = None
    if arguments[:1] == ["-v"] and len(arguments) > 1:
        variable = arguments[1]
        arguments = arguments[2:]
    elif (
        arguments
        and arguments[0].startswith("-")
        and arguments[0] not in ("--", "-")
        and arguments[0][1] != "-"
    ):
        shell.complain(f"printf: {arguments[0][:2]}: invalid option")
        shell.proc.error("printf: usage: printf [-v var] format [arguments]")
        return 2
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        shell.proc.error("printf: usage: printf [-v var] format [arguments]")
        return 2
    data, errors = format_printf(arguments[0], arguments[1:], shell.proc.system.files.now(), builtin=True)
    if variable is not None:
        shell.assign(variable, data.decode("utf-8", "surrogateescape"))
    else:
        shell.proc.stdout.write(data)
    for message in errors:
        shell.complain(f"printf: {message}")
    return int(bool(errors))


async def test(shell: Shell, argv: list[str]) -> int:
    name, arguments = argv[0], argv[1:]
    if name == "[":
        if arguments[-1:] != ["]"]:
            shell.complain("[: missing `]'")
            return 2
        arguments = arguments[:-1]

    def variable_set(text: str) -> bool:
        base, _, index = text.partition("[")
        return shell.value_of(base, index.rstrip("]") or None) is not None

    try:
        return int(not evaluate_test(shell.proc, arguments, variable_set))
    except TestError as error:
        shell.complain(f"{name}: {error}")
        return 2


async def true(shell: Shell, argv: list[str]) -> int:
    return 0


async def false(shell: Shell, argv: list[str]) -> int:
    return 1


BUILTINS = {"echo": echo, "printf": printf, "test": test, "[": test, "true": true, "false": false, ":": true}
