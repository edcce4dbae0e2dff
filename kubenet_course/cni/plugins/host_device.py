"""host-device: a device of the host goes into the container, and back on DEL.

    {"type": "host-device", "device": "eth1"}        or "hwaddr", "kernelpath", "pciBusID"

Its name on the host is kept as its alias meanwhile.

# containernetworking/plugins plugins/main/host-device
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import child, conf, invoke, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import STRING, Struct, quoted
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import CommandFailure, Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program

NAMES = ("host-device",)

_SHAPE = conf.shape(
    device=STRING,
    hwaddr=STRING,
    kernelpath=STRING,
    pciBusID=STRING,
    runtimeConfig=Struct("", {"deviceID": STRING}, go=r'struct { DeviceID string "json:\"deviceID,omitempty\"" }'),
)
_PCI = "/sys/bus/pci/devices"


def load(args: CmdArgs) -> dict[str, Any]:
    """Read a configuration. Raises CniError."""
    fields = conf.load(args.stdin, _SHAPE)
    fields["pciBusID"] = fields["runtimeConfig"]["deviceID"] or fields["pciBusID"]
    if not any(fields[key] for key in ("device", "hwaddr", "kernelpath", "pciBusID")):
        raise CniError('specify either "device", "hwaddr", "kernelpath" or "pciBusID"')
    address = fields["pciBusID"]
    if address and not args.here.exists(f"{_PCI}/{address}/driver"):
        path = f"{_PCI}/{address}" if args.here.exists(_PCI) else _PCI
        raise CniError(f"error with host device: lstat {path}: no such file or directory")
    return fields


async def _find(host: Netns, fields: dict[str, Any]) -> Link:
    """The host's device that is meant. Raises CniError."""
    here = host.here
    if fields["device"]:
        return await link.get(host, fields["device"])
    if fields["hwaddr"]:
        try:
            mac = link.parse_mac(fields["hwaddr"])
        except CniError as error:
            shown = quoted(fields["hwaddr"])
            raise CniError(f"failed to parse MAC address {shown}: {error.msg}") from None
        for found in await link.all_links(host):
            if found.mac == mac:
                return found
    elif fields["kernelpath"]:
        path = fields["kernelpath"]
        if not path.startswith("/sys/devices/"):
            raise CniError(f"kernel device path {quoted(path)} must be absolute and begin with /sys/devices/")
        folder = f"{path}/net"
        if not here.isdir(folder):
            raise CniError(f"failed to find network devices at {quoted(folder)}")
        names = here.listdir(folder)
        for found in await link.all_links(host):
            if found.name in names:
                return found
    else:
        folder = f"{_PCI}/{fields['pciBusID']}/net"
        if not here.isdir(folder):
            raise CniError(f"no net directory under pci device {fields['pciBusID']}")
        return await link.get(host, next(iter(here.listdir(folder)), ""))
    raise CniError("failed to find physical interface")


async def _move_in(host: Netns, space: Netns, device: Link, name: str) -> Link:
    """Down, over, named and up again. Raises CniError."""
    try:
        await host.do("ip", "link", "set", "dev", device.name, "netns", space.path)
    except CommandFailure as failure:
        raise CniError(f"failed to move link {failure.reason}") from None
    old = device.name
    steps = [
        (f"link set dev {old} down", f"failed to set {quoted(old)} down"),
        (f"link set dev {old} alias {old}", f"failed to set alias to {quoted(old)}"),
        (f"link set dev {old} name {name}", f"failed to rename device {quoted(old)} to {quoted(name)}"),
        (f"link set dev {name} up", f"failed to set {quoted(name)} up"),
    ]
    problem = await space.batch([line for line, _ in steps])
    if problem:
        raise CniError(f"failed to move link {steps[problem[0]][1]}: {problem[1]}")
    return await link.get(space, name, f"failed to move link failed to find {quoted(name)}: ")


async def add(args: CmdArgs) -> None:
    fields = load(args)
    space = await netns.open_netns(args.here, args.netns)
    host = Netns(args.here)
    try:
        device = await _find(host, fields)
    except CniError as error:
        raise CniError(f"failed to find host device: {error.msg}") from None
    found = await _move_in(host, space, device, args.ifname)
    interface = Interface(found.name, found.mac, args.netns)
    kind = fields["ipam"]["type"]
    if not kind:
        args.print_result(Result([interface]))
        return
    result = await child.ask_ipam(args, kind, interface)
    await child.finish(args, space, fields, result)


async def _move_out(space: Netns, name: str) -> None:
    """Back to the host under its old name. Raises CniError."""
    rows = await space.run("ip", "-j", "link", "show", "dev", name)
    if rows.returncode:
        raise CniError(f"failed to find {quoted(name)}: {link.NOT_FOUND}")
    row = (await space.query("ip", "-j", "link", "show", "dev", name))[0]
    alias = row.get("ifalias", "")
    steps = [(f"link set dev {name} down", f"failed to set {quoted(name)} down")]
    restore = f"failed to restore {quoted(name)} to original name {quoted(alias)}"
    if not alias:
        raise CniError(f"{restore}: invalid argument")
    steps.append((f"link set dev {name} name {alias}", restore))
    steps.append(
        (f"link set dev {alias} netns {space.here.pid}", f"failed to move {quoted(alias)} to host netns")
    )
    problem = await space.batch([line for line, _ in steps])
    if problem:
        undo = [f"link set dev {alias} name {name}"] if problem[0] == 2 else []
        await space.batch([*undo, *([f"link set dev {name} up"] if "UP" in row.get("flags", ()) else [])])
        raise CniError(f"{steps[problem[0]][1]}: {problem[1]}")


async def delete(args: CmdArgs) -> None:
    fields = load(args)
    if not args.netns:
        return
    space = await netns.open_netns(args.here, args.netns)
    if fields["ipam"]["type"]:
        await invoke.ipam_delete(args.here, fields["ipam"]["type"], args.stdin)
    await _move_out(space, args.ifname)


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


PLUGIN = Plugin("host-device", add, delete, check, *child.left_to_ipam(_SHAPE))
main = program(PLUGIN)
