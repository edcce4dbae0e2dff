"""docker swarm: init, leave, join-token, update; docker node."""

from __future__ import annotations

import ipaddress
from typing import Any

from kubenet_course.docker.cli import VERSION, Session
from kubenet_course.docker.cli.flags import Command, UsageError
from kubenet_course.docker.cli.looking import show_objects
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.cli.tasks import list_tasks
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm import services
from kubenet_course.docker.swarm.agent import knock
from kubenet_course.docker.swarm.cluster import MANY, NO_ADDRESS, Cluster
from kubenet_course.docker.swarm.state import Swarm, base36

LISTING = Listing(
    {"ID": "ID", "Hostname": "HOSTNAME", "Status": "STATUS", "Availability": "AVAILABILITY",
     "ManagerStatus": "MANAGER STATUS", "EngineVersion": "ENGINE VERSION", "TLSStatus": "TLS STATUS", "Self": ""},
    "{{.ID}} {{if .Self}}*{{else}} {{ end }}\t{{.Hostname}}\t{{.Status}}\t{{.Availability}}\t{{.ManagerStatus}}\t{{.EngineVersion}}",
    go_type="*node.nodeContext",
)  # fmt: skip
ALONE = "kubenet: {path}: a swarm has one node here; others cannot join it"


async def init(session: Session, options: dict[str, Any], words: list[str]) -> int:
    for name in ("autolock", "cert-expiry", "external-ca", "force-new-cluster", "data-path-addr"):
        if options.get(name):
            raise UsageError(f"kubenet: docker swarm init: option --{name} is not emulated", 1)
    availability = options.get("availability", "active")
    if availability not in ("active", "pause", "drain"):
        raise UsageError(
            f'invalid availability "{availability}", only active, pause and drain are supported', 1
        )
    pools = [_pool(text) for entry in options.get("default-addr-pool", []) for text in entry.split(",")]
    port = options.get("data-path-port", 0) or 4789
    if port != 4789 and not 1024 <= port <= 49151:
        raise DaemonError(f"Invalid data path port {port}: must be between 1024 and 49151", 400)
    wanted = {
        "listen": options.get("listen-addr", ""),
        "advertise": options.get("advertise-addr", ""),
        "availability": availability,
        "pools": pools,
        "pool_size": options.get("default-addr-pool-mask-length", 24),
        "data_port": port,
    }
    try:
        node = await session.locked(lambda: Cluster(session.engine).init(wanted))
    except DaemonError as problem:
        if problem.message.startswith("kubenet:"):
            raise UsageError(problem.message, 1) from None
        more = (
            " - specify one with --advertise-addr" if problem.message.startswith((MANY, NO_ADDRESS)) else ""
        )
        raise DaemonError(problem.message + more, problem.status) from None
    await knock(session.here)
    session.line(f"Swarm initialized: current node ({node['id']}) is now a manager.\n")
    _how_to_join(session, Swarm(session.engine.store), "worker")
    session.line(
        "To add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions."
    )
    return 0


