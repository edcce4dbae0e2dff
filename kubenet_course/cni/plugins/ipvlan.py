"""ipvlan: a device of the container's own on a host's device, sharing its MAC address.

    {"type": "ipvlan", "master": "eth0", "mode": "l2", "mtu": 1500, "ipam": {…}}

Chained after another plugin without an ipam section, it takes master and addresses from its result.

# containernetworking/plugins plugins/main/ipvlan
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, INT, STRING, quoted
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape(master=STRING, mode=STRING, mtu=INT, linkInContainer=BOOL)
MODES = ("l2", "l3", "l3s")


async def load(args: CmdArgs, checking: bool = False) -> tuple[dict[str, Any], Result | None, Netns]:
    """The configuration, the result before, and the namespace that the master is in. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    home = Netns(args.here)
    if fields["linkInContainer"]:
        home = await netns.open_netns(args.here, args.netns)
    before = conf.prev_result(fields, "could not parse prevResult: ")
    if not fields["master"] and not checking:
        if before is None:
            fields["master"] = await child.default_master(home)
        elif len(before.interfaces) == 1 and before.interfaces[0].name:
            fields["master"] = before.interfaces[0].name
        else:
            raise CniError("chained master failure. PrevResult lacks a single named interface")
    return fields, before, home


def _mode(text: str) -> str:
    if text and text not in MODES:
        raise CniError(f"unknown ipvlan mode: {quoted(text)}")
    return text or "l2"


async def add(args: CmdArgs) -> None:
    fields, before, home = await load(args)
    space = await netns.open_netns(args.here, args.netns)
    mode = _mode(fields["mode"])
    master = fields["master"]
    await link.get(home, master, f"failed to lookup master {quoted(master)}: ")
    words = ["link", master, *(["mtu", str(fields["mtu"])] if fields["mtu"] > 0 else [])]
    found = await child.make(home, space, args.ifname, "ipvlan", words, ["mode", mode])
    device = Interface(found.name, found.mac, args.netns)
    kind = fields["ipam"]["type"]
    chained = not kind and before is not None and bool(before.ips)
    if chained and before is not None:
        result = before
        result.interfaces = [device]
        for item in result.ips:
            item.interface = 0
    else:
        result = await child.ask_ipam(args, kind, device)
    try:
        await space.sysctl(f"net/ipv4/conf/{args.ifname}/arp_notify=1")
        await link.configure(space, args.ifname, result)
        result.dns = conf.dns(fields)
        args.print_result(result)
    except CniError:
        if not chained:
            await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise


async def delete(args: CmdArgs) -> None:
    fields, _, _ = await load(args)
    await child.delete(args, fields["ipam"]["type"])


async def check(args: CmdArgs) -> None:
    fields, before, home = await load(args, checking=True)
    space = await netns.open_netns(args.here, args.netns)
    if fields["ipam"]["type"]:
        await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    if before is None:
        raise CniError("Required prevResult missing")
    master = fields["master"]
    await link.get(home, master, f"failed to lookup master {quoted(master)}: ")
    found = await child.existing(args, space, before, "ipvlan")
    mode = _mode(fields["mode"])
    if found.data.get("mode") != mode:
        raise CniError(
            f"Container IPVlan mode {found.data.get('mode')} does not match expected value: {mode}"
        )
    await child.check_rest(args, space, before)


PLUGIN = Plugin("ipvlan", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
