"""tap: a device of the container's own that a program in it, such as a virtual machine, holds the other end of.

    {"type": "tap", "mtu": 1500, "mac": "…", "multiQueue": true, "owner": 0, "group": 0, "ipam": {…}}

# containernetworking/plugins plugins/main/tap
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, INT, OPTIONAL_INT, STRING, Struct, quoted
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape(
    multiQueue=BOOL,
    mtu=INT,
    mac=STRING,
    owner=OPTIONAL_INT,
    group=OPTIONAL_INT,
    selinuxContext=STRING,
    runtimeConfig=Struct("", {"mac": STRING}, go=r'struct { Mac string "json:\"mac,omitempty\"" }'),
)


def load(args: CmdArgs) -> dict[str, Any]:
    """Read a configuration. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    given = conf.args(args.args, {"MAC": None})
    fields["mac"] = fields["runtimeConfig"]["mac"] or given.get("MAC", "") or fields["mac"]
    return fields


async def add(args: CmdArgs) -> None:
    fields = load(args)
    space = await netns.open_netns(args.here, args.netns, netns.NIL)
    device = await _make(args, fields, space)
    kind = fields["ipam"]["type"]
    result = await child.ask_ipam(args, kind, device) if kind else Result([device])
    try:
        if kind:
            await space.sysctl(f"net/ipv4/conf/{args.ifname}/arp_notify=1")
            await link.configure(space, args.ifname, result)
        result.dns = conf.dns(fields)
        args.print_result(result)
    except CniError:
        await child.remove(args)
        if kind:
            await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise


async def _make(args: CmdArgs, fields: dict[str, Any], space: Netns) -> Interface:
    """The device, up, under its name."""
    name = link.random_name(space)
    words = ["ip", "tuntap", "add", "mode", "tap", "name", name, *(["multi_queue"] if fields["multiQueue"] else [])]
    for key, word in (("owner", "user"), ("group", "group")):
        if fields[key] is not None:
            words += [word, str(fields[key])]
    changes = ["ip", "link", "set", name]
    changes += ["mtu", str(fields["mtu"])] if fields["mtu"] else []
    changes += ["address", fields["mac"]] if fields["mac"] else []
    for command in (words, *([changes] if len(changes) > 4 else [])):
        done = await space.run(*command)
        if done.returncode:
            await space.run("ip", "link", "del", name)
            said = done.stdout + done.stderr
            raise CniError(f"failed to run command {said}: exit status {done.returncode}")
    problem = await space.batch([f"link set dev {name} name {args.ifname}"])
    if problem:
        await space.run("ip", "link", "del", name)
        raise CniError(f"failed to rename tap to {quoted(args.ifname)}: {problem[1]}")
    found = await link.set_up(space, args.ifname, "failed to set tap interface up: ")
    return Interface(args.ifname, found.mac, args.netns)


async def delete(args: CmdArgs) -> None:
    await child.delete(args, load(args)["ipam"]["type"])


async def check(args: CmdArgs) -> None:
    fields = load(args)
    space = await netns.open_netns(args.here, args.netns)
    if fields["ipam"]["type"]:
        await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("Required prevResult missing")
    await child.existing(args, space, before, "")
    await child.check_rest(args, space, before)


PLUGIN = Plugin("tap", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
