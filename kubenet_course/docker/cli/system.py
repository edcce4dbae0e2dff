"""docker version, info, system, volume, and the commands that say that they are not emulated."""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import VERSION, Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import show_objects
from kubenet_course.docker.cli.swarm import facts, info_text
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import VOLUMES
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.docker.templates import Template

API = "1.51"
BUILD = {"GoVersion": "go1.24.8", "Os": "linux", "Arch": "amd64", "BuildTime": "Wed Oct  8 12:17:26 2025"}
VOLUME_LISTING = Listing(
    {
        "Driver": "DRIVER",
        "Name": "VOLUME NAME",
        "Scope": "SCOPE",
        "Mountpoint": "MOUNTPOINT",
        "Labels": "LABELS",
    },
    "{{.Driver}}\t{{.Name}}",
    "Name",
    go_type="*formatter.volumeContext",
)


def _versions() -> dict[str, Any]:
    return {
        "Client": {"Platform": {"Name": "Docker Engine - Community"}, "Version": VERSION, "ApiVersion": API,
            "DefaultAPIVersion": API, "GitCommit": "ecc6942", "Context": "default", **BUILD},
        "Server": {"Platform": {"Name": "Docker Engine - Community"}, "Version": VERSION, "ApiVersion": API,
            "MinAPIVersion": "1.24", "GitCommit": "89c5e8f", "Experimental": False, **BUILD},
    }  # fmt: skip


async def version(session: Session, options: dict[str, Any], words: list[str]) -> int:
    from kubenet_course.docker import daemon

    there = await daemon.ensure(session.here)
    data = _versions()
    if options.get("format"):
        layout = "{{json .}}" if options["format"] == "json" else options["format"]
        session.line(Template(layout).render(data if there else {**data, "Server": None}))
        return 0
    client, server = data["Client"], data["Server"]
    session.out(
        f"Client: Docker Engine - Community\n Version:           {client['Version']}\n API version:       {API}\n"
        f" Go version:        {client['GoVersion']}\n Git commit:        {client['GitCommit']}\n Built:             {client['BuildTime']}\n"
        " OS/Arch:           linux/amd64\n Context:           default\n"
    )
    if not there:
        from kubenet_course.docker.cli import NO_DAEMON

        session.err(f"{NO_DAEMON}\n")
        return 1
    session.out(
        f"\nServer: Docker Engine - Community\n Engine:\n  Version:          {server['Version']}\n"
        f"  API version:      {API} (minimum version 1.24)\n  Go version:       {server['GoVersion']}\n"
        f"  Git commit:       {server['GitCommit']}\n"
        f"  Built:            {server['BuildTime']}\n  OS/Arch:          linux/amd64\n  Experimental:     false\n"
    )
    return 0


def _facts(session: Session) -> dict[str, Any]:
    engine, here = session.engine, session.here
    records = engine.store.containers()
    paused = sum(one["state"]["Paused"] for one in records)
    running = sum(one["state"]["Running"] for one in records) - paused
    read = lambda path: here.read(path).decode().strip()  # noqa: E731
    return {
        "Containers": len(records),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(records) - running - paused,
        "Images": len([one for one in engine.images.all() if one["of"]]),
        "Driver": "overlay2",
        "Name": read("/proc/sys/kernel/hostname"),
        "ServerVersion": VERSION,
        "KernelVersion": read("/proc/sys/kernel/osrelease"),
        "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": 2,
        "DockerRootDir": "/var/lib/docker",
        "FirewallBackend": {"Driver": "iptables"},
        "Plugins": {
            "Network": ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
            "Volume": ["local"],
        },
        "Swarm": facts(Swarm(engine.store)),
        "IPv4Forwarding": read("/proc/sys/net/ipv4/ip_forward") == "1",
    }


async def info(session: Session, options: dict[str, Any], words: list[str]) -> int:
    found = _facts(session)
    if options.get("format"):
        layout = "{{json .}}" if options["format"] == "json" else options["format"]
        session.line(Template(layout).render(found))
        return 0
    session.out(
        f"Client: Docker Engine - Community\n Version:    {VERSION}\n Context:    default\n Debug Mode: false\n\nServer:\n"
        f" Containers: {found['Containers']}\n  Running: {found['ContainersRunning']}\n  Paused: {found['ContainersPaused']}\n"
        f"  Stopped: {found['ContainersStopped']}\n Images: {found['Images']}\n Server Version: {VERSION}\n Storage Driver: overlay2\n"
        " Logging Driver: json-file\n Plugins:\n  Volume: local\n  Network: bridge host ipvlan macvlan null overlay\n"
        f"{info_text(Swarm(session.engine.store))} Firewall Backend: iptables\n"
        f" Kernel Version: {found['KernelVersion']}\n Operating System: {found['OperatingSystem']}\n"
        f" OSType: linux\n Architecture: x86_64\n CPUs: {found['NCPU']}\n Name: {found['Name']}\n"
        " Docker Root Dir: /var/lib/docker\n Debug Mode: false\n"
    )
    if not found["IPv4Forwarding"]:
        session.err("WARNING: IPv4 forwarding is disabled\n")
    return 0


