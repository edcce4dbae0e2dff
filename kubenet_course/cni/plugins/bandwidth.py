"""bandwidth: a container sends and receives so much and no more.

    {"type": "bandwidth", "ingressRate": 1000000, "ingressBurst": 100000, "egressRate": …, "egressBurst": …}

Rates are bits a second, bursts bits. What the container receives passes a token bucket (tbf) on the
host's end of its veth pair; what it sends is redirected to an ifb device, which has one.

# containernetworking/plugins plugins/meta/bandwidth (1.1; later releases use htb)
"""

from __future__ import annotations

import hashlib
from typing import Any

from kubenet_course.cni import conf, link, netns
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import UINT64, Struct
from kubenet_course.cni.link import Link
from kubenet_course.cni.netns import CommandFailure, Netns
from kubenet_course.cni.result import Interface, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.cni.versions import SUPPORTED

_RATES = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
_ENTRY = Struct("BandwidthEntry", dict.fromkeys(_RATES, UINT64), go="main.BandwidthEntry", optional=True)
_SHAPE = conf.shape(
    "PluginConf", **dict.fromkeys(_RATES, UINT64), runtimeConfig=Struct(
        "", {"bandwidth": _ENTRY}, go=r'struct { Bandwidth *main.BandwidthEntry "json:\"bandwidth,omitempty\"" }'
    ),
)
LATENCY = 0.025  # seconds that a packet may wait
NAME_LENGTH = 15


def load(text: bytes) -> tuple[dict[str, int] | None, dict[str, Any], Result | None]:
    """Rates and bursts (None: no limits), all fields, and the result before. Raises CniError."""
    fields = conf.load(text, _SHAPE, "failed to parse network configuration: ")
    raw = {key.lower() for key in _keys(text)}
    own = any(key.lower() in raw for key in _RATES)
    limits = {key: fields[key] for key in _RATES} if own else fields["runtimeConfig"]["bandwidth"]
    if limits is not None:
        for way in ("ingress", "egress"):
            _validate(limits[f"{way}Rate"], limits[f"{way}Burst"])
    return limits, fields, conf.prev_result(fields, "could not parse prevResult: ")


def _keys(text: bytes) -> list[str]:
    import json

    return [key for key, value in json.loads(text).items() if value is not None]


def _validate(rate: int, burst: int) -> None:
    if rate and not burst:
        raise CniError("if rate is set, burst must also be set")
    if burst and not rate:
        raise CniError("if burst is set, rate must also be set")
    if burst // 8 >= 2**32 - 1:
        raise CniError("burst cannot be more than 4GB")


def ifb_name(network: str, container_id: str) -> str:
    digest = hashlib.sha512((network + container_id).encode()).hexdigest()
    return f"bwp{digest}"[:NAME_LENGTH]


async def _host_end(args: CmdArgs, result: Result) -> Link:
    """The host's end of the container's veth pair. Raises CniError."""
    if not result.interfaces:
        raise CniError("no interfaces provided")
    space = await netns.open_netns(args.here, args.netns, netns.NIL)
    inside = await link.find(space, args.ifname)
    problem = f'could not look up "{args.ifname}": {link.NOT_FOUND}' if inside is None else ""
    if inside is not None and inside.kind != "veth":
        problem = f'interface "{args.ifname}" was not a veth interface'
    if inside is None or problem or inside.parent <= 0:
        raise CniError(f"container interface {args.ifname} has no veth peer: {problem}")
    outside = next(
        (item for item in await link.all_links(Netns(args.here)) if item.index == inside.parent), None
    )
    if outside is None:
        raise CniError(f"veth peer with index {inside.parent} is not in host ns")
    for item in result.interfaces:
        if not item.sandbox and item.name == outside.name:
            return outside
    raise CniError("no veth peer of container interface found in host ns")


async def _tc(host: Netns, failure: str, *words: str) -> None:
    try:
        await host.do("tc", *words)
    except CommandFailure as error:
        raise CniError(f"{failure}: {error.reason}") from None


def tbf_words(rate: int, burst: int) -> list[str]:
    """The token bucket of a rate and a burst in bits."""
    limit = int(rate // 8 * LATENCY) + burst // 8
    return ["tbf", "rate", f"{rate // 8 * 8}bit", "burst", f"{burst // 8}b", "limit", f"{limit}b"]


async def add(args: CmdArgs) -> None:
    limits, fields, before = load(args.stdin)
    if limits is None or not any(limits.values()):
        args.print_result(before or Result())
        return
    if before is None:
        raise CniError("must be called as chained plugin")
    host = Netns(args.here)
    outside = await _host_end(args, before)
    if limits["ingressRate"]:
        words = tbf_words(limits["ingressRate"], limits["ingressBurst"])
        await _tc(host, "create qdisc", "qdisc", "add", "dev", outside.name, "root", "handle", "1:", *words)
    if limits["egressRate"]:
        name = ifb_name(fields["name"], args.container_id)
        ifb = await _make_ifb(host, name, outside.mtu)
        before.interfaces.append(Interface(ifb.name, ifb.mac))
        await _redirect(host, outside.name, name)
        words = tbf_words(limits["egressRate"], limits["egressBurst"])
        failure = "create ifb qdisc: create qdisc"
        await _tc(host, failure, "qdisc", "add", "dev", name, "root", "handle", "1:", *words)
    args.print_result(before)


async def _make_ifb(host: Netns, name: str, mtu: int) -> Link:
    try:
        await host.do("ip", "link", "add", "name", name, "mtu", str(mtu), "txqueuelen", "0", "type", "ifb")
    except CommandFailure as failure:
        raise CniError(f"adding link: {failure.reason}") from None
    return await link.set_up(host, name)


async def _redirect(host: Netns, device: str, ifb: str) -> None:
    """All that comes in by a device goes out by the ifb device first."""
    await _tc(host, "create ingress qdisc", "qdisc", "add", "dev", device, "ingress")
    match = ["u32", "match", "u32", "0", "0", "flowid", "1:1"]
    action = ["action", "mirred", "egress", "redirect", "dev", ifb]
    where = ["filter", "add", "dev", device, "parent", "ffff:", "protocol", "all", "prio", "1"]
    await _tc(host, "add filter", *where, *match, *action)


async def delete(args: CmdArgs) -> None:
    _, fields, _ = load(args.stdin)
    await link.delete(Netns(args.here), ifb_name(fields["name"], args.container_id))


async def check(args: CmdArgs) -> None:
    limits, fields, before = load(args.stdin)
    if before is None:
        raise CniError("must be called as a chained plugin")
    host = Netns(args.here)
    outside = await _host_end(args, before)
    if limits and limits["ingressRate"]:
        await _check_tbf(host, outside.name, limits["ingressRate"])
    if limits and limits["egressRate"]:
        name = ifb_name(fields["name"], args.container_id)
        if await link.find(host, name) is None:
            raise CniError(f"get ifb device: {link.NOT_FOUND}")
        await _check_tbf(host, name, limits["egressRate"])


async def _check_tbf(host: Netns, device: str, rate: int) -> None:
    rows = await host.query("tc", "-j", "qdisc", "show", "dev", device)
    if not rows:
        raise CniError("Failed to find qdisc")
    for row in rows:
        if row.get("kind") == "tbf" and row.get("options", {}).get("rate") != rate // 8:
            raise CniError("Rate doesn't match")


PLUGIN = Plugin("bandwidth", add, delete, check, supported=SUPPORTED[SUPPORTED.index("0.3.0") :])
main = program(PLUGIN)
