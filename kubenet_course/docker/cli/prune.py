"""docker container, network, image, volume and system prune.

Source: docker/cli command/*/prune.go; moby daemon/prune.go.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from kubenet_course.docker import events, images, layers
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.confirm import confirmed
from kubenet_course.docker.cli.events import moment
from kubenet_course.docker.cli.flags import Command
from kubenet_course.docker.cli.networks import remove_network
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.inspect import human_size
from kubenet_course.docker.store import VOLUMES, Record, seconds_of

SURE = "Are you sure you want to continue? [y/N] "
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def _check(options: dict[str, Any], *known: str) -> None:
    for text in options.get("filter", []):
        key = text.partition("=")[0]
        if key not in known:
            raise DaemonError(f"invalid filter '{key}'", 400)


def _chosen(session: Session, options: dict[str, Any], record: Record) -> bool:
    """Whether the filters let a record with `labels` and `created` go."""
    for text in options.get("filter", []):
        key, _, value = text.partition("=")
        if key == "until" and seconds_of(record["created"]) > moment(value, session.here.time()):
            return False
        if key in ("label", "label!"):
            name, equals, wanted = value.partition("=")
            there = name in record["labels"] and (not equals or record["labels"][name] == wanted)
            if there == (key == "label!"):
                return False
    return True


def _list(title: str, entries: list[str]) -> str:
    return f"{title}:\n" + "".join(f"{one}\n" for one in entries) + "\n" if entries else ""


# -- what goes ----------------------------------------------------------------------------------
async def _containers(session: Session, options: dict[str, Any]) -> tuple[list[str], int]:
    _check(options, "label", "label!", "until")
    engine, gone, freed = session.engine, [], 0
    for record in engine.store.containers():
        shown = {"labels": record["config"]["Labels"], "created": record["created"]}
        if record["state"]["Running"] or not _chosen(session, options, shown):
            continue
        freed += layers.size(engine.store, record)
        await session.locked(partial(_forget, session, record))
        gone.append(record["id"])
    return gone, freed


async def _forget(session: Session, record: Record) -> None:
    if session.engine.store.reload(record) is not None:
        session.engine.remove(record)


async def _networks(session: Session, options: dict[str, Any]) -> list[str]:
    _check(options, "label", "label!", "until")
    found = [one["name"] for one in session.engine.networks.unused() if _chosen(session, options, one)]
    for name in found:
        await session.locked(partial(remove_network, session, name))
    return found


def _volumes(session: Session, options: dict[str, Any], every: bool) -> tuple[list[str], int]:
    _check(options, "label", "label!", "all")
    store, gone, freed = session.engine.store, [], 0
    used = {mount.get("Name") for one in store.containers() for mount in one["mounts"]}
    for name in session.here.listdir(VOLUMES) if session.here.isdir(VOLUMES) else []:
        labels = store.read_json(f"{VOLUMES}/{name}/opts.json", {"labels": {}})["labels"]
        shown = {"labels": labels, "created": "1970-01-01T00:00:00Z"}
        if name in used or not (every or ANONYMOUS.fullmatch(name)):
            continue
        if not _chosen(session, options, shown):
            continue
        freed += layers.volume_size(store, f"{VOLUMES}/{name}/_data")
        store.remove_tree(f"{VOLUMES}/{name}")
        events.note(store, "volume", "destroy", name, driver="local")
        gone.append(name)
    return gone, freed


def _images(session: Session, options: dict[str, Any], every: bool) -> tuple[list[str], int]:
    """Without --all only dangling ones, and there are none: nothing is built here."""
    _check(options, "label", "label!", "until", "dangling")
    store, gone, freed = session.engine.images, [], 0
    used = {one["image_id"] for one in session.engine.store.containers()}
    shown = {"labels": {}, "created": images.BUILT}
    for record in [one for one in store.all() if one["of"]]:
        image = images.catalogued(record["of"])
        labels = dict(image.labels) if image else {}
        if not _chosen(session, options, {**shown, "labels": labels}):
            continue
        if not every or record["id"] in used:
            continue
        store.save([one for one in store.all() if one != record])
        gone.append(f"untagged: {record['repository']}:{record['tag']}")
        if not any(one["id"] == record["id"] for one in store.all()):
            gone.append(f"deleted: {record['id']}")
            freed += image.size if image else 0
    return gone, freed


# -- the commands -------------------------------------------------------------------------------
async def containers(session: Session, options: dict[str, Any], words: list[str]) -> int:
    question = f"WARNING! This will remove all stopped containers.\n{SURE}"
    if not options.get("force") and not await confirmed(session, question):
        return 0
    gone, freed = await _containers(session, options)
    session.out(f"{_list('Deleted Containers', gone)}Total reclaimed space: {human_size(freed, 4)}\n")
    return 0


async def networks(session: Session, options: dict[str, Any], words: list[str]) -> int:
    question = f"WARNING! This will remove all custom networks not used by at least one container.\n{SURE}"
    if not options.get("force") and not await confirmed(session, question):
        return 0
    session.out(_list("Deleted Networks", await _networks(session, options)))
    return 0


async def volumes(session: Session, options: dict[str, Any], words: list[str]) -> int:
    every = (
        bool(options.get("all"))
        or "all=1" in options.get("filter", [])
        or "all=true" in options.get("filter", [])
    )
    kind = "all" if every else "anonymous"
    question = f"WARNING! This will remove {kind} local volumes not used by at least one container.\n{SURE}"
    if not options.get("force") and not await confirmed(session, question):
        return 0
    gone, freed = _volumes(session, options, every)
    session.out(f"{_list('Deleted Volumes', gone)}Total reclaimed space: {human_size(freed, 4)}\n")
    return 0


async def image(session: Session, options: dict[str, Any], words: list[str]) -> int:
    every = bool(options.get("all"))
    what = "all images without at least one container associated to them" if every else "all dangling images"
    if not options.get("force") and not await confirmed(
        session, f"WARNING! This will remove {what}.\n{SURE}"
    ):
        return 0
    gone, freed = _images(session, options, every)
    session.out(f"{_list('Deleted Images', gone)}Total reclaimed space: {human_size(freed, 4)}\n")
    return 0


async def system(session: Session, options: dict[str, Any], words: list[str]) -> int:
    every = bool(options.get("all"))
    warnings = ["all stopped containers", "all networks not used by at least one container"]
    if options.get("volumes"):
        warnings.append("all anonymous volumes not used by at least one container")
    warnings.append(
        "all images without at least one container associated to them" if every else "all dangling images"
    )
    warnings.append("all build cache" if every else "unused build cache")
    listed = "".join(f"  - {one}\n" for one in warnings)
    if not options.get("force") and not await confirmed(
        session, f"WARNING! This will remove:\n{listed}\n{SURE}"
    ):
        return 0
    gone, freed = await _containers(session, options)
    text = _list("Deleted Containers", gone)
    if options.get("volumes"):
        names, more = _volumes(session, options, False)
        text, freed = text + _list("Deleted Volumes", names), freed + more
    text += _list("Deleted Networks", await _networks(session, options))
    removed, more = _images(session, options, every)
    session.out(
        f"{text}{_list('Deleted Images', removed)}Total reclaimed space: {human_size(freed + more, 4)}\n"
    )
    return 0


_FILTER = """
      --filter filter   Provide filter values (e.g. "until=<timestamp>")
  -f, --force           Do not prompt for confirmation
"""
COMMANDS = [
    (Command("docker container prune", "[OPTIONS]", "Remove all stopped containers", _FILTER, 0, 0), containers),
    (Command("docker network prune", "[OPTIONS]", "Remove all unused networks", _FILTER, 0, 0), networks),
    (Command("docker image prune", "[OPTIONS]", "Remove unused images", """
  -a, --all             Remove all unused images, not just dangling ones
""" + _FILTER.lstrip("\n"), 0, 0), image),
    (Command("docker volume prune", "[OPTIONS]", "Remove unused local volumes", """
  -a, --all             Remove all unused volumes, not just anonymous ones
""" + _FILTER.lstrip("\n"), 0, 0), volumes),
    (Command("docker system prune", "[OPTIONS]", "Remove unused data", """
  -a, --all             Remove all unused images not just dangling ones
      --filter filter   Provide filter values (e.g. "label=<key>=<value>")
  -f, --force           Do not prompt for confirmation
      --volumes         Prune anonymous volumes
""", 0, 0), system),
]  # fmt: skip
