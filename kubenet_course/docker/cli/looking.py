"""Looking at containers: inspect, logs, attach, port, top."""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.docker import images, inspect, layers, ports
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.output import Follower
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.process import log_paths, processes
from kubenet_course.docker.store import VOLUMES
from kubenet_course.docker.swarm import services
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.docker.templates import Template

#: Known, and without effect: there is no terminal to detach from.
KEYS = "      --detach-keys string   Override the key sequence for detaching a container\n"
KINDS = ("container", "image", "network", "volume", "service", "task", "node")
UNKNOWN_KINDS = ("plugin", "secret", "config")


async def inspect_any(session: Session, options: dict[str, Any], words: list[str]) -> int:
    kind = options.get("type", "")
    if kind in UNKNOWN_KINDS:
        raise UsageError(f"kubenet: docker inspect: --type {kind} is not emulated", 1)
    if kind not in ("", *KINDS):
        raise UsageError(
            f'unknown type: "{kind}": must be one of "config", "container", "image", "network", "node", "plugin", '
            '"secret", "service", "task", "volume"',
            1,
        )
    found, missing = [], []
    for word in words:
        one = next((one for name in KINDS if kind in ("", name) and (one := _one(session, word, name))), None)
        if one is not None and options.get("size") and "SandboxID" in one.get("NetworkSettings", {}):
            record = session.engine.store.container(one["Id"])
            image = images.catalogued(record["image_of"])
            size = layers.size(session.engine.store, record)
            one |= {"SizeRw": size, "SizeRootFs": size + (image.size if image else 0)}
        found.append(one) if one is not None else missing.append(word)
    show_objects(session, found, options.get("format", ""))
    for word in missing:
        session.err(
            f"Error: No such {kind or 'object'}: {word}\n"
            if not kind
            else f"Error response from daemon: No such {kind}: {word}\n"
        )
    return 1 if missing else 0


def _one(session: Session, word: str, kind: str) -> dict[str, Any] | None:
    """The object of that kind and name."""
    engine = session.engine
    try:
        if kind == "container":
            return inspect.container(engine.store.container(word))
        if kind == "image":
            found = engine.images.find(word)
            return found and images.inspect(
                found[0], found[1], [f"{found[0]['repository']}:{found[0]['tag']}"]
            )
        if kind == "network":
            return engine.networks.inspect(engine.networks.find(word))
        if kind == "volume":
            from kubenet_course.docker.cli.system import volume_object

            return volume_object(session, word) if engine.here.isdir(f"{VOLUMES}/{word}") else None
        swarm = Swarm(engine.store)
        if not swarm.active:
            return None
        if kind == "service":
            return services.inspect(swarm, swarm.service(word))
        if kind == "task":
            return services.inspect_task(swarm, services.find_task(swarm, word))
        return services.inspect_node(swarm) if swarm.find_node(word) else None
    except DaemonError:
        return None


def show_objects(session: Session, found: list[dict[str, Any]], layout: str) -> None:
    """JSON in Docker's own layout, or each object through a template."""
    if layout == "json":
        layout = "{{json .}}"
    if not layout:
        session.out(json.dumps(found, indent=4, ensure_ascii=False) + "\n" if found else "[]\n")
        return
    template = Template(layout)
    for one in found:
        session.line(template.render(one))


async def inspect_container(session: Session, options: dict[str, Any], words: list[str]) -> int:
    return await inspect_any(session, {**options, "type": "container"}, words)


async def logs(session: Session, options: dict[str, Any], words: list[str]) -> int:
    record = session.engine.store.container(words[0])
    for name in ("timestamps", "since", "until", "details"):
        if options.get(name):
            raise UsageError(
                f"kubenet: docker logs: option --{name} is not emulated: output is kept without times", 1
            )
    follower = Follower(session.here, record["id"])
    out, err = (follower._read(path) for path in log_paths(record["id"]))
    tail = options.get("tail", "all")
    if tail != "all" and tail.lstrip("-").isdecimal() and int(tail) >= 0:
        out, err = _tail(out, err, int(tail))
    session.here.err(err)
    session.here.out(out)
    if options.get("follow") and record["state"]["Running"]:
        await follower.attached(session, record, proxy=False)
    return 0


