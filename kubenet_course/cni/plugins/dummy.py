"""dummy: a device of the container's own that leads nowhere, for addresses that only it knows.

    {"type": "dummy", "ipam": {…}}

# containernetworking/plugins plugins/main/dummy
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.netns import CommandFailure
from kubenet_course.cni.result import Interface
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape()


def load(text: bytes) -> dict[str, Any]:
    return conf.load(text, _SHAPE, "failed to parse network config: ")


async def add(args: CmdArgs) -> None:
    fields = load(args.stdin)
    kind = fields["ipam"]["type"]
    if not kind:
        raise CniError("dummy interface requires an IPAM configuration")
    space = await netns.open_netns(args.here, args.netns)
    try:
        await space.do("ip", "link", "add", "name", args.ifname, "type", "dummy")
    except CommandFailure as failure:
        raise CniError(f"failed to create dummy: {failure.reason}") from None
    try:
        found = await link.get(space, args.ifname)
        result = await child.ask_ipam(args, kind, Interface(found.name, found.mac, args.netns))
    except CniError:
        await child.remove(args)
        raise
    try:
        await link.configure(space, args.ifname, result)
        args.print_result(result)
    except CniError:
        await child.remove(args)
        await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise


async def delete(args: CmdArgs) -> None:
    fields = load(args.stdin)
    await invoke.ipam_delete(args.here, fields["ipam"]["type"], args.stdin)
    await child.remove(args)


async def check(args: CmdArgs) -> None:
    fields = load(args.stdin)
    kind = fields["ipam"]["type"]
    if not kind:
        raise CniError("dummy interface requires an IPAM configuration")
    space = await netns.open_netns(args.here, args.netns)
    await invoke.ipam_check(args.here, kind, args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("dummy: Required prevResult missing")
    found = await child.existing(args, space, before, "dummy")
    if not found.up:
        raise CniError(f"Interface {found.name} is down")
    await link.check_addresses(space, args.ifname, before.ips)


PLUGIN = Plugin("dummy", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
