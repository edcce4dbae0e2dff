"""docker exec, docker cp: beside a running container's process, and in its files."""

from __future__ import annotations

from typing import Any

from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import start
from kubenet_course.docker.process import environment, exec_line

FAILED = "OCI runtime exec failed: exec failed: unable to start container process: {problem}: unknown\n"


async def execute(session: Session, options: dict[str, Any], words: list[str]) -> int:
    for name in ("user", "privileged"):
        if name in options and name == "user" and options[name] not in ("root", "0"):
            raise UsageError(f"kubenet: docker exec: option --{name} is not emulated", 1)
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
    env = environment(record, options.get("env"))
    line = exec_line(record, words[1:], options.get("workdir", ""))
    if options.get("detach"):
        await start(here, line, env)
        return 0
    return await _foreground(session, line, env, options)


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


async def copy(session: Session, options: dict[str, Any], words: list[str]) -> int:
    """Between the machine and a container, through the container's own view of its files."""
    source, target = words
    (from_name, from_path), (to_name, to_path) = _place(source), _place(target)
    if from_name and to_name:
        raise UsageError("copying between containers is not supported\n", 1)
    if not from_name and not to_name:
        raise UsageError("must specify at least one container source\n", 1)
    record = session.engine.store.container(from_name or to_name)
    if not record["state"]["Running"]:
        raise UsageError("kubenet: docker cp: only with a container that runs\n", 1)
    inside = ["nsenter", "-t", str(record["state"]["Pid"]), "-m", "--"]
    reading, writing = (inside, []) if from_name else ([], inside)
    if (await session.here.run([*reading, "test", "-d", from_path])).returncode == 0:
        raise UsageError("kubenet: docker cp: only single files, no folders\n", 1)
    found = await session.here.run([*reading, "cat", from_path])
    if found.returncode:
        if from_name:
            raise DaemonError(f"Could not find the file {from_path} in container {from_name}", 404)
        raise UsageError(f"lstat {from_path}: no such file or directory\n", 1)
    if (await session.here.run([*writing, "test", "-d", to_path])).returncode == 0:
        to_path = f"{to_path.rstrip('/')}/{from_path.rpartition('/')[2]}"
    done = await session.here.run([*writing, "sh", "-c", 'cat > "$1"', "sh", to_path], stdin=found.stdout)
    if done.returncode:
        raise UsageError(f"{done.stderr}", 1)
    if not options.get("quiet"):
        size = len(found.stdout.encode("utf-8", "surrogateescape"))
        where = f"{to_name}:{to_path}" if to_name else to_path
        session.err(f"Successfully copied {_size(size)} to {where}\n")
    return 0


def _size(size: int) -> str:
    blocks = -(-size // 512) * 512 + 1024 + 512
    return f"{blocks}B" if blocks < 1000 else f"{blocks / 1000:.3g}kB"


def _place(text: str) -> tuple[str, str]:
    name, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        return "", text
    return name, path if path.startswith("/") else f"/{path}"


COMMANDS = [
    (Command("docker exec", "[OPTIONS] CONTAINER COMMAND [ARG...]", "Execute a command in a running container", """
  -d, --detach               Detached mode: run command in the background
  -e, --env list             Set environment variables
  -i, --interactive          Keep STDIN open even if not attached
      --privileged           Give extended privileges to the command
  -t, --tty                  Allocate a pseudo-TTY
  -u, --user string          Username or UID (format: "<name|uid>[:<group|gid>]")
  -w, --workdir string       Working directory inside the container
""", 2, stop_at_first=True, aliases=("docker container exec",)), execute),
    (Command("docker cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        "Copy files/folders between a container and the local filesystem", """
  -a, --archive       Archive mode (copy all uid/gid information)
  -L, --follow-link   Always follow symbol link in SRC_PATH
  -q, --quiet         Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached
""", 2, 2, aliases=("docker container cp",)), copy),
]  # fmt: skip
