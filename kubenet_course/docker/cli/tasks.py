"""Tasks as `docker service ps` and `docker node ps` list them.

Source: docker/cli command/task/print.go, formatter.go.
"""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.filters import grouped
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.inspect import human_duration
from kubenet_course.docker.store import Record, seconds_of
from kubenet_course.docker.swarm.state import Swarm
from kubenet_course.userland.versions import version_key

LISTING = Listing(
    {"ID": "ID", "Name": "NAME", "Image": "IMAGE", "Node": "NODE", "DesiredState": "DESIRED STATE",
     "CurrentState": "CURRENT STATE", "Error": "ERROR", "Ports": "PORTS"},
    "{{.ID}}\t{{.Name}}\t{{.Image}}\t{{.Node}}\t{{.DesiredState}}\t{{.CurrentState}}\t{{.Error}}\t{{.Ports}}",
    go_type="*task.taskContext",
)  # fmt: skip
MOST_ERROR = 30
FILTERS = ("id", "name", "node", "desired-state", "service", "label", "_up-to-date")


def list_tasks(session: Session, swarm: Swarm, tasks: list[Record], options: dict[str, Any]) -> str:
    """The table; the newest of a slot first, those before it indented."""
    services = {one["id"]: one for one in swarm.every_service}
    chosen = [task for task in tasks if _passes(swarm, services, task, options.get("filter", []))]
    full, plain = options.get("no-trunc", False), options.get("no-resolve", False)

    def name(task: Record) -> str:
        owner = task["service"] if plain else services[task["service"]]["spec"]["Name"]
        return f"{owner}.{task['node'] if task.get('global') else task['slot']}"

    chosen.sort(key=lambda task: int(task["index"]), reverse=True)
    chosen.sort(key=lambda task: version_key(name(task)))
    entries, before = [], ""
    now = session.here.time()
    for task in chosen:
        called = name(task)
        error = task["error"]
        if error and not full and len(error) > MOST_ERROR:
            error = error[: MOST_ERROR - 1] + "…"
        age = human_duration(now - seconds_of(task["updated"])).lower()
        on_node = task["node"] and (task["node"] if plain else swarm.node["hostname"])
        entries.append(
            {
                "ID": task["id"] if full else task["id"][:12],
                "Name": f" \\_ {called}" if called == before and not options.get("quiet") else called,
                "Image": task["image"] if full else task["image"].partition("@")[0],
                "Node": on_node,
                "DesiredState": task["desired"].capitalize(),
                "CurrentState": f"{task['state'].capitalize()} {age} ago",
                "Error": json.dumps(error, ensure_ascii=False) if error else "",
                "Ports": _host_ports(swarm, services[task["service"]], task),
            }
        )
        before = called
    return LISTING.text(entries, options.get("format", ""), options.get("quiet", False))


def _host_ports(swarm: Swarm, service: Record, task: Record) -> str:
    """Ports that are published on the task's own node (mode=host)."""
    if task["state"] != "running":
        return ""
    container = next((one for one in swarm.store.containers() if one["id"] == task["container"]), None)
    bound = [one for one in container["bindings"] if ":" not in one["host_ip"]] if container else []
    return ",".join(f"*:{one['host_port']}->{one['container_port']}/{one['protocol']}" for one in bound)


def _passes(swarm: Swarm, services: dict[str, Record], task: Record, filters: list[str]) -> bool:
    groups = grouped(filters, FILTERS)
    name = services[task["service"]]["spec"]["Name"]
    tests = {
        "id": lambda value: task["id"].startswith(value),
        "name": lambda value: f"{name}.{task['slot']}.{task['id']}".startswith(value),
        "node": lambda value: (
            value in (swarm.node["id"], swarm.node["hostname"], "self") and bool(task["node"])
        ),
        "desired-state": lambda value: task["desired"] == value.lower(),
        "service": lambda value: value in (name, task["service"]),
        "label": lambda value: False,
        "_up-to-date": lambda value: True,
    }
    return all(any(tests[key](value) for value in values) for key, values in groups.items())
