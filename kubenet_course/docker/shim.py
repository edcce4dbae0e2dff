"""containerd-shim-runc-v2: the parent of one container's process.

    containerd-shim-runc-v2 -namespace moby -id CONTAINER-ID -address /run/containerd/containerd.sock

It starts the container's process in its namespaces, says so in a file, waits for the end, and then tidies up
as dockerd does: addresses, ports, state, and the container itself after `--rm`.
"""

from __future__ import annotations

import json

from kubenet_course.docker.engine import Engine
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.process import (
    command_line,
    first_process,
    has_pid_namespaces,
    log_paths,
    processes,
)
from kubenet_course.docker.store import CONTAINERS
from kubenet_course.docker.swarm.agent import tell
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings


async def program(here: Surroundings, argv: list[str]) -> int:
    if "-id" not in argv[:-1]:
        here.err(
            "kubenet: containerd-shim-runc-v2: it is started by dockerd: containerd-shim-runc-v2 -id CONTAINER-ID\n"
        )
        return 1
    here.on_signal(2, lambda: None)
    container_id = argv[argv.index("-id") + 1]
    engine = Engine(here)
    record = json.loads(here.read(f"{CONTAINERS}/{container_id}/config.v2.json"))
    stdin = b""
    given = f"{CONTAINERS}/{container_id}/stdin"
    if here.exists(given):
        stdin = here.read(given)
        here.remove(given)
    for path in log_paths(container_id):
        here.write(path, b"", append=True)
    notes = f"{CONTAINERS}/{container_id}/init.log"
    here.write(notes, b"")
    own_pids = await has_pid_namespaces(here)
    words, env = command_line(record, own_pids)
    try:
        child = here.spawn(words, env=env, stdin=stdin, cwd="/", log=notes)
    except KernelError as failure:
        engine.tell_started(container_id, 0, failure.strerror)
        return 1
    engine.tell_started(
        container_id, await first_process(here, child) or child.pid if own_pids else child.pid
    )
    status = await child.wait()
    if status == 1 and b"unshare: sigprocmask unblock failed" in here.read(notes):
        status = 128 + 9  # how util-linux 2.38 says that its child was killed
    others = processes(here, container_id)
    if others:  # what the first process has left behind ends with it
        await here.run(["kill", "-9", *others])
    try:
        await engine.ended(container_id, status)
    except DaemonError as problem:
        here.err(f"containerd-shim-runc-v2: {problem.message}\n")
        return 1
    finally:
        await tell(here)
    return 0
