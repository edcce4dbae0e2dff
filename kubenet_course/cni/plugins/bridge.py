"""bridge: a veth pair from the container to a Linux bridge of the host, which may be its gateway.

    {"type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "ipMasq": true,
     "hairpinMode": true, "vlan": 100, "mtu": 1450, "forceAddress": true, "promiscMode": true,
     "portIsolation": true, "disableContainerInterface": false, "ipam": {…}}

# containernetworking/plugins plugins/main/bridge
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Any

from kubenet_course.cni import conf, invoke, link, masq, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import (
    BOOL,
    INT,
    OPTIONAL_INT,
    OPTIONAL_STRING,
    STRING,
    ListOf,
    Struct,
    quoted,
)
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import CommandFailure, Netns, NetnsMissing
from kubenet_course.cni.plugins import _bridge_check, _spoof
from kubenet_course.cni.result import Address, Interface, IPConfig, Prefix, Result, Route
from kubenet_course.cni.skel import CmdArgs, Plugin, program

_TRUNK = Struct(
    "VlanTrunk", {"minID": OPTIONAL_INT, "maxID": OPTIONAL_INT, "id": OPTIONAL_INT}, go="main.VlanTrunk"
)
SHAPE = conf.shape(
    bridge=STRING,
    isGateway=BOOL,
    isDefaultGateway=BOOL,
    forceAddress=BOOL,
    ipMasq=BOOL,
    mtu=INT,
    hairpinMode=BOOL,
    promiscMode=BOOL,
    vlan=INT,
    vlanTrunk=ListOf(_TRUNK, go="[]*main.VlanTrunk"),
    preserveDefaultVlan=BOOL,
    ipMasqBackend=OPTIONAL_STRING,
    macspoofchk=BOOL,
    enabledad=BOOL,
    disableContainerInterface=BOOL,
    portIsolation=BOOL,
    args=Struct(
        "",
        {"cni": Struct("BridgeArgs", {"mac": STRING}, go="main.BridgeArgs")},
        go='struct { Cni main.BridgeArgs "json:\\"cni,omitempty\\"" }',
    ),
    runtimeConfig=Struct("", {"mac": STRING}, go='struct { Mac string "json:\\"mac,omitempty\\"" }'),
)
#: How long the host's end may take to come up: seconds between looks.
PATIENCE = (0.0, 0.05, 0.5, 1.0, 1.0)


@dataclass
class Gateways:
    """What the bridge is to be in one family."""

    addresses: list[Prefix | None] = field(default_factory=list)
    default_route: bool = False


def load(text: bytes, env_args: str) -> dict[str, Any]:
    """Read a configuration. Raises CniError."""
    shape = Struct(SHAPE.name, SHAPE.fields, {"bridge": "cni0", "preserveDefaultVlan": True})
    fields = conf.load(text, shape)
    if not 0 <= fields["vlan"] <= 4094:
        raise CniError(f"invalid VLAN ID {fields['vlan']} (must be between 0 and 4094)")
    fields["trunk"] = _trunk(fields["vlanTrunk"])
    if fields["vlan"] and fields["trunk"]:
        raise CniError("cannot set vlan and vlanTrunk at the same time")
    given = conf.args(env_args, {"MAC": None})
    fields["mac"] = fields["runtimeConfig"]["mac"] or fields["args"]["cni"]["mac"] or given.get("MAC", "")
    return fields


def _trunk(items: list[dict[str, Any]] | None) -> list[int]:
    """The VLANs of a trunk port, in order."""
    found: set[int] = set()
    for item in items or ():
        low, high, single = item["minID"], item["maxID"], item["id"]
        for value, name in ((low, "minID"), (high, "maxID"), (single, "id")):
            if value is not None and not 0 < value <= 4094:
                raise CniError(f"incorrect trunk {name} parameter")
        if (low is None) != (high is None):
            missing = "minID" if low is None else "maxID"
            raise CniError(f"minID and maxID should be configured simultaneously, {missing} is missing")
        if low is not None and high is not None:
            if high < low:
                raise CniError("minID is greater than maxID in trunk parameter")
            found.update(range(low, high + 1))
        if single is not None:
            found.add(single)
    return sorted(found)


# -- ADD ------------------------------------------------------------------------------------------
async def add(args: CmdArgs) -> None:
    fields = load(args.stdin, args.args)
    if fields["ipam"]["type"] and fields["disableContainerInterface"]:
        raise CniError("cannot use IPAM when DisableContainerInterface flag is set")
    fields["isGateway"] = fields["isGateway"] or fields["isDefaultGateway"]
    if fields["hairpinMode"] and fields["promiscMode"]:
        raise CniError("cannot set hairpin mode and promiscuous mode at the same time.")
    host = Netns(args.here)
    bridge = await setup_bridge(host, fields)
    space = await netns.open_netns(args.here, args.netns)
    veth, inside = await setup_veth(space, host, bridge, args.ifname, fields)
    result = Result(
        [
            Interface(bridge.name, bridge.mac),
            Interface(veth.name, veth.mac),
            Interface(inside.name, inside.mac, args.netns),
        ]
    )
    if fields["macspoofchk"]:
        await _spoof.setup(args.here, veth.name, inside.mac, f"{args.container_id}-{args.ifname}")
    kind = fields["ipam"]["type"]
    if not kind:
        if not fields["disableContainerInterface"]:
            await link.set_up(space, args.ifname, f"failed to set {quoted(args.ifname)} up: ")
        await _finish(args, host, fields, result)
        return
    given = await invoke.ipam_add(args.here, kind, args.stdin, args.version)
    try:
        await _layer3(args, (host, space), bridge, fields, result, given)
        await _finish(args, host, fields, result)
    except CniError:
        await invoke.ipam_release_quietly(args.here, kind, args.stdin)
        raise


async def _layer3(
    args: CmdArgs,
    spaces: tuple[Netns, Netns],
    bridge: Link,
    fields: dict[str, Any],
    result: Result,
    given: Result,
) -> None:
    """Addresses inside, gateway and masquerading outside."""
    host, space = spaces
    result.ips, result.routes, result.dns = given.ips, given.routes, given.dns
    if not result.ips:
        raise CniError("IPAM plugin returned missing IP config")
    gateways = calc_gateways(result, fields)
    name = args.ifname
    await space.sysctl(
        *([f"net/ipv6/conf/{name}/enhanced_dad=1"] if fields["enabledad"] else []),
        f"net/ipv6/conf/{name}/accept_dad={int(fields['enabledad'])}",
        f"net/ipv4/conf/{name}/arp_notify=1",
    )
    await link.configure(space, name, result)
    if fields["isGateway"]:
        await _be_gateway(host, bridge, fields, result, gateways)
    if fields["ipMasq"]:
        await masq.setup(args, fields, [item.address for item in result.ips])


async def _finish(args: CmdArgs, host: Netns, fields: dict[str, Any], result: Result) -> None:
    """Wait for the port, read the addresses that may have changed, print."""
    for number, seconds in enumerate(PATIENCE):
        if seconds:
            await args.here.sleep(seconds)
        veth = await link.get(host, result.interfaces[1].name)
        if veth.state == "UP" or fields["disableContainerInterface"]:
            break
        if number == len(PATIENCE) - 1:
            raise CniError(f"bridge port in error state: {veth.state.lower()}")
    result.interfaces[1].mac = veth.mac
    result.interfaces[0].mac = (await bridge_by_name(host, fields["bridge"])).mac
    result.dns = conf.dns(
        fields
    )  # as of 1.1; later releases keep what address management said if this is empty
    args.print_result(result)


async def bridge_by_name(host: Netns, name: str) -> Link:
    found = await link.get(host, name, f"could not lookup {quoted(name)}: ")
    if found.kind != "bridge":
        raise CniError(f"{quoted(name)} already exists but is not a bridge")
    return found


async def setup_bridge(host: Netns, fields: dict[str, Any]) -> Link:
    """The bridge, made where it is not there, and up."""
    name = fields["bridge"]
    try:
        return await _ensure_bridge(host, name, fields)
    except CniError as error:
        raise CniError(f"failed to create bridge {quoted(name)}: {error.msg}") from None


async def _ensure_bridge(host: Netns, name: str, fields: dict[str, Any]) -> Link:
    words = ["link", "add", "name", name, *(["mtu", str(fields["mtu"])] if fields["mtu"] > 0 else [])]
    words += ["type", "bridge"]
    if fields["vlan"] or fields["vlanTrunk"] is not None:
        words += ["vlan_filtering", "1"]
    try:
        await host.do("ip", *words)
    except CommandFailure as failure:
        if failure.reason != "file exists":
            raise CniError(f"could not add {quoted(name)}: {failure.reason}") from None
    if fields["promiscMode"]:
        await host.do("ip", "link", "set", "dev", name, "promisc", "on")
    await bridge_by_name(host, name)
    link.write_setting(host, f"net/ipv6/conf/{name}/accept_ra", "0")
    return await link.set_up(host, name)


async def setup_veth(
    space: Netns, host: Netns, bridge: Link, name: str, fields: dict[str, Any], outer: str = ""
) -> tuple[Link, Link]:
    """A pair with one end in the bridge: (host's end, container's end)."""
    veth, inside = await link.make_veth(space, host, name, fields["mtu"], fields["mac"])
    try:
        await host.do("ip", "link", "set", "dev", veth.name, "master", bridge.name)
    except CommandFailure as failure:
        raise CniError(
            f"failed to connect {quoted(veth.name)} to bridge {bridge.name}: {failure.reason}"
        ) from None
    if fields["hairpinMode"]:
        await host.do("bridge", "link", "set", "dev", veth.name, "hairpin", "on")
    if fields["portIsolation"]:
        try:
            await host.do("bridge", "link", "set", "dev", veth.name, "isolated", "on")
        except CommandFailure as failure:
            raise CniError(f"failed to set isolated on for {veth.name}: {failure.reason}") from None
    if (fields["vlan"] or fields["trunk"]) and not fields["preserveDefaultVlan"]:
        await host.do("bridge", "vlan", "del", "dev", veth.name, "vid", "1")
    try:
        if fields["vlan"]:
            vid = str(fields["vlan"])
            await host.do("bridge", "vlan", "add", "dev", veth.name, "vid", vid, "pvid", "untagged")
        for vid in map(str, fields["trunk"]):
            await host.do("bridge", "vlan", "add", "dev", veth.name, "vid", vid)
    except CommandFailure as failure:
        raise CniError(
            f"failed to setup vlan tag on interface {quoted(veth.name)}: {failure.reason}"
        ) from None
    return veth, inside


def _with_mask(item: IPConfig) -> Prefix | None:
    """The gateway as an address with the network's mask; None where they are of two families."""
    if item.gateway is None or item.gateway.version != item.address.version:
        return None
    return ip_interface(f"{item.gateway}/{item.address.network.prefixlen}")


