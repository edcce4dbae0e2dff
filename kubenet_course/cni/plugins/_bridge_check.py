"""bridge's CHECK: whether bridge, pair, addresses and routes are still as ADD left them."""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import link
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs

_NONE = Interface("")


async def _existing(space: Netns, item: Interface, inside: bool) -> Link:
    if not item.name:
        raise CniError("Interface name missing ")
    found = await link.find(space, item.name)
    if found is None:
        raise CniError(f"Interface name {item.name} not found")
    if inside and not item.sandbox:
        raise CniError(f"Interface {item.name} is expected to be in a sandbox")
    if not inside and item.sandbox:
        raise CniError(f"Interface {item.name} should not be in sandbox")
    return found


async def _bridge(host: Netns, item: Interface, fields: dict[str, Any]) -> Link:
    found = await _existing(host, item, False)
    if found.kind != "bridge":
        raise CniError(f"Interface {item.name} does not have link type of bridge")
    if item.mac and item.mac != found.mac:
        raise CniError(f"Bridge interface {item.name} Mac doesn't match: {item.mac}")
    promiscuous = "PROMISC" in found.flags
    if promiscuous != fields["promiscMode"]:
        wanted, is_ = (str(value).lower() for value in (fields["promiscMode"], promiscuous))
        raise CniError(
            f"Bridge interface {item.name} configured Promisc Mode {wanted} doesn't match current state: {is_} "
        )
    return found


async def _inside(space: Netns, item: Interface) -> Link:
    found = await _existing(space, item, True)
    if found.kind != "veth":
        raise CniError(f"Error: Container interface {found.name} not of type veth")
    if item.mac and item.mac != found.mac:
        raise CniError(f"Interface {item.name} Mac {item.mac} doesn't match container Mac: {found.mac}")
    return found


async def _outside(host: Netns, result: Result, known: set[str], bridge: Link, inside: Link) -> bool:
    """Whether one of the other interfaces is the pair's other end, in the bridge."""
    for item in result.interfaces:
        if item.name in known:
            continue
        found = await _existing(host, item, False)
        if found.kind != "veth" or found.index != inside.parent or found.parent != inside.index:
            continue
        if found.master != bridge.name:
            continue
        if item.mac and item.mac != found.mac:
            raise CniError(f"Interface {item.name} Mac doesn't match: {item.mac} not found")
        return True
    return False


async def check(args: CmdArgs, fields: dict[str, Any], result: Result, host: Netns, space: Netns) -> None:
    """Raise CniError for the first thing that is not so any more."""
    bridge_item = inside_item = _NONE
    for item in result.interfaces:
        if item.name == fields["bridge"]:
            bridge_item = item
        elif item.name == args.ifname and item.sandbox == args.netns:
            inside_item = item
    bridge = await _bridge(host, bridge_item, fields)
    if inside_item.sandbox != args.netns:
        raise CniError(
            f"Sandbox in prevResult {inside_item.sandbox} doesn't match configured netns: {args.netns}"
        )
    inside = await _inside(space, inside_item)
    if not await _outside(host, result, {bridge_item.name, inside_item.name}, bridge, inside):
        raise CniError(f"CNI veth created for bridge {fields['bridge']} was not found")
    await link.check_addresses(space, args.ifname, result.ips)
    await link.check_routes(space, result.routes)
