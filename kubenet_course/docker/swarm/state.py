"""What a swarm's manager remembers, in one file; and the addresses that it gives away.

    /var/lib/docker/swarm/state.json

Keys of a task: id, service, slot, created, updated (when `state` came about), state, desired, error, container,
addresses {network id: address}, image, version (of the service's specification), start_at (seconds, or 0).
Addresses are given in turn: one that was given back is not used again until the subnet's end is reached.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import SWARM, Record, Store

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
NO_SWARM = (
    "This node is not a swarm manager. Use "
    '"docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
)
TASK_LABEL = "com.docker.swarm.task.id"
#: States of a task that is over.
OVER = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


def new_id(store: Store) -> str:
    """25 digits and small letters (swarmkit identity.NewID)."""
    return base36(int.from_bytes(store.here.random(16), "big"), 25)


def base36(number: int, width: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")[-width:]


class Swarm:
    """The manager's state. The caller holds the engine's lock and saves."""

    def __init__(self, store: Store):
        self.store = store
        self.data: Record | None = store.read_json(SWARM, None)

    @property
    def active(self) -> bool:
        return self.data is not None

    @property
    def here(self) -> Record:
        """The whole state; DaemonError outside a swarm."""
        self.require()
        assert self.data is not None
        return self.data

    def require(self) -> None:
        """DaemonError where this machine is in no swarm."""
        if self.data is None:
            raise DaemonError(NO_SWARM, 503)

    def save(self) -> None:
        self.store.write_json(SWARM, self.here)

    def forget(self) -> None:
        self.data = None
        self.store.remove_tree(SWARM.rpartition("/")[0])

    # -- objects ----------------------------------------------------------------------------
    @property
    def node(self) -> Record:
        found: Record = self.here["node"]
        return found

    @property
    def services(self) -> list[Record]:
        """Those that are not being removed."""
        return [one for one in self.every_service if not one["removed"]]

    @property
    def every_service(self) -> list[Record]:
        found: list[Record] = self.here["services"]
        return found

    @property
    def tasks(self) -> list[Record]:
        found: list[Record] = self.here["tasks"]
        return found

    def tasks_of(self, service: Record) -> list[Record]:
        return [task for task in self.tasks if task["service"] == service["id"]]

    def service(self, word: str) -> Record:
        """By id, by name, by the beginning of an id."""
        found = lookup(self.services, word, "service")
        if found is None:
            raise DaemonError(f"service {word} not found", 404)
        return found

    def find_node(self, word: str) -> Record:
        names = (self.node["id"], self.node["hostname"], "self")
        if word not in names and not (word and self.node["id"].startswith(word)):
            raise DaemonError(f"node {word} not found", 404)
        return self.node

    def version(self) -> int:
        """The next number of a change (raft's index)."""
        self.here["index"] += 1
        return int(self.here["index"])

    def networks(self) -> list[Record]:
        return [one for one in self.store.networks() if one.get("scope") == "swarm"]

    def ingress(self) -> Record | None:
        return next((one for one in self.networks() if one.get("ingress")), None)

    # -- addresses --------------------------------------------------------------------------
    def allocate(self, network: Record, wanted: str = "") -> str:
        """An address of the network's first IPv4 subnet."""
        taken = self.taken(network)
        if wanted:
            if wanted in taken:
                raise DaemonError("Address already in use", 403)
            return wanted
        subnet = ipaddress.ip_network(network["pools"][0].get("IPRange") or network["pools"][0]["Subnet"])
        first, last = int(subnet.network_address) + 1, int(subnet.broadcast_address) - 1
        cursor = self.here["cursor"].get(network["id"], first - 1)
        count = last - first + 1
        for step in range(count):
            number = first + (cursor - first + 1 + step) % count
            text = str(ipaddress.ip_address(number))
            if text not in taken:
                self.here["cursor"][network["id"]] = number
                return text
        raise DaemonError(
            f"could not find an available IP while allocating VIP for network {network['name']}", 500
        )

    def taken(self, network: Record) -> set[str]:
        key = network["id"]
        found = {pool["Gateway"] for pool in network["pools"] if pool.get("Gateway")}
        for pool in network["pools"]:
            found.update((pool.get("AuxiliaryAddresses") or {}).values())
        found.update(service["vips"][key] for service in self.every_service if key in service["vips"])
        found.update(
            task["addresses"][key]
            for task in self.tasks
            if key in task["addresses"] and task["state"] not in OVER
        )
        if key in self.here["balancers"]:
            found.add(self.here["balancers"][key]["address"])
        for container in self.store.containers():
            found.update(end["ip"] for end in container["endpoints"].values() if end["network_id"] == key)
        return found - {""}


def lookup(records: list[Record], word: str, kind: str) -> Record | None:
    for key in ("id", "name"):
        for record in records:
            if record[key] == word:
                return record
    begins = [record for record in records if word and record["id"].startswith(word)]
    if len(begins) > 1:
        raise DaemonError(f"{kind} {word} is ambiguous ({len(begins)} matches found)", 400)
    return begins[0] if begins else None


def mark_task(task: Record, state: str, now: str, error: str = "") -> None:
    """The task is in this state from now on."""
    task["state"], task["updated"] = state, now
    if error:
        task["error"] = error


def new_state(store: Store, node: Record, pools: list[str], size: int, port: int) -> Record:
    digest = base36(int.from_bytes(store.here.random(32), "big"), 50)

    def token() -> str:
        return f"SWMTKN-1-{digest}-{base36(int.from_bytes(store.here.random(16), 'big'), 25)}"

    data: dict[str, Any] = {
        "id": new_id(store),
        "created": store.now(),
        "node": node,
        "tokens": {"worker": token(), "manager": token()},
        "peer": store.here.random(6).hex(),
        "pools": pools,
        "pool_size": size,
        "data_port": port,
        "history": 5,
        "index": 10,
        "mark": 256,
        "vni": 4096,
        "cursor": {},
        "services": [],
        "tasks": [],
        "balancers": {},
    }
    return data
