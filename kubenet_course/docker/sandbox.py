"""A container's place in the network: its namespace, and the devices in it.

All of it is made with `unshare`, `ip`, `nsenter`, `sysctl`. The namespace is a mount below /var/run/docker/netns,
so `ip netns` does not list it until somebody links it into /var/run/netns.
"""

from __future__ import annotations

import ipaddress

from kubenet_course.docker import ipam, nft_rules, parents, resolver, rules
from kubenet_course.docker.endpoints import ASSIGNED, IFNAME, SYSCTLS, gateways, new_endpoint, own_endpoints
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.name_files import NameFiles
from kubenet_course.docker.networks import BRIDGE, MTU, Networks
from kubenet_course.docker.ports import sort_key
from kubenet_course.docker.running import run, start
from kubenet_course.docker.store import SANDBOXES, Record, Store
from kubenet_course.docker.swarm.ingress import redirect_rules
from kubenet_course.docker.swarm.overlay import Overlay, mac_of, mtu_of
from kubenet_course.docker.swarm.state import Swarm

READY_SECONDS = 10.0


class Sandbox(NameFiles):
    """Namespaces and endpoints of containers. The caller holds the store's lock and saves the record."""

    def __init__(self, store: Store, networks: Networks, firewall: Firewall):
        self.store = store
        self.here = store.here
        self.networks = networks
        self.firewall = firewall
        self.overlay = Overlay(store)

    # -- the namespace ----------------------------------------------------------------------
    async def create(self, container: Record) -> None:
        """A namespace of its own, with `lo` up."""
        sandbox_id = self.store.new_id()
        key = f"{SANDBOXES}/{sandbox_id[:12]}"
        container["sandbox"] = {"id": sandbox_id, "key": key, "own": True}
        await self.open(container)

    async def open(self, container: Record) -> None:
        """Make the namespace that the record's sandbox names."""
        key = container["sandbox"]["key"]
        self.store.write(key, b"", 0o444)
        await run(self.here, ["unshare", f"--net={key}", "true"])
        await self.inside(container, ["ip", "link", "set", "lo", "up"])

    async def destroy(self, container: Record) -> None:
        sandbox = container["sandbox"]
        if sandbox.get("own"):
            await self.here.run(["umount", sandbox["key"]])
            self.store.remove_tree(sandbox["key"])
        container["sandbox"] = {"id": "", "key": "", "own": False}

    async def inside(self, container: Record, argv: list[str], stdin: str = "") -> str:
        return await run(self.here, ["nsenter", f"--net={container['sandbox']['key']}", *argv], stdin)

    # -- endpoints --------------------------------------------------------------------------
    async def attach(self, container: Record, network: Record, endpoint: Record) -> None:
        """Addresses, a device in the namespace, and what the host's filter has to know of it."""
        endpoint["endpoint_id"] = self.store.new_id()
        endpoint["network_id"], endpoint["internal"] = network["id"], parents.internal(network)
        if network["driver"] in ("host", "null"):
            return
        self._check_links(container, network, endpoint)
        self._assign(container, network, endpoint)
        overlay = network["driver"] == "overlay"
        own_mac = mac_of(endpoint["ip"]) if overlay else ""
        endpoint["mac"] = endpoint["wanted_mac"] or own_mac or self.networks.new_mac()
        wanted = (endpoint["driver_opts"] or {}).get(IFNAME, "")
        endpoint["ifname"] = wanted or self._interface_name(container, network)
        if endpoint is not container.get("gateway"):
            container["endpoints"][network["name"]] = endpoint
        if network["driver"] == "bridge":
            await self._veth(container, network, endpoint)
        elif overlay:
            await self._tunnel(container, network, endpoint)
        else:
            await self._sub_device(container, network, endpoint)

    def _check_links(self, container: Record, network: Record, endpoint: Record) -> None:
        if network["name"] != "bridge":
            return
        running = {one["name"] for one in self.store.containers() if one["state"]["Running"]}
        for target, alias in endpoint["links"]:
            if target not in running:
                raise DaemonError(
                    f"cannot link to a non running container: /{target} AS /{container['name']}/{alias}"
                )

    async def _tunnel(self, container: Record, network: Record, endpoint: Record) -> None:
        """An endpoint of an overlay network."""
        swarm = Swarm(self.store)
        await self.overlay.join(network, swarm.here["data_port"])
        name = f"veth{self.here.random(4).hex()[:7]}"
        await self.overlay.plug(network, container["sandbox"]["key"], name)
        narrow = {**network, "options": {**network["options"], MTU: str(mtu_of(network))}}
        await self._configure(container, narrow, endpoint, name)

    def _assign(self, container: Record, network: Record, endpoint: Record) -> None:
        if network["driver"] == "overlay" and not endpoint["ip"] and not endpoint["ipam_config"]:
            swarm = Swarm(self.store)
            endpoint["ipam_config"] = {"IPv4Address": swarm.allocate(network)}
            swarm.save()
        taken = self.taken(network)
        wanted = endpoint["ipam_config"] or {}
        for pool in network["pools"]:
            subnet = ipaddress.ip_network(pool["Subnet"])
            suffix = "6" if subnet.version == 6 else ""
            if not network[f"ipv{subnet.version}"] or endpoint[f"ip{suffix}"]:
                continue
            if subnet.version == 6 and _without_ipv6(container, endpoint):
                continue
            asked = wanted.get(f"IPv{subnet.version}Address")
            address: ipam.Address | None
            if asked:
                address = ipaddress.ip_address(asked)
                if address not in subnet and len(network["pools"]) > 1:
                    continue
                address = ipam.check_address(subnet, address, taken)
            else:
                span = ipaddress.ip_network(pool["IPRange"]) if pool.get("IPRange") else None
                address = ipam.next_address(subnet, taken, span)
            if address is None:
                raise DaemonError(
                    ipam.NO_ADDRESS.format(family=subnet.version, name=network["name"], id=network["id"][:12])
                )
            taken.append(address)
            endpoint[f"ip{suffix}"] = str(address)
            endpoint[f"prefix{suffix}"] = subnet.prefixlen
            has_gateway = network["driver"] != "overlay" and not parents.internal(network)
            endpoint[f"gateway{suffix}"] = pool.get("Gateway", "") if has_gateway else ""

    def taken(self, network: Record) -> list[ipam.Address]:
        found = [
            ipaddress.ip_address(end[key])
            for _, end in self.networks.endpoints(network)
            for key in ("ip", "ip6")
            if end[key]
        ]
        for pool in network["pools"]:
            kept = [pool.get("Gateway", ""), *(pool.get("AuxiliaryAddresses") or {}).values()]
            found += [ipaddress.ip_address(address) for address in kept if address]
        return found

    def _interface_name(self, container: Record, network: Record) -> str:
        prefix = network["options"].get("com.docker.network.container_iface_prefix") or "eth"
        used = {end["ifname"] for end in own_endpoints(container)}
        number = 0
        while f"{prefix}{number}" in used:
            number += 1
        return f"{prefix}{number}"

    async def _veth(self, container: Record, network: Record, endpoint: Record) -> None:
        host = f"veth{self.here.random(4).hex()[:7]}"
        peer = f"veth{self.here.random(4).hex()[:7]}"
        bridge, mtu = network["device"], network["options"].get(MTU)
        endpoint["host_if"] = host
        lines = [f"link add {host} type veth peer name {peer} netns {container['sandbox']['key']}"]
        if mtu and mtu != "1500":
            lines.append(f"link set {host} mtu {mtu}")
        lines.append(f"link set {host} master {bridge}")
        if not self.firewall.config["userland-proxy"]:
            lines.append(f"link set {host} type bridge_slave hairpin on")
        try:
            await run(self.here, ["ip", "-batch", "-"], "\n".join(lines) + "\n")
            added = [*self._endpoint_rules(network, endpoint), *self.link_rules(container, network, endpoint)]
            await self.firewall.change(add=added)
            await run(self.here, ["ip", "link", "set", host, "up"])
            await self._configure(container, network, endpoint, peer)
        except DaemonError:
            await self.here.run(["ip", "link", "del", host])
            raise
        # What the container announces may come before its port forwards. Docker repeats it for three seconds.
        for address in filter(None, (endpoint["ip"], endpoint["ip6"])):
            await self.here.run(["ip", "neigh", "flush", "to", address, "dev", bridge])

    async def _sub_device(self, container: Record, network: Record, endpoint: Record) -> None:
        """A macvlan or ipvlan device on the parent."""
        driver = network["driver"]
        name = f"veth{self.here.random(4).hex()[:7]}"
        mode, flag = parents.mode(network), network["options"].get("ipvlan_flag", "")
        line = f"link add link {network['device']} name {name} netns {container['sandbox']['key']} type {driver} mode {mode}"
        if driver == "ipvlan" and flag:
            line += f" {flag}"
        try:
            await run(self.here, ["ip", "-batch", "-"], line + "\n")
        except DaemonError as problem:
            if "Operation not supported" in problem.message:
                raise DaemonError(f"failed to create the {driver} port: operation not supported") from None
            raise
        await self._configure(container, network, endpoint, name)
        endpoint["on_link"] = driver == "ipvlan" and mode in ("l3", "l3s") and not parents.internal(network)

    async def _configure(self, container: Record, network: Record, endpoint: Record, device: str) -> None:
        """Name, MAC, addresses, up, route: inside the namespace."""
        name, mtu = endpoint["ifname"], network["options"].get(MTU)
        first = [f"link set {device} name {name}"]
        if network["driver"] != "ipvlan":
            first.append(f"link set {name} address {endpoint['mac']}")
        else:
            endpoint["mac"] = ""
        if mtu and mtu != "1500":
            first.append(f"link set {name} mtu {mtu}")
        await self.inside(container, ["ip", "-batch", "-"], "\n".join(first) + "\n")
        off = "0" if endpoint["ip6"] else "1"
        await self.here.run(
            [
                "nsenter",
                f"--net={container['sandbox']['key']}",
                "sysctl",
                "-qw",
                f"net/ipv6/conf/{name}/disable_ipv6={off}",
                # Docker 28 tells the neighbours when a container comes: its address may have been another's.
                f"net/ipv4/conf/{name}/arp_notify=1",
            ]
        )
        await self._endpoint_sysctls(container, endpoint)
        lines = []
        if endpoint["ip"]:
            net = ipaddress.ip_network(f"{endpoint['ip']}/{endpoint['prefix']}", strict=False)
            last = f" brd {net.broadcast_address}" if net.prefixlen < 31 else ""
            lines.append(f"addr add {endpoint['ip']}/{endpoint['prefix']}{last} dev {name}")
        if endpoint["ip6"]:
            lines.append(f"addr add {endpoint['ip6']}/{endpoint['prefix6']} dev {name} nodad")
        for address in (endpoint["ipam_config"] or {}).get("LinkLocalIPs", ()):
            lines.append(f"addr add {address}/{64 if ':' in address else 16} dev {name}")
        lines.append(f"link set {name} up")
        await self.inside(container, ["ip", "-batch", "-"], "\n".join(lines) + "\n")

    async def _endpoint_sysctls(self, container: Record, endpoint: Record) -> None:
        """Settings of its interface (SYSCTLS), where IFNAME stands for the name."""
        for setting in filter(None, (endpoint["driver_opts"] or {}).get(SYSCTLS, "").split(",")):
            head, _, rest = setting.partition(".conf.")
            path = f"{head}.conf.{endpoint['ifname']}.{rest.partition('.')[2]}".replace(".", "/")
            key, _, value = path.partition("=")
            words = ["nsenter", f"--net={container['sandbox']['key']}", "sysctl", "-qw", f"{key}={value}"]
            done = await self.here.run(words)
            if done.returncode or done.stderr:
                raise DaemonError(f"failed to set sysctl {setting}: {done.stderr.strip()}")

    def _endpoint_rules(self, network: Record, endpoint: Record) -> list[rules.Rule | nft_rules.Entry]:
        found: list[rules.Rule | nft_rules.Entry] = []
        for view in self.networks.views(network):
            address = endpoint["ip6" if view.family == 6 else "ip"]
            if address:
                found += rules.endpoint_rules(self.firewall.config.rules, view, address)
        return found

    def link_rules(self, container: Record, network: Record, endpoint: Record) -> list[rules.Rule | nft_rules.Entry]:
        """Legacy links across a bridge without icc, of this container and to it, with everyone who runs."""
        view = next((one for one in self.networks.views(network) if one.family == 4), None)
        if view is None or view.icc or network["name"] != "bridge":
            return []
        found: list[rules.Rule | nft_rules.Entry] = []
        nft = self.firewall.config.rules.nftables
        for other, end in self.networks.endpoints(network):
            if other["id"] == container["id"] or not end["ip"]:
                continue
            if other["name"] in [target for target, _ in endpoint["links"]]:
                found += rules.link_rules(view, endpoint["ip"], end["ip"], exposed_ports(other), nft)
            if container["name"] in [target for target, _ in end["links"]]:
                found += rules.link_rules(view, end["ip"], endpoint["ip"], exposed_ports(container), nft)
        return found

    async def detach(self, container: Record, network: Record | None, endpoint: Record) -> None:
        """Take the device away; the addresses are free again."""
        if endpoint["host_if"]:
            await self.here.run(["ip", "link", "del", endpoint["host_if"]])
        elif endpoint["ifname"] and container["sandbox"]["key"]:
            key = container["sandbox"]["key"]
            await self.here.run(["nsenter", f"--net={key}", "ip", "link", "del", endpoint["ifname"]])
        if network is not None and network["driver"] == "bridge":
            gone = [*self._endpoint_rules(network, endpoint), *self.link_rules(container, network, endpoint)]
            await self.firewall.change(remove=gone)
        blank = new_endpoint({"name": endpoint["network"], "id": endpoint["network_id"]})
        endpoint.update({key: blank[key] for key in ASSIGNED})

    # -- docker_gwbridge --------------------------------------------------------------------
    async def default_gateway(self, container: Record) -> None:
        """A way out for whoever is in overlay networks and has no other; taken away again once there is one."""
        networks = {one["id"]: one for one in self.store.networks()}
        ends = container["endpoints"].values()
        tunnelled = [networks.get(end["network_id"]) for end in ends]
        needs = any(one and one["driver"] == "overlay" and not one["internal"] for one in tunnelled)
        needs = needs and not any(end["gateway"] or end["gateway6"] for end in ends)
        if needs and not container.get("gateway"):
            network = await self.networks.gateway_network()
            name = container["id"] if len(container["id"]) <= 12 else container["sandbox"]["id"][:12]
            container["gateway"] = new_endpoint(network, shown=f"gateway_{name}")
            await self.attach(container, network, container["gateway"])
        elif not needs and container.get("gateway"):
            await self.drop_gateway(container)

    async def drop_gateway(self, container: Record) -> None:
        endpoint = container.get("gateway")
        if endpoint:
            found = next((one for one in self.store.networks() if one["id"] == endpoint["network_id"]), None)
            await self.detach(container, found, endpoint)
            container["gateway"] = None

    async def redirect(self, container: Record) -> None:
        """A task's published ports, where they arrive from the routing mesh."""
        for endpoint in container["endpoints"].values():
            if endpoint["network_id"] == container["ingress"]["network"] and container["ingress"]["ports"]:
                text = redirect_rules(endpoint["ip"], container["ingress"]["ports"])
                await self.inside(container, ["iptables-restore", "--wait", "--noflush"], text)

    # -- the default route ------------------------------------------------------------------
    async def route(self, container: Record) -> None:
        lines = []
        for end, every, key in zip(gateways(container), ("0.0.0.0/0", "::/0"), ("gateway", "gateway6"), strict=True):
            if end is not None:
                via = f"via {end[key]} " if end[key] else ""
                lines.append(f"route replace {every} {via}dev {end['ifname']}")
        if lines:
            await self.inside(container, ["ip", "-batch", "-"], "\n".join(lines) + "\n")

    # -- the resolver -----------------------------------------------------------------------
    async def start_resolver(self, container: Record) -> None:
        """The DNS server in the namespace, and the rules that lead to it."""
        udp, tcp = (32768 + int.from_bytes(self.here.random(2), "big") % 28232 for _ in range(2))
        key = container["sandbox"]["key"]
        await self.inside(
            container, ["iptables-restore", "--wait", "--noflush"], resolver.chain_rules(udp, tcp)
        )
        argv = ["nsenter", f"--net={key}", "docker-resolver", container["id"], str(udp), str(tcp)]
        container["resolver"] = (await start_helpers(self.store, [argv]))[0]


