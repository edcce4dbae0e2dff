"""Network devices, by `ip`: look one up, make a veth pair, delete, give it what IPAM gave.

# containernetworking/plugins pkg/ip/link_linux.go, pkg/ipam/ipam_linux.go, pkg/ip/utils_linux.go
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import Any

from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import quoted
from kubenet_course.cni.netns import CommandFailure, Netns
from kubenet_course.cni.result import Address, IPConfig, Prefix, Result, Route

_MAC = re.compile(r"([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5})")
NOT_FOUND = "Link not found"
_WIDE = "00000000000000000000ffff00000000"  # net.IPv4zero, taken for a mask


@dataclass
class Link:
    """One device as `ip -d -j addr` shows it."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    flags: tuple[str, ...]
    state: str
    master: str
    parent: int
    promiscuity: int
    addresses: list[Prefix]
    data: dict[str, Any] = field(default_factory=dict)
    queue: int = 0

    @property
    def up(self) -> bool:
        return "UP" in self.flags


def _link(row: dict[str, Any]) -> Link:
    info = row.get("linkinfo", {})
    addresses = [
        ip_interface(f"{item['local']}/{item['prefixlen']}")
        for item in row.get("addr_info", ())
        if "local" in item
    ]
    return Link(
        row["ifindex"],
        row["ifname"],
        info.get("info_kind", ""),
        row.get("address", ""),
        row.get("mtu", 0),
        tuple(row.get("flags", ())),
        row.get("operstate", ""),
        row.get("master", ""),
        row.get("link_index", 0),
        row.get("promiscuity", 0),
        addresses,
        info.get("info_data") or {},
        row.get("txqlen", 0),
    )


async def find(space: Netns, name: str) -> Link | None:
    """The device of that name, None where there is none."""
    done = await space.run("ip", "-d", "-j", "addr", "show", "dev", name)
    if done.returncode:
        return None
    import json

    rows = [row for row in json.loads(done.stdout or "[]") if row.get("ifname")]
    return _link(rows[0]) if rows else None


async def get(space: Netns, name: str, failure: str = "") -> Link:
    """The device of that name. Raises CniError: `failure`, then ``Link not found``."""
    found = await find(space, name) if name else None
    if found is None:
        raise CniError(f"{failure}{NOT_FOUND}")
    return found


async def all_links(space: Netns) -> list[Link]:
    return [_link(row) for row in await space.query("ip", "-d", "-j", "addr", "show") if row.get("ifname")]


def parse_mac(text: str) -> str:
    """A hardware address, or CniError in the words of net.ParseMAC."""
    if not _MAC.fullmatch(text):
        raise CniError(f"address {text}: invalid MAC address")
    return text.lower().replace("-", ":")


def random_name(space: Netns, prefix: str = "veth") -> str:
    """``veth`` and eight hexadecimal digits."""
    return prefix + space.here.random(4).hex()


async def make_veth(
    space: Netns, host: Netns, name: str, mtu: int = 0, mac: str = "", host_name: str = ""
) -> tuple[Link, Link]:
    """A pair: `name` in `space`, the other end, up, in `host` (the plugin's own namespace).

    Both as they are then: (host end, container end). Raises CniError.
    """
    if mac:
        try:
            mac = parse_mac(mac)
        except CniError as error:
            raise CniError(f"failed to make veth pair: {error.msg}") from None
    peer = host_name or random_name(space)
    for attempt in range(10):
        common = ["txqueuelen", "0", *(["mtu", str(mtu)] if mtu > 0 else [])]
        outer = ["name", peer, *common]
        inner = ["name", name, *common, *(["address", mac] if mac else [])]
        if space.path:
            inner += ["netns", space.path]
        else:  # the kernel makes the peer first
            outer, inner = inner, outer
        done = await host.run("ip", "link", "add", *outer, "type", "veth", "peer", *inner)
        if done.returncode == 0:
            break
        failure = CommandFailure(done)
        if failure.reason != "file exists":
            raise CniError(f"failed to make veth pair: {failure.reason}")
        if host_name or await find(host, peer) is None or attempt == 9:
            raise CniError(f"container veth name provided ({name}) already exists")
        peer = random_name(space)
    host_end = await set_up(host, peer, f"failed to set {quoted(peer)} up: ")
    write_setting(host, f"net/ipv6/conf/{peer}/accept_ra", "0")
    return host_end, await get(space, name)


def write_setting(host: Netns, setting: str, value: str) -> None:
    """Write below /proc/sys in the plugin's own namespace; a setting that is not there is passed over."""
    path = f"/proc/sys/{setting}"
    if host.here.exists(path):
        host.here.write(path, value)


async def set_up(space: Netns, name: str, failure: str = "") -> Link:
    """Set a device up; the device. Raises CniError."""
    problem = await space.batch([f"link set dev {name} up"])
    if problem:
        raise CniError(f"{failure}{problem[1]}")
    return await get(space, name, failure)


async def delete(space: Netns, name: str) -> list[Prefix] | None:
    """Delete a device; the addresses it had that others can reach, None where there was no such device."""
    found = await find(space, name)
    if found is None:
        return None
    try:
        await space.do("ip", "link", "delete", "dev", name)
    except CommandFailure as failure:
        raise CniError(f"failed to delete {quoted(name)}: {failure.reason}") from None
    return [
        item
        for item in found.addresses
        if not (
            item.ip.is_loopback or item.ip.is_link_local or item.ip.is_multicast or item.ip.is_unspecified
        )
    ]


# -- addresses and routes -------------------------------------------------------------------------
def address_words(address: Prefix) -> str:
    broadcast = " brd +" if isinstance(address, IPv4Interface) and address.network.prefixlen < 31 else ""
    return f"{address}{broadcast}"


