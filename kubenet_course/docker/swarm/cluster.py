"""The node and its swarm: init, leave, the address that is told to others.

One node is a whole swarm here: it is the manager and runs the tasks. Others cannot join.

Source: moby daemon/cluster/swarm.go, listen_addr.go, errors.go; daemon/network.go: setupIngress.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.networks import new_network
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm.balancer import Balancers, check_kernel
from kubenet_course.docker.swarm.overlay import VXLAN_IDS
from kubenet_course.docker.swarm.state import TASK_LABEL, Swarm, new_id, new_state

if TYPE_CHECKING:
    from kubenet_course.docker.engine import Engine

EXISTS = (
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
)
NOT_PART = "This node is not part of a swarm"
LAST_MANAGER = (
    "You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager "
    "erases all current state of the swarm. Use `--force` to ignore this message. "
)
BAD_LISTEN = "listen address must be an IP address or network interface (with optional port number)"
BAD_ADVERTISE = (
    "advertise address must be a non-zero IP address or network interface (with optional port number)"
)
NO_ADDRESS = "could not find the system's IP address"
MANY = "could not choose an IP address to advertise since this system has multiple addresses on"
POOL = "10.0.0.0/8"
#: What dockerd listens to while it is part of a swarm, beside 2377: the nodes' gossip.
GOSSIP_PORT = 7946


class Cluster:
    """The caller holds the engine's lock."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.swarm = Swarm(engine.store)

    async def init(self, wanted: Record) -> Record:
        """`wanted`: listen, advertise, pools, pool_size, data_port, availability."""
        if self.swarm.active:
            raise DaemonError(EXISTS, 503)
        addresses = await self._addresses()
        listen, port = _split(wanted["listen"] or "0.0.0.0:2377", "2377")
        listen = _of_device(addresses, listen) or _an_address(listen, BAD_LISTEN)
        host, advertised = _split(wanted["advertise"], port)
        if wanted["advertise"]:
            host = _of_device(addresses, host) or _an_address(host, BAD_ADVERTISE, zero=False)
        else:
            host = self._system_address(addresses)
        await check_kernel(self.engine)
        store = self.engine.store
        node = {
            "id": new_id(store),
            "hostname": store.here.read("/proc/sys/kernel/hostname").decode().strip(),
            "addr": host,
            "listen": f"{listen}:{port}",
            "manager_addr": f"[{host}]:{advertised}" if ":" in host else f"{host}:{advertised}",
            "availability": wanted["availability"],
            "labels": {},
            "created": store.now(),
            "updated": store.now(),
            "version": 9,
        }
        pools = wanted["pools"] or [POOL]
        self.swarm.data = new_state(store, node, pools, wanted["pool_size"], wanted["data_port"])
        self.swarm.save()
        try:
            await self._ingress()
        except DaemonError:
            await self.forget()
            raise
        return node

    async def _ingress(self) -> None:
        network = swarm_network(self.swarm, "ingress", ingress=True)
        await self.engine.networks.create(network)
        await self.bring_up()

    async def bring_up(self) -> None:
        """What stands while dockerd is part of a swarm: the sandbox of `ingress`."""
        network = self.swarm.ingress()
        if network is not None:
            await Balancers(self.engine, self.swarm).ensure(network)
        self.swarm.save()

    async def leave(self, force: bool) -> list[Record]:
        """The containers of its tasks, which the caller ends and removes; then `forget`."""
        if not self.swarm.active:
            raise DaemonError(NOT_PART, 503)
        if not force:
            raise DaemonError(LAST_MANAGER, 503)
        self.swarm.here["leaving"] = True
        self.swarm.save()
        return [one for one in self.engine.store.containers() if TASK_LABEL in one["config"]["Labels"]]

    async def forget(self) -> None:
        """No swarm, none of its networks; docker_gwbridge and the chains stay."""
        networks = self.swarm.networks()
        await self.take_down()
        kept = [one for one in self.engine.store.networks() if one.get("scope") != "swarm"]
        self.engine.store.save_networks(kept)
        for network in networks:
            await self.engine.sandbox.overlay.destroy(network)
        self.swarm.forget()

    async def take_down(self) -> None:
        """All load balancers, as when dockerd ends."""
        balancers = Balancers(self.engine, self.swarm)
        for network in self.swarm.networks():
            await balancers.take_down(network)
        self.swarm.save()

    # -- addresses --------------------------------------------------------------------------
    async def _addresses(self) -> list[tuple[str, Any, list[str]]]:
        """(device, address, flags) of everything that is up."""
        shown = await self.engine.here.run(["ip", "-j", "addr", "show"])
        return [
            (device["ifname"], ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}"), device["flags"])
            for device in json.loads(shown.stdout or "[]")
            if device
            for one in device["addr_info"]
        ]

    def _system_address(self, addresses: list[tuple[str, Any, list[str]]]) -> str:
        """The only one that is neither loopback nor Docker's own; IPv4 before IPv6 on one device."""
        docker = [
            ipaddress.ip_network(pool["Subnet"])
            for network in self.engine.store.networks()
            for pool in network["pools"]
        ]
        found: dict[str, Any] = {}
        for name, interface, flags in addresses:
            if "UP" not in flags or "LOOPBACK" in flags or interface.ip.is_link_local:
                continue
            if any(net.version == interface.version and interface.ip in net for net in docker):
                continue
            before = found.get(name)
            if before is not None and before.version == interface.version:
                raise DaemonError(f"{MANY} interface {name} ({before.ip} and {interface.ip})", 400)
            if before is None or before.version == 6:
                found[name] = interface
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            raise DaemonError(
                f"{MANY} different interfaces ({first.ip} on {one} and {second.ip} on {other})", 400
            )
        if not found:
            raise DaemonError(NO_ADDRESS, 400)
        return str(next(iter(found.values())).ip)


def swarm_network(swarm: Swarm, name: str, **more: Any) -> Record:
    """An overlay network's record with the next VXLAN id."""
    vni = swarm.here["vni"]
    swarm.here["vni"] += 1
    swarm.save()
    options = {**more.pop("options", {}), VXLAN_IDS: str(vni)}
    return new_network(
        swarm.store,
        name,
        "overlay",
        id=new_id(swarm.store),
        scope="swarm",
        user_subnet=True,
        options=options,
        **more,
    )


def _split(text: str, port: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") or port
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        return host, rest or port
    return text, port


def _of_device(addresses: list[tuple[str, Any, list[str]]], name: str) -> str:
    """The address of the device of that name; "" where there is no such device."""
    four = [interface.ip for device, interface, _ in addresses if device == name and interface.version == 4]
    six = [interface.ip for device, interface, _ in addresses if device == name and interface.version == 6]
    for family, found in ((4, four), (6, six)):
        if len(found) > 1:
            raise DaemonError(
                f"interface {name} has more than one IPv{family} address ({found[0]} and {found[1]})", 400
            )
    return str((four or six or [""])[0])


def _an_address(text: str, problem: str, zero: bool = True) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise DaemonError(problem, 400) from None
    if address.is_unspecified and not zero:
        raise DaemonError(problem, 400)
    return str(address)
