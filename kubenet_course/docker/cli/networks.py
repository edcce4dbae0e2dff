"""docker network: ls, inspect, create, connect, disconnect, rm, prune."""

from __future__ import annotations

import ipaddress
import re
from functools import partial
from typing import Any

from kubenet_course.docker import attachment, events
from kubenet_course.docker.cli import Session, values
from kubenet_course.docker.cli.confirm import confirmed
from kubenet_course.docker.cli.flags import FALSE, TRUE, Command, UsageError
from kubenet_course.docker.cli.looking import show_objects
from kubenet_course.docker.cli.options import endpoint as new_endpoint
from kubenet_course.docker.cli.tables import Listing
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.networks import DRIVERS, PREDEFINED, new_network
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm.agent import knock
from kubenet_course.docker.swarm.balancer import Balancers
from kubenet_course.docker.swarm.cluster import swarm_network
from kubenet_course.docker.swarm.state import NO_SWARM, Swarm
from kubenet_course.userland.versions import version_key

LISTING = Listing(
    {
        "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
        "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
    },
    "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    go_type="*network.networkContext",
)  # fmt: skip
INGRESS_WARNING = (
    "WARNING! Before removing the routing-mesh network, make sure all the nodes in your swarm run the same docker engine "
    "version. Otherwise, removal may not be effective and functionality of newly created ingress networks will be impaired.\n"
    "Are you sure you want to continue? [y/N] "
)
OPERATORS = (
    "configuration network can only contain network specific fields. Network operator fields like "
    "[ ingress | internal | attachable | scope ] are not supported."
)
SPECIFIED = "{what} are not supported if the network depends on a configuration network"
FILTERS = ("driver", "id", "label", "name", "scope", "type", "dangling")


def list_text(networks: list[Record], layout: str = "", quiet: bool = False, full: bool = True) -> str:
    """`docker network ls` of networks, in the natural order of their names."""
    entries = [
        {
            "ID": one["id"] if full else one["id"][:12],
            "Name": one["name"],
            "Driver": one["driver"],
            "Scope": one.get("scope", "local"),
            "IPv4": str(one.get("ipv4", True)).lower(),
            "IPv6": str(one.get("ipv6", False)).lower(),
            "Internal": str(one.get("internal", False)).lower(),
            "Labels": ",".join(f"{key}={value}" for key, value in sorted(one.get("labels", {}).items())),
            "CreatedAt": one.get("created", "").replace("T", " ").rstrip("Z") + " +0000 UTC",
        }
        for one in sorted(networks, key=lambda one: version_key(one["name"]))
    ]
    return LISTING.text(entries, layout, quiet)


async def ls(session: Session, options: dict[str, Any], words: list[str]) -> int:
    networks = session.engine.store.networks()
    used = {
        end["network_id"] for one in session.engine.store.containers() for end in one["endpoints"].values()
    }
    for text in options.get("filter", []):
        key, _, value = text.partition("=")
        if key not in FILTERS:
            raise DaemonError(f"invalid filter '{key}'", 400)
        tests = {
            "driver": lambda one, value=value: one["driver"] == value,
            "id": lambda one, value=value: one["id"].startswith(value),
            "name": lambda one, value=value: re.search(value, one["name"]) is not None,
            "scope": lambda one, value=value: one.get("scope", "local") == value,
            "type": lambda one, value=value: (one["name"] in PREDEFINED) == (value == "builtin"),
            "dangling": lambda one, value=value: (one["id"] not in used and one["name"] not in PREDEFINED) == (value in ("1", "true")),
            "label": lambda one, value=value: _labelled(one["labels"], value),
        }  # fmt: skip
        networks = [one for one in networks if tests[key](one)]
    session.out(
        list_text(
            networks, options.get("format", ""), options.get("quiet", False), options.get("no-trunc", False)
        )
    )
    return 0


