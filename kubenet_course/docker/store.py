"""What the engine remembers, in files, and the lock that lets one program at a time change it.

    /var/lib/docker/containers/ID/config.v2.json    a container
    /var/lib/docker/network/files/local-kv.json     all networks
    /var/lib/docker/image/repositories.json         the images that were pulled, and their tags
    /var/lib/docker/volumes/NAME/_data              a volume
    /var/lib/docker/swarm/state.json                a swarm (`swarm.state`)
    /run/docker.pid, /run/docker.sock               dockerd runs
    /run/docker/netns/XXXXXXXXXXXX                  a sandbox's network namespace (a mount)

Records are dictionaries of JSON. A container's and a network's keys are listed where they are made:
`containers.new_container`, `networks.new_network`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from kubenet_course.docker.errors import DaemonError, no_such_container
from kubenet_course.errno import EEXIST, ENOENT
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

ROOT = "/var/lib/docker"
CONTAINERS = f"{ROOT}/containers"
NETWORKS = f"{ROOT}/network/files/local-kv.json"
LAYERS = f"{ROOT}/overlay2"
VOLUMES = f"{ROOT}/volumes"
IMAGES = f"{ROOT}/image/repositories.json"
SWARM = f"{ROOT}/swarm/state.json"
RUN = "/run/docker"
SANDBOXES = "/var/run/docker/netns"
PID_FILE = "/run/docker.pid"
SOCKET = "/run/docker.sock"
LOCK = f"{RUN}/lock"
#: Why dockerd did not start.
FAILED = f"{RUN}/failed"
LOG = "/var/log/docker.log"

Record = dict[str, Any]


class Store:
    """Files of one machine's engine."""

    def __init__(self, here: Surroundings):
        self.here = here

    # -- files ------------------------------------------------------------------------------
    def read_json(self, path: str, default: Any) -> Any:
        try:
            return json.loads(self.here.read(path))
        except KernelError as failure:
            if failure.errno != ENOENT:
                raise
            return default

    def write_json(self, path: str, value: Any) -> None:
        self.write(path, json.dumps(value, separators=(",", ":")), 0o600)

    def write(self, path: str, data: str | bytes, mode: int = 0o644) -> None:
        """Replace a file, making the folders above it."""
        self.here.mkdir(path.rpartition("/")[0])
        self.here.write(path, data, mode=mode)

    def remove_tree(self, path: str) -> None:
        """Remove a folder (or file) and what is below it; what is not there is no error."""
        if self.here.isdir(path):
            for name in self.here.listdir(path):
                self.remove_tree(f"{path}/{name}")
        try:
            self.here.remove(path)
        except KernelError as failure:
            if failure.errno != ENOENT:
                raise

    # -- records ----------------------------------------------------------------------------
    def containers(self) -> list[Record]:
        """All, the newest last."""
        if not self.here.isdir(CONTAINERS):
            return []
        found = []
        for name in self.here.listdir(CONTAINERS):
            record = self.read_json(f"{CONTAINERS}/{name}/config.v2.json", None)
            if record is not None:
                found.append(record)
        return sorted(found, key=lambda record: (record["created"], record["number"]))

    def container(self, word: str) -> Record:
        """By id, name, or the beginning of an id."""
        every = self.containers()
        return find(every, word, "container", no_such_container(word))

    def save(self, record: Record) -> None:
        self.write_json(f"{CONTAINERS}/{record['id']}/config.v2.json", record)

    def reload(self, record: Record) -> Record | None:
        """The record as it is now; None when it has gone."""
        found: Record | None = self.read_json(f"{CONTAINERS}/{record['id']}/config.v2.json", None)
        return found

    def networks(self) -> list[Record]:
        return list(self.read_json(NETWORKS, []))

    def balancers(self) -> list[Record]:
        """The swarm's load balancers: they have sandboxes and endpoints as containers have."""
        found: Record = self.read_json(SWARM, None) or {"balancers": {}}
        return list(found["balancers"].values())

    def save_networks(self, networks: list[Record]) -> None:
        self.write_json(NETWORKS, networks)

    # -- identities -------------------------------------------------------------------------
    def new_id(self) -> str:
        """64 hexadecimal digits, the first twelve not all decimal (Docker keeps them apart from numbers)."""
        while True:
            found = self.here.random(32).hex()
            if not found[:12].isdecimal():
                return found

    def now(self) -> str:
        return timestamp(self.here.time())

    # -- the lock ---------------------------------------------------------------------------
    async def lock(self) -> None:
        """Wait for our turn. A lock whose owner has ended is taken over."""
        self.here.mkdir(RUN)
        patience = 0.001
        while True:
            try:
                self.here.write(LOCK, str(self.here.pid), exclusive=True)
                return
            except KernelError as failure:
                if failure.errno != EEXIST:
                    raise
            owner = self._owner()
            if owner and not self.here.exists(f"/proc/{owner}"):
                self.unlock()
                continue
            await self.here.sleep(patience)
            patience = min(patience * 2, 0.05)

    def _owner(self) -> str:
        try:
            return self.here.read(LOCK).decode()
        except KernelError:
            return ""

    def unlock(self) -> None:
        try:
            self.here.remove(LOCK)
        except KernelError as failure:
            if failure.errno != ENOENT:
                raise


def find(records: list[Record], word: str, kind: str, missing: DaemonError) -> Record:
    """By whole id, by name, by the beginning of an id; in this order."""
    plain = word.removeprefix("/")
    for key in ("id", "name"):
        for record in records:
            if record[key] == plain:
                return record
    begins = [record for record in records if plain and record["id"].startswith(plain)]
    if len(begins) > 1:
        raise DaemonError(f"multiple IDs found with provided prefix: {word}", 400)
    if not begins:
        raise missing
    return begins[0]


def timestamp(seconds: float) -> str:
    """RFC 3339 with nanoseconds, as Go's time.RFC3339Nano: no zeros at the end."""
    whole = int(seconds)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{round((seconds - whole) * 1e9):09d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def seconds_of(text: str) -> float:
    """The inverse of `timestamp`."""
    base, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.strptime(base, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}")


def attached_path(container_id: str) -> str:
    """A file that is there while a `docker run` reads the container's output; it holds its process number."""
    return f"{RUN}/attached-{container_id[:12]}"


NEVER = "0001-01-01T00:00:00Z"
