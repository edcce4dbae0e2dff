"""The overlay driver: a network's own namespace, with a bridge and a VXLAN device in it.

    container eth0 ── veth0 ─┐
                             ├─ br0 (the gateway's address) ── vxlan0 ── other nodes, UDP 4789
    container eth0 ── veth1 ─┘     in /var/run/docker/netns/1-NETWORK

The VXLAN device is made in the host's namespace and moved, so its packets leave through the host. The
namespace is made when the first endpoint comes and goes with the last one. A MAC follows from the address.

Source: moby daemon/libnetwork/drivers/overlay (ov_network.go, joinleave.go, ov_utils.go).
"""

from __future__ import annotations

import ipaddress
import json

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.networks import MTU
from kubenet_course.docker.running import run
from kubenet_course.docker.store import SANDBOXES, Record, Store

#: What VXLAN over IPv4 adds to a frame: Ethernet 14, IP 20, UDP 8, VXLAN 8.
OVERHEAD = 50
VXLAN_IDS = "com.docker.network.driver.overlay.vxlanid_list"


def key_of(network: Record) -> str:
    return f"{SANDBOXES}/1-{network['id'][:10]}"


def mtu_of(network: Record) -> int:
    return int(network["options"].get(MTU) or 1500) - OVERHEAD


def mac_of(address: str) -> str:
    """02:42 and the address's four bytes (netutils.GenerateMACFromIP)."""
    return ":".join(["02", "42", *(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)])


class Overlay:
    """Namespaces of overlay networks on this node. The caller holds the engine's lock."""

    def __init__(self, store: Store):
        self.store = store
        self.here = store.here

    async def inside(self, network: Record, argv: list[str], stdin: str = "") -> str:
        return await run(self.here, ["nsenter", f"--net={key_of(network)}", *argv], stdin)

    async def join(self, network: Record, port: int) -> None:
        """Make the namespace, the bridge and the VXLAN device; nothing happens where they are."""
        key = key_of(network)
        if self.here.exists(key):
            return
        vni = int(network["options"][VXLAN_IDS].split(",")[0])
        name = f"vx-{vni:06x}-{network['id'][:5]}"
        pool = network["pools"][0]
        prefix = pool["Subnet"].partition("/")[2]
        self.store.write(key, b"", 0o444)
        try:
            await run(self.here, ["unshare", f"--net={key}", "true"])
            await self.inside(network, ["ip", "-batch", "-"], "link set lo up\nlink add br0 type bridge\n")
            await run(
                self.here,
                ["ip", "link", "add", name, "mtu", str(mtu_of(network)), "type", "vxlan", "id", str(vni)]
                + ["dstport", str(port), "learning", "proxy", "l2miss", "l3miss"],
            )
            await run(self.here, ["ip", "link", "set", name, "netns", key])
            lines = [
                "link set br0 type bridge vlan_default_pvid 0",
                f"addr add {pool['Gateway']}/{prefix} brd {ipaddress.ip_network(pool['Subnet']).broadcast_address} dev br0",
                f"link set {name} name vxlan0 master br0",
                f"link set br0 mtu {mtu_of(network)} up",
                "link set vxlan0 up",
            ]
            await self.inside(network, ["ip", "-batch", "-"], "\n".join(lines) + "\n")
        except DaemonError as problem:
            await self.here.run(["ip", "link", "del", name])
            await self.destroy(network)
            raise DaemonError(f"network sandbox join failed: {problem.message}") from None

    async def plug(self, network: Record, sandbox_key: str, peer: str) -> None:
        """A veth from the network's bridge into a sandbox, where it is `peer` and down."""
        shown = json.loads(await self.inside(network, ["ip", "-j", "link", "show"]) or "[]")
        used = {one["ifname"] for one in shown if one}
        number = 0
        while f"veth{number}" in used:
            number += 1
        lines = [
            f"link add veth{number} mtu {mtu_of(network)} type veth peer name {peer} netns {sandbox_key}",
            f"link set veth{number} master br0",
            f"link set veth{number} up",
        ]
        await self.inside(network, ["ip", "-batch", "-"], "\n".join(lines) + "\n")

    async def destroy(self, network: Record) -> None:
        key = key_of(network)
        if self.here.exists(key):
            await self.here.run(["umount", key])
            self.store.remove_tree(key)
