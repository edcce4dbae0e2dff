"""Making a container: names, ids, its record and its files. `engine.Engine` starts it."""

from __future__ import annotations

import re

from kubenet_course.docker import config as daemon_config
from kubenet_course.docker import events, images, names
from kubenet_course.docker.endpoints import endpoint_problems
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.networks import PREDEFINED, Networks
from kubenet_course.docker.publish import Publisher
from kubenet_course.docker.sandbox import Sandbox
from kubenet_course.docker.store import LAYERS, NEVER, Record, Store
from kubenet_course.userland.surroundings import Surroundings

NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")


def new_state() -> Record:
    return {
        "Status": "created",
        "Running": False,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 0,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": NEVER,
        "FinishedAt": NEVER,
    }


class Creator:
    """The engine's parts, and containers that do not run yet."""

    def __init__(self, here: Surroundings):
        self.here = here
        self.store = Store(here)
        self.images = images.ImageStore(self.store)
        self.config = daemon_config.load(here)
        self.firewall = Firewall(here, self.config)
        self.networks = Networks(self.store, self.config, self.firewall)
        self.sandbox = Sandbox(self.store, self.networks, self.firewall)
        self.publisher = Publisher(self.store, self.networks, self.firewall)

    def create(self, wanted: Record) -> Record:
        """A container from `wanted`: name, image (a record), spec (an Image), path, args, config, host_config,
        endpoints, mounts. It is remembered, not started."""
        containers = self.store.containers()
        name = self.free_name(wanted["name"], containers)
        container_id = self.store.new_id()
        config, host = wanted["config"], wanted["host_config"]
        if not config["Hostname"]:
            config["Hostname"] = self._hostname(host["NetworkMode"], container_id)
        if host["NetworkMode"].startswith("container:"):
            other = self.store.container(host["NetworkMode"].partition(":")[2])
            host["NetworkMode"] = f"container:{other['id']}"
        self.check_endpoints(wanted["endpoints"])
        record = {
            "id": container_id,
            "name": name,
            "number": max((one["number"] for one in containers), default=0) + 1,
            "created": self.store.now(),
            "image_id": wanted["image"]["id"],
            "image_of": wanted["spec"].repository,
            "path": wanted["path"],
            "args": wanted["args"],
            "config": config,
            "host_config": host,
            "state": new_state(),
            "sandbox": {"id": "", "key": "", "own": False},
            "endpoints": wanted["endpoints"],
            "bindings": [],
            "resolver": 0,
            "dns_servers": [],
            "mounts": wanted["mounts"],
            "restarts": 0,
            "stopped": False,
        }
        for endpoint in record["endpoints"].values():
            self.dns_names(record, endpoint)
        self._layer(record, wanted["spec"])
        self.store.save(record)
        events.of_container(self.store, record, "create")
        return record

    def free_name(self, wanted: str, containers: list[Record]) -> str:
        if not wanted:
            used = {one["name"] for one in containers}
            for retry in range(100):
                found = names.pick(self.here.random(4), retry // 6)
                if found not in used:
                    return found
        plain = wanted.removeprefix("/")
        if not NAME.match(plain):
            raise DaemonError(
                f"Invalid container name ({wanted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", 400
            )
        for other in containers:
            if other["name"] == plain:
                raise DaemonError(
                    f'Conflict. The container name "/{plain}" is already in use by container "{other["id"]}". '
                    "You have to remove (or rename) that container to be able to reuse that name.",
                    409,
                )
        return plain

    def _hostname(self, mode: str, container_id: str) -> str:
        if mode == "host":
            return self.here.read("/proc/sys/kernel/hostname").decode().strip()
        if mode.startswith("container:"):
            return str(self.store.container(mode.partition(":")[2])["config"]["Hostname"])
        return container_id[:12]

    def check_endpoints(self, endpoints: dict[str, Record]) -> None:
        for name, endpoint in endpoints.items():
            problems = endpoint_problems(endpoint, name in PREDEFINED)
            if problems:
                raise DaemonError(
                    f"invalid config for network {name}: invalid endpoint settings:\n" + "\n".join(problems),
                    400,
                )

    def dns_names(self, record: Record, endpoint: Record) -> None:
        """What others in a user-defined network may call it."""
        if endpoint["network"] in PREDEFINED:
            return
        own = [record["name"], *endpoint["aliases"], record["id"][:12]]
        if record["config"]["Hostname"] != record["id"][:12]:
            own.append(record["config"]["Hostname"])
        endpoint["dns_names"] = list(dict.fromkeys(own))

    def _layer(self, record: Record, image: images.Image) -> None:
        """The container's own folders, with the image's files in them."""
        layer = f"{LAYERS}/{record['id']}/diff"
        for path in (*images.FOLDERS, *image.folders):
            self.here.mkdir(layer + path)
        for path, text in image.files.items():
            self.store.write(layer + path, text)
