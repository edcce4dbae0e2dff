"""Commands that dockerd runs, and daemons that it starts; what was run is in its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import LOG
from kubenet_course.userland.surroundings import Surroundings


async def start(here: Surroundings, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Start a daemon: nobody's child, in a session of its own, so a Ctrl-C for `docker` does not reach it."""
    child = here.spawn(["setsid", "--fork", *argv], env=env, log=LOG, cwd="/")
    await child.wait()


async def run(here: Surroundings, argv: Sequence[str], stdin: str = "") -> str:
    """Run a command that must work; its output. What was run is in dockerd's log."""
    line = " ".join(argv)
    here.write(LOG, f'level=debug msg="run" command="{line}"\n{stdin}', append=True)
    done = await here.run(argv, stdin=stdin)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise DaemonError(f"{line}: {said} (exit status {done.returncode})")
    return done.stdout
