"""What happened to containers, networks, images and volumes, as `docker events` tells it.

Events are lines of JSON below /run: as in dockerd's own memory, the last 256 are there, and none of before it
was started. Source: moby daemon/events, daemon/events.go; api/types/events.
"""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.docker.store import RUN, Record, Store
from kubenet_course.errors import KernelError

PATH = f"{RUN}/events"
KEPT = 256


def note(store: Store, kind: str, action: str, actor: str, scope: str = "local", **attributes: str) -> None:
    """Something has happened to `actor` (an id, or a name where there is none)."""
    nanoseconds = round(store.here.time() * 1e9)
    event: dict[str, Any] = {}
    if kind in ("container", "image"):
        event = {"status": action, "id": actor}
        if attributes.get("image"):
            event["from"] = attributes["image"]
    event |= {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor, "Attributes": dict(sorted(attributes.items()))},
        "scope": scope,
        "time": nanoseconds // 10**9,
        "timeNano": nanoseconds,
    }
    line = json.dumps(event, separators=(",", ":")) + "\n"
    store.here.mkdir(RUN)
    lines = _lines(store)
    if len(lines) >= 2 * KEPT:
        store.write(PATH, "".join(f"{one}\n" for one in lines[-KEPT:]) + line)
    else:
        store.here.write(PATH, line, append=True)


def of_container(store: Store, record: Record, action: str, **attributes: str) -> None:
    known = {"image": record["config"]["Image"], "name": record["name"], **record["config"]["Labels"]}
    note(store, "container", action, record["id"], **{**known, **attributes})


def of_network(store: Store, network: Record, action: str, container: str = "") -> None:
    more = {"container": container} if container else {}
    scope = network.get("scope", "local")
    note(store, "network", action, network["id"], scope, name=network["name"], type=network["driver"], **more)


def forget(store: Store) -> None:
    """dockerd starts."""
    store.remove_tree(PATH)


def read(store: Store, skip: int = 0) -> list[dict[str, Any]]:
    """All that are known, the oldest first, without the first `skip`."""
    return [json.loads(line) for line in _lines(store)[skip:]]


def _lines(store: Store) -> list[str]:
    try:
        return store.here.read(PATH).decode().splitlines()
    except KernelError:
        return []
