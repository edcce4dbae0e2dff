"""Services: made, changed, rolled back, removed; and what `docker service inspect` tells of one."""

from __future__ import annotations

import copy
from typing import Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm import specs
from kubenet_course.docker.swarm.orchestrator import roll_back
from kubenet_course.docker.swarm.state import Swarm, new_id


def create(swarm: Swarm, spec: Record) -> Record:
    """Checked and remembered; its tasks come when dockerd looks at it."""
    specs.check(swarm, spec)
    networks = specs.attach_networks(swarm, spec)
    now = swarm.store.now()
    version = swarm.version()
    service = {
        "id": new_id(swarm.store), "name": spec["Name"], "created": now, "updated": now, "index": version,
        "task_version": version, "spec": spec, "previous": None, "update_status": None, "networks": networks,
        "ports": [], "vips": {}, "marks": {}, "backends": {}, "opened": {}, "next_step": 0.0, "removed": False,
    }  # fmt: skip
    specs.assign_ports(swarm, service)
    specs.assign_addresses(swarm, service)
    swarm.here["services"].append(service)
    swarm.save()
    return service


def change(swarm: Swarm, service: Record, spec: Record, force: bool = False) -> None:
    """Another specification. Tasks are replaced only where theirs is another one."""
    specs.check(swarm, spec, service)
    if spec["Mode"].keys() != service["spec"]["Mode"].keys():
        raise specs.rpc("Unimplemented", "service mode change is not allowed")
    networks = specs.attach_networks(swarm, spec)
    if force:
        spec["TaskTemplate"]["ForceUpdate"] = service["spec"]["TaskTemplate"]["ForceUpdate"] + 1
    old = service["spec"]
    dirty = any(old[key] != spec[key] for key in ("TaskTemplate", "EndpointSpec"))
    service.update(
        previous=old, spec=spec, networks=networks, updated=swarm.store.now(), index=swarm.version()
    )
    service["name"] = spec["Name"]
    specs.assign_ports(swarm, service)
    specs.assign_addresses(swarm, service)
    service["update_status"] = None
    if dirty:
        service["task_version"], service["next_step"] = service["index"], 0.0
        service["update_status"] = {
            "State": "updating",
            "StartedAt": swarm.store.now(),
            "Message": "update in progress",
        }
    swarm.save()


def back(swarm: Swarm, service: Record) -> None:
    """`docker service rollback`."""
    if not service["previous"]:
        raise specs.rpc("FailedPrecondition", f"service {service['id']} does not have a previous spec")
    roll_back(swarm, service, swarm.store.now())
    specs.assign_ports(swarm, service)
    specs.assign_addresses(swarm, service)
    swarm.save()


def remove(swarm: Swarm, word: str) -> None:
    swarm.service(word)["removed"] = True
    swarm.save()


def running(swarm: Swarm, service: Record) -> tuple[int, int]:
    """(tasks that run, tasks that there should be), the REPLICAS cell."""
    tasks = swarm.tasks_of(service)
    count = sum(task["state"] == "running" and task["desired"] == "running" for task in tasks)
    if "Global" in service["spec"]["Mode"]:
        return count, sum(task["desired"] in ("running", "ready") for task in tasks)
    return count, specs.replicas_of(service["spec"])


def inspect(swarm: Swarm, service: Record) -> dict[str, Any]:
    """The API's Service."""
    endpoint_spec = copy.deepcopy(service["spec"]["EndpointSpec"])
    found = {
        "ID": service["id"],
        "Version": {"Index": service["index"]},
        "CreatedAt": service["created"],
        "UpdatedAt": service["updated"],
        "Spec": service["spec"],
    }
    if service["previous"]:
        found["PreviousSpec"] = service["previous"]
    endpoint: dict[str, Any] = {"Spec": endpoint_spec}
    if service["ports"]:
        endpoint["Ports"] = service["ports"]
    networks = {one["id"]: one for one in swarm.networks()}
    vips = [
        {"NetworkID": key, "Addr": f"{vip}/{networks[key]['pools'][0]['Subnet'].partition('/')[2]}"}
        for key, vip in service["vips"].items()
        if key in networks
    ]
    if vips:
        endpoint["VirtualIPs"] = vips
    found["Endpoint"] = endpoint
    if service["update_status"]:
        found["UpdateStatus"] = service["update_status"]
    return found


def inspect_task(swarm: Swarm, task: Record) -> dict[str, Any]:
    """The API's Task."""
    container = next((one for one in swarm.store.containers() if one["id"] == task["container"]), None)
    status: dict[str, Any] = {
        "Timestamp": task["updated"],
        "State": task["state"],
        "Message": "started" if task["state"] == "running" else task["state"],
    }
    if task["error"]:
        status["Err"] = task["error"]
    if task["container"]:
        state = container["state"] if container else {"Pid": 0, "ExitCode": 0}
        status["ContainerStatus"] = {
            "ContainerID": task["container"],
            "PID": state["Pid"],
            "ExitCode": state["ExitCode"],
        }
    status["PortStatus"] = {}
    networks = {one["id"]: one for one in swarm.networks()}
    attachments = [
        {
            "Network": {
                "ID": key,
                "Spec": {"Name": networks[key]["name"], "Labels": networks[key]["labels"]},
                "DriverState": {"Name": "overlay", "Options": networks[key]["options"]},
                "IPAMOptions": {"Driver": {"Name": "default"}, "Configs": networks[key]["pools"]},
            },
            "Addresses": [f"{address}/{networks[key]['pools'][0]['Subnet'].partition('/')[2]}"],
        }
        for key, address in task["addresses"].items()
        if key in networks
    ]
    found: dict[str, Any] = {
        "ID": task["id"],
        "Version": {"Index": task["index"]},
        "CreatedAt": task["created"],
        "UpdatedAt": task["updated"],
        "Labels": {},
        "Spec": task["spec"],
        "ServiceID": task["service"],
    }
    if not task.get("global"):
        found["Slot"] = task["slot"]
    found |= {"NodeID": task["node"], "Status": status, "DesiredState": task["desired"]}
    if attachments:
        found["NetworksAttachments"] = attachments
    return found


def find_task(swarm: Swarm, word: str) -> Record:
    found = [task for task in swarm.tasks if task["id"] == word or (word and task["id"].startswith(word))]
    if len(found) != 1:
        raise DaemonError(f"task {word} not found", 404)
    return found[0]


def inspect_node(swarm: Swarm) -> dict[str, Any]:
    """The API's Node."""
    node = swarm.node
    return {
        "ID": node["id"],
        "Version": {"Index": node["version"]},
        "CreatedAt": node["created"],
        "UpdatedAt": node["updated"],
        "Spec": {"Labels": node["labels"], "Role": "manager", "Availability": node["availability"]},
        "Description": {
            "Hostname": node["hostname"],
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2 * specs.SECOND, "MemoryBytes": 4 << 30},
            "Engine": {
                "EngineVersion": "28.5.2",
                "Plugins": [
                    {"Type": "Log", "Name": "json-file"},
                    *(
                        {"Type": "Network", "Name": name}
                        for name in ("bridge", "host", "ipvlan", "macvlan", "null", "overlay")
                    ),
                    {"Type": "Volume", "Name": "local"},
                ],
            },
        },
        "Status": {"State": "ready", "Addr": node["addr"]},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": node["manager_addr"]},
    }
