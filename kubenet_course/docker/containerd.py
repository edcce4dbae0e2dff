"""containerd: only there to be seen in `ps`, as the parent daemon that a Docker host has."""

from __future__ import annotations

from kubenet_course.docker.store import Store
from kubenet_course.userland.surroundings import Surroundings

PID_FILE = "/run/containerd/containerd.pid"


async def program(here: Surroundings, argv: list[str]) -> int:
    here.on_signal(2, lambda: None)
    store = Store(here)
    store.write(PID_FILE, f"{here.pid}\n")
    await here.signalled(15)
    store.remove_tree(PID_FILE)
    return 0
