"""A command typed as if the cell were a terminal: Python's error, and then one line that says where commands go."""

from __future__ import annotations

from typing import Any

from kubenet_course.jupyter.completion import machine_commands


def install(shell: Any) -> None:
    """After each cell, look whether that is what went wrong."""
    shell.events.register("post_run_cell", _look)


def remove(shell: Any) -> None:
    """Look no more."""
    shell.events.unregister("post_run_cell", _look)


def _look(result: Any) -> None:
    session = getattr(_shell(), "kubenet", None)
    line = next((line.strip() for line in str(result.info.raw_cell).splitlines() if line.strip()), "")
    failed = isinstance(result.error_before_exec or result.error_in_exec, (SyntaxError, NameError))
    if session is not None and failed and (words := line.split()) and words[0] in machine_commands(session):
        print(f"To type `{words[0]}` on a machine: `%host {session.machine} {line}`, or `%%host {session.machine}` above the commands.")


def _shell() -> Any:
    """The shell that runs the cell."""
    from IPython.core.getipython import get_ipython

    return get_ipython()
