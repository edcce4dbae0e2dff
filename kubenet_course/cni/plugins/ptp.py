"""ptp: a veth pair between container and host, without a bridge; the host routes.

The container gets its address with the network's prefix, but everything goes by way of the gateway,
which is the host's end; the host has a route to the container's address alone.

    {"type": "ptp", "ipMasq": true, "mtu": 1500, "dns": {…}, "ipam": {…}}

# containernetworking/plugins plugins/main/ptp
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, masq, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import BOOL, INT, OPTIONAL_STRING
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import Netns, NetnsMissing
from kubenet_course.cni.result import Interface, IPConfig, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_SHAPE = conf.shape(ipMasq=BOOL, ipMasqBackend=OPTIONAL_STRING, mtu=INT)
_FORWARD = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


async def add(args: CmdArgs) -> None:
    fields = conf.load(args.stdin, _SHAPE)
    kind = fields["ipam"]["type"]
    result = await invoke.ipam_add(args.here, kind, args.stdin, args.version)
    try:
        await _connect(args, fields, result)
    except CniError:
        await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise


async def _connect(args: CmdArgs, fields: dict[str, Any], result: Result) -> None:
    if not result.ips:
        raise CniError("IPAM plugin returned missing IP config")
    host = Netns(args.here)
    for version in {item.address.version for item in result.ips}:
        if args.here.read(f"/proc/sys/{_FORWARD[version]}").strip() != b"1":
            link.write_setting(host, _FORWARD[version], "1")
    space = await netns.open_netns(args.here, args.netns)
    outside, inside = await link.make_veth(space, host, args.ifname, fields["mtu"])
    result.interfaces = [
        Interface(outside.name, outside.mac),
        Interface(inside.name, inside.mac, args.netns),
    ]
    for item in result.ips:
        item.interface = 1
    await link.configure(space, args.ifname, result)
    for item in result.ips:
        await _inside(space, inside, item)
    await _outside(host, outside.name, result)
    if fields["ipMasq"]:
        await masq.setup(args, fields, [item.address for item in result.ips])
    wanted = conf.dns(fields)
    if not wanted.empty:
        result.dns = wanted
    args.print_result(result)


def _shown(device: Link, destination: object, source: object, gateway: object) -> str:
    """A route as netlink.Route prints itself."""
    return f"{{Ifindex: {device.index} Dst: {destination} Src: {source} Gw: {gateway} Flags: [] Table: 0 Realm: 0}}"


async def _inside(space: Netns, device: Link, item: IPConfig) -> None:
    """The network by way of the gateway, instead of right there."""
    network, address, gateway, name = item.address.network, item.address.ip, item.gateway, device.name
    way = f"via {gateway} dev {name}" if gateway else f"dev {name} scope global"
    first = f"{gateway}/{address.max_prefixlen}" if gateway else "default"
    problem = await space.batch([f"route del {network} dev {name}"])
    if problem:
        shown = _shown(device, network, "<nil>", "<nil>")
        raise CniError(f"failed to delete route {shown}: {problem[1]}")
    lines = [
        f"route add {first} dev {name} scope link src {address}",
        f"route add {network} {way} src {address}",
    ]
    if gateway is not None and gateway.version != item.address.version:
        why = "source and destination ip are not the same IP family"
        way = f"{gateway}/{gateway.max_prefixlen}"
        raise CniError(f"failed to add route {_shown(device, way, address, '<nil>')}: {why}")
    problem = await space.batch(lines)
    if problem:
        routes = (
            _shown(device, first, address, "<nil>"),
            _shown(device, network, address, gateway or "<nil>"),
        )
        raise CniError(f"failed to add route {routes[problem[0]]}: {problem[1]}")


async def _outside(host: Netns, name: str, result: Result) -> None:
    for item in result.ips:
        bits = item.address.max_prefixlen
        if item.gateway is None:
            mask = ", ".join(["0xff"] * (bits // 8))
            shown = f"(&net.IPNet{{IP:net.IP(nil), Mask:net.IPMask{{{mask}}}}})"
            raise CniError(f"failed to add IP addr {shown} to veth: numerical result out of range")
        scope = " scope host" if item.address.version == 4 else ""
        lines = [
            f"addr add {item.gateway}/{bits} dev {name}",
            f"route add {item.address.ip}/{bits} dev {name}{scope}",
        ]
        problem = await host.batch(lines)
        if problem and problem[0] == 0:
            raise CniError(f"failed to add IP addr ({item.gateway}/{bits}) to veth: {problem[1]}")
        if problem and problem[1] != "file exists":
            raise CniError(f"failed to add route on host: {problem[1]}")


async def delete(args: CmdArgs) -> None:
    fields = conf.load(args.stdin, _SHAPE)
    await invoke.ipam_delete(args.here, fields["ipam"]["type"], args.stdin)
    if not args.netns:
        return
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
    except NetnsMissing:
        return
    addresses = await link.delete(space, args.ifname)
    if fields["ipMasq"]:
        await masq.teardown(args, fields, addresses or [])


async def check(args: CmdArgs) -> None:
    fields = conf.load(args.stdin, _SHAPE)
    space = await netns.open_netns(args.here, args.netns)
    await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("ptp: Required prevResult missing")
    await child.existing(args, space, before, "veth/p2p", "ptp: ")
    await child.check_rest(args, space, before)


async def gc(args: CmdArgs) -> None:
    """Addresses and masquerading of containers that are gone."""
    fields = conf.load(args.stdin, _SHAPE)
    await invoke.ipam_other(args.here, fields["ipam"]["type"], args.stdin, "GC")
    if fields["ipMasq"]:
        await masq.gc(args, fields, conf.valid_attachments(fields))


async def status(args: CmdArgs) -> None:
    """Ready when address management is."""
    fields = conf.load(args.stdin, _SHAPE)
    await invoke.ipam_other(args.here, fields["ipam"]["type"], args.stdin, "STATUS")


PLUGIN = Plugin("ptp", add, delete, check, gc, status)
main = program(PLUGIN)
