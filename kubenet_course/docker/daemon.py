"""dockerd: makes the default networks and their rules when it starts, and is there in `ps`.

The work itself is done by whoever needs it (`docker`, the shims), on the same files and under one lock, so
that nothing has to be carried over a socket. `docker` starts dockerd when it does not run (as systemd's
docker.socket does); when dockerd ends, its containers end with it.
"""

from __future__ import annotations

from kubenet_course.docker import config, daemon_flags, events, forwarding
from kubenet_course.docker.engine import Engine
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.networks import BRIDGE, DEFAULT_BRIDGE, MTU, new_network
from kubenet_course.docker.running import start
from kubenet_course.docker.store import FAILED, LOG, PID_FILE, SOCKET, SWARM, Record, Store
from kubenet_course.docker.swarm.agent import Agent
from kubenet_course.errors import KernelError
from kubenet_course.userland.http import serve
from kubenet_course.userland.surroundings import Surroundings

START_SECONDS = 30.0
NO_CONTROLLER = "failed to start daemon: Error initializing network controller: "


async def program(here: Surroundings, argv: list[str]) -> int:
    """dockerd itself; what its options may be is in `daemon_flags`."""
    try:
        flags = daemon_flags.parse(argv[1:], config.DEFAULTS)
    except DaemonError as problem:
        here.err(f"{problem.message}\n")
        return 1
    store = Store(here)
    if running(store):
        here.err(
            f"failed to start daemon, ensure docker is not running or delete {PID_FILE}: process with PID {_pid(store)} is still running\n"
        )
        return 1
    here.on_signal(2, lambda: None)
    here.mkdir("/etc/docker")
    store.write(PID_FILE, f"{here.pid}")
    store.remove_tree(daemon_flags.PATH)
    if flags:
        store.write_json(daemon_flags.PATH, flags)
    agent = Agent(here)
    try:
        engine = await _begin(here, agent)
    except DaemonError as problem:
        here.err(f"{problem.message}\n")
        store.write(FAILED, problem.message)
        for path in (PID_FILE, daemon_flags.PATH):
            store.remove_tree(path)
        return 1
    await start(here, ["containerd", "--config", "/var/run/docker/containerd/containerd.toml"])
    for path in (SOCKET, forwarding.SOCKET):
        store.remove_tree(path)
    here.net.spawn(forwarding.serve(here, await here.net.listen_unix(forwarding.SOCKET)))
    here.net.spawn(serve(here.net, await here.net.listen_unix(SOCKET), agent.answer))
    if here.exists(SWARM):
        agent.wake()
    await here.signalled(15)
    await _end(engine, agent)
    return 0


async def _begin(here: Surroundings, agent: Agent) -> Engine:
    engine = Engine(here)
    await engine.store.lock()
    try:
        events.forget(engine.store)
        known = [view for one in engine.store.networks() for view in engine.networks.views(one)]
        await engine.firewall.set_up(known)
        if engine.config["ip-forward"]:
            await engine.networks.forward(4)
        await _default_networks(engine)
        await agent.begin(engine)
        for record in engine.store.containers():
            if record["state"]["Running"] and not here.exists(f"/proc/{record['state']['Pid']}"):
                record["state"].update(Running=False, Status="exited", Pid=0, ExitCode=255)
                engine.store.save(record)
            await _start_again(engine, record)
    finally:
        engine.store.unlock()
    return engine


async def _start_again(engine: Engine, record: Record) -> None:
    """Restart policies `always`, and `unless-stopped` by hand, when dockerd starts."""
    policy = record["host_config"]["RestartPolicy"]["Name"]
    by_daemon = record.pop("by_daemon", False)
    if record["state"]["Running"] or record["state"]["Status"] == "created":
        return
    if policy == "always" or (policy == "unless-stopped" and by_daemon):
        try:
            await engine.start(record)
        except DaemonError as problem:
            engine.here.err(f"failed to start container {record['id']}: {problem.message}\n")


async def _default_networks(engine: Engine) -> None:
    store = engine.store
    networks = [one for one in store.networks() if one["name"] != "bridge"]
    if not networks:
        networks = [new_network(store, "host", "host"), new_network(store, "none", "null")]
    old = next((one for one in store.networks() if one["name"] == "bridge"), None)
    bridge = await _default_bridge(engine)
    if old is not None:
        await _forget_bridge(engine, old, bridge)
    kept = list(networks)
    store.save_networks([*kept, *([bridge] if bridge else [])])
    for network in [*([bridge] if bridge else []), *kept]:
        if network["driver"] == "bridge":
            try:
                await engine.networks.set_up(network)
            except DaemonError as problem:
                raise DaemonError(f"{NO_CONTROLLER}error creating default \"bridge\" network: {problem.message}") from None
    store.save_networks([*kept, *([bridge] if bridge else [])])


