"""vrf: the container's interface goes into a VRF of its namespace, which is made where it is not there.

    {"type": "vrf", "vrfname": "blue", "table": 10}

# containernetworking/plugins plugins/meta/vrf
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import conf, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import STRING, UINT32
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import CommandFailure, Netns, NetnsMissing
from kubenet_course.cni.result import Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.cni.versions import SUPPORTED

LONGEST_NAME = 15
_SHAPE = conf.shape("VRFNetConf", vrfname=STRING, table=UINT32)


def load(text: bytes) -> tuple[dict[str, Any], Result | None]:
    fields = conf.load(text, _SHAPE)
    if not fields["vrfname"]:
        raise CniError("configuration is expected to have a valid vrf name")
    return fields, conf.prev_result(fields, "could not parse prevResult: ")


async def _find(space: Netns, name: str) -> Link | None:
    found = await link.find(space, name)
    if found is not None and found.kind != "vrf":
        raise CniError(f"Netlink {name} is not a VRF")
    return found


async def add(args: CmdArgs) -> None:
    fields, before = load(args.stdin)
    if before is None:
        raise CniError("missing prevResult from earlier plugin")
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
        await _enter(space, fields, args.ifname)
    except CniError as error:
        raise CniError(f"cmdAdd failed: {error.msg}") from None
    args.print_result(before)


async def _enter(space: Netns, fields: dict[str, Any], ifname: str) -> None:
    name, table = fields["vrfname"], fields["table"]
    vrf = await _find(space, name)
    if vrf is not None and table and vrf.data.get("table") != table:
        raise CniError(f"VRF {name} already exist with different routing table {vrf.data.get('table')}")
    if vrf is None:
        await _make(space, name, table)
    found = await link.find(space, ifname)
    if found is None:
        raise CniError(f"could not get link by name {ifname}")
    if found.master:
        raise CniError(f"interface {ifname} has already a master set: {found.master}")
    try:
        await space.do("ip", "link", "set", "dev", ifname, "master", name)
    except CommandFailure as failure:
        raise CniError(f"could not set vrf {name} as master of {ifname}: {failure.reason}") from None
    after = await link.get(space, ifname)
    for address in found.addresses:
        if address.version == 6 and address not in after.addresses:
            await space.run("ip", "addr", "add", str(address), "dev", ifname)


async def _make(space: Netns, name: str, table: int) -> None:
    if not table:
        taken = {item.data.get("table") for item in await link.all_links(space) if item.kind == "vrf"}
        table = next(number for number in range(1, 2**32) if number not in taken)
    try:
        await space.do(
            "ip", "link", "add", "name", name, "txqueuelen", "0", "type", "vrf", "table", str(table)
        )
    except CommandFailure as failure:
        far_too_long = len(name.encode()) > LONGEST_NAME  # the search for it has failed already, by netlink
        raise CniError(failure.reason if far_too_long else f"could not add VRF {name}: {failure.reason}") from None
    await link.set_up(space, name, f"could not set link up for VRF {name}: ")


async def delete(args: CmdArgs) -> None:
    fields, _ = load(args.stdin)
    if not args.netns:
        raise CniError('failed to Statfs "": no such file or directory')
    try:
        space = await netns.open_netns(args.here, args.netns, " ")
    except NetnsMissing:
        return
    if await _find(space, fields["vrfname"]) is None:
        return
    if await link.find(space, args.ifname) is None:
        raise CniError(f"resetMaster: could not get link by name {args.ifname}")
    await space.run("ip", "link", "set", "dev", args.ifname, "nomaster")
    if not any(item.master == fields["vrfname"] for item in await link.all_links(space)):
        await space.run("ip", "link", "delete", "dev", fields["vrfname"])


async def check(args: CmdArgs) -> None:
    """The plugin looks for the interface in the VRF, and forgets what it found: only a prevResult must be there."""
    _, before = load(args.stdin)
    if before is None:
        raise CniError("missing prevResult from earlier plugin")


PLUGIN = Plugin("vrf", add, delete, check, supported=SUPPORTED[SUPPORTED.index("0.3.1") :])
main = program(PLUGIN)
