"""Run the course's notebooks and keep their outputs as the same bytes every time.

    python -m tests.support.notebooks run  [NAME …]    execute, write the outputs into the notebooks
    python -m tests.support.notebooks check [NAME …]   execute twice, compare with what is committed

What is kept: source, outputs, execution counts from 1, widget views' text. What is not: widget
state, timestamps, the interpreter's version.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The notebooks in the order of their numbers; `names` picks some by the start of their name."""
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in found if not names or any(path.name.startswith(name) for name in names)]


def execute(path: Path, timeout: int = 120) -> Any:
    """The notebook with fresh outputs, cleaned; a cell that raises is a NotebookExecutionError."""
    from nbclient import NotebookClient

    from tests.support.ipc_kernels import AsyncIpcKernelManager

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}, store_widget_state=False,
        kernel_manager_class=AsyncIpcKernelManager,
    )
    with tempfile.TemporaryDirectory(prefix="kubenet-ipython-") as profile:
        client.execute(env={**os.environ, "PYTHONHASHSEED": "0", "IPYTHONDIR": profile})
    return clean(notebook)


def clean(notebook: Any) -> Any:
    """Take out all that differs between two runs of the same notebook."""
    count = 0
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "editable", "deletable", "on-mininet")}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            data = output.get("data", {})
            # The view of a widget names a model that exists in one run only; its text/plain stays.
            data.pop(WIDGET_VIEW, None)
            if output.get("metadata"):
                output.metadata = {}
        cell.outputs = _merge_streams(cell.outputs)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def _merge_streams(outputs: list[Any]) -> list[Any]:
    """Neighbouring pieces of one stream become one: how a stream is cut is chance."""
    merged: list[Any] = []
    for output in outputs:
        if merged and output.output_type == "stream" and merged[-1].output_type == "stream" and merged[-1].name == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def text_of(notebook: Any) -> str:
    """The file's text: sorted keys, one space of indent, a newline at the end."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.notebooks")
    parser.add_argument("what", choices=["run", "check"])
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    wrong = 0
    for path in notebooks(options.names):
        if options.what == "run":
            path.write_text(text_of(execute(path)), encoding="utf-8")
            print(f"{path.name}: written")
            continue
        committed = path.read_text(encoding="utf-8")
        runs = [text_of(execute(path)) for _ in range(2)]
        same = runs[0] == runs[1] == committed
        wrong += not same
        print(f"{path.name}: {'the same bytes, twice' if same else 'DIFFERS from what is committed'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