def _pool(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        said = f"invalid string being converted to CIDR: {text}"
        raise UsageError(
            f'invalid argument "{text}" for "--default-addr-pool" flag: {said}\n\n'
            "Usage:  docker swarm init [OPTIONS]\n\nRun 'docker swarm init --help' for more information"
        ) from None


def _how_to_join(session: Session, swarm: Swarm, role: str) -> None:
    session.line(
        f"To add a {role} to this swarm, run the following command:\n\n"
        f"    docker swarm join --token {swarm.here['tokens'][role]} {swarm.node['manager_addr']}\n"
    )


async def leave(session: Session, options: dict[str, Any], words: list[str]) -> int:
    engine = session.engine
    containers = await session.locked(lambda: Cluster(engine).leave(options.get("force", False)))
    for record in containers:
        if record["state"]["Running"]:
            record["stopped"] = True
            engine.store.save(record)
            await engine.signal(record, 9)
            await engine.wait_for_end(record, 10.0)

    async def work() -> None:
        for record in containers:
            if engine.store.reload(record) is not None:
                engine.remove(record)
        await Cluster(engine).forget()

    await session.locked(work)
    await knock(session.here)
    session.line("Node left the swarm.")
    return 0


async def join_token(session: Session, options: dict[str, Any], words: list[str]) -> int:
    role = words[0]
    if role not in ("worker", "manager"):
        raise UsageError(f"unknown role {role}", 1)
    quiet = options.get("quiet", False)

    async def work() -> Swarm:
        swarm = Swarm(session.engine.store)
        token = swarm.here["tokens"][role]
        if options.get("rotate"):
            secret = base36(int.from_bytes(session.here.random(16), "big"), 25)
            swarm.here["tokens"][role] = f"{token.rpartition('-')[0]}-{secret}"
            swarm.save()
        return swarm

    swarm = await session.locked(work)
    if options.get("rotate") and not quiet:
        session.line(f"Successfully rotated {role} join token.\n")
    if quiet:
        session.line(swarm.here["tokens"][role])
    else:
        _how_to_join(session, swarm, role)
    return 0


async def join(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if Swarm(session.engine.store).active:
        from kubenet_course.docker.swarm.cluster import EXISTS

        raise DaemonError(EXISTS, 503)
    raise UsageError(ALONE.format(path="docker swarm join"), 1)


async def update(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if not options:
        session.out(next(command for command, handler in COMMANDS if handler is update).help())
        return 0
    for name in options:
        if name != "task-history-limit":
            raise UsageError(f"kubenet: docker swarm update: option --{name} is not emulated", 1)

    async def work() -> None:
        swarm = Swarm(session.engine.store)
        swarm.here["history"] = options.get("task-history-limit", swarm.here["history"])
        swarm.save()

    await session.locked(work)
    session.line("Swarm updated.")
    return 0


# -- node ---------------------------------------------------------------------------------------
async def node_ls(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    node = swarm.node
    entry = {
        "ID": node["id"], "Self": True, "Hostname": node["hostname"], "Status": "Ready",
        "Availability": node["availability"].capitalize(), "ManagerStatus": "Leader", "EngineVersion": VERSION, "TLSStatus": "Ready",
    }  # fmt: skip
    tests = {
        "id": lambda value: node["id"].startswith(value),
        "name": lambda value: node["hostname"].startswith(value),
        "role": lambda value: value == "manager",
        "membership": lambda value: value == "accepted",
        "node.label": lambda value: _labelled(node["labels"], value),
        "label": lambda value: False,
    }
    entries = [entry]
    for text in options.get("filter", []):
        key, _, value = text.partition("=")
        if key not in tests:
            raise DaemonError(f"invalid filter '{key}'", 400)
        entries = [one for one in entries if tests[key](value)]
    session.out(LISTING.text(entries, options.get("format", ""), options.get("quiet", False)))
    return 0


def _labelled(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


async def node_ps(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    for word in words or ["self"]:
        swarm.find_node(word)
    session.out(list_tasks(session, swarm, swarm.tasks, options))
    return 0


async def node_inspect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    found, missing = [], []
    for word in words:
        try:
            swarm.find_node(word)
            found.append(services.inspect_node(swarm))
        except DaemonError as problem:
            if problem.status != 404:
                raise
            missing.append(problem)
    if options.get("pretty"):
        session.out("".join(_pretty(one) for one in found))
    else:
        show_objects(session, found, options.get("format", ""))
    for one in missing:
        session.complain(one)
    return 1 if missing else 0


def _pretty(node: dict[str, Any]) -> str:
    joined = node["CreatedAt"].replace("T", " ").rstrip("Z")
    plugins: dict[str, list[str]] = {}
    for one in node["Description"]["Engine"]["Plugins"]:
        plugins.setdefault(one["Type"], []).append(one["Name"])
    labels = "".join(f" - {key}={value}\n" for key, value in node["Spec"]["Labels"].items())
    return (
        f"ID:\t\t\t{node['ID']}\n" + (f"Labels:\n{labels}" if labels else "")
        + f"Hostname:              \t{node['Description']['Hostname']}\nJoined at:             \t{joined} +0000 utc\n"
        f"Status:\n State:\t\t\tReady\n Availability:         \t{node['Spec']['Availability'].capitalize()}\n"
        f" Address:\t\t{node['Status']['Addr']}\nManager Status:\n Address:\t\t{node['ManagerStatus']['Addr']}\n"
        " Raft Status:\t\tReachable\n Leader:\t\tYes\nPlatform:\n Operating System:\tlinux\n Architecture:\t\tx86_64\n"
        "Resources:\n CPUs:\t\t\t2\n Memory:\t\t4GiB\nPlugins:\n"
        + "".join(f" {kind}:\t\t{', '.join(names)}\n" for kind, names in plugins.items())
        + f"Engine Version:\t\t{VERSION}\n"
    )  # fmt: skip


async def node_update(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if options.get("role", "manager") != "manager":
        raise DaemonError(
            "rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm",
            400,
        )
    availability = options.get("availability")
    if availability not in (None, "active", "pause", "drain"):
        raise DaemonError(f'invalid Availability: "{availability}"', 400)

    async def work() -> None:
        swarm = Swarm(session.engine.store)
        node = swarm.find_node(words[0])
        node["availability"] = availability or node["availability"]
        for text in options.get("label-add", []):
            key, _, value = text.partition("=")
            node["labels"][key] = value
        for key in options.get("label-rm", []):
            if key not in node["labels"]:
                raise UsageError(f"key {key} doesn't exist in node's labels", 1)
            del node["labels"][key]
        node.update(updated=session.engine.store.now(), version=swarm.version())
        swarm.save()

    await session.locked(work)
    await knock(session.here)
    session.line(words[0])
    return 0


async def node_promote(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)
    for word in words:
        session.line(f"Node {swarm.find_node(word)['id']} is already a manager.")
    return 0


async def node_demote(session: Session, options: dict[str, Any], words: list[str]) -> int:
    return await node_update(session, {"role": "worker"}, words)


async def node_rm(session: Session, options: dict[str, Any], words: list[str]) -> int:
    swarm = Swarm(session.engine.store)

    async def one(word: str) -> None:
        node = swarm.find_node(word)
        raise DaemonError(
            f"rpc error: code = FailedPrecondition desc = node {node['id']} is a cluster manager and is a member of the "
            "raft cluster. It must be demoted to worker before removal",
            400,
        )

    return await session.each(words, one)


def facts(swarm: Swarm) -> Record:
    """Of `docker info`."""
    if not swarm.active:
        return {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        }
    node = swarm.node
    return {
        "NodeID": node["id"], "NodeAddr": node["addr"], "LocalNodeState": "active", "ControlAvailable": True, "Error": "",
        "RemoteManagers": [{"NodeID": node["id"], "Addr": node["manager_addr"]}], "Nodes": 1, "Managers": 1,
        "Cluster": {"ID": swarm.here["id"], "CreatedAt": swarm.here["created"],
                    "DefaultAddrPool": swarm.here["pools"], "SubnetSize": swarm.here["pool_size"], "DataPathPort": swarm.here["data_port"]},
    }  # fmt: skip


def info_text(swarm: Swarm) -> str:
    if not swarm.active:
        return " Swarm: inactive\n"
    node = swarm.node
    pools = "".join(f"  Default Address Pool: {pool}  \n" for pool in swarm.here["pools"])
    return (
        f" Swarm: active\n  NodeID: {node['id']}\n  Is Manager: true\n  ClusterID: {swarm.here['id']}\n  Managers: 1\n  Nodes: 1\n"
        f"{pools}  SubnetSize: {swarm.here['pool_size']}\n  Data Path Port: {swarm.here['data_port']}\n  Orchestration:\n"
        f"   Task History Retention Limit: {swarm.here['history']}\n  Node Address: {node['addr']}\n"
        f"  Manager Addresses:\n   {node['manager_addr']}\n"
    )


_FORMAT = """
  -f, --format string   Format output using a custom template
      --pretty          Print the information in a human friendly format
"""
COMMANDS = [
    (Command("docker swarm init", "[OPTIONS]", "Initialize a swarm", """
      --advertise-addr string                  Advertised address (format: "<ip|interface>[:port]")
      --autolock                               Enable manager autolocking (requiring an unlock key to start a stopped manager)
      --availability string                    Availability of the node ("active", "pause", "drain") (default "active")
      --cert-expiry duration                   Validity period for node certificates (ns|us|ms|s|m|h) (default 2160h0m0s)
      --data-path-addr string                  Address or interface to use for data path traffic (format: "<ip|interface>")
      --data-path-port uint32                  Port number to use for data path traffic (1024 - 49151)
      --default-addr-pool ipNetSlice           default address pool in CIDR format (default [])
      --default-addr-pool-mask-length uint32   default address pool subnet mask length (default 24)
      --external-ca external-ca                Specifications of one or more certificate signing endpoints
      --force-new-cluster                      Force create a new cluster from current state
      --listen-addr node-addr                  Listen address (format: "<ip|interface>[:port]") (default 0.0.0.0:2377)
      --task-history-limit int                 Task history retention limit (default 5)
""", 0, 0), init),
    (Command("docker swarm leave", "[OPTIONS]", "Leave the swarm", """
  -f, --force   Force this node to leave the swarm, ignoring warnings
""", 0, 0), leave),
    (Command("docker swarm join-token", "[OPTIONS] (worker|manager)", "Manage join tokens", """
  -q, --quiet    Only display token
      --rotate   Rotate join token
""", 1, 1), join_token),
    (Command("docker swarm join", "[OPTIONS] HOST:PORT", "Join a swarm as a node and/or manager", """
      --advertise-addr string   Advertised address (format: "<ip|interface>[:port]")
      --availability string     Availability of the node ("active", "pause", "drain") (default "active")
      --data-path-addr string   Address or interface to use for data path traffic (format: "<ip|interface>")
      --listen-addr node-addr   Listen address (format: "<ip|interface>[:port]") (default 0.0.0.0:2377)
      --token string            Token for entry into the swarm
""", 1, 1), join),
    (Command("docker swarm update", "[OPTIONS]", "Update the swarm", """
      --autolock                        Change manager autolocking setting (true|false)
      --cert-expiry duration            Validity period for node certificates (ns|us|ms|s|m|h) (default 2160h0m0s)
      --dispatcher-heartbeat duration   Dispatcher heartbeat period (ns|us|ms|s|m|h) (default 5s)
      --task-history-limit int          Task history retention limit (default 5)
""", 0, 0), update),
    (Command("docker node ls", "[OPTIONS]", "List nodes in the swarm", """
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template
  -q, --quiet           Only display IDs
""", 0, 0, aliases=("docker node list",)), node_ls),
    (Command("docker node ps", "[OPTIONS] [NODE...]", "List tasks running on one or more nodes, defaults to current node", """
  -f, --filter filter   Filter output based on conditions provided
      --format string   Pretty-print tasks using a Go template
      --no-resolve      Do not map IDs to Names
      --no-trunc        Do not truncate output
  -q, --quiet           Only display task IDs
"""), node_ps),
    (Command("docker node inspect", "[OPTIONS] self|NODE [NODE...]",
        "Display detailed information on one or more nodes", _FORMAT, 1), node_inspect),
    (Command("docker node update", "[OPTIONS] NODE", "Update a node", """
      --availability string   Availability of the node ("active", "pause", "drain")
      --label-add list        Add or update a node label ("key=value")
      --label-rm list         Remove a node label if exists
      --role string           Role of the node ("worker", "manager")
""", 1, 1), node_update),
    (Command("docker node promote", "NODE [NODE...]", "Promote one or more nodes to manager in the swarm", "", 1), node_promote),
    (Command("docker node demote", "NODE [NODE...]", "Demote one or more nodes from manager in the swarm", "", 1), node_demote),
    (Command("docker node rm", "[OPTIONS] NODE [NODE...]", "Remove one or more nodes from the swarm", """
  -f, --force   Force remove a node from the swarm
""", 1, aliases=("docker node remove",)), node_rm),
]  # fmt: skip
