"""What a container finds in /etc/hostname, /etc/hosts and /etc/resolv.conf."""

from __future__ import annotations

from kubenet_course.docker import resolvconf, resolver
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.networks import PREDEFINED
from kubenet_course.docker.store import CONTAINERS, Record, Store
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

HOSTS = "127.0.0.1\tlocalhost\n"
HOSTS_6 = """::1	localhost ip6-localhost ip6-loopback
fe00::	ip6-localnet
ff00::	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
"""


class NameFiles:
    """The part of a sandbox that writes them; `firewall` has the daemon's configuration."""

    store: Store
    here: Surroundings
    firewall: Firewall

    def uses_resolver(self, container: Record) -> bool:
        """Whether its name server is the one at 127.0.0.11."""
        return any(name not in PREDEFINED for name in container["endpoints"])

    def write_files(self, container: Record, shared: Record | None = None) -> None:
        """hostname, hosts and resolv.conf of a container, below /var/lib/docker/containers."""
        folder = f"{CONTAINERS}/{container['id']}"
        self.store.write(f"{folder}/hostname", container["config"]["Hostname"] + "\n")
        if shared is not None:
            for name in ("hosts", "resolv.conf"):
                self.store.write(f"{folder}/{name}", self.here.read(f"{CONTAINERS}/{shared['id']}/{name}"))
            return
        if "host" in container["endpoints"] and not container["host_config"]["ExtraHosts"]:
            self.store.write(f"{folder}/hosts", self.here.read("/etc/hosts"))
        else:
            self.store.write(f"{folder}/hosts", self.hosts(container))
        self.store.write(f"{folder}/resolv.conf", self._resolv_conf(container))

    def hosts(self, container: Record) -> str:
        ipv6 = container["sandbox"].get("ipv6") is not False
        text = HOSTS + (HOSTS_6 if ipv6 else "")
        for name, address in self._extra_hosts(container):
            if ipv6 or ":" not in address:
                text += f"{address}\t{name}\n"
        for endpoint in container["endpoints"].values():
            for target, alias in endpoint["links"]:
                text += self._link_lines(target, alias)
        names = ".".join(filter(None, (container["config"]["Hostname"], container["config"]["Domainname"])))
        if "." in names:
            names += f" {names.partition('.')[0]}"
        for endpoint in container["endpoints"].values():
            for address in (endpoint["ip"], endpoint["ip6"]):
                if address:
                    text += f"{address}\t{names}\n"
        return text

    def _link_lines(self, target: str, alias: str) -> str:
        try:
            other = self.store.container(target)
        except DaemonError:
            return ""
        end = next((end for end in other["endpoints"].values() if end["ip"]), None)
        names = " ".join(dict.fromkeys([alias, other["config"]["Hostname"], other["name"]]))
        addresses = (end["ip"], end["ip6"]) if end else ()
        return "".join(f"{address}\t{names}\n" for address in addresses if address)

    def _extra_hosts(self, container: Record) -> list[tuple[str, str]]:
        """(name, address) of `--add-host`; host-gateway is every address of the host that the daemon knows."""
        found = []
        for entry in container["host_config"]["ExtraHosts"] or []:
            name, _, address = entry.partition(":")
            if address != "host-gateway":
                found.append((name, address))
                continue
            gateways = self.host_gateways()
            if not gateways:
                raise DaemonError("unable to derive the IP value for host-gateway")
            found += [(name, one) for one in gateways]
        return found

    def host_gateways(self) -> list[str]:
        """Of host-gateway-ips, host-gateway-ip, or the default bridge's gateways."""
        config = self.firewall.config
        given = config["host-gateway-ips"] or ([config["host-gateway-ip"]] if config["host-gateway-ip"] else [])
        if given:
            return list(given)
        bridge = next((net for net in self.store.networks() if net["name"] == "bridge"), None)
        return [pool["Gateway"] for pool in (bridge or {"pools": []})["pools"] if pool.get("Gateway")]

    def _resolv_conf(self, container: Record) -> str:
        """The host's, with a container's own settings over it; 127.0.0.11 in user-defined networks."""
        try:
            file = resolvconf.parse(self.here.read(resolvconf.PATH).decode("utf-8", "replace"))
        except KernelError:
            file = resolvconf.parse("")
        chosen, config = container["host_config"], self.firewall.config
        file.override(
            chosen["Dns"] or config["dns"],
            chosen["DnsSearch"] or config["dns-search"],
            chosen["DnsOptions"] or config["dns-opts"],
        )
        container["ndots_set"] = file.option("ndots") is not None
        if self.uses_resolver(container):
            file.for_internal(resolver.ADDRESS)
            container["dns_servers"] = [list(one) for one in file.external]
        elif "host" not in container["endpoints"]:
            networks = {one["name"]: one for one in self.store.networks()}
            file.for_legacy(any(name in networks and networks[name]["ipv6"] for name in container["endpoints"]))
        return file.text()
