"""Programs that run another program in their place: env, nohup, setsid, timeout, nsenter …"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errno import ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.userland.quoting import quote, quoteaf

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


async def run_program(
    proc: Process,
    argv: list[str],
    name: str,
    *,
    env: dict[str, str] | None = None,
    message: str = "{name}: {curly}: {error}",
) -> int:
    """execvp(3) in this process: it becomes the program; 127 or 126 with a message if it cannot.

    `message` is how `name` says so, from name, quoted, curly, plain and error.
    """
    if env is not None:
        proc.env = env
    try:
        program, final = proc.system.files.load_program(argv, proc.env, proc.cwd, proc.files)
    except KernelError as error:
        fields = {"quoted": quoteaf(argv[0]), "curly": quote(argv[0]), "plain": argv[0]}
        text = message.format(name=name, error=error.strerror, **fields)
        proc.error(text)
        return 127 if error.errno == ENOENT else 126
    proc.script = final is not argv
    proc.argv = final
    proc.handlers.clear()
    return await program(proc, final)


def start_program(proc: Process, argv: list[str], name: str, **changes: Any) -> Process | int:
    """Start a child; the status 127 or 126, said as coreutils does, where it cannot be."""
    try:
        return proc.spawn(argv, **changes)
    except KernelError as error:
        proc.error(f"{name}: failed to run command {quote(argv[0])}: {error.strerror}")
        return 127 if error.errno == ENOENT else 126
