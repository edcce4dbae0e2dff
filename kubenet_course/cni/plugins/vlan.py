"""vlan: a device of the container's own whose frames carry a VLAN's number on a host's device.

    {"type": "vlan", "master": "eth0", "vlanId": 100, "mtu": 1500, "ipam": {…}}

# containernetworking/plugins plugins/main/vlan
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, INT, STRING, quoted
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Interface
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape(master=STRING, vlanId=INT, mtu=INT, linkInContainer=BOOL)


async def load(args: CmdArgs) -> tuple[dict[str, Any], Netns]:
    """The configuration, and the namespace that the master is in. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    if not fields["master"]:
        raise CniError(
            '"master" field is required. It specifies the host interface name to create the VLAN for.'
        )
    if not 0 <= fields["vlanId"] <= 4094:
        raise CniError(f"invalid VLAN ID {fields['vlanId']} (must be between 0 and 4095 inclusive)")
    home = Netns(args.here)
    if fields["linkInContainer"]:
        home = await netns.open_netns(args.here, args.netns)
    master = await link.get(home, fields["master"])
    child.check_mtu(fields["mtu"], master)
    return fields, home


async def add(args: CmdArgs) -> None:
    fields, home = await load(args)
    space = await netns.open_netns(args.here, args.netns)
    words = ["link", fields["master"], *(["mtu", str(fields["mtu"])] if fields["mtu"] else [])]
    vid = str(fields["vlanId"])
    found = await child.make(home, space, args.ifname, "vlan", words, ["id", vid])
    kind = fields["ipam"]["type"]
    try:
        result = await child.ask_ipam(args, kind, Interface(found.name, found.mac, args.netns))
    except CniError as error:
        raise CniError(f"failed to execute IPAM delegate: {error}") from None
    await child.finish(args, space, fields, result)


async def delete(args: CmdArgs) -> None:
    fields, _ = await load(args)
    await invoke.ipam_delete(args.here, fields["ipam"]["type"], args.stdin)
    await child.remove(args)


async def check(args: CmdArgs) -> None:
    fields = conf.load(args.stdin, _SHAPE)
    space = await netns.open_netns(args.here, args.netns)
    await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("vlan: Required prevResult missing")
    home = space if fields["linkInContainer"] else Netns(args.here)
    master = fields["master"]
    await link.get(home, master, f"failed to lookup master {quoted(master)}: ")
    found = await child.existing(args, space, before, "vlan", "vlan: ")
    if found.data.get("id") != fields["vlanId"]:
        raise CniError(
            f"Error: Tuning link {found.name} configured promisc is {fields['vlanId']}, "
            f"current value is {found.data.get('id')}"
        )
    if fields["mtu"] and fields["mtu"] != found.mtu:
        raise CniError(
            f"Error: Tuning configured MTU of {found.name} is {fields['mtu']}, current value is {found.mtu}"
        )
    await child.check_rest(args, space, before)


PLUGIN = Plugin("vlan", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
