"""docker exec: beside a running container's process."""

from __future__ import annotations

import hashlib
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import KEYS
from kubenet_course.docker.cli.run import environment as given
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.process import environment, exec_line
from kubenet_course.docker.running import start

FAILED = "OCI runtime exec failed: exec failed: unable to start container process: {problem}: unknown\n"


async def execute(session: Session, options: dict[str, Any], words: list[str]) -> int:
    for name in ("user", "privileged"):
        if name in options and name == "user" and options[name] not in ("root", "0"):
            raise UsageError(f"kubenet: docker exec: option --{name} is not emulated", 1)
    try:
        extra = given(session, options)
    except UsageError as wrong:
        said = wrong.message.removeprefix("docker: ").partition("\n\nRun ")[0]
        raise UsageError(said, 1) from None
    record = session.engine.store.container(words[0])
    if not record["state"]["Running"]:
        raise DaemonError(f"container {record['id']} is not running", 409)
    if record["state"]["Paused"]:
        raise DaemonError(f"Container {words[0]} is paused, unpause the container before exec", 409)
    problem = await session.engine.executable_problem(record, words[1:])
    if problem is not None:
        session.err(FAILED.format(problem=problem[0]))
        return problem[1]
    here = session.here
    env = environment(record, extra)
    line = exec_line(record, words[1:], options.get("workdir", ""))
    store, exec_id = (
        session.engine.store,
        hashlib.sha256(f"{record['id']} {here.time()} {here.pid}".encode()).hexdigest(),
    )
    shown = f"{words[1]} {' '.join(words[2:])}"
    for action in ("exec_create", "exec_start"):
        events.of_container(store, record, f"{action}: {shown}", execID=exec_id)
    if options.get("detach"):
        await start(here, line, env)
        return 0
    status = await _foreground(session, line, env, options)
    events.of_container(store, record, "exec_die", execID=exec_id, exitCode=str(status))
    return status


async def _foreground(session: Session, line: list[str], env: dict[str, str], options: dict[str, Any]) -> int:
    """Run it with our own outputs, in files that are read as they grow: a Ctrl-C ends it."""
    here = session.here
    stdin = await here.stdin() if options.get("interactive") else b""
    name = f"/run/docker/exec-{here.random(6).hex()}"
    paths = [f"{name}.out", f"{name}.err"]
    for path in paths:
        here.write(path, b"")
    redirect = f"exec >>{paths[0]} 2>>{paths[0] if options.get('tty') else paths[1]}\n"
    child = here.spawn(["sh", "-c", redirect + 'exec "$@"', "sh", *line], env=env, stdin=stdin)
    here.on_signal(2, lambda: child.kill(2))
    here.on_signal(15, lambda: child.kill(15))
    done = [0, 0]
    step = 0.001
    try:
        while True:
            status = child.poll()
            for number, (path, write) in enumerate(zip(paths, (here.out, here.err), strict=True)):
                data = here.read(path)
                write(data[done[number] :]) if len(data) > done[number] else None
                done[number] = len(data)
            if status is not None:
                return status
            await here.sleep(step)
            step = min(step * 1.3, 0.05)
    finally:
        for path in paths:
            session.engine.store.remove_tree(path)


COMMANDS = [
    (Command("docker exec", "[OPTIONS] CONTAINER COMMAND [ARG...]", "Execute a command in a running container", """
  -d, --detach               Detached mode: run command in the background
  -e, --env list             Set environment variables
      --env-file list        Read in a file of environment variables
  -i, --interactive          Keep STDIN open even if not attached
      --privileged           Give extended privileges to the command
  -t, --tty                  Allocate a pseudo-TTY
  -u, --user string          Username or UID (format: "<name|uid>[:<group|gid>]")
  -w, --workdir string       Working directory inside the container
""", 2, stop_at_first=True, aliases=("docker container exec",), hidden=KEYS), execute),
]  # fmt: skip
