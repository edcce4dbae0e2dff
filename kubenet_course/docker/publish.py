"""Opening a container's published ports: a free host port, docker-proxy, the rules; and closing them."""

from __future__ import annotations

from typing import Any

from kubenet_course import errno
from kubenet_course.docker import nft_rules, rules
from kubenet_course.docker.endpoints import gateways
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.networks import BRIDGE, Networks
from kubenet_course.docker.ports import (
    Binding,
    Wanted,
    already_allocated,
    bindings,
    candidates,
    conflict,
    join,
    sort_key,
)
from kubenet_course.docker.sandbox import start_helpers
from kubenet_course.docker.store import RUN, Record, Store
from kubenet_course.errors import KernelError

LAST_PORT = f"{RUN}/last-port"


class Publisher:
    """Published ports of containers. The caller holds the lock and saves the record."""

    def __init__(self, store: Store, networks: Networks, firewall: Firewall):
        self.store = store
        self.here = store.here
        self.networks = networks
        self.firewall = firewall

    def wanted(self, container: Record) -> list[Wanted]:
        """From -p and -P."""
        host = container["host_config"]
        found = []
        for key, entries in (host["PortBindings"] or {}).items():
            number, protocol = sort_key(key)
            for entry in entries:
                first, dash, last = (entry["HostPort"] or "0").partition("-")
                found.append(
                    Wanted(protocol, number, entry["HostIp"], int(first), int(last) if dash else int(first))
                )
        if host["PublishAllPorts"]:
            named = {one.key for one in found}
            for key in sorted(container["config"].get("ExposedPorts") or {}, key=sort_key):
                if key not in named:
                    number, protocol = sort_key(key)
                    found.append(Wanted(protocol, number, "", 0, 0))
        return found

    async def follow(self, container: Record) -> None:
        """Publish on the networks that lead out, and only there; DaemonError with nothing new left behind.

        Where there is no way out for IPv6, the network of IPv4 has the host's IPv6 addresses too.
        """
        four, six = gateways(container)
        wanted: dict[str, set[int]] = {}
        if four is not None:
            wanted[four["network"]] = {4, 6} if six is None or six is four else {4}
        if six is not None and six is not four:
            wanted[six["network"]] = {6}
        networks = {one["name"]: one for one in self.store.networks()}
        published: dict[str, list[int]] = container.setdefault("published", {})
        for name in list(published):
            await self.close(container, networks.get(name), name, set(published[name]) - wanted.get(name, set()))
        for name, families in wanted.items():
            missing = families - set(published.get(name, ()))
            if missing and name in networks:
                end = four if four is not None and four["network"] == name else six
                assert end is not None
                await self._open(container, networks[name], end, missing)
                published[name] = sorted({*published.get(name, ()), *missing})

    async def _open(self, container: Record, network: Record, endpoint: Record, families: set[int]) -> None:
        if network["driver"] != "bridge" or network["internal"]:
            return
        views = {view.family: view for view in self.networks.views(network)}
        config = self.firewall.config
        default = network["options"].get(BRIDGE + "host_binding_ipv4") or config["ip"]
        requests = [
            one
            for one in bindings(
                self.wanted(container), default, endpoint["ip"], endpoint["ip6"], proxy=config["userland-proxy"],
                routed4=4 in views and views[4].routed, routed6=6 in views and views[6].routed,
                ipv6_host=self.here.exists("/proc/net/if_inet6"),
            )
            if (6 if ":" in one.host_ip else 4) in families
        ]  # fmt: skip
        if not requests:
            return
        taken = [
            one
            for other in self.store.containers()
            for one in other["bindings"]
            if other["id"] != container["id"]
        ] + container["bindings"]
        opened: list[Record] = []
        try:
            for group in _groups(requests):
                opened += await self._bind(group, [*taken, *opened], network)
            await self._proxies(opened)
        except DaemonError as problem:
            await self._let_go(opened)
            raise DaemonError(
                f"driver failed programming external connectivity on endpoint {container['name']} "
                f"({endpoint['endpoint_id']}): {problem.message}"
            ) from None
        container["bindings"] += opened
        await self.firewall.change(add=self._rules(opened, network))

    async def _bind(self, group: list[Binding], taken: list[Record], network: Record) -> list[Record]:
        """One host port for all addresses of a group."""
        one = group[0].wanted
        if group[0].routed:
            return [_record(binding, 0, network) for binding in group]
        ephemeral = self._ephemeral()
        first = self._last() + 1
        problem: DaemonError | None = None
        for port in candidates(one, ephemeral, first):
            problem = await self._refused(group, port, taken)
            if problem is None:
                if not one.host_port:
                    self.store.write(LAST_PORT, f"{port}\n")
                return [_record(binding, port, network) for binding in group]
        raise problem or already_allocated(group[0].host_ip, one.host_port)

    async def _refused(self, group: list[Binding], port: int, taken: list[Record]) -> DaemonError | None:
        for binding in group:
            protocol = binding.wanted.protocol
            if conflict(binding.host_ip, port, protocol, taken):
                return already_allocated(binding.host_ip, port)
            try:
                if protocol == "tcp":
                    (await self.here.net.listen(binding.host_ip, port)).close()
                elif protocol == "udp":
                    (await self.here.net.udp(binding.host_ip, port)).close()
            except KernelError as failure:
                target = join(binding.container_ip, binding.wanted.container_port)
                said = failure.strerror[:1].lower() + failure.strerror[1:]
                if failure.errno == errno.EADDRINUSE:
                    said = "address already in use"
                return DaemonError(
                    f"failed to bind host port for {join(binding.host_ip, port)}:{target}/{protocol}: {said}"
                )
        return None

    def _ephemeral(self) -> tuple[int, int]:
        words = self.here.read("/proc/sys/net/ipv4/ip_local_port_range").split()
        return int(words[0]), int(words[1])

    def _last(self) -> int:
        try:
            return int(self.here.read(LAST_PORT))
        except (KernelError, ValueError):
            return 0

    async def _proxies(self, opened: list[Record]) -> None:
        if not self.firewall.config["userland-proxy"]:
            return
        carried = [one for one in opened if not one["routed"] and one["protocol"] in ("tcp", "udp")]
        commands = [
            ["docker-proxy", "-proto", one["protocol"], "-host-ip", one["host_ip"], "-host-port", str(one["host_port"]),
             "-container-ip", one["container_ip"], "-container-port", str(one["container_port"])]
            for one in carried
        ]  # fmt: skip
        for one, pid in zip(carried, await start_helpers(self.store, commands), strict=True):
            one["pid"] = pid

    def _rules(self, opened: list[Record], network: Record) -> list[rules.Rule | nft_rules.Entry]:
        views = {view.family: view for view in self.networks.views(network)}
        found: list[rules.Rule | nft_rules.Entry] = []
        for one in opened:
            view = views.get(6 if ":" in one["container_ip"] else 4)
            if view is not None:
                port = rules.Port(
                    one["protocol"],
                    one["container_ip"],
                    one["container_port"],
                    one["host_ip"],
                    one["host_port"],
                )
                found += rules.port_rules(self.firewall.config.rules, view, port)
        return found

    async def close(
        self, container: Record, network: Record | None, name: str, families: set[int] | None = None
    ) -> None:
        """Take back what is published on a network, for these families of host addresses (None: all)."""
        if families == set():
            return
        gone = [
            one
            for one in container["bindings"]
            if one["network"] == name and (families is None or (6 if ":" in one["host_ip"] else 4) in families)
        ]
        await self._let_go(gone)
        if network is not None and gone:
            await self.firewall.change(remove=self._rules(gone, network))
        container["bindings"] = [one for one in container["bindings"] if one not in gone]
        published = container.setdefault("published", {})
        published[name] = [one for one in published.get(name, ()) if families is not None and one not in families]
        if not published[name]:
            del published[name]

    async def _let_go(self, opened: list[Record]) -> None:
        pids = [str(one["pid"]) for one in opened if one["pid"]]
        if pids:
            await self.here.run(["kill", *pids])

    async def close_all(self, container: Record) -> None:
        networks = {one["name"]: one for one in self.store.networks()}
        for name in list(container.get("published", {})):
            await self.close(container, networks.get(name), name)


def _groups(requests: list[Binding]) -> list[list[Binding]]:
    """Neighbours that differ in the host address alone."""
    found: list[list[Binding]] = []
    for binding in requests:
        if found:
            one, other = found[-1][0].wanted._replace(host_ip=""), binding.wanted._replace(host_ip="")
            if one == other and found[-1][0].routed == binding.routed:
                found[-1].append(binding)
                continue
        found.append([binding])
    return found


def _record(binding: Binding, port: int, network: Record) -> dict[str, Any]:
    return {
        "protocol": binding.wanted.protocol,
        "container_port": binding.wanted.container_port,
        "host_ip": binding.host_ip,
        "host_port": port,
        "container_ip": binding.container_ip,
        "routed": binding.routed,
        "network": network["name"],
        "pid": 0,
    }
