"""Load balancers: for each overlay network a namespace of its own, in which IPVS spreads a service's connections.

    /var/run/docker/netns/ingress_sbox, lb_NETWORK:
        eth0  the load balancer's address, and each service's virtual address as a /32
        eth1  docker_gwbridge
        mangle PREROUTING  -p tcp --dport 8080 → mark 0x100     (ingress: a published port)
        mangle INPUT       -d VIRTUAL-ADDRESS → mark 0x100      (from a neighbour in the network)
        IPVS               FWM 256 rr → the tasks' addresses, masqueraded
        nat POSTROUTING    -m ipvs → SNAT to the load balancer's address, so answers come back here

Source: moby daemon/libnetwork/service_linux.go: addLBBackend, rmLBBackend, configureFWMark; network.go: createLoadBalancerSandbox.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from kubenet_course.docker.endpoints import new_endpoint
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import SANDBOXES, Record
from kubenet_course.docker.swarm import ingress
from kubenet_course.docker.swarm.state import Swarm

if TYPE_CHECKING:
    from kubenet_course.docker.engine import Engine

#: osl sandbox_linux.go: loadBalancerConfig.
TWEAKS = (
    "net.ipv4.vs.conn_reuse_mode=0",
    "net.ipv4.vs.expire_nodest_conn=1",
    "net.ipv4.vs.expire_quiescent_template=1",
)


class Balancers:
    """All load balancers of this node. The caller holds the lock and saves the swarm's state."""

    def __init__(self, engine: Engine, swarm: Swarm):
        self.engine = engine
        self.swarm = swarm

    def of(self, network: Record) -> Record | None:
        found: Record | None = self.swarm.here["balancers"].get(network["id"])
        return found

    async def ensure(self, network: Record) -> Record:
        """The network's load balancer, made if it is not there."""
        there = self.of(network)
        if there is not None and there["sandbox"]["key"]:
            return there
        name = f"{network['name']}-sbox" if network.get("ingress") else f"lb-{network['name']}"
        address = there["address"] if there else self.swarm.allocate(network)
        key = "ingress_sbox" if network.get("ingress") else f"lb_{network['id']}"[:12]
        record = {
            "id": name,
            "name": f"{network['name']}-endpoint",
            "address": address,
            "state": {"Running": True},
            "config": {"Hostname": "", "Domainname": ""},
            "host_config": {"NetworkMode": network["name"]},
            "sandbox": {"id": self.engine.store.new_id(), "key": f"{SANDBOXES}/{key}", "own": True},
            "endpoints": {},
        }
        self.swarm.here["balancers"][network["id"]] = record
        await self.engine.sandbox.open(record)
        # A new namespace has this from the host's own, where dockerd has switched it on.
        await self.engine.sandbox.inside(record, ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        endpoint = new_endpoint(network, ipam_config={"IPv4Address": address})
        await self.engine.sandbox.attach(record, network, endpoint)
        await self.engine.sandbox.default_gateway(record)
        await self.engine.sandbox.route(record)
        self.swarm.save()
        return record

    async def take_down(self, network: Record) -> None:
        record = self.of(network)
        if record is None:
            return
        for name, endpoint in list(record["endpoints"].items()):
            await self.engine.sandbox.detach(record, network if name == network["name"] else None, endpoint)
        await self.engine.sandbox.drop_gateway(record)
        await self.engine.sandbox.destroy(record)
        await self.engine.sandbox.overlay.destroy(network)
        del self.swarm.here["balancers"][network["id"]]
        for service in self.swarm.every_service:
            for kept in ("backends", "marks", "opened"):
                service[kept].pop(network["id"], None)

    # -- backends ---------------------------------------------------------------------------
    async def add(self, network: Record, service: Record, address: str) -> None:
        """A task's address joins the service's; with the first one the service itself is made."""
        vip = service["vips"].get(network["id"])
        if not vip:
            return
        record = await self.ensure(network)
        backends = service["backends"].setdefault(network["id"], [])
        if network["id"] not in service["marks"]:
            await self._add_service(network, service, record, vip)
        elif service["opened"][network["id"]]["ports"] != _ingress_ports(network, service):
            await self._reopen(network, service, record)
        mark = str(service["marks"][network["id"]])
        if address not in backends:
            await self._ipvs(record, "-a", "-f", mark, "-r", f"{address}:0", "-m", "-w", "1")
            backends.append(address)
        for line in TWEAKS:
            await self.engine.sandbox.inside(record, ["sysctl", "-qw", line])

    async def _add_service(self, network: Record, service: Record, record: Record, vip: str) -> None:
        mark = self.swarm.here["mark"]
        self.swarm.here["mark"] += 1
        service["marks"][network["id"]] = mark
        ports = _ingress_ports(network, service)
        service["opened"][network["id"]] = {"vip": vip, "ports": ports}
        endpoint = record["endpoints"][network["name"]]
        await self.engine.sandbox.inside(
            record, ["ip", "addr", "add", f"{vip}/32", "dev", endpoint["ifname"]]
        )
        if network.get("ingress"):
            await ingress.open_ports(self.engine.firewall, record["gateway"]["ip"], ports)
        await self._marks(network, record, vip, mark, ports, add=True)
        await self._ipvs(record, "-A", "-f", str(mark), "-s", "rr")

    async def _reopen(self, network: Record, service: Record, record: Record) -> None:
        """The service's published ports have changed."""
        opened, mark = service["opened"][network["id"]], service["marks"][network["id"]]
        gateway, fresh = record["gateway"]["ip"], _ingress_ports(network, service)
        await ingress.close_ports(self.engine.firewall, gateway, opened["ports"])
        await self._marks(network, record, opened["vip"], mark, opened["ports"], add=False)
        await ingress.open_ports(self.engine.firewall, gateway, fresh)
        await self._marks(network, record, opened["vip"], mark, fresh, add=True)
        opened["ports"] = fresh

    async def _marks(
        self, network: Record, record: Record, vip: str, mark: int, ports: list[Record], add: bool
    ) -> None:
        option = "-A" if add else "-D"
        to = f"-j MARK --set-mark {mark}"
        lines = ["*mangle"]
        lines += [
            f"{option} PREROUTING -p {port['Protocol']} --dport {port['PublishedPort']} {to}"
            for port in ports
        ]
        lines += [f"{option} INPUT -d {vip}/32 {to}", "COMMIT"]
        subnet = ipaddress.ip_network(network["pools"][0]["Subnet"])
        snat = f"POSTROUTING -d {subnet} -m ipvs --ipvs -j SNAT --to-source {record['address']}"
        if add and f"-A {snat}" not in await self.engine.sandbox.inside(
            record, ["iptables-save", "-t", "nat"]
        ):
            lines += ["*nat", f"-A {snat}", "COMMIT"]
            await self.engine.sandbox.inside(record, ["sysctl", "-qw", "net.ipv4.vs.conntrack=1"])
        text = "\n".join(lines) + "\n"
        await self.engine.sandbox.inside(record, ["iptables-restore", "--wait", "--noflush"], text)

    async def quiesce(self, network: Record, service: Record, address: str) -> None:
        """No new connections: the task is about to end."""
        record, mark = self.of(network), service["marks"].get(network["id"])
        if record is not None and address in service["backends"].get(network["id"], []):
            await self._ipvs(record, "-e", "-f", str(mark), "-r", f"{address}:0", "-m", "-w", "0")

    async def remove(self, network: Record, service: Record, address: str) -> None:
        """The address leaves; with the last one the service itself goes."""
        record, backends = self.of(network), service["backends"].get(network["id"], [])
        if record is None or address not in backends:
            return
        mark, opened = service["marks"][network["id"]], service["opened"][network["id"]]
        vip, ports = opened["vip"], opened["ports"]
        backends.remove(address)
        await self._ipvs(record, "-d", "-f", str(mark), "-r", f"{address}:0")
        if backends:
            return
        await self._ipvs(record, "-D", "-f", str(mark))
        if network.get("ingress"):
            await ingress.close_ports(self.engine.firewall, record["gateway"]["ip"], ports)
        await self._marks(network, record, vip, mark, ports, add=False)
        device = record["endpoints"][network["name"]]["ifname"]
        await self.engine.sandbox.inside(record, ["ip", "addr", "del", f"{vip}/32", "dev", device])
        for kept in ("backends", "marks", "opened"):
            del service[kept][network["id"]]

    async def _ipvs(self, record: Record, *words: str) -> None:
        await self.engine.sandbox.inside(record, ["ipvsadm", *words])


def _ingress_ports(network: Record, service: Record) -> list[Record]:
    if not network.get("ingress"):
        return []
    return [port for port in service["ports"] if port["PublishMode"] == "ingress"]


async def check_kernel(engine: Engine) -> None:
    """DaemonError where the kernel has no IPVS: without it a swarm has no load balancing."""
    done = await engine.here.run(["unshare", "--net", "ipvsadm", "-A", "-f", "256", "-s", "rr"])
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DaemonError(
            f"kubenet: a swarm needs IPVS, which this machine's kernel does not have ({said[-1] if said else ''})"
        )