def _tail(out: bytes, err: bytes, count: int) -> tuple[bytes, bytes]:
    """The last lines; standard error is taken to have come first."""
    lines = [(1, line) for line in err.splitlines(True)] + [(0, line) for line in out.splitlines(True)]
    kept = lines[len(lines) - count :] if count else []
    return b"".join(line for which, line in kept if not which), b"".join(
        line for which, line in kept if which
    )


async def attach(session: Session, options: dict[str, Any], words: list[str]) -> int:
    record = session.engine.store.container(words[0])
    if not record["state"]["Running"]:
        raise UsageError("You cannot attach to a stopped container, start it first\n", 1)
    if record["state"]["Paused"]:
        raise UsageError("You cannot attach to a paused container, unpause it first\n", 1)
    return await Follower(session.here, record["id"]).attached(
        session, record, options.get("sig-proxy", True)
    )


async def port(session: Session, options: dict[str, Any], words: list[str]) -> int:
    record = session.engine.store.container(words[0])
    shown = inspect.ports(record)
    if len(words) == 1:
        session.out("".join(f"{line}\n" for line in ports.port_lines(shown)))
        return 0
    number, slash, protocol = words[1].partition("/")
    key = f"{number}/{protocol if slash else 'tcp'}"
    lines = ports.port_lines(shown, key)
    if not lines:
        session.err(f"Error: No public port '{words[1] if slash else key}' published for {words[0]}\n")
        return 1
    session.out("".join(f"{line}\n" for line in lines))
    return 0


async def top(session: Session, options: dict[str, Any], words: list[str]) -> int:
    record = session.engine.store.container(words[0])
    if not record["state"]["Running"]:
        raise DaemonError(f"container {record['id']} is not running", 409)
    done = await session.here.run(["ps", *(words[1:] or ["-ef"])])
    lines = done.stdout.splitlines()
    head = lines[0].split() if lines else []
    if "PID" not in head:
        raise DaemonError("Couldn't find PID field in ps output", 500)
    wanted = set(processes(session.here, record["id"]))
    rows = [head]
    for line in lines[1:]:
        cells = line.split(None, len(head) - 1)
        if cells[head.index("PID")] in wanted:
            rows.append(cells)
    widths = [max(len(row[number]) for row in rows) + 3 for number in range(len(head) - 1)]
    widths = [max(width, 20) for width in widths]
    for row in rows:
        session.line(
            "".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        )
    return 0


_NAMES = "CONTAINER [CONTAINER...]"


def _own(name: str) -> tuple[str, ...]:
    return (f"docker container {name}",)


COMMANDS = [
    (Command("docker inspect", "[OPTIONS] NAME|ID [NAME|ID...]", "Return low-level information on Docker objects", """
  -f, --format string   Format output using a custom template
  -s, --size            Display total file sizes if the type is container
      --type string     Only inspect objects of the given type
""", 1), inspect_any),
    (Command("docker container inspect", f"[OPTIONS] {_NAMES}", "Display detailed information on one or more containers", """
  -f, --format string   Format output using a custom template
  -s, --size            Display total file sizes
""", 1), inspect_container),
    (Command("docker logs", "[OPTIONS] CONTAINER", "Fetch the logs of a container", """
      --details        Show extra details provided to logs
  -f, --follow         Follow log output
      --since string   Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
  -n, --tail string    Number of lines to show from the end of the logs (default "all")
  -t, --timestamps     Show timestamps
      --until string   Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
""", 1, 1, aliases=_own("logs")), logs),
    (Command("docker attach", "[OPTIONS] CONTAINER", "Attach local standard input, output, and error streams to a running container", """
      --no-stdin     Do not attach STDIN
      --sig-proxy    Proxy all received signals to the process (default true)
""", 1, 1, aliases=_own("attach"), hidden=KEYS), attach),
    (Command("docker port", "CONTAINER [PRIVATE_PORT[/PROTO]]",
        "List port mappings or a specific mapping for the container", "", 1, 2, aliases=_own("port")), port),
    (Command("docker top", "CONTAINER [ps OPTIONS]",
        "Display the running processes of a container", "", 1, stop_at_first=True, aliases=_own("top")), top),
]  # fmt: skip