def calc_gateways(result: Result, fields: dict[str, Any]) -> dict[int, Gateways]:
    """Complete a result by gateways and default routes; what the bridge is to have, by family."""
    found = {4: Gateways(), 6: Gateways()}
    for item in result.ips:
        own = found[item.address.version]
        item.interface = 2
        if item.gateway is None and fields["isGateway"]:
            item.gateway = gateway_of(item.address)
        if fields["isDefaultGateway"]:
            everything = "0.0.0.0/0" if item.address.version == 4 else "::/0"
            for route in result.routes:
                own.default_route = own.default_route or (
                    route.gw is not None and str(route.dst) == everything
                )
            if not own.default_route:
                result.routes.append(Route(ip_interface(everything), item.gateway, own=True))
                own.default_route = True
        if fields["isGateway"]:
            own.addresses.append(_with_mask(item))
    return found


def gateway_of(address: Prefix) -> Address:
    """The first address of the network."""
    return address.network.network_address + 1


async def _be_gateway(
    host: Netns, bridge: Link, fields: dict[str, Any], result: Result, gateways: dict[int, Gateways]
) -> None:
    """Give the bridge (or its VLAN's interface) the gateways' addresses, and forward packets."""
    for version, own in gateways.items():
        for address in own.addresses:
            if not fields["vlan"]:
                failure = "failed to set bridge addr: "
                await ensure_address(host, bridge, address, fields["forceAddress"], failure)
                continue
            try:
                device = await _vlan_interface(host, fields)
            except CniError as error:
                raise CniError(f"failed to create vlan interface: {error.msg}") from None
            if len(result.interfaces) == 3:
                result.interfaces.append(Interface(device.name, device.mac))
            failure = "failed to set vlan interface for bridge with addr: "
            await ensure_address(host, device, address, fields["forceAddress"], failure)
        if own.addresses:
            path = "net/ipv4/ip_forward" if version == 4 else "net/ipv6/conf/all/forwarding"
            if host.here.read(f"/proc/sys/{path}").strip() != b"1":
                link.write_setting(host, path, "1")


