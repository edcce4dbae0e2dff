"""docker ps."""

from __future__ import annotations

import json
import re
from typing import Any

from kubenet_course.docker import images, inspect, layers, ports
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.filters import grouped
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.store import Record, seconds_of
from kubenet_course.docker.swarm.state import TASK_LABEL
from kubenet_course.docker.templates import TemplateError

_HEADERS = {
        "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "CreatedAt": "CREATED AT",
        "Status": "STATUS", "State": "STATE", "Ports": "PORTS", "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS",
        "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Size": "SIZE", "Platform": "PLATFORM",
}  # fmt: skip
_DEFAULT = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
LISTING = Listing(_HEADERS, _DEFAULT, go_type="*formatter.ContainerContext")
SIZED = Listing(_HEADERS, _DEFAULT + "\t{{.Size}}", go_type="*formatter.ContainerContext")


FILTERS = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
    "publish", "since", "status", "volume",
)  # fmt: skip


async def ps(session: Session, options: dict[str, Any], words: list[str]) -> int:
    records = list(reversed(session.engine.store.containers()))
    chosen = grouped(options.get("filter", []), FILTERS)
    last = 1 if options.get("latest") else options.get("last", -1)
    if not (options.get("all") or last > 0 or "status" in chosen):
        records = [one for one in records if one["state"]["Running"]]
    records = [one for one in records if _passes(session, one, chosen)]
    if last > 0:
        records = records[:last]
    now = session.here.time()
    full = options.get("no-trunc", False)
    sized = bool(options.get("size")) or "{{.Size}}" in options.get("format", "").replace(" ", "")
    entries = [_entry(session, one, now, full, sized) for one in records]
    listing = SIZED if options.get("size") else LISTING
    try:
        session.out(listing.text(entries, options.get("format", ""), options.get("quiet", False)))
    except TemplateError as problem:
        verb = "execute" if "executing" in str(problem) else "parse"
        raise UsageError(f"failed to {verb} template: template: {problem}", 1) from None
    return 0


def _passes(session: Session, record: Record, filters: dict[str, list[str]]) -> bool:
    networks = {end["network"]: end["network_id"] for end in record["endpoints"].values()}
    tests = {
        "name": lambda value: re.search(value, record["name"]) is not None or re.search(value, f"/{record['name']}") is not None,
        "id": lambda value: record["id"].startswith(value),
        "status": lambda value: record["state"]["Status"] == value or (value == "paused" and record["state"]["Paused"]),
        "network": lambda value: value in networks or any(value and one.startswith(value) for one in networks.values()),
        "ancestor": lambda value: value in (
            record["config"]["Image"], record["image_of"], record["image_id"].removeprefix("sha256:")[: max(len(value), 4)]),
        "label": lambda value: _has_label(record["config"]["Labels"], value),
        "exited": lambda value: record["state"]["Status"] == "exited" and str(record["state"]["ExitCode"]) == value,
        "publish": lambda value: any(str(one["host_port"]) == value.partition("/")[0] for one in record["bindings"]),
        "expose": lambda value: any(key.partition("/")[0] == value.partition("/")[0] for key in record["config"].get("ExposedPorts") or {}),
        "volume": lambda value: any(value in (mount.get("Name"), mount["Destination"], mount["Source"]) for mount in record["mounts"]),
        "is-task": lambda value: (TASK_LABEL in record["config"]["Labels"]) == (value in ("1", "true", "True")),
        "health": lambda value: value == "none",  # nobody's health is checked
        "isolation": lambda value: value in ("", "default"),
        "before": lambda value: record["number"] < session.engine.store.container(value)["number"],
        "since": lambda value: record["number"] > session.engine.store.container(value)["number"],
    }  # fmt: skip
    return all(any(tests[key](value) for value in values) for key, values in filters.items() if key in tests)


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _entry(session: Session, record: Record, now: float, full: bool, sized: bool = False) -> dict[str, Any]:
    command = " ".join([record["path"], *record["args"]])
    if not full and len(command) > 20:
        command = command[:19] + "…"
    return {
        "ID": record["id"] if full else record["id"][:12],
        "Image": _image_name(record["config"]["Image"], record["image_id"]),
        "Command": json.dumps(command, ensure_ascii=False),
        "RunningFor": f"{inspect.human_duration(now - seconds_of(record['created']))} ago",
        "CreatedAt": record["created"].partition(".")[0].replace("T", " ").rstrip("Z") + " +0000 UTC",
        "Status": inspect.status(record, now),
        "State": record["state"]["Status"],
        "Ports": ports.displayable(inspect.shown_ports(record)),
        "Names": record["name"],
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(record["config"]["Labels"].items())),
        "Mounts": ",".join(mount.get("Name") or mount["Source"] for mount in record["mounts"]),
        "LocalVolumes": str(sum("Name" in mount for mount in record["mounts"])),
        "Networks": ",".join(sorted(record["endpoints"])) or record["host_config"]["NetworkMode"],
        "Size": _size(session, record) if sized else "0B",
        "Platform": None,
    }


def _size(session: Session, record: Record) -> str:
    image = images.catalogued(record["image_of"])
    own = layers.size(session.engine.store, record)
    return f"{inspect.human_size(own)} (virtual {inspect.human_size(own + (image.size if image else 0))})"


def _image_name(name: str, image_id: str) -> str:
    if re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", name) and image_id.removeprefix("sha256:").startswith(
        name.removeprefix("sha256:")
    ):
        return name.removeprefix("sha256:")[:12]
    name = name.partition("@")[0] or name
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name


COMMANDS = [
    (
        Command("docker ps", "[OPTIONS]", "List containers", """
  -a, --all             Show all containers (default shows just running)
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template
  -n, --last int        Show n last created containers (includes all states) (default -1)
  -l, --latest          Show the latest created container (includes all states)
      --no-trunc        Don't truncate output
  -q, --quiet           Only display container IDs
  -s, --size            Display total file sizes
""", 0, 0, aliases=("docker container ls", "docker container list", "docker container ps")),
        ps,
    ),
]  # fmt: skip
