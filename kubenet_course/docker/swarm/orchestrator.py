"""Tasks: which there should be, which there are, and what brings the one to the other.

    new ─► (ready: waits for its restart delay) ─► preparing ─► starting ─► running ─► shutdown | complete | failed
    pending: no node suits       rejected: it cannot be started at all

One `round` looks at everything, starts what is due, and says which containers have to end and when to look
again. A task that is over keeps its record, and its container, for a while (task history).

Source: swarmkit manager/orchestrator (replicated, global, restart, update), agent/exec; moby executor/container.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record, seconds_of
from kubenet_course.docker.swarm import specs
from kubenet_course.docker.swarm.balancer import Balancers
from kubenet_course.docker.swarm.containers import create_container
from kubenet_course.docker.swarm.specs import SECOND
from kubenet_course.docker.swarm.state import OVER, Swarm, mark_task, new_id

if TYPE_CHECKING:
    from kubenet_course.docker.engine import Engine

UNSUITED = "no suitable node (scheduling constraints not satisfied on 1 node)"
UNAVAILABLE = "no suitable node (1 node not available for new tasks)"
NO_INGRESS = "service needs ingress network, but no ingress network is present"
CROWDED = "no suitable node (max replicas per node limit exceed)"


class Orchestrator:
    """One round of work. The caller holds the engine's lock."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.store = engine.store
        self.swarm = Swarm(engine.store)
        self.balancers = Balancers(engine, self.swarm)
        self.networks = {one["id"]: one for one in self.swarm.networks()} if self.swarm.active else {}
        self.containers = {one["id"]: one for one in self.store.containers()}
        self.next: float | None = None

    @property
    def now(self) -> float:
        return self.store.here.time()

    async def round(self) -> tuple[list[str], float | None]:
        """(containers that have to end, seconds until the next round or None)."""
        for task in self.swarm.tasks:
            await self._observe(task)
        for service in self.swarm.services:
            self._update(service)
            self._plan(service)
        services = {one["id"]: one for one in self.swarm.every_service}
        for task in self.swarm.tasks:
            if services[task["service"]]["removed"]:
                task["desired"] = "remove"
        ending = []
        for task in list(self.swarm.tasks):
            service = services[task["service"]]
            if task["desired"] in ("running", "ready") and task["state"] in ("new", "pending", "ready"):
                await self._start(service, task)
            elif task["desired"] in ("shutdown", "remove") and task["state"] not in OVER:
                await self._quiesce(service, task)
                if (
                    task["container"] in self.containers
                    and self.containers[task["container"]]["state"]["Running"]
                ):
                    ending.append(task["container"])
                else:
                    await self._over(service, task, "shutdown")
        self._forget_old(services)
        await self._idle_networks()
        self.swarm.save()
        return ending, self.next

    def _at(self, moment: float) -> None:
        wait = max(0.0, moment - self.now)
        self.next = wait if self.next is None else min(self.next, wait)

    # -- what has happened ------------------------------------------------------------------
    async def _observe(self, task: Record) -> None:
        """A task whose container has ended is over."""
        if task["state"] not in ("running", "starting", "preparing"):
            return
        container = self.containers.get(task["container"])
        if container is not None and container["state"]["Running"]:
            return
        service: Record | None = next(
            (one for one in self.swarm.every_service if one["id"] == task["service"]), None
        )
        status = container["state"]["ExitCode"] if container is not None else 137
        if task["desired"] in ("shutdown", "remove"):
            await self._over(service, task, "shutdown")
        elif status:
            await self._over(service, task, "failed", f"task: non-zero exit ({status})")
        else:
            await self._over(service, task, "complete")
        if task["desired"] == "running":
            task["desired"] = "shutdown"
            if service is not None:
                self._again(service, task)

    async def _over(self, service: Record | None, task: Record, state: str, error: str = "") -> None:
        if service is not None:
            for key, address in task["addresses"].items():
                if key in self.networks:
                    await self.balancers.remove(self.networks[key], service, address)
        mark_task(task, state, self.store.now(), error)

    async def _quiesce(self, service: Record | None, task: Record) -> None:
        if service is not None:
            for key, address in task["addresses"].items():
                if key in self.networks:
                    await self.balancers.quiesce(self.networks[key], service, address)

    def _again(self, service: Record, task: Record) -> None:
        """A new task in the place of one that has ended, as the restart policy says."""
        policy = service["spec"]["TaskTemplate"]["RestartPolicy"]
        if policy["Condition"] == "none" or (
            policy["Condition"] == "on-failure" and task["state"] == "complete"
        ):
            return
        most = policy.get("MaxAttempts") or 0
        if most:
            window = policy.get("Window") or 0
            since = self.now - window / SECOND if window else 0.0
            same = [
                one
                for one in self.swarm.tasks_of(service)
                if one["slot"] == task["slot"] and one["restart"] and seconds_of(one["created"]) >= since
            ]
            if len(same) >= most:
                return
        fresh = self._new_task(service, task["slot"])
        fresh.update(restart=True, desired="ready", state="ready", node=self.swarm.node["id"])
        fresh["start_at"] = self.now + policy["Delay"] / SECOND
        self._updated_failed(service, task)

    # -- what there should be -----------------------------------------------------------------
    def _wanted(self, service: Record) -> list[Record]:
        return [task for task in self.swarm.tasks_of(service) if task["desired"] in ("running", "ready")]

    def _plan(self, service: Record) -> None:
        """As many slots as replicas; who is too many goes, the highest slots first."""
        there = self._wanted(service)
        count = specs.replicas_of(service["spec"])
        drained = self.swarm.node["availability"] == "drain"
        is_global = "Global" in service["spec"]["Mode"]
        if is_global and (drained or not self._suits(service)):
            count = 0
        if drained:
            for task in there:
                if task["state"] not in ("new", "pending"):
                    task["desired"] = "shutdown"
                    if not is_global:
                        self._new_task(service, task["slot"])
            there = self._wanted(service)
        for task in sorted(there, key=lambda one: int(one["slot"]))[count:]:
            task["desired"] = "remove"
        used = {task["slot"] for task in there}
        ended = {task["slot"] for task in self.swarm.tasks_of(service) if self._gave_up(service, task)}
        slot = 1
        while len(used | ended) < count:
            if slot not in used and slot not in ended:
                self._new_task(service, slot)
                used.add(slot)
            slot += 1

    def _gave_up(self, service: Record, task: Record) -> bool:
        """The restart policy leaves this slot empty."""
        last = max(
            (one for one in self.swarm.tasks_of(service) if one["slot"] == task["slot"]),
            key=lambda one: int(one["index"]),
        )
        return (
            last is task
            and task["desired"] == "shutdown"
            and task["state"] in ("complete", "failed", "rejected")
            and task["version"] == service["task_version"]
        )

    def _suits(self, service: Record) -> bool:
        return specs.suits(
            self.swarm.node, service["spec"]["TaskTemplate"]["Placement"].get("Constraints") or []
        )

    def _new_task(self, service: Record, slot: int) -> Record:
        now = self.store.now()
        task = {
            "id": new_id(self.store), "service": service["id"], "name": service["spec"]["Name"], "slot": slot,
            "created": now, "updated": now, "state": "new", "desired": "running", "error": "", "container": "",
            "image": service["spec"]["TaskTemplate"]["ContainerSpec"]["Image"], "addresses": {},
            "version": service["task_version"], "start_at": 0.0, "restart": False, "node": "",
            "spec": copy.deepcopy(service["spec"]["TaskTemplate"]), "index": self.swarm.version(),
            "global": "Global" in service["spec"]["Mode"],
        }  # fmt: skip
        self.swarm.tasks.append(task)
        return task

    # -- rolling updates ----------------------------------------------------------------------
    def _update(self, service: Record) -> None:
        """Replace tasks of an older specification, a few at a time."""
        outdated = [task for task in self._wanted(service) if task["version"] != service["task_version"]]
        status = service["update_status"]
        if not outdated:
            if status and status["State"] in ("updating", "rollback_started"):
                if all(task["state"] == "running" for task in self._wanted(service)):
                    rolled = status["State"] == "rollback_started"
                    status["State"] = "rollback_completed" if rolled else "completed"
                    status["Message"] = f"{'rollback' if rolled else 'update'} completed"
                    status["CompletedAt"] = self.store.now()
            return
        if status and status["State"] in ("paused", "rollback_paused"):
            return
        back = bool(status) and status["State"].startswith("rollback")
        config = service["spec"]["RollbackConfig" if back else "UpdateConfig"]
        if service["next_step"] > self.now:
            self._at(service["next_step"])
            return
        fresh = [task for task in self._wanted(service) if task["version"] == service["task_version"]]
        if any(task["state"] != "running" for task in fresh):
            return
        for task in sorted(outdated, key=lambda one: int(one["slot"]))[
            : config["Parallelism"] or len(outdated)
        ]:
            task["desired"] = "shutdown"
            self._new_task(service, task["slot"])
        service["next_step"] = self.now + config.get("Delay", 0) / SECOND

    def _updated_failed(self, service: Record, task: Record) -> None:
        """A new task has failed while an update goes on: it stops there, goes on, or goes back."""
        status = service["update_status"]
        if (
            not status
            or status["State"] not in ("updating", "rollback_started")
            or task["version"] != service["task_version"]
        ):
            return
        back = status["State"] == "rollback_started"
        action = service["spec"]["RollbackConfig" if back else "UpdateConfig"]["FailureAction"]
        if action == "continue":
            return
        said = f"due to failure or early termination of task {task['id']}"
        if action == "rollback" and not back and service["previous"]:
            roll_back(self.swarm, service, self.store.now())
            service["update_status"]["Message"] = f"update rolled back {said}"
            return
        status["State"] = "rollback_paused" if back else "paused"
        status["Message"] = f"{'rollback' if back else 'update'} paused {said}"

    # -- starting ---------------------------------------------------------------------------
    async def _start(self, service: Record, task: Record) -> None:
        waits = task["start_at"] > self.now
        if waits:
            self._at(task["start_at"])
            return
        older = [
            one
            for one in self.swarm.tasks_of(service)
            if one is not task and one["slot"] == task["slot"] and one["state"] not in OVER
        ]
        if older:  # stop-first: its predecessor still runs
            return
        problem = self._unplaced(service)
        if problem:
            if task["state"] != "pending":
                mark_task(task, "pending", self.store.now())
            task["error"] = problem
            return
        task.update(desired="running", error="", node=self.swarm.node["id"])
        self._give_addresses(service, task)
        for key in task["addresses"]:
            await self.balancers.ensure(self.networks[key])
        mark_task(task, "preparing", self.store.now())
        self.swarm.save()
        try:
            record = create_container(self.engine, self.swarm, service, task)
        except DaemonError as problem_found:
            await self._failed(service, task, "rejected", problem_found.message)
            return
        task["container"] = record["id"]
        mark_task(task, "starting", self.store.now())
        self.swarm.save()
        try:
            await self.engine.start(record)
        except DaemonError as problem_found:
            await self._failed(service, task, "failed", f"starting container failed: {problem_found.message}")
            return
        self.containers[record["id"]] = record
        mark_task(task, "running", self.store.now())
        for key, address in task["addresses"].items():
            await self.balancers.add(self.networks[key], service, address)
        self.swarm.save()

    def _unplaced(self, service: Record) -> str:
        if self.swarm.node["availability"] != "active":
            return UNAVAILABLE
        if not self._suits(service):
            return UNSUITED
        if self.swarm.ingress() is None and any(
            port["PublishMode"] == "ingress" for port in service["ports"]
        ):
            return NO_INGRESS
        most = service["spec"]["TaskTemplate"]["Placement"].get("MaxReplicas") or 0
        if most and sum(task["state"] == "running" for task in self.swarm.tasks_of(service)) >= most:
            return CROWDED
        return ""

    def _give_addresses(self, service: Record, task: Record) -> None:
        specs.assign_addresses(self.swarm, service)
        wanted = list(service["networks"])
        ingress = self.swarm.ingress()
        if ingress is not None and any(port["PublishMode"] == "ingress" for port in service["ports"]):
            wanted.insert(0, ingress["id"])
        for key in wanted:
            if key not in task["addresses"] and key in self.networks:
                task["addresses"][key] = self.swarm.allocate(self.networks[key])

    async def _failed(self, service: Record, task: Record, state: str, error: str) -> None:
        await self._over(service, task, state, error)
        task["desired"] = "shutdown"
        self._again(service, task)
        for other in self._wanted(service):
            if other["start_at"]:
                self._at(other["start_at"])

    # -- tidying up -------------------------------------------------------------------------
    def _forget_old(self, services: dict[str, Record]) -> None:
        """Tasks of services that are gone, and beyond the task history limit of a slot; their containers too."""
        kept: list[Record] = []
        counts: dict[tuple[str, int], int] = {}
        for task in reversed(self.swarm.tasks):
            place = task["service"], task["slot"]
            counts[place] = counts.get(place, 0) + 1
            old = task["desired"] == "remove" or services[task["service"]]["removed"]
            if task["state"] in OVER and (old or counts[place] > max(1, self.swarm.here["history"])):
                container = self.containers.get(task["container"])
                if container is not None and not container["state"]["Running"]:
                    self.engine.remove(container)
                continue
            kept.insert(0, task)
        self.swarm.here["tasks"] = kept
        busy = {task["service"] for task in kept}
        self.swarm.here["services"] = [
            one for one in self.swarm.every_service if not one["removed"] or one["id"] in busy
        ]

    async def _idle_networks(self) -> None:
        """A network that nobody on this node is in any more has no load balancer either."""
        for key in list(self.swarm.here["balancers"]):
            network = self.networks.get(key)
            if network is None or network.get("ingress"):
                continue
            if not any(
                one["state"]["Running"] and "number" in one
                for one, _ in self.engine.networks.endpoints(network)
            ):
                await self.balancers.take_down(network)


def roll_back(swarm: Swarm, service: Record, now: str) -> None:
    """The service's previous specification is its specification again."""
    service["spec"], service["previous"] = service["previous"], None
    service["task_version"] = service["index"] = swarm.version()
    service["updated"] = now
    service["update_status"] = {
        "State": "rollback_started",
        "StartedAt": now,
        "Message": "rollback in progress",
    }