def exposed_ports(container: Record) -> list[tuple[int, str]]:
    ports = [sort_key(key) for key in container["config"].get("ExposedPorts") or {}]
    return sorted(ports)


def _without_ipv6(container: Record, endpoint: Record) -> bool:
    """Whether a sysctl keeps IPv6 off the container, or off this endpoint."""
    settings = (endpoint["driver_opts"] or {}).get(SYSCTLS, "").lower().split(",")
    return container["sandbox"].get("ipv6") is False or "net.ipv6.conf.ifname.disable_ipv6=1" in settings


async def start_helpers(store: Store, commands: list[list[str]]) -> list[int]:
    """Start programs that write DOCKER_PROXY_READY when they listen; their process numbers, in order."""
    here = store.here
    paths = []
    for argv in commands:
        path = f"/run/docker/ready-{here.random(6).hex()}"
        await start(here, argv, {**here.env, "DOCKER_PROXY_READY": path})
        paths.append(path)
    waited = 0.0
    numbers = []
    for path in paths:
        while not here.exists(path) and waited < READY_SECONDS:
            await here.sleep(0.002)
            waited += 0.002
        if here.exists(path):
            numbers.append(int(here.read(path).decode()))
            here.remove(path)
    if len(numbers) < len(paths):
        if numbers:
            await here.run(["kill", *map(str, numbers)])
        raise DaemonError("failed to start userland proxy: it does not answer")
    return numbers


__all__ = ["BRIDGE", "Sandbox", "start_helpers"]
