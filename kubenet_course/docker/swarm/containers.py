"""A task's container: from its specification to a container's record.

Source: moby daemon/cluster/executor/container/container.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm.specs import SECOND
from kubenet_course.docker.swarm.state import Swarm

if TYPE_CHECKING:
    from kubenet_course.docker.engine import Engine


def create_container(engine: Engine, swarm: Swarm, service: Record, task: Record) -> Record:
    """Created, not started. DaemonError where the image or an option is wrong."""
    from kubenet_course.docker.cli import Session
    from kubenet_course.docker.cli.run import wanted_container

    spec = task["spec"]["ContainerSpec"]
    reference = spec["Image"].partition("@")[0]
    found = engine.images.find(reference)
    if found is None:
        try:
            engine.images.pull(reference)
        except DaemonError:  # the pull's own reason stays in dockerd's log
            raise DaemonError(f"No such image: {spec['Image']}", 404) from None
        found = engine.images.find(reference)
    if found is None:
        raise DaemonError(f"No such image: {spec['Image']}", 404)
    record, image = found
    session = Session(engine.here, "docker service create")
    session.use(engine)
    options, words = _options(swarm, service, task), list(spec.get("Args") or [])
    if spec.get("Command"):
        options["entrypoint"], words = spec["Command"][0], [*spec["Command"][1:], *words]
    wanted = wanted_container(session, options, [reference, *words], record, image)
    wanted["config"]["Image"] = spec["Image"]
    networks = {one["id"]: one for one in swarm.networks()}
    names = {networks[key]["name"]: key for key in task["addresses"]}
    for name, endpoint in wanted["endpoints"].items():
        if name in names:
            endpoint["network_id"] = names[name]
            endpoint["ipam_config"] = {"IPv4Address": task["addresses"][names[name]]}
    created = engine.create(wanted)
    ingress = swarm.ingress()
    created["ingress"] = {
        "network": ingress["id"] if ingress else "",
        "ports": [port for port in service["ports"] if port["PublishMode"] == "ingress"],
    }
    engine.store.save(created)
    return created


def full_name(task: Record) -> str:
    return f"{task['name']}.{task['node'] if task.get('global') else task['slot']}.{task['id']}"


def _options(swarm: Swarm, service: Record, task: Record) -> dict[str, Any]:
    """The task as options of `docker run`."""
    spec = task["spec"]["ContainerSpec"]
    labels = {
        **(spec.get("Labels") or {}),
        "com.docker.swarm.node.id": task["node"],
        "com.docker.swarm.service.id": service["id"],
        "com.docker.swarm.service.name": service["spec"]["Name"],
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": task["id"],
        "com.docker.swarm.task.name": full_name(task),
    }
    networks = {one["id"]: one for one in swarm.networks()}
    chosen = [networks[key]["name"] for key in task["addresses"]]
    options: dict[str, Any] = {
        "name": full_name(task),
        "label": [f"{key}={value}" for key, value in sorted(labels.items())],
        "env": _filled(spec.get("Env") or [], swarm, service, task),
        "hostname": "".join(_filled([spec.get("Hostname", "")], swarm, service, task)),
        "network": sorted(chosen) or ["default"],
        "volume": [_volume(mount) for mount in spec.get("Mounts") or []],
        "add-host": [":".join(reversed(line.split(" ", 1))) for line in spec.get("Hosts") or []],
        "dns": (spec.get("DNSConfig") or {}).get("Nameservers") or [],
        "dns-search": (spec.get("DNSConfig") or {}).get("Search") or [],
        "dns-option": (spec.get("DNSConfig") or {}).get("Options") or [],
        "publish": [
            f"{port['PublishedPort'] or ''}:{port['TargetPort']}/{port['Protocol']}".removeprefix(":")
            for port in service["ports"]
            if port["PublishMode"] == "host"
        ],
        "tty": spec.get("TTY", False),
        "detach": True,
    }
    if spec.get("Dir"):
        options["workdir"] = spec["Dir"]
    if spec.get("StopSignal"):
        options["stop-signal"] = spec["StopSignal"]
    options["stop-timeout"] = int(spec.get("StopGracePeriod", 10 * SECOND) / SECOND)
    return options


def _volume(mount: Record) -> str:
    text = f"{mount['Source']}:{mount['Target']}" if mount.get("Source") else mount["Target"]
    return f"{text}:ro" if mount.get("ReadOnly") and mount.get("Source") else text


def _filled(texts: list[str], swarm: Swarm, service: Record, task: Record) -> list[str]:
    """{{.Node.Hostname}} and its like in an environment or a host name."""
    from kubenet_course.docker.templates import Template

    facts = {
        "Service": {
            "ID": service["id"],
            "Name": service["spec"]["Name"],
            "Labels": service["spec"]["Labels"],
        },
        "Node": {
            "ID": task["node"],
            "Hostname": swarm.node["hostname"],
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
        },
        "Task": {"ID": task["id"], "Name": full_name(task), "Slot": task["slot"]},
    }
    return [Template(text).render(facts) if "{{" in text else text for text in texts]
