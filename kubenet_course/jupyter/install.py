"""Make Jupyter know the kernel: `python -m kubenet_course.jupyter.install [--user | --prefix DIR]`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

NAME = "kubenet"


def spec() -> dict[str, object]:
    """The contents of kernel.json: this very Python runs the kernel."""
    return {
        "argv": [sys.executable, "-m", "kubenet_course.jupyter.kernel", "-f", "{connection_file}"],
        "display_name": "Kubenet (a terminal on a lab)",
        "language": "kubenet",
        "metadata": {"debugger": False},
    }


def install(prefix: str | None = sys.prefix, user: bool = False) -> str:
    """Write the kernel's folder where Jupyter looks; returns it. By default into this environment."""
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(spec(), indent=1) + "\n", encoding="utf-8")
        return str(
            KernelSpecManager().install_kernel_spec(folder, NAME, user=user, prefix=None if user else prefix)
        )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m kubenet_course.jupyter.install", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user only")
    where.add_argument(
        "--prefix", default=sys.prefix, help="into this environment (default: the one that runs)"
    )
    options = parser.parse_args(argv)
    try:
        print(install(options.prefix, options.user))
    except OSError as error:
        print(f"The kernel could not be installed: {error}. Try --user.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
