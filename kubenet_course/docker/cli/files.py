"""docker diff, docker cp, docker update: a container's files, and what of its configuration can change."""

from __future__ import annotations

from typing import Any

from kubenet_course.docker import events, layers
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.options import absolute, restart
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.inspect import human_size
from kubenet_course.docker.process import mounts
from kubenet_course.docker.store import Record

LIMITS = (
    "blkio-weight", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime", "cpu-shares", "cpus", "cpuset-cpus",
    "cpuset-mems", "memory", "memory-reservation", "memory-swap", "pids-limit",
)  # fmt: skip


async def diff(session: Session, options: dict[str, Any], words: list[str]) -> int:
    record = session.engine.store.container(words[0])
    session.out("".join(f"{kind} {path}\n" for kind, path in layers.changes(session.engine.store, record)))
    return 0


async def update(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if not options:
        raise UsageError("you must provide one or more flags when using this command", 1)
    if any(name in options for name in LIMITS):
        raise UsageError("kubenet: docker update: limits of memory, CPU and processes are not emulated", 1)
    policy = restart(options["restart"])

    async def one(word: str) -> None:
        async def work() -> None:
            record = session.engine.store.container(word)
            if record["host_config"]["AutoRemove"] and policy["Name"] != "no":
                raise DaemonError(
                    f"Cannot update container {record['id']}: Restart policy cannot be updated because AutoRemove is "
                    "enabled for the container",
                    400,
                )
            record["host_config"]["RestartPolicy"] = policy
            session.engine.store.save(record)
            events.of_container(session.engine.store, record, "update")

        await session.locked(work)

    return await session.each(words, one)


# -- cp -----------------------------------------------------------------------------------------
class _Side:
    """One end of a copy: the machine, or a container through its own view of its files."""

    def __init__(self, session: Session, name: str, path: str):
        self.session = session
        self.name = name
        self.shown = path
        self.record: Record | None = session.engine.store.container(name) if name else None
        running = self.record is not None and self.record["state"]["Running"]
        self.prefix = (
            ["nsenter", "-t", str(self.record["state"]["Pid"]), "-m", "--"] if self.record and running else []
        )
        plain = absolute(session.here.cwd, path) if not name else absolute("/", path)
        self.path = plain if running or self.record is None else _below(self.record, plain)

    async def run(self, *argv: str, stdin: str = "") -> Any:
        return await self.session.here.run([*self.prefix, *argv], stdin=stdin)

    async def test(self, flag: str, path: str = "") -> bool:
        return (await self.run("test", flag, path or self.path)).returncode == 0


def _below(record: Record, path: str) -> str:
    """Where a file of a container that does not run is on the machine."""
    for source, target in sorted(mounts(record), key=lambda pair: len(pair[1]), reverse=True):
        if path == target or path.startswith(f"{target}/"):
            return source + path[len(target) :]
    return path


async def copy(session: Session, options: dict[str, Any], words: list[str]) -> int:
    source, target = words
    (from_name, from_path), (to_name, to_path) = _place(source), _place(target)
    if from_name and to_name:
        raise UsageError("copying between containers is not supported", 1)
    if not from_name and not to_name:
        raise UsageError("must specify at least one container source", 1)
    if source == "-":
        return await _unpack(session, _Side(session, to_name, to_path))
    one, other = _Side(session, from_name, from_path), _Side(session, to_name, to_path)
    if not await one.test("-e"):
        if from_name:
            raise DaemonError(f"Could not find the file {from_path} in container {from_name}", 404)
        raise UsageError(f"lstat {one.path}: no such file or directory", 1)
    folder, name = one.path.rpartition("/")[0] or "/", one.path.rpartition("/")[2]
    if target == "-":
        session.here.out((await one.run("tar", "-C", folder, "-cf", "-", name or ".")).stdout)
        return 0
    into = await other.test("-d")
    where = other.path
    if await one.test("-d"):
        if not into and await other.test("-e"):
            raise UsageError("cannot copy directory", 1)
        if into and not from_path.endswith("/."):
            where = f"{where.rstrip('/')}/{name}"
        await _parent_there(other, where)
        await other.run("mkdir", "-p", where)
        packed = await one.run("tar", "-C", one.path, "-cf", "-", ".")
        done = await other.run("tar", "-C", where, "-xf", "-", stdin=packed.stdout)
        size = await _weight(one)
    else:
        if into:
            where = f"{where.rstrip('/')}/{name}"
        elif to_path.endswith("/"):
            raise UsageError(
                "no such directory" if to_name else f"stat {where}: no such file or directory", 1
            )
        await _parent_there(other, where)
        packed = await one.run("cat", one.path)
        done = await other.run("sh", "-c", 'cat > "$1"', "sh", where, stdin=packed.stdout)
        size = 512 + 1024 + _padded(len(packed.stdout.encode("utf-8", "surrogateescape")))
    if done.returncode:
        raise UsageError(done.stderr.rstrip("\n"), 1)
    if not options.get("quiet"):
        shown = f"{to_name}:{where}" if to_name else where
        session.err(f"Successfully copied {human_size(size)} to {shown}\n")
    return 0


async def _parent_there(side: _Side, path: str) -> None:
    parent = path.rpartition("/")[0] or "/"
    if await side.test("-d", parent):
        return
    if side.name:
        raise DaemonError(f"Could not find the file {parent} in container {side.name}", 404)
    raise UsageError(f'invalid output path: directory "{parent}" does not exist', 1)


async def _unpack(session: Session, side: _Side) -> int:
    """A tar archive of standard input, into a folder of the container."""
    data = (await session.here.stdin()).decode("utf-8", "surrogateescape")
    if not await side.test("-d"):
        said = f"Could not find the file {side.shown} in container {side.name}"
        raise DaemonError(said if not await side.test("-e") else "extraction point is not a directory", 404)
    done = await side.run("tar", "-C", side.path, "-xf", "-", stdin=data)
    if done.returncode:
        raise DaemonError(done.stderr.strip() or "invalid tar header")
    return 0


async def _weight(side: _Side) -> int:
    """The size of a folder's tar archive."""
    listed = await side.run("find", side.path, "-type", "f")
    total = 1024
    for path in listed.stdout.splitlines():
        total += 512 + _padded(len((await side.run("cat", path)).stdout.encode("utf-8", "surrogateescape")))
    folders = await side.run("find", side.path, "-type", "d")
    return total + 512 * len(folders.stdout.splitlines())


def _padded(size: int) -> int:
    return -(-size // 512) * 512


def _place(text: str) -> tuple[str, str]:
    name, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        return "", text
    return name, path if path.startswith("/") else f"/{path}"


COMMANDS = [
    (Command("docker diff", "CONTAINER", "Inspect changes to files or directories on a container's filesystem",
        "", 1, 1, aliases=("docker container diff",)), diff),
    (Command("docker update", "[OPTIONS] CONTAINER [CONTAINER...]", "Update configuration of one or more containers", """
      --blkio-weight uint16        Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
      --cpu-period int             Limit CPU CFS (Completely Fair Scheduler) period
      --cpu-quota int              Limit CPU CFS (Completely Fair Scheduler) quota
      --cpu-rt-period int          Limit the CPU real-time period in microseconds
      --cpu-rt-runtime int         Limit the CPU real-time runtime in microseconds
  -c, --cpu-shares int             CPU shares (relative weight)
      --cpus decimal               Number of CPUs
      --cpuset-cpus string         CPUs in which to allow execution (0-3, 0,1)
      --cpuset-mems string         MEMs in which to allow execution (0-3, 0,1)
  -m, --memory bytes               Memory limit
      --memory-reservation bytes   Memory soft limit
      --memory-swap bytes          Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --pids-limit int             Tune container pids limit (set -1 for unlimited)
      --restart string             Restart policy to apply when a container exits
""", 1, aliases=("docker container update",)), update),
    (Command("docker cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        "Copy files/folders between a container and the local filesystem", """
  -a, --archive       Archive mode (copy all uid/gid information)
  -L, --follow-link   Always follow symbol link in SRC_PATH
  -q, --quiet         Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached
""", 2, 2, aliases=("docker container cp",)), copy),
]  # fmt: skip
