"""``python -m kubenet_course.cni.plugins NAME``: one of our plugins as a process of this computer."""

from __future__ import annotations

import importlib
import sys

from kubenet_course.cni.skel import run
from kubenet_course.userland.real_surroundings import run_here
from kubenet_course.userland.surroundings import Surroundings


def main(argv: list[str]) -> int:
    """The plugin's exit status."""
    if len(argv) < 2:
        print("usage: python -m kubenet_course.cni.plugins NAME", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"kubenet_course.cni.plugins.{argv[1].replace('-', '_')}")
    except ModuleNotFoundError:
        print(f"there is no plugin {argv[1]!r}", file=sys.stderr)
        return 2

    async def plugin(here: Surroundings, words: list[str]) -> int:
        return await run(module.PLUGIN, here)

    return run_here(plugin, argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