async def _forget_bridge(engine: Engine, old: Record, new: Record | None) -> None:
    """What the default bridge was before daemon.json changed: its rules, and addresses that it has no more."""
    await engine.firewall.change(remove=engine.networks.rules_of(old))
    kept = (
        [(pool["Subnet"], pool.get("Gateway")) for pool in new["pools"]]
        if new and new["device"] == old["device"]
        else []
    )
    for pool in old["pools"]:
        if pool.get("Gateway") and (pool["Subnet"], pool["Gateway"]) not in kept:
            address = f"{pool['Gateway']}/{pool['Subnet'].partition('/')[2]}"
            await engine.here.run(["ip", "addr", "del", address, "dev", old["device"]])


async def _default_bridge(engine: Engine) -> Record | None:
    """docker0, as /etc/docker/daemon.json wants it."""
    import ipaddress
    import json

    settings, store = engine.config, engine.store
    if settings["bridge"] == "none":
        await engine.here.run(["ip", "link", "del", DEFAULT_BRIDGE])
        return None
    old = next((one for one in store.networks() if one["name"] == "bridge"), None)
    device = settings["bridge"] or DEFAULT_BRIDGE
    address = str(settings["bip"])
    if not address:
        shown = await engine.here.run(["ip", "-j", "-4", "addr", "show", "dev", device])
        found = json.loads(shown.stdout or "[]") if shown.returncode == 0 else []
        present = [f"{a['local']}/{a['prefixlen']}" for dev in found if dev for a in dev["addr_info"]]
        address = present[0] if present else ""
    pools: list[Record] = []
    if address:
        interface = ipaddress.ip_interface(address)
        pools = [{"Subnet": str(interface.network), "Gateway": str(interface.ip)}]
    if settings["fixed-cidr"] and pools:
        pools[0]["IPRange"] = str(ipaddress.ip_network(settings["fixed-cidr"], strict=False))
    ipv6 = bool(settings["ipv6"])
    if ipv6 and settings["bip6"]:
        six = ipaddress.ip_interface(settings["bip6"])
        pools.append({"Subnet": str(six.network), "Gateway": str(six.ip)})
    elif ipv6 and settings["fixed-cidr-v6"]:
        pools.append({"Subnet": str(ipaddress.ip_network(settings["fixed-cidr-v6"], strict=False))})
    network = new_network(
        store,
        "bridge",
        "bridge",
        pools=pools,
        ipv6=ipv6,
        device=device,
        options={
            BRIDGE + "default_bridge": "true",
            BRIDGE + "enable_icc": str(settings["icc"]).lower(),
            BRIDGE + "enable_ip_masquerade": str(settings["ip-masq"]).lower(),
            BRIDGE + "host_binding_ipv4": settings["ip"] or "0.0.0.0",
            BRIDGE + "name": device,
            MTU: str(settings["mtu"]),
        },
    )
    if old is not None:
        network["id"], network["created"] = old["id"], old["created"]
    others = [one for one in store.networks() if one["name"] != "bridge"]
    await engine.networks._assign(network, others)
    return network


async def _end(engine: Engine, agent: Agent) -> None:
    """SIGTERM: stop what runs; bridge and rules stay."""
    store = engine.store
    agent.stopped = True
    for record in store.containers():
        if record["state"]["Running"]:
            record["stopped"] = record["by_daemon"] = True
            store.save(record)
            await engine.signal(record, 15)
            left = await engine.wait_for_end(record, 10.0)
            if left is not None and left["state"]["Running"]:
                await engine.signal(record, 9)
                await engine.wait_for_end(record, 5.0)
    await store.lock()
    try:
        await agent.end(engine)
    finally:
        store.unlock()
    for pid in (_containerd(store),):
        if pid:
            await engine.here.run(["kill", pid])
    for path in (SOCKET, daemon_flags.PATH, PID_FILE):
        store.remove_tree(path)


def _containerd(store: Store) -> str:
    try:
        return store.here.read("/run/containerd/containerd.pid").decode().strip()
    except KernelError:
        return ""


def _pid(store: Store) -> str:
    try:
        return store.here.read(PID_FILE).decode().strip()
    except KernelError:
        return ""


def running(store: Store) -> bool:
    pid = _pid(store)
    return bool(pid) and store.here.exists(f"/proc/{pid}")


async def ensure(here: Surroundings) -> bool:
    """Start dockerd if it does not run; False if it cannot (its reason is in its log)."""
    store = Store(here)
    if running(store) and here.exists(SOCKET):
        return True
    if not running(store):
        for path in (SOCKET, FAILED):
            store.remove_tree(path)
        store.write(LOG, b"")
        await start(here, ["dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"])
    waited = 0.0
    while waited < START_SECONDS:
        if here.exists(SOCKET):
            return True
        if here.exists(FAILED):
            return False
        await here.sleep(0.002)
        waited += 0.002
    return False
