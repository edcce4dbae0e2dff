"""loopback: sets lo up, whatever CNI_IFNAME says.

# containernetworking/plugins plugins/main/loopback
"""

from __future__ import annotations

from kubenet_course.cni import conf, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.netns import NetnsMissing
from kubenet_course.cni.result import Interface, IPConfig, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape()


async def add(args: CmdArgs) -> None:
    fields = conf.load(args.stdin, _SHAPE, "failed to parse network config: ")
    try:
        before = conf.prev_result(fields)
    except CniError as error:
        raise CniError(f"failed to parse prevResult: {error.msg}") from None
    space = await netns.open_netns(args.here, args.netns, " ")
    device = await link.set_up(space, "lo")
    for item in device.addresses:
        if not item.ip.is_loopback:
            raise CniError(f'loopback interface found with non-loopback address "{item.ip}"')
    if before is None:
        before = Result([Interface("lo", "00:00:00:00:00:00", args.netns)])
        for version in (4, 6):
            first = next((item for item in device.addresses if item.version == version), None)
            before.ips += [IPConfig(first, None, 0)] if first else []
    args.print_result(before)


async def delete(args: CmdArgs) -> None:
    if not args.netns:
        return
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
    except NetnsMissing:
        return
    problem = await space.batch(["link set dev lo down"])
    if problem:
        raise CniError(problem[1])


async def check(args: CmdArgs) -> None:
    space = await netns.open_netns(args.here, args.netns, " ")
    if not (await link.get(space, "lo")).up:
        raise CniError("loopback interface is down")


PLUGIN = Plugin("loopback", add, delete, check)
main = program(PLUGIN)
