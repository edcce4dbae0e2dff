"""Docker's networks: none, host, bridge, macvlan, ipvlan; their subnets and their devices.

A network is a record of the store (`new_network` has its keys); its bridge is a device of the host. Names of
options are Docker's own (`com.docker.network.bridge.name`, …).
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from kubenet_course.docker import ipam, nft_rules, parents, rules
from kubenet_course.docker.config import Config
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.network_options import (
    BRIDGE,
    MTU,
    check_advertising,
    check_bridge_options,
    flag,
    pool_problems,
    subnets,
    without_gateway,
)
from kubenet_course.docker.running import run
from kubenet_course.docker.store import ROOT, SWARM, Record, Store, find

DRIVERS = ("bridge", "host", "null", "macvlan", "ipvlan", "overlay")
#: The way out of overlay networks (libnetwork default_gateway_linux.go).
GATEWAY_BRIDGE = "docker_gwbridge"
#: The device of the network `bridge`, unless daemon.json names another.
DEFAULT_BRIDGE = "docker0"
PREDEFINED = ("bridge", "host", "none")


def new_network(store: Store, name: str, driver: str, **more: Any) -> Record:
    """A network's record; `pools` are {Subnet, Gateway, IPRange, AuxiliaryAddresses}, as inspect shows them."""
    return {
        "id": store.new_id(),
        "name": name,
        "created": store.now(),
        "driver": driver,
        "ipv4": True,
        "ipv6": False,
        "internal": False,
        "attachable": False,
        "pools": [],
        "ipam_options": {},
        "options": {},
        "labels": {},
        "device": "",
        "made": False,
        **more,
    }


