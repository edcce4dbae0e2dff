"""The Jupyter kernel `kubenet`: IPython with the extension, where a cell of commands runs on the lab.

What is a cell of commands is said in `cells.py`. Such a cell becomes a `%%host` cell on the current
machine; anything else is IPython's. `python -m kubenet_course.jupyter.install` makes Jupyter know it.
"""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel

from kubenet_course import __version__
from kubenet_course.jupyter.cells import split_cell
from kubenet_course.jupyter.completion import machine_commands


class KubenetKernel(IPythonKernel):
    """An IPython kernel whose cells may be commands."""

    implementation = "kubenet"
    implementation_version = __version__
    banner = "kubenet: a terminal on a network lab. %lab load NAME starts a lab; then type commands."
    language_info = {
        "name": "kubenet",
        "mimetype": "text/x-sh",
        "codemirror_mode": "shell",
        "pygments_lexer": "bash",
        "file_extension": ".sh",
        "version": __version__,
    }

    def __init__(self, **options: Any):
        super().__init__(**options)
        assert self.shell is not None
        self.shell.run_line_magic("load_ext", "kubenet_course")
        self.shell.input_transformers_cleanup.insert(0, self._as_commands)

    def _as_commands(self, lines: list[str]) -> list[str]:
        """Turn a cell of commands into one that `%%host` runs; leave others alone."""
        cell = "".join(lines)
        if not cell.strip() or "get_ipython().run_cell_magic(" in cell:
            return lines
        assert self.shell is not None
        python, commands = split_cell(cell, machine_commands(self.shell.kubenet))
        if not commands:
            return python.splitlines(keepends=True)
        call = f"get_ipython().run_cell_magic('host', '', {commands!r})\n"
        return [*python.splitlines(keepends=True), call]


def main() -> None:
    """Run the kernel; Jupyter gives it a connection file."""
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(kernel_class=KubenetKernel)


if __name__ == "__main__":
    main()
