"""Labs in notebooks: magics, completion, and the Jupyter kernel `kubenet`.

`%load_ext kubenet_course` calls `load_ipython_extension`. Everything that has to be remembered between
cells is in one `NotebookSession`, kept on the shell as `shell.kubenet`.

Another room adds magics of its own by a module with ``register(shell, session)`` that is named in
`ROOMS_WITH_MAGICS` (the course room: `%exercise`, `%check`, `%hint`, `%solve`, `%quiz`).
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

#: Modules that bring magics; one that is not installed is left out, one that fails is an error.
ROOMS_WITH_MAGICS = ("kubenet_course.jupyter.course_magics",)

_HOST_ALONE = re.compile(r"^\s*%host(\s+[\w.-]+)?\s*$")


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and the completion; a second time nothing happens."""
    from kubenet_course.errors import KubenetError
    from kubenet_course.jupyter import plain
    from kubenet_course.jupyter.completion import install
    from kubenet_course.jupyter.magics import LabMagics
    from kubenet_course.jupyter.session import NotebookSession

    if getattr(shell, "kubenet", None) is not None:
        return
    shell.kubenet = NotebookSession(shell)
    shell.register_magics(LabMagics(shell, shell.kubenet))
    install(shell, shell.kubenet)
    plain.install(shell)
    shell.input_transformers_cleanup.append(cell_of_commands)
    shell.set_custom_exc((KubenetError,), _in_one_sentence)
    for name in ROOMS_WITH_MAGICS:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register(shell, shell.kubenet)


def _in_one_sentence(shell: Any, kind: Any, error: BaseException, trace: Any, tb_offset: Any = None) -> list[str]:
    """An error of ours in a cell of Python: its sentence, without the traceback that leads into the package."""
    words = [f"{kind.__name__}: {error}"]
    shell._showtraceback(kind, error, words)
    return words


def cell_of_commands(lines: list[str]) -> list[str]:
    """A cell `%host A` with commands below it was meant as `%%host A`: a line by itself would have no command."""
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    rest = [line for line in lines[first + 1 :] if line.strip()]
    if first < len(lines) and rest and _HOST_ALONE.match(lines[first]) and not any(line.startswith("%") for line in rest):
        return ["%" + lines[first].lstrip(), *lines[first + 1 :]]
    return lines


def unload_ipython_extension(shell: Any) -> None:
    """Close the lab and take the completion away; the magics stay known, and say that there is no lab."""
    from kubenet_course.jupyter import plain
    from kubenet_course.jupyter.completion import remove

    session = getattr(shell, "kubenet", None)
    if session is not None:
        session.close()
        remove(shell)
        plain.remove(shell)
        shell.set_custom_exc((), None)
        if cell_of_commands in shell.input_transformers_cleanup:
            shell.input_transformers_cleanup.remove(cell_of_commands)
        shell.kubenet = None
