"""macvlan: a device of the container's own on a host's device, with a MAC address of its own.

    {"type": "macvlan", "master": "eth0", "mode": "bridge", "mtu": 1500, "mac": "…", "ipam": {…}}

# containernetworking/plugins plugins/main/macvlan
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, INT, STRING, Struct, quoted
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape(
    master=STRING,
    mode=STRING,
    mtu=INT,
    mac=STRING,
    linkInContainer=BOOL,
    runtimeConfig=Struct("", {"mac": STRING}, go=r'struct { Mac string "json:\"mac,omitempty\"" }'),
)
MODES = ("bridge", "private", "vepa", "passthru")


async def load(args: CmdArgs) -> tuple[dict[str, Any], Netns]:
    """The configuration, and the namespace that the master is in. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    home = Netns(args.here)
    if fields["linkInContainer"]:
        home = await netns.open_netns(args.here, args.netns)
    if not fields["master"]:
        fields["master"] = await child.default_master(home)
    master = await link.get(home, fields["master"])
    child.check_mtu(fields["mtu"], master)
    given = conf.args(args.args, {"MAC": None})
    fields["mac"] = fields["runtimeConfig"]["mac"] or given.get("MAC", "") or fields["mac"]
    return fields, home


def _mode(text: str) -> str:
    if text and text not in MODES:
        raise CniError(f"unknown macvlan mode: {quoted(text)}")
    return text or "bridge"


async def add(args: CmdArgs) -> None:
    fields, home = await load(args)
    space = await netns.open_netns(args.here, args.netns, netns.NIL)
    device = await _make(args, fields, home, space)
    kind = fields["ipam"]["type"]
    if kind:
        result = await child.ask_ipam(args, kind, device)
    else:
        result = Result([device])
    try:
        if kind:
            await space.sysctl(f"net/ipv4/conf/{args.ifname}/arp_notify=1")
            await link.configure(space, args.ifname, result)
        else:
            await link.set_up(space, args.ifname, f"failed to set {quoted(args.ifname)} UP: ")
        result.dns = conf.dns(fields)
        args.print_result(result)
    except CniError:
        if kind:
            await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        else:
            await child.remove(args)
        raise


async def _make(args: CmdArgs, fields: dict[str, Any], home: Netns, space: Netns) -> Interface:
    mode = _mode(fields["mode"])
    before = ["link", fields["master"], *(["mtu", str(fields["mtu"])] if fields["mtu"] else [])]
    if fields["mac"]:
        try:
            before += ["address", link.parse_mac(fields["mac"])]
        except CniError as error:
            raise CniError(f"invalid args {fields['mac']} for MAC addr: {error.msg}") from None
    found = await child.make(home, space, args.ifname, "macvlan", before, ["mode", mode])
    return Interface(found.name, found.mac, args.netns)


async def delete(args: CmdArgs) -> None:
    fields, _ = await load(args)
    await child.delete(args, fields["ipam"]["type"])


async def check(args: CmdArgs) -> None:
    fields, home = await load(args)
    space = await netns.open_netns(args.here, args.netns)
    if fields["ipam"]["type"]:
        await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("Required prevResult missing")
    await link.get(home, fields["master"], f"failed to lookup master {quoted(fields['master'])}: ")
    found = await child.existing(args, space, before, "macvlan")
    mode = _mode(fields["mode"])
    if found.data.get("mode") != mode:
        raise CniError(
            f"Container macvlan mode {found.data.get('mode')} does not match expected value: {mode}"
        )
    await child.check_rest(args, space, before)


PLUGIN = Plugin("macvlan", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