async def _vlan_interface(host: Netns, fields: dict[str, Any]) -> Link:
    """The host's own interface in a VLAN of the bridge: another veth pair, both ends here."""
    bridge = await bridge_by_name(host, fields["bridge"])
    name = f"{bridge.name}.{fields['vlan']}"
    found = await link.find(host, name)
    if found is not None:
        return found
    try:
        changes = {"mtu": bridge.mtu, "hairpinMode": False, "portIsolation": False, "mac": "", "trunk": []}
        await setup_veth(host, host, bridge, name, {**fields, **changes})
    except CniError as error:
        raise CniError(f"faild to create vlan gateway {quoted(name)}: {error.msg}") from None
    return await link.set_up(host, name, f"failed to up {quoted(name)}: ")


async def ensure_address(
    host: Netns, device: Link, address: Prefix | None, force: bool, failure: str
) -> None:
    """Give a bridge an address; another one of the same network is an error, or goes away by force.

    It then keeps the MAC address that it had before its ports came, or it would take one of theirs.
    """
    name = device.name
    if address is None:
        raise CniError(f"{failure}could not add IP address to {quoted(name)}: invalid argument")
    for other in (await link.get(host, name)).addresses:
        if other.version != address.version:
            continue
        if other == address:
            return
        near = other.ip in address.network or address.ip in other.network
        if other.version == 4 or near:
            if not force:
                raise CniError(f"{failure}{quoted(name)} already has an IP address different from {address}")
            await host.do("ip", "addr", "del", str(other), "dev", name)
    lines = [f"addr add {link.address_words(address)} dev {name}"]
    empty = not device.mac.strip("0:")  # a bridge has none after its last port went, and none cannot be set
    lines += [] if empty else [f"link set dev {name} address {device.mac}"]
    problem = await host.batch(lines)
    if problem and problem[0] == 0 and problem[1] != "file exists":
        raise CniError(f"{failure}could not add IP address to {quoted(name)}: {problem[1]}")
    if empty or problem and problem[0] == 1:
        why = problem[1] if problem and not empty else "invalid argument"
        raise CniError(f"{failure}could not set bridge's mac: {why}")


