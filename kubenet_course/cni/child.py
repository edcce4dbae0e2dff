"""What macvlan, ipvlan, vlan, dummy and host-device have in common: one device of the container's own.

It is made in the container's namespace under a name that nobody has, then gets its own; address
management is asked; addresses and routes go on; on DEL the device goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubenet_course.cni import conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import Struct, quoted
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import CommandFailure, Netns, NetnsMissing
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Function

_NONE = Interface("")


async def default_master(space: Netns) -> str:
    """The device of the default route. Raises CniError."""
    for family in ("-4", "-6"):
        for row in await space.query("ip", "-j", family, "route", "show", "default"):
            if row.get("dev"):
                return str(row["dev"])
    raise CniError("no default route interface found")


async def make(
    home: Netns, space: Netns, name: str, kind: str, before: Sequence[str], after: Sequence[str]
) -> Link:
    """A device of `kind` in `space`, on a master in `home`; words of `ip link add` before and after the kind.

    Raises CniError.
    """
    temporary = link.random_name(space)
    words = ["ip", "link", "add", *before, "name", temporary, "txqueuelen", "0"]
    words += ["netns", space.path] if home.path != space.path else []
    try:
        await home.do(*words, "type", kind, *after)
    except CommandFailure as failure:
        raise CniError(f"failed to create {kind}: {failure.reason}") from None
    problem = await space.batch([f"link set dev {temporary} name {name}"])
    if problem:
        if kind == "macvlan":  # the others leave it behind
            await space.run("ip", "link", "delete", "dev", temporary)
        raise CniError(f"failed to rename {kind} to {quoted(name)}: {problem[1]}")
    return await link.get(space, name, f"failed to refetch {kind} {quoted(name)}: ")


async def ask_ipam(args: CmdArgs, kind: str, device: Interface) -> Result:
    """An address management plugin's result, complete with the one interface. Raises CniError."""
    result = await invoke.ipam_add(args.here, kind, args.stdin, args.version)
    try:
        if not result.ips:
            raise CniError("IPAM plugin returned missing IP config")
    except CniError:
        await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise
    for item in result.ips:
        item.interface = 0
    result.interfaces = [device]
    return result


def check_mtu(mtu: int, master: Link) -> None:
    """Raises CniError where a device of that MTU, in bytes, has no room in its master's frames."""
    if not 0 <= mtu <= master.mtu:
        raise CniError(f"invalid MTU {mtu}, must be [0, master MTU({master.mtu})]")


async def finish(args: CmdArgs, space: Netns, fields: dict[str, Any], result: Result) -> None:
    """The end of ADD: addresses and routes go on, the result is printed. Raises CniError, the address given back."""
    try:
        await link.configure(space, args.ifname, result)
        result.dns = conf.dns(fields)
        args.print_result(result)
    except CniError:
        await invoke.ipam_release_quietly(args.here, fields["ipam"]["type"], args.stdin)
        raise


def left_to_ipam(shape: Struct) -> tuple[Function, Function]:
    """GC and STATUS of a plugin that keeps nothing itself: its address management's."""

    async def gc(args: CmdArgs) -> None:
        await invoke.ipam_other(args.here, conf.load(args.stdin, shape)["ipam"]["type"], args.stdin, "GC")

    async def status(args: CmdArgs) -> None:
        await invoke.ipam_other(args.here, conf.load(args.stdin, shape)["ipam"]["type"], args.stdin, "STATUS")

    return gc, status


async def delete(args: CmdArgs, kind: str) -> None:
    """DEL: the address is given back, then the device goes."""
    if kind:
        await invoke.ipam_delete(args.here, kind, args.stdin)
    await remove(args)


async def remove(args: CmdArgs) -> None:
    """Delete the container's device; neither namespace nor device need be there."""
    if not args.netns:
        return
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
    except NetnsMissing:
        return
    await link.delete(space, args.ifname)


async def existing(args: CmdArgs, space: Netns, result: Result, kind: str, prefix: str = "") -> Link:
    """CHECK: the container's device, which is as the result says. Raises CniError."""
    item = next(
        (item for item in result.interfaces if item.name == args.ifname and item.sandbox == args.netns), _NONE
    )
    if item.sandbox != args.netns:
        raise CniError(f"Sandbox in prevResult {item.sandbox} doesn't match configured netns: {args.netns}")
    found = await link.find(space, item.name)
    if found is None:
        raise CniError(f"{prefix}Container Interface name in prevResult: {item.name} not found")
    if kind and found.kind != kind.split("/")[0]:
        raise CniError(f"Error: Container interface {found.name} not of type {kind}")
    if item.mac and item.mac != found.mac:
        raise CniError(
            f"{prefix}Interface {item.name} Mac {item.mac} doesn't match container Mac: {found.mac}"
        )
    return found


async def check_rest(args: CmdArgs, space: Netns, result: Result) -> None:
    """CHECK: addresses and routes."""
    await link.check_addresses(space, args.ifname, result.ips)
    await link.check_routes(space, result.routes)