def route_line(route: Route, gateway: Address | None, name: str) -> str:
    """The words of `ip` for a route of a result: the same route may lead by several interfaces."""
    assert route.dst is not None
    words = ["route", "prepend", str(route.dst)]
    words += ["via", str(gateway)] if gateway else []
    words += ["dev", name]
    if gateway is None and route.scope is None and route.dst.version == 4:
        words += ["scope", "global"]
    words += ["scope", str(route.scope)] if route.scope is not None else []
    words += ["metric", str(route.priority)] if route.priority else []
    words += ["table", str(route.table)] if route.table is not None else []
    words += ["mtu", str(route.mtu)] if route.mtu else []
    words += ["advmss", str(route.advmss)] if route.advmss else []
    return " ".join(words)


async def configure(space: Netns, name: str, result: Result) -> None:
    """Set a device up and give it the addresses and routes of a result. Raises CniError."""
    if not result.interfaces:
        raise CniError("no interfaces to configure")
    lines = []
    gateways: dict[int, Address] = {}
    for item in result.ips:
        if item.interface is None:
            continue
        if not 0 <= item.interface < len(result.interfaces) or result.interfaces[item.interface].name != name:
            raise CniError(f"failed to add IP addr {item} to {quoted(name)}: invalid interface index")
        lines.append(
            (
                f"addr add {address_words(item.address)} dev {name}",
                f"failed to add IP addr {item} to {quoted(name)}: ",
            )
        )
        if item.gateway is not None:
            gateways.setdefault(item.gateway.version, item.gateway)
    lines.append((f"link set dev {name} up", f"failed to set {quoted(name)} UP: "))
    await get(space, name, f"failed to lookup {quoted(name)}: ")
    if any(item.address.version == 6 for item in result.ips):
        await _enable_ipv6(space, name)
    await _lines(space, lines)
    if 6 in gateways:
        await settle(space, name)
    routes: list[tuple[str, str]] = []
    for route in result.routes:
        if route.dst is None:
            shown = f"{{<nil> <nil>}} via {route.gw or '<nil>'} dev {name}"
            raise CniError(f"failed to add route '{shown}': invalid argument")
        gateway = route.gw or gateways.get(route.dst.version)
        mask = _WIDE if route.own and route.dst.version == 4 else _mask(route.dst)
        shown = f"{{{route.dst.ip} {mask}}} via {gateway or '<nil>'} dev {name}"
        failure = f"failed to add route '{shown}': "
        if gateway is not None and gateway.version != route.dst.version:
            await _lines(space, routes)
            raise CniError(f"{failure}gateway, source, and destination ip are not the same IP family")
        routes.append((route_line(route, gateway, name), failure))
    await _lines(space, routes)


async def _lines(space: Netns, lines: list[tuple[str, str]]) -> None:
    problem = await space.batch([line for line, _ in lines])
    if problem:
        raise CniError(f"{lines[problem[0]][1]}{problem[1]}")


async def _enable_ipv6(space: Netns, name: str) -> None:
    for device in ("lo", name):
        setting = f"net/ipv6/conf/{device}/disable_ipv6"
        done = await space.run("sysctl", "-n", setting)
        if done.returncode == 0 and done.stdout.strip() == "1":
            await space.sysctl(f"{setting}=0")


async def settle(space: Netns, name: str) -> None:
    """Wait until no address of a device is tentative any more, ten seconds at most."""
    for _ in range(200):
        rows = await space.query("ip", "-6", "-j", "addr", "show", "dev", name, "tentative")
        if not any(row.get("addr_info") for row in rows):
            return
        await space.here.sleep(0.05)


async def check_addresses(space: Netns, name: str, ips: list[IPConfig]) -> None:
    """Raise CniError where a device lacks an address of a result, or the route to its network."""
    if not ips:
        return
    found = await find(space, name)
    if found is None:
        raise CniError(f"Cannot find container link {name}")
    for item in ips:
        if item.address not in found.addresses:
            raise CniError(f"Failed to match addr {item.address} on interface {name}")
        if not await _route_lines(space, str(item.address.network)):
            raise CniError(f"Failed to find Gateway {item.gateway or '<nil>'} for interface {name}")


async def check_routes(space: Netns, routes: list[Route]) -> None:
    """Raise CniError where a route of a result is not in the table."""
    for route in routes:
        if route.dst is None:
            raise CniError("Invalid static route found <nil>")
        default = route.dst.network.prefixlen == 0 and int(route.dst.ip) == 0
        lines = await _route_lines(space, "default" if default else str(route.dst.network))
        if route.gw is not None and not default:
            lines = [line for line in lines if line.get("gateway") == str(route.gw)]
        if not lines:
            shown = f"{{Dst:{{IP:{route.dst.ip} Mask:{_mask(route.dst)}}} GW:{route.gw or '<nil>'}}}"
            raise CniError(f"Expected Route {shown} not found in routing table")


def _mask(prefix: Prefix) -> str:
    return f"{int(prefix.netmask):0{prefix.max_prefixlen // 4}x}"


async def _route_lines(space: Netns, destination: str) -> list[dict[str, Any]]:
    family = "-6" if ":" in destination else "-4"
    if destination == "default":
        rows = await space.query("ip", "-j", "-4", "route", "show", "default")
        return rows or await space.query("ip", "-j", "-6", "route", "show", "default")
    return await space.query("ip", "-j", family, "route", "show", "exact", destination)


def next_ip(address: Address) -> Address:
    return ip_address(int(address) + 1) if address.version == 4 else type(address)(int(address) + 1)