# -- DEL and CHECK --------------------------------------------------------------------------------
async def delete(args: CmdArgs) -> None:
    fields = load(args.stdin, args.args)
    kind = fields["ipam"]["type"]
    addresses: list[Prefix] | None = None
    if args.netns:
        try:
            space = await netns.open_netns(args.here, args.netns, " ")
            addresses = await link.delete(space, args.ifname)
        except NetnsMissing:
            addresses = None
    if kind:
        await invoke.ipam_delete(args.here, kind, args.stdin)
    if args.netns and fields["macspoofchk"]:
        await _spoof.teardown(args.here, f"{args.container_id}-{args.ifname}")
    if kind and fields["ipMasq"]:
        await masq.teardown(args, fields, addresses or [])


async def check(args: CmdArgs) -> None:
    fields = load(args.stdin, args.args)
    space = await netns.open_netns(args.here, args.netns)
    await invoke.ipam_check(args.here, fields["ipam"]["type"], args.stdin)
    before = conf.prev_result(fields)
    if before is None:
        raise CniError("Required prevResult missing")
    await _bridge_check.check(args, fields, before, Netns(args.here), space)


async def gc(args: CmdArgs) -> None:
    """Addresses and masquerading of containers that are gone."""
    fields = load(args.stdin, args.args)
    await invoke.ipam_other(args.here, fields["ipam"]["type"], args.stdin, "GC")
    if fields["ipMasq"]:
        await masq.gc(args, fields, conf.valid_attachments(fields))


async def status(args: CmdArgs) -> None:
    """Ready when address management is."""
    fields = load(args.stdin, args.args)
    await invoke.ipam_other(args.here, fields["ipam"]["type"], args.stdin, "STATUS")


PLUGIN = Plugin("bridge", add, delete, check, gc, status)
main = program(PLUGIN)
