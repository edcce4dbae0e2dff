"""Turning a command line into a program, as execve(2) and execvp(3) do.

An executable file's first line says what it is: ``#!kubenet:NAME`` is the machine code of this
kernel and stands for `system.programs[NAME]`, so a program survives cp, tar and chmod; ``#!/bin/sh``
is a script for the shell; anything else without a ``#!`` is a script too, as execvp has it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kubenet_course.errno import EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC
from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import Directory, Node

if TYPE_CHECKING:
    from kubenet_course.userland.files.tree import FileView
    from kubenet_course.userland.process import Process, Program
    from kubenet_course.userland.system import System

MAGIC = b"#!kubenet:"


def image(name: str) -> bytes:
    """The content of the executable file of `system.programs[name]`."""
    return MAGIC + name.encode() + b"\n"


def which(name: str, path: str, cwd: str, files: FileView) -> str | None:
    """The path that execvp(3) would try for `name`, or None; a name with a slash is itself."""
    if "/" in name:
        return name
    found = files.executable(name, path, cwd)
    return found[0] if found is not None else None


def load_program(
    system: System, argv: list[str], env: dict[str, str], cwd: str, files: FileView
) -> tuple[Program, list[str]]:
    """The program for `argv`, and the argv it gets (a script's interpreter comes first).

    Raises KernelError: ENOENT, EACCES (not executable, or a directory), ENOEXEC.
    """
    name = argv[0]
    if "/" in name:
        return load_file(system, name, argv, cwd, files)
    found = files.executable(name, env.get("PATH", "/usr/local/bin:/usr/bin:/bin"), cwd) if name else None
    if found is None:
        raise KernelError(ENOENT)
    return _load_node(system, found[1], found[0], argv, cwd, files, 0)


def load_file(
    system: System, path: str, argv: list[str], cwd: str, files: FileView, depth: int = 0
) -> tuple[Program, list[str]]:
    """execve(2) on one path."""
    return _load_node(system, files.node(path, cwd), path, argv, cwd, files, depth)


@lru_cache(1024)
def _program_name(data: bytes) -> str:
    """The NAME of ``#!kubenet:NAME``."""
    return data[len(MAGIC) :].split(b"\n", 1)[0].decode("utf-8", "replace").strip()


def _load_node(
    system: System, node: Node, path: str, argv: list[str], cwd: str, files: FileView, depth: int
) -> tuple[Program, list[str]]:
    check_executable(node)
    data = node.read(None)
    if data.startswith(MAGIC):
        program = system.programs.get(_program_name(data[:256]))
        if program is None:
            raise KernelError(ENOEXEC)
        return program, argv
    if not data.startswith(b"#!"):
        if data[:4] == b"\x7fELF" or b"\0" in data[:128]:
            raise KernelError(ENOEXEC)
        return system.programs["bash"], ["bash", path, *argv[1:]]
    if depth >= 5:
        raise KernelError(ELOOP)
    words = data[2:].split(b"\n", 1)[0].decode("utf-8", "surrogateescape").strip().split(None, 1)
    if not words:
        raise KernelError(ENOEXEC)
    interpreter = words[0]
    if interpreter.rpartition("/")[2] == "env" and len(words) == 2:
        interpreter = words.pop(1).split()[0]
        found = which(interpreter, "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", cwd, files)
        if found is None:
            return _missing_interpreter(interpreter), argv
        interpreter = found
    if not files.exists(interpreter):
        if interpreter.rpartition("/")[2].startswith(("python", "perl", "ruby", "node")):
            return _missing_interpreter(interpreter), argv
        raise KernelError(ENOENT)
    return load_file(system, interpreter, [words[0], *words[1:], path, *argv[1:]], cwd, files, depth + 1)


def check_executable(node: Node) -> None:
    """KernelError(EACCES) for what execve(2) does not run."""
    if isinstance(node, Directory):
        raise KernelError(EACCES)
    if not node.mode & 0o111:
        raise KernelError(EACCES)
    if node.kind != 0o100000:
        raise KernelError(EACCES if node.kind != 0o040000 else EISDIR)


def _missing_interpreter(interpreter: str) -> Program:
    """A program that says what cannot be run here."""

    async def main(proc: Process, argv: list[str]) -> int:
        proc.error(f"kubenet: {argv[0]}: scripts for {interpreter!r} cannot run on an emulated machine")
        return 127

    return main