def _labelled(labels: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


async def inspect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    found, missing = [], []
    for word in words:
        try:
            found.append(session.engine.networks.inspect(session.engine.networks.find(word)))
        except DaemonError as problem:
            missing.append(problem)
    show_objects(session, found, options.get("format", ""))
    for one in missing:
        session.complain(one)
    return 1 if missing else 0


# -- create -------------------------------------------------------------------------------------
async def create(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if options.get("ipam-driver", "default") not in ("default", ""):
        raise UsageError("kubenet: docker network create: option --ipam-driver is not emulated", 1)
    if options.get("config-only") or options.get("config-from"):
        return await _by_configuration(session, options, words[0])
    driver = options.get("driver", "bridge")
    scope = options.get("scope", "")
    if scope not in ("", "swarm" if driver == "overlay" else "local"):
        raise UsageError(
            f"kubenet: docker network create: --scope {scope} is not emulated for the driver {driver}", 1
        )
    swarm = Swarm(session.engine.store)
    if driver == "overlay":
        if not swarm.active:
            raise DaemonError(NO_SWARM, 503)
        there = swarm.ingress()
        if options.get("ingress") and there:
            raise DaemonError(
                f"rpc error: code = AlreadyExists desc = ingress network ({there['id']}) is already present",
                409,
            )
        if options.get("ipv6") or "encrypted" in " ".join(options.get("opt", [])):
            raise UsageError(
                "kubenet: docker network create: overlay networks are IPv4 and not encrypted here", 1
            )
    elif options.get("ingress"):
        said = "rpc error: code = InvalidArgument desc = ingress network must use the overlay driver"
        raise DaemonError(said if swarm.active else NO_SWARM)
    pools = _pools(options)
    settings = dict(_pair(text) for text in options.get("opt", []))
    settings = {**(session.engine.config["default-network-opts"].get(driver) or {}), **settings}
    ipv4 = _family(options, settings, 4, True)
    ipv6 = _family(options, settings, 6, False)

    async def work() -> Record:
        if driver == "overlay":
            make: Any = partial(
                swarm_network, Swarm(session.engine.store), ingress=options.get("ingress", False)
            )
        else:
            make = partial(new_network, session.engine.store, driver=driver, user_subnet=bool(pools))
        network: Record = make(
            name=words[0],
            pools=pools,
            ipv4=ipv4,
            ipv6=ipv6,
            internal=options.get("internal", False),
            attachable=options.get("attachable", False),
            options=settings,
            labels=dict(_pair(text) for text in options.get("label", [])),
            ipam_options=dict(_pair(text) for text in options.get("ipam-opt", [])),
        )
        if not ipv4 and not ipv6 and driver in DRIVERS:
            raise DaemonError("IPv4 or IPv6 must be enabled", 400)
        await session.engine.networks.create(network)
        if network.get("ingress"):
            await Balancers(session.engine, Swarm(session.engine.store)).ensure(network)
        return network

    network = await session.locked(work)
    events.of_network(session.engine.store, network, "create")
    if network.get("ingress"):
        await knock(session.here)
    session.line(network["id"])
    return 0


async def _by_configuration(session: Session, options: dict[str, Any], name: str) -> int:
    """--config-only keeps settings under a name; --config-from makes a network by them."""
    pools = _pools(options)
    settings = dict(_pair(text) for text in options.get("opt", []))
    labels = dict(_pair(text) for text in options.get("label", []))
    ipam_options = dict(_pair(text) for text in options.get("ipam-opt", []))
    source = options.get("config-from", "")
    driver = options.get("driver", "bridge")
    ipv4, ipv6 = options.get("ipv4", True), options.get("ipv6", False)

    async def work() -> Record:
        make = partial(new_network, session.engine.store, name)
        if options.get("config-only"):
            if any(options.get(key) for key in ("ingress", "internal", "attachable", "scope")):
                raise DaemonError(OPERATORS, 403)
            if source:
                raise DaemonError("a configuration network cannot depend on another configuration network", 403)
            kept = {**(session.engine.config["default-network-opts"].get(driver) or {}), **settings}
            network = make(
                driver="null", pools=pools, ipv4=ipv4, ipv6=ipv6, options=kept, labels=labels,
                ipam_options=ipam_options, config_only=True, user_subnet=bool(pools),
            )  # fmt: skip
        else:
            if not ipv4 or ipv6 or labels or ipam_options or pools:
                raise DaemonError(SPECIFIED.format(what="user specified configurations"), 403)
            if settings:
                raise DaemonError(SPECIFIED.format(what="network driver options"), 403)
            known = [one for one in session.engine.store.networks() if one.get("config_only")]
            found = next((one for one in known if one["name"] == source), None)
            if found is None:
                raise DaemonError(f'configuration network "{source}" does not exist', 404)
            copied = {key: found[key] for key in ("pools", "ipv4", "ipv6", "options", "labels", "ipam_options", "user_subnet")}
            network = make(
                driver=driver, internal=options.get("internal", False), attachable=options.get("attachable", False),
                config_from=source, **copied,
            )  # fmt: skip
        await session.engine.networks.create(network)
        return network

    network = await session.locked(work)
    events.of_network(session.engine.store, network, "create")
    session.line(network["id"])
    return 0


def _family(options: dict[str, Any], settings: dict[str, str], family: int, default: bool) -> bool:
    """--ipv4 and --ipv6, else the option of that meaning, which stays among the options then."""
    key = f"com.docker.network.enable_ipv{family}"
    if f"ipv{family}" in options:
        settings.pop(key, None)
        return bool(options[f"ipv{family}"])
    text = settings.get(key)
    if text is None:
        return default
    if text not in (*TRUE, *FALSE):
        raise DaemonError(f'driver-opt "{key}" is not a valid bool', 400)
    return text in TRUE


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    return key, value


def _pools(options: dict[str, Any]) -> list[Record]:
    """--subnet, --gateway, --ip-range and --aux-address put together, as the command line does. UsageError."""
    subnets = options.get("subnet", [])
    ranges, gateways = options.get("ip-range", []), options.get("gateway", [])
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise UsageError("every ip-range or gateway must have a corresponding subnet", 1)
    pools: list[Record] = []
    for text in subnets:
        net = _cidr(text)
        for other in pools:
            if (
                _cidr(other["Subnet"]).overlaps(net)
                if _cidr(other["Subnet"]).version == net.version
                else False
            ):
                raise UsageError("multiple overlapping subnet configuration is not supported", 1)
        pools.append({"Subnet": text})
    for text in ranges:
        area = _cidr(text)
        pool = _holding(pools, area.network_address, "range", text)
        if pool.get("IPRange"):
            raise UsageError(
                f"cannot configure multiple ranges ({text}, {pool['IPRange']}) on the same subnet ({pool['Subnet']})",
                1,
            )
        pool["IPRange"] = text
    for text in gateways:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise UsageError(f"no matching subnet for gateway {text}", 1) from None
        pool = _holding(pools, address, "gateway", text)
        if pool.get("Gateway"):
            raise UsageError(
                f"cannot configure multiple gateways ({text}, {pool['Gateway']}) for the same subnet ({pool['Subnet']})",
                1,
            )
        pool["Gateway"] = text
    for text in options.get("aux-address", []):
        key, _, value = text.partition("=")
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            raise UsageError(f"no matching subnet for aux-address {value}", 1) from None
        _holding(pools, address, "aux-address", value).setdefault("AuxiliaryAddresses", {})[key] = value
    return pools


def _cidr(text: str) -> Any:
    try:
        if "/" not in text:
            raise ValueError
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(f"invalid CIDR address: {text}", 1) from None


def _holding(pools: list[Record], address: Any, what: str, text: str) -> Record:
    for pool in pools:
        if address in _cidr(pool["Subnet"]):
            return pool
    raise UsageError(f"no matching subnet for {what} {text}", 1)


# -- connect, disconnect, rm ------------------------------------------------------------------------
async def connect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    if not all(text.partition("=")[0] and "=" in text for text in options.get("driver-opt", [])):
        raise UsageError("invalid key/value pair format in driver options", 1)

    async def work() -> None:
        network = session.engine.networks.find(words[0])
        record = session.engine.store.container(words[1])
        one = {
            "aliases": options.get("alias", []), "links": options.get("link", []), "ip": options.get("ip", ""),
            "ip6": options.get("ip6", ""), "mac": "", "priority": options.get("gw-priority", 0),
            "local": options.get("link-local-ip", []),
            "driver_opts": dict(_pair(text) for text in options.get("driver-opt", [])),
        }  # fmt: skip
        endpoint = new_endpoint(session, network["name"], one)
        endpoint["network_id"] = network["id"]
        await attachment.connect(session.engine, record, network, endpoint)

    await session.locked(work)
    return 0


async def disconnect(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def work() -> None:
        network = session.engine.networks.find(words[0])
        record = session.engine.store.container(words[1])
        await attachment.disconnect(session.engine, record, network, options.get("force", False))

    await session.locked(work)
    return 0


async def remove(session: Session, options: dict[str, Any], words: list[str]) -> int:
    async def one(word: str) -> None:
        await session.locked(lambda: remove_network(session, word))

    status = 0
    for word in words:
        if any(
            net.get("ingress") and word in (net["name"], net["id"]) for net in session.engine.store.networks()
        ):
            if not await confirmed(session, INGRESS_WARNING):
                continue
        try:
            await one(word)
        except DaemonError as problem:
            if options.get("force") and problem.status == 404:
                continue
            session.complain(problem)
            status = 1
        else:
            session.line(word)
    return status


async def remove_network(session: Session, word: str) -> None:
    network = session.engine.networks.find(word)
    await session.engine.networks.remove(network)
    events.of_network(session.engine.store, network, "destroy")
    if network.get("scope") == "swarm":
        swarm = Swarm(session.engine.store)
        await Balancers(session.engine, swarm).take_down(network)
        swarm.save()


COMMANDS = [
    (Command("docker network ls", "[OPTIONS]", "List networks", """
  -f, --filter filter   Provide filter values (e.g. "driver=bridge")
      --format string   Format output using a custom template
      --no-trunc        Do not truncate the output
  -q, --quiet           Only display network IDs
""", 0, 0, aliases=("docker network list",)), ls),
    (Command("docker network inspect", "[OPTIONS] NETWORK [NETWORK...]", "Display detailed information on one or more networks", """
  -f, --format string   Format output using a custom template
  -v, --verbose         Verbose output for diagnostics
""", 1), inspect),
    (Command("docker network create", "[OPTIONS] NETWORK", "Create a network", """
      --attachable           Enable manual container attachment
      --aux-address map      Auxiliary IPv4 or IPv6 addresses used by Network driver
      --config-from string   The network from which to copy the configuration
      --config-only          Create a configuration only network
  -d, --driver string        Driver to manage the Network (default "bridge")
      --gateway strings      IPv4 or IPv6 Gateway for the master subnet
      --ingress              Create swarm routing-mesh network
      --internal             Restrict external access to the network
      --ip-range strings     Allocate container ip from a sub-range
      --ipam-driver string   IP Address Management Driver (default "default")
      --ipam-opt map         Set IPAM driver specific options
      --ipv4                 Enable or disable IPv4 address assignment (default true)
      --ipv6                 Enable or disable IPv6 address assignment
      --label list           Set metadata on a network
  -o, --opt map              Set driver specific options
      --scope string         Control the network's scope
      --subnet strings       Subnet in CIDR format that represents a network segment
""", 1, 1, checks={"label": values.label}), create),
    (Command("docker network connect", "[OPTIONS] NETWORK CONTAINER", "Connect a container to a network", """
      --alias strings           Add network-scoped alias for the container
      --driver-opt strings      driver options for the network
      --gw-priority int         Highest gw-priority provides the default gateway. Accepts positive and negative values.
      --ip string               IPv4 address (e.g., "172.30.100.104")
      --ip6 string              IPv6 address (e.g., "2001:db8::33")
      --link list               Add link to another container
      --link-local-ip strings   Add a link-local address for the container
""", 2, 2, checks={"link": values.link}), connect),
    (Command("docker network disconnect", "[OPTIONS] NETWORK CONTAINER", "Disconnect a container from a network", """
  -f, --force   Force the container to disconnect from a network
""", 2, 2), disconnect),
    (Command("docker network rm", "NETWORK [NETWORK...]", "Remove one or more networks", """
  -f, --force   Do not error if the network does not exist
""", 1, aliases=("docker network remove",)), remove),
]  # fmt: skip
