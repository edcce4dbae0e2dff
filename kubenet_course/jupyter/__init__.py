"""Labs in notebooks: magics, completion, and the Jupyter kernel `kubenet`.

`%load_ext kubenet_course` calls `load_ipython_extension`. Everything that has to be remembered between
cells is in one `NotebookSession`, kept on the shell as `shell.kubenet`.

Another room adds magics of its own by a module with ``register(shell, session)`` that is named in
`ROOMS_WITH_MAGICS` (the course room: `%exercise`, `%check`, `%hint`, `%solve`, `%quiz`).
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

#: Modules that bring magics; one that is not installed is left out, one that fails is an error.
ROOMS_WITH_MAGICS = ("kubenet_course.jupyter.course_magics",)


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and the completion; a second time nothing happens."""
    from kubenet_course.jupyter.completion import install
    from kubenet_course.jupyter.magics import LabMagics
    from kubenet_course.jupyter.session import NotebookSession

    if getattr(shell, "kubenet", None) is not None:
        return
    shell.kubenet = NotebookSession(shell)
    shell.register_magics(LabMagics(shell, shell.kubenet))
    install(shell, shell.kubenet)
    for name in ROOMS_WITH_MAGICS:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register(shell, shell.kubenet)


def unload_ipython_extension(shell: Any) -> None:
    """Close the lab and take the completion away; the magics stay known, and say that there is no lab."""
    from kubenet_course.jupyter.completion import remove

    session = getattr(shell, "kubenet", None)
    if session is not None:
        session.close()
        remove(shell)
        shell.kubenet = None
