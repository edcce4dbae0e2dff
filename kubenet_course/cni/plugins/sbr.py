"""sbr: source based routing. Packets from the container's addresses use a table of their own.

Chained after a plugin that gave a second interface: its routes go from the main table to the first one
from 100 up that is free, and rules lead packets with its addresses there.

# containernetworking/plugins plugins/meta/sbr
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import conf, link, netns
from kubenet_course.cni.errors import CniError
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


async def _free_table(space: Netns) -> int:
    """The first table from 100 up that no rule names (and, having none, holds nothing that counts)."""
    taken = {str(row.get("table")) for row in await _rules(space)}
    number = FIRST_TABLE
    while str(number) in taken:
        number += 1
    return number


async def add(args: CmdArgs) -> None:
    before = load(args.stdin)
    if before is None:
        raise CniError("This plugin must be called as chained plugin")
    own = _own(before, args.ifname)
    space = await netns.open_netns(args.here, args.netns, " ")
    table = await _free_table(space)
    await link.get(space, args.ifname, f"Cannot find network interface {args.ifname}: ")
    routes = await _routes(space, args.ifname)
    for item in own:
        await _lead(space, args.ifname, item, table)
    for line in routes:
        await _move(space, line, args.ifname, table)
    args.print_result(before)


async def _routes(space: Netns, name: str) -> list[str]:
    """The words of a device's routes in the main table, as `ip route` prints them."""
    found = []
    for family in ("-4", "-6"):
        text = await space.do("ip", family, "route", "show", "dev", name)
        found += [f"{family} {line.strip()}" for line in text.splitlines() if line.strip()]
    return found


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


async def _move(space: Netns, line: str, name: str, table: int) -> None:
    family, *words = line.split()
    kept = [word for word in words if word not in ("linkdown", "dead", "onlink")]
    if "pref" in kept:
        del kept[kept.index("pref") : kept.index("pref") + 2]
    try:
        await space.do("ip", family, "route", "del", *kept, "dev", name)
    except CommandFailure as failure:
        raise CniError(f"Failed to delete route: {failure.reason}") from None
    try:
        await space.do("ip", family, "route", "replace", *kept, "dev", name, "table", str(table))
    except CommandFailure as failure:
        raise CniError(f"Failed to readd route: {failure.reason}") from None


async def delete(args: CmdArgs) -> None:
    """The rules of the interface's addresses go; the routes went with the interface."""
    load(args.stdin)
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