# -- volumes ------------------------------------------------------------------------------------
async def volume_ls(session: Session, options: dict[str, Any], words: list[str]) -> int:
    names = session.here.listdir(VOLUMES) if session.here.isdir(VOLUMES) else []
    used = {mount.get("Name") for one in session.engine.store.containers() for mount in one["mounts"]}
    for text in options.get("filter", []):
        key, _, value = text.partition("=")
        tests: dict[str, Any] = {
            "dangling": lambda name, value=value: (name not in used) == (value in ("1", "true")),
            "driver": lambda name, value=value: value == "local",
            "label": lambda name, value=value: _labelled(volume_object(session, name)["Labels"] or {}, value),
            "name": lambda name, value=value: value in name,
        }
        if key not in tests:
            raise DaemonError(f"invalid filter '{key}'", 400)
        names = [name for name in names if tests[key](name)]
    entries = [
        {
            "Driver": "local",
            "Name": name,
            "Scope": "local",
            "Mountpoint": f"{VOLUMES}/{name}/_data",
            "Labels": "",
        }
        for name in names
    ]
    session.out(VOLUME_LISTING.text(entries, options.get("format", ""), options.get("quiet", False)))
    return 0


def _labelled(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


async def volume_create(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if words and options.get("name"):
        raise UsageError(
            "conflicting options: cannot specify a volume-name through both --name and as a positional arg", 1
        )
    name = words[0] if words else options.get("name") or session.here.random(32).hex()
    if options.get("opt"):
        raise UsageError("kubenet: docker volume create: option --opt is not emulated", 1)
    driver = options.get("driver", "local")
    if driver != "local":
        raise DaemonError(
            f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found', 404
        )
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
        raise DaemonError(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
            "are allowed. If you intended to pass a host directory, use absolute path",
            400,
        )
    if not session.here.isdir(f"{VOLUMES}/{name}"):
        events.note(session.engine.store, "volume", "create", name, driver="local")
        session.here.mkdir(f"{VOLUMES}/{name}/_data")
        labels = {key: value for key, _, value in (text.partition("=") for text in options.get("label", []))}
        facts = {"labels": labels, "created": session.engine.store.now()}
        session.engine.store.write_json(f"{VOLUMES}/{name}/opts.json", facts)
    session.line(name)
    return 0


async def volume_rm(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def one(word: str) -> None:
        if not session.here.isdir(f"{VOLUMES}/{word}"):
            if options.get("force"):
                return
            raise DaemonError(f"get {word}: no such volume", 404)
        users = [
            c["id"]
            for c in session.engine.store.containers()
            if any(m.get("Name") == word for m in c["mounts"])
        ]
        if users:
            raise DaemonError(f"remove {word}: volume is in use - [{', '.join(users)}]", 409)
        session.engine.store.remove_tree(f"{VOLUMES}/{word}")
        events.note(session.engine.store, "volume", "destroy", word, driver="local")

    return await session.each(words, one)


def volume_object(session: Session, name: str) -> dict[str, Any]:
    """What `docker volume inspect` tells."""
    known = session.engine.store.read_json(f"{VOLUMES}/{name}/opts.json", {"labels": {}, "created": ""})
    return {
        "CreatedAt": known["created"],
        "Driver": "local",
        "Labels": known["labels"] or None,
        "Mountpoint": f"{VOLUMES}/{name}/_data",
        "Name": name,
        "Options": None,
        "Scope": "local",
    }


async def volume_inspect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    found = [volume_object(session, word) for word in words if session.here.isdir(f"{VOLUMES}/{word}")]
    missing = [word for word in words if not session.here.isdir(f"{VOLUMES}/{word}")]
    show_objects(session, found, options.get("format", ""))
    for word in missing:
        session.err(f"Error response from daemon: get {word}: no such volume\n")
    return 1 if missing else 0


_FORMAT = """
  -f, --format string   Format output using a custom template
"""
COMMANDS = [
    (Command("docker version", "[OPTIONS]", "Show the Docker version information", _FORMAT, 0, 0), version),
    (Command("docker info", "[OPTIONS]", "Display system-wide information", _FORMAT, 0, 0, aliases=("docker system info",)), info),
    (Command("docker volume ls", "[OPTIONS]", "List volumes", """
  -f, --filter filter   Provide filter values (e.g. "dangling=true")
      --format string   Format output using a custom template
  -q, --quiet           Only display volume names
""", 0, 0, aliases=("docker volume list",)), volume_ls),
    (Command("docker volume create", "[OPTIONS] [VOLUME]", "Create a volume", """
  -d, --driver string             Specify volume driver name (default "local")
      --label list                Set metadata for a volume
  -o, --opt map                   Set driver specific options
""", 0, 1, hidden="      --name string   Specify volume name"), volume_create),
    (Command("docker volume rm", "[OPTIONS] VOLUME [VOLUME...]",
        "Remove one or more volumes", """
  -f, --force   Force the removal of one or more volumes
""", 1, aliases=("docker volume remove",)), volume_rm),
    (Command("docker volume inspect", "[OPTIONS] VOLUME [VOLUME...]",
        "Display detailed information on one or more volumes", _FORMAT, 1), volume_inspect),
]  # fmt: skip
