"""sbr: source based routing. Packets from the container's addresses use a table of their own.

Chained after a plugin that gave a second interface: its routes go from the main table to the first ones
from 100 up that are free, a table for each address, and rules lead packets with the addresses there.

# containernetworking/plugins plugins/meta/sbr
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import conf, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import parse_ip
from kubenet_course.cni.netns import CommandFailure, Netns
from kubenet_course.cni.result import IPConfig, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, nothing, program

_SHAPE = conf.shape("PluginConf")
FIRST_TABLE = 100


def load(text: bytes) -> Result | None:
    fields = conf.load(text, _SHAPE, "failed to parse network configuration: ")
    return conf.prev_result(fields)


def _own(result: Result, ifname: str) -> list[IPConfig]:
    if not result.ips:
        raise CniError(f"No IP addresses supplied on interface: {ifname}")
    found = []
    for item in result.ips:
        number = item.interface
        if number is not None and 0 <= number < len(result.interfaces):
            if result.interfaces[number].name != ifname:
                continue
        found.append(item)
    return found


async def _rules(space: Netns) -> list[dict[str, Any]]:
    return [row for family in ("-4", "-6") for row in await space.query("ip", "-j", family, "rule", "show")]


async def _taken(space: Netns) -> set[str]:
    """The tables that rules name."""
    return {str(row.get("table")) for row in await _rules(space)}


async def add(args: CmdArgs) -> None:
    before = load(args.stdin)
    if before is None:
        raise CniError("This plugin must be called as chained plugin")
    own = _own(before, args.ifname)
    space = await netns.open_netns(args.here, args.netns, " ")
    taken = await _taken(space)
    await link.get(space, args.ifname, f"Cannot find network interface {args.ifname}: ")
    routes = await _routes(space, args.ifname)
    table = FIRST_TABLE - 1
    for item in own:
        table += 1
        while str(table) in taken:
            table += 1
        await _lead(space, args.ifname, item, table)
        for route in routes:
            if _belongs(route, item):
                await _copy(space, route, args.ifname, table)
    for family, *words in routes:
        try:
            await space.do("ip", family, "route", "del", *words, "dev", args.ifname)
        except CommandFailure as failure:
            raise CniError(f"Failed to delete route: {failure.reason}") from None
    args.print_result(before)


async def _routes(space: Netns, name: str) -> list[list[str]]:
    """A device's routes in the main table: ``-4`` or ``-6``, and the words of `ip route`."""
    found = []
    for family in ("-4", "-6"):
        text = await space.do("ip", family, "route", "show", "dev", name)
        for line in text.splitlines():
            words = [word for word in line.split() if word not in ("linkdown", "dead", "onlink")]
            if "pref" in words:
                del words[words.index("pref") : words.index("pref") + 2]
            if words:
                found.append([family, *words])
    return found


def _belongs(route: list[str], item: IPConfig) -> bool:
    """Whether a route's source or gateway is in an address's network; one that names neither is everybody's."""
    named = [route[route.index(word) + 1] for word in ("src", "via") if word in route]
    near = (parse_ip(text) for text in named)
    return not named or any(ip is not None and ip in item.address.network for ip in near)


async def _lead(space: Netns, name: str, item: IPConfig, table: int) -> None:
    family = f"-{item.address.version}"
    bits = item.address.max_prefixlen
    try:
        await space.do("ip", family, "rule", "add", "from", f"{item.address.ip}/{bits}", "table", str(table))
    except CommandFailure as failure:
        raise CniError(f"Failed to add rule: {failure.reason}") from None
    if item.gateway is None:
        return
    words = ["route", "add", "default", "via", str(item.gateway), "dev", name, "table", str(table)]
    try:
        await space.do("ip", family, *words)
    except CommandFailure as failure:
        raise CniError(f"Failed to add default route to {item.gateway}: {failure.reason}") from None


async def _copy(space: Netns, route: list[str], name: str, table: int) -> None:
    family, *words = route
    try:
        await space.do("ip", family, "route", "replace", *words, "dev", name, "table", str(table))
    except CommandFailure as failure:
        raise CniError(f"Failed to readd route: {failure.reason}") from None


async def delete(args: CmdArgs) -> None:
    """The rules of the interface's addresses go; the routes went with the interface."""
    load(args.stdin)
    if not args.netns:
        raise CniError("no such file or directory")  # it locks the namespace's file before anything else
    space = await netns.open_netns(args.here, args.netns, " ")
    found = await link.get(space, args.ifname, f"Failed to get link {args.ifname}: ")
    addresses = {str(item.ip): item.version for item in found.addresses}
    for row in await _rules(space):
        source = str(row.get("src", ""))
        if source in addresses:
            family = f"-{addresses[source]}"
            await space.run("ip", family, "rule", "del", "from", source, "table", str(row.get("table")))


PLUGIN = Plugin("sbr", add, delete, nothing)
main = program(PLUGIN)
