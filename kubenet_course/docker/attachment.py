"""docker network connect and disconnect, also while the container runs."""

from __future__ import annotations

from kubenet_course.docker import events
from kubenet_course.docker.engine import CONFIGURATION, Engine
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record


async def connect(engine: Engine, record: Record, network: Record, endpoint: Record) -> None:
    """`docker network connect`."""
    if network["name"] in record["endpoints"]:
        raise DaemonError(
            f"endpoint with name {record['name']} already exists in network {network['name']}", 403
        )
    if "host" in record["endpoints"] or network["name"] == "host":
        raise DaemonError(
            "container cannot be disconnected from host network or connected to host network"
            if "host" in record["endpoints"]
            else "cannot connect container to host network - container must be created in host network mode",
            403,
        )
    if record["host_config"]["NetworkMode"].startswith("container:"):
        raise DaemonError(
            "container sharing network namespace with another container or host cannot be connected to any other network",
            400,
        )
    if network.get("config_only"):
        raise DaemonError(CONFIGURATION, 403)
    engine.check_endpoints({network["name"]: endpoint})
    if "none" in record["endpoints"] or (network["name"] == "none" and record["endpoints"]):
        raise DaemonError(
            "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            403,
        )
    engine.dns_names(record, endpoint)
    if record["state"]["Running"]:
        engine.check_address(network, endpoint)
        await engine.balance(record, network)
        await engine.sandbox.attach(record, network, endpoint)
        events.of_network(engine.store, network, "connect", record["id"])
    record["endpoints"][network["name"]] = endpoint
    await _changed(engine, record)


async def disconnect(engine: Engine, record: Record, network: Record, force: bool = False) -> None:
    endpoint = record["endpoints"].get(network["name"])
    if network["name"] == "host":
        raise DaemonError(
            "container cannot be disconnected from host network or connected to host network", 403
        )
    if endpoint is None:
        raise DaemonError(f"container {record['id']} is not connected to network {network['name']}", 403)
    await engine.publisher.close(record, network, network["name"])
    there = bool(endpoint["endpoint_id"])
    await engine.sandbox.detach(record, network, endpoint)
    if there:
        events.of_network(engine.store, network, "disconnect", record["id"])
    del record["endpoints"][network["name"]]
    await _changed(engine, record)


async def _changed(engine: Engine, record: Record) -> None:
    """Default route, published ports, names and resolver follow."""
    engine.store.save(record)
    if not record["state"]["Running"]:
        return
    await engine.sandbox.default_gateway(record)
    await engine.sandbox.route(record)
    await engine.publish(record)
    engine.sandbox.write_files(record)
    if engine.sandbox.uses_resolver(record) and not record["resolver"]:
        await engine.sandbox.start_resolver(record)
    engine.store.save(record)
