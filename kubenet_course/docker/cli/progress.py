"""What `docker service create`, `scale` and `update` print while tasks come up.

To a file or a notebook, as here, docker prints a line each time it looks, five times a second.
Source: docker/cli service/progress/progress.go.
"""

from __future__ import annotations

import math
from typing import Any

from kubenet_course.docker.cli import Session
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm import specs
from kubenet_course.docker.swarm.agent import knock
from kubenet_course.docker.swarm.state import OVER, Swarm

LOOK_SECONDS = 0.2
MOST_BARS = 20
MOST_ERROR = 100
ORDER = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running", "complete")


async def follow(session: Session, service_id: str, shown: str, options: dict[str, Any]) -> int:
    """Wake dockerd, and wait until the service has come to rest (at once with --detach)."""
    await knock(session.here)
    if options.get("detach"):
        return 0
    quiet = options.get("quiet", False)
    say = (lambda text: None) if quiet else session.line
    begun = False
    calm_since: float | None = None
    while True:
        swarm = Swarm(session.engine.store)
        service = next((one for one in swarm.services if one["id"] == service_id), None)
        if service is None:
            session.err(f"Error response from daemon: service {service_id} not found\n")
            return 1
        status = service["update_status"] or {"State": ""}
        if status["State"] in ("paused", "rollback_paused"):
            kind = "rollback" if status["State"].startswith("rollback") else "update"
            session.err(f"service {kind} paused: {status['Message']}\n")
            return 1
        good, wanted, lines = _state(swarm, service, begun)
        now = session.here.time()
        converged = good == wanted and status["State"] not in ("updating", "rollback_started")
        if not converged or calm_since is None:
            for line in lines:
                say(line)
            begun = True
        if not converged:
            calm_since = None
        else:
            calm_since = now if calm_since is None else calm_since
            monitor = (service["spec"]["UpdateConfig"]["Monitor"] or 5 * specs.SECOND) / specs.SECOND
            left = monitor - (now - calm_since)
            if left <= 1e-9:
                break
            say(f"verify: Waiting {math.ceil(left - 1e-9)} seconds to verify that tasks are stable...")
        await session.here.sleep(LOOK_SECONDS)
    if status["State"] == "rollback_completed":
        say(f"rollback: {status['Message']}")
    say(f"verify: Service {shown} converged")
    return 0


def _state(swarm: Swarm, service: Record, begun: bool) -> tuple[int, int, list[str]]:
    """(tasks that are as they should be, how many there should be, lines to print)."""
    tasks = swarm.tasks_of(service)
    slots: dict[int, Record] = {}
    for task in tasks:
        if task["desired"] in ("shutdown", "remove"):
            continue
        slots[task["slot"]] = task
    is_global = "Global" in service["spec"]["Mode"]
    wanted = len(slots) if is_global else specs.replicas_of(service["spec"])
    fresh = [task for task in slots.values() if task["version"] == service["task_version"]]
    leaving = [task for task in tasks if task["desired"] == "remove" and task["state"] not in OVER]
    good = sum(task["state"] == "running" for task in fresh) - (1 if leaving else 0)
    shown = good if not leaving else good + 1
    lines = [f"overall progress: {shown} out of {wanted} tasks"]
    if wanted <= MOST_BARS and not is_global:
        if not begun:
            lines += [f"{number}/{wanted}:  " for number in range(1, wanted + 1)]
        for number, slot in enumerate(sorted(slots), 1):
            error = slots[slot]["error"]
            if error:
                lines.append(f"{number}/{wanted}: {error[:MOST_ERROR]}")
    return good, wanted, lines