class Networks:
    """All networks of one engine. The caller holds the store's lock."""

    def __init__(self, store: Store, config: Config, firewall: Firewall):
        self.store = store
        self.here = store.here
        self.config = config
        self.firewall = firewall

    # -- finding ----------------------------------------------------------------------------
    def find(self, word: str) -> Record:
        missing = DaemonError(f"network {word} not found", 404)
        return find(self.store.networks(), word, "network", missing)

    def endpoints(self, network: Record) -> list[tuple[Record, Record]]:
        """(container, endpoint) of everyone attached, running or not; a swarm's load balancers too."""
        found = []
        for container in [*self.store.containers(), *self.store.balancers()]:
            gateway = container.get("gateway")
            for endpoint in [*container["endpoints"].values(), *([gateway] if gateway else [])]:
                if endpoint["network_id"] == network["id"]:
                    found.append((container, endpoint))
        return found

    def unused(self) -> list[Record]:
        """Networks that `prune` takes: nobody's own, with no endpoint, and (a swarm's) no service in them."""
        state = self.store.read_json(SWARM, None) or {"services": []}
        wanted = {key for service in state["services"] for key in service["networks"]}
        found = []
        for network in self.store.networks():
            if network["name"] in PREDEFINED or network.get("ingress") or network["id"] in wanted:
                continue
            if network.get("config_only"):
                continue
            if not any(one["state"]["Running"] for one, _ in self.endpoints(network)):
                found.append(network)
        return found

    # -- making and removing ----------------------------------------------------------------
    async def create(self, network: Record) -> None:
        """Check, choose subnets, make the device and its rules, remember."""
        networks = self.store.networks()
        self._check(network, networks)
        if network.get("config_only"):
            self.store.save_networks([*networks, network])
            return
        await self._assign(network, networks)
        self._check_device(network, networks)
        if network["driver"] == "bridge":
            await self.set_up(network)
        elif network["driver"] in parents.DRIVERS:
            await parents.make(self.here, network, networks)
        self.store.save_networks([*networks, network])

    async def gateway_network(self) -> Record:
        """docker_gwbridge, made when it is first needed."""
        for network in self.store.networks():
            if network["name"] == GATEWAY_BRIDGE:
                return network
        options = {
            BRIDGE + "enable_icc": "false",
            BRIDGE + "enable_ip_masquerade": "true",
            BRIDGE + "name": GATEWAY_BRIDGE,
        }
        network = new_network(self.store, GATEWAY_BRIDGE, "bridge", options=options)
        await self.create(network)
        return network

    def _check(self, network: Record, networks: list[Record]) -> None:
        name, driver = network["name"], network["driver"]
        if name in (*PREDEFINED, "default"):
            raise DaemonError(f"operation is not permitted on predefined {name} network ", 403)
        considered = [pool for pool in network["pools"] if network["ipv6"] or ":" not in pool["Subnet"]]
        problems = [problem for pool in considered for problem in pool_problems(pool)]
        if problems:
            raise DaemonError("invalid network config:\n" + "\n".join(problems), 400)
        if any(other["name"] == name for other in networks):
            raise DaemonError(f"network with name {name} already exists", 409)
        if network.get("config_only"):
            check_advertising(network["options"])
            return
        if driver not in DRIVERS:
            raise DaemonError(f'plugin "{driver}" not found', 404)
        if driver in ("host", "null"):
            raise DaemonError(f'only one instance of "{driver}" network is allowed', 403)
        check_advertising(network["options"])
        if driver == "bridge":
            check_bridge_options(network)
        elif driver in parents.DRIVERS:
            parents.check(network)

    async def _assign(self, network: Record, networks: list[Record]) -> None:
        """A subnet for each family that was given none, and gateways."""
        swarm = network["driver"] == "overlay"
        allocated = [
            net for other in networks if (other["driver"] == "overlay") == swarm for net in subnets(other)
        ]
        reserved = [] if swarm else await self._routes()
        pools = [dict(pool) for pool in network["pools"]]
        for pool in pools:
            pool["Subnet"] = str(ipam.request_subnet(pool["Subnet"], allocated, self._pools(), reserved))
        families = {6 if ":" in pool["Subnet"] else 4 for pool in pools}
        if network["ipv4"] and 4 not in families:
            chosen = ipam.choose_subnet(self._swarm_pools() if swarm else self._pools(4), allocated, reserved)
            pools.insert(0, {"Subnet": str(chosen)})
        if network["ipv6"] and 6 not in families:
            pools.append({"Subnet": str(ipam.choose_subnet(self._pools(6), allocated))})
        if network["driver"] == "bridge" and len(pools) != len({":" in pool["Subnet"] for pool in pools}):
            raise DaemonError("bridge driver doesn't support multiple subnets", 403)
        network["pools"] = pools
        for pool in pools:
            if not pool.get("Gateway") and not without_gateway(network, 6 if ":" in pool["Subnet"] else 4):
                taken = [ipaddress.ip_address(one) for one in (pool.get("AuxiliaryAddresses") or {}).values()]
                span = ipaddress.ip_network(pool["IPRange"], strict=False) if pool.get("IPRange") else None
                address = ipam.next_address(ipaddress.ip_network(pool["Subnet"]), taken, span)
                pool["Gateway"] = str(address) if address is not None else ""

    def _pools(self, family: int = 0) -> list[ipam.Pool]:
        every = [*self.config.pools]
        if not any(pool.base.version == 6 for pool in every):
            every.append(ipam.Pool.of(self._local_prefix(), 64))
        return [pool for pool in every if not family or pool.base.version == family]

    def _swarm_pools(self) -> list[ipam.Pool]:
        state = self.store.read_json(SWARM, {"pools": [], "pool_size": 24})
        return [ipam.Pool.of(base, state["pool_size"]) for base in state["pools"]]

    def _local_prefix(self) -> str:
        """fdXX:XXXX:XXXX::/48, this engine's own (RFC 4193)."""
        path = f"{ROOT}/engine-id"
        if not self.here.exists(path):
            self.store.write(path, self.here.random(16).hex() + "\n")
        digits = self.here.read(path).decode()[:10]
        return f"{ipaddress.IPv6Address(int('fd' + digits, 16) << 80)}/48"

    async def _routes(self) -> list[ipam.Net]:
        """Networks that the host reaches directly: no subnet is chosen that meets one."""
        found: list[ipam.Net] = []
        for route in json.loads(await run(self.here, ["ip", "-j", "-4", "route"]) or "[]"):
            if route.get("scope") == "link" and route.get("dst") not in (None, "default"):
                found.append(ipaddress.ip_network(route["dst"], strict=False))
        return found

    def _check_device(self, network: Record, networks: list[Record]) -> None:
        if network["driver"] != "bridge":
            return
        device = network["options"].get(BRIDGE + "name") or f"br-{network['id'][:12]}"
        network["device"] = device
        for other in networks:
            if other["device"] == device:
                raise DaemonError(
                    f"cannot create network {network['id']} ({device}): conflicts with network "
                    f"{other['id']} ({device}): networks have same bridge name",
                    403,
                )

    # -- bridges ----------------------------------------------------------------------------
    async def set_up(self, network: Record) -> None:
        """The bridge with its addresses, and the rules. A device that is there is taken as it is."""
        device = network["device"]
        shown = await self.here.run(["ip", "-j", "-d", "link", "show", device])
        there = shown.returncode == 0
        if there and json.loads(shown.stdout)[0].get("linkinfo", {}).get("info_kind") != "bridge":
            raise DaemonError(f"existing interface {device} is not a bridge")
        lines = []
        if not there:
            if network["name"] == "bridge" and device != DEFAULT_BRIDGE:
                raise DaemonError(f"bridge device with non default name {device} must be created manually")
            if len(device) > 15:
                raise DaemonError("numerical result out of range")
            lines.append(f"link add {device} address {self.new_mac()} type bridge")
            network["made"] = True
        mtu = network["options"].get(MTU)
        if mtu and mtu != "1500":
            lines.append(f"link set {device} mtu {mtu}")
        lines += await self._address_lines(network, there)
        lines.append(f"link set {device} up")
        await run(self.here, ["ip", "-batch", "-"], "\n".join(lines) + "\n")
        await self._sysctls(network)
        await self.firewall.change(add=self.rules_of(network), remove=self._stale(network) if there else ())

    async def _address_lines(self, network: Record, there: bool) -> list[str]:
        device, lines = network["device"], []
        present: set[str] = set()
        if there:
            shown = json.loads(await run(self.here, ["ip", "-j", "addr", "show", "dev", device]) or "[]")
            present = {
                f"{one['local']}/{one['prefixlen']}" for dev in shown if dev for one in dev["addr_info"]
            }
        for pool in network["pools"]:
            if not pool.get("Gateway") or self.mode(network, pool["Subnet"]) == "isolated":
                continue
            net = ipaddress.ip_network(pool["Subnet"])
            address = f"{pool['Gateway']}/{net.prefixlen}"
            if address in present or (net.version == 4 and flag(network["options"], BRIDGE + "inhibit_ipv4", False)):
                continue
            if net.version == 4:
                last = f" brd {net.broadcast_address}" if net.prefixlen < 31 else ""
                lines.append(f"addr add {address}{last} dev {device}")
            else:
                lines.append(f"addr add {address} dev {device} nodad")
        return lines

    async def _sysctls(self, network: Record) -> None:
        if not self.config["userland-proxy"]:
            await run(self.here, ["sysctl", "-qw", f"net/ipv4/conf/{network['device']}/route_localnet=1"])
        if network["ipv6"] and not network["internal"] and self.config["ip-forward"]:
            await self.forward(6)

    async def forward(self, family: int) -> None:
        """Switch forwarding on; who finds it off also closes the FORWARD chain to everybody else."""
        keys = (
            ["net.ipv4.ip_forward"]
            if family == 4
            else ["net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"]
        )
        was = (await run(self.here, ["sysctl", "-n", keys[0]])).strip()
        if was == "1":
            return
        for key in keys:
            await run(self.here, ["sysctl", "-qw", f"{key}=1"])
        if not self.config["ip-forward-no-drop"]:
            await self.firewall.drop_forwarded(family)

    def rules_of(self, network: Record) -> list[rules.Rule | nft_rules.Entry]:
        return [rule for view in self.views(network) for rule in rules.network_rules(self.config.rules, view)]

    def _stale(self, network: Record) -> list[rules.Rule | nft_rules.Entry]:
        """What another setting of the userland proxy left behind."""
        daemon = self.config.rules
        other = daemon._replace(userland_proxy=not daemon.userland_proxy)
        keep = set(self.rules_of(network))
        return [r for view in self.views(network) for r in rules.network_rules(other, view) if r not in keep]

    def views(self, network: Record) -> list[rules.Bridge]:
        """The network as `rules` sees it, once per family."""
        if network["driver"] != "bridge":
            return []
        options = network["options"]
        found = []
        for pool in network["pools"]:
            family = 6 if ":" in pool["Subnet"] else 4
            if not network[f"ipv{family}"]:
                continue
            found.append(
                rules.Bridge(
                    network["device"],
                    pool["Subnet"],
                    internal=network["internal"],
                    icc=flag(options, BRIDGE + "enable_icc", True),
                    masquerade=flag(options, BRIDGE + "enable_ip_masquerade", True),
                    mode=self.mode(network, pool["Subnet"]),
                    host_ip=options.get(f"com.docker.network.host_ipv{family}", ""),
                    trusted=[
                        one for one in options.get(BRIDGE + "trusted_host_interfaces", "").split(":") if one
                    ],
                )
            )
        return found

    def mode(self, network: Record, subnet: str) -> str:
        return str(network["options"].get(BRIDGE + f"gateway_mode_ipv{6 if ':' in subnet else 4}") or "nat")

    def new_mac(self) -> str:
        """Random, locally administered, not multicast."""
        data = bytearray(self.here.random(6))
        data[0] = data[0] & 0xFE | 0x02
        return ":".join(f"{byte:02x}" for byte in data)

    # -- removing ---------------------------------------------------------------------------
    async def remove(self, network: Record) -> None:
        if network["name"] in PREDEFINED:
            raise DaemonError(f"{network['name']} is a pre-defined network and cannot be removed", 403)
        self._check_swarm(network)
        if network.get("config_only") and any(
            one.get("config_from") == network["name"] for one in self.store.networks()
        ):
            raise DaemonError(
                f'error while removing network: configuration network "{network["name"]}" is in use', 403
            )
        attached = [
            (container, endpoint)
            for container, endpoint in self.endpoints(network)
            if container["state"]["Running"] and network.get("scope") != "swarm"
        ]
        if attached:
            names = " ".join(f'name:"{c["name"]}" id:"{e["endpoint_id"][:12]}"' for c, e in attached)
            raise DaemonError(
                f"error while removing network: network {network['name']} has active endpoints ({names})", 403
            )
        await self.take_down(network)
        self.store.save_networks([one for one in self.store.networks() if one["id"] != network["id"]])

    def _check_swarm(self, network: Record) -> None:
        """A swarm's network stays while a service or a container is in it."""
        if network.get("scope") != "swarm":
            return
        services = (self.store.read_json(SWARM, None) or {"services": []})["services"]
        said = "rpc error: code = FailedPrecondition desc ="
        for service in services:
            if network.get("ingress") and any(port["PublishMode"] == "ingress" for port in service["ports"]):
                raise DaemonError(
                    f"{said} ingress network cannot be removed because service {service['id']} depends on it",
                    409,
                )
            if network["id"] in service["networks"]:
                raise DaemonError(f"{said} network {network['id']} is in use by service {service['id']}", 409)
        for container, _ in self.endpoints(network):
            if container["state"]["Running"] and "number" in container:
                raise DaemonError(
                    f"{said} network {network['id']} is in use by task {container['id'][:25]}", 409
                )

    async def take_down(self, network: Record) -> None:
        if network["made"] and not parents.users(network, self.store.networks()):
            await self.here.run(["ip", "link", "del", network["device"]])
        if network["driver"] == "bridge":
            await self.firewall.change(remove=self.rules_of(network))

    # -- showing ----------------------------------------------------------------------------
    def inspect(self, network: Record) -> Record:
        """`docker network inspect`."""
        containers = {
            container["id"]: {
                "Name": endpoint.get("shown") or container["name"],
                "EndpointID": endpoint["endpoint_id"],
                "MacAddress": endpoint["mac"],
                "IPv4Address": f"{endpoint['ip']}/{endpoint['prefix']}" if endpoint["ip"] else "",
                "IPv6Address": f"{endpoint['ip6']}/{endpoint['prefix6']}" if endpoint["ip6"] else "",
            }
            for container, endpoint in self.endpoints(network)
            if container["state"]["Running"]
        }
        predefined = network["name"] in PREDEFINED
        swarm = network.get("scope") == "swarm"
        pools = [
            {
                key: pool[key]
                for key in ("Subnet", "IPRange", "Gateway", "AuxiliaryAddresses")
                if pool.get(key)
            }
            for pool in network["pools"]
        ]
        state = self.store.read_json(SWARM, {}) if swarm and containers else {}
        peers = [{"Name": state["peer"], "IP": state["node"]["addr"]}] if state else []
        return {
            "Name": network["name"],
            "Id": network["id"],
            "Created": network["created"],
            "Scope": network.get("scope", "local"),
            "Driver": network["driver"],
            "EnableIPv4": network["ipv4"],
            "EnableIPv6": network["ipv6"],
            "IPAM": {
                "Driver": "default",
                "Options": None if predefined or swarm else network["ipam_options"],
                "Config": pools or (None if network["driver"] in ("host", "null") and predefined else []),
            },
            "Internal": network["internal"],
            "Attachable": network["attachable"],
            "Ingress": bool(network.get("ingress")),
            "ConfigFrom": {"Network": network.get("config_from", "")},
            "ConfigOnly": network.get("config_only", False),
            "Containers": dict(sorted(containers.items())) if containers or not swarm else None,
            "Options": network["options"],
            "Labels": network["labels"] if network["labels"] or not swarm else None,
            **({"Peers": peers} if peers else {}),
        }
