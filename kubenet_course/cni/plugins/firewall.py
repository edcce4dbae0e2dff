"""firewall: packets to and from the container may pass FORWARD, whatever its policy is.

    {"type": "firewall", "backend": "iptables", "iptablesAdminChainName": "CNI-ADMIN",
     "ingressPolicy": "same-bridge"}

    FORWARD -> CNI-FORWARD -> CNI-ADMIN (the administrator's)
               CNI-FORWARD    -d CONTAINER --ctstate RELATED,ESTABLISHED ACCEPT, -s CONTAINER ACCEPT

The policy same-bridge drops what comes from one bridge and would leave by another.

# containernetworking/plugins plugins/meta/firewall
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from kubenet_course.cni import conf
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import STRING, quoted
from kubenet_course.cni.masq import Iptables
from kubenet_course.cni.result import Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.cni.versions import SUPPORTED

_SHAPE = conf.shape(
    "FirewallNetConf",
    backend=STRING,
    iptablesAdminChainName=STRING,
    firewalldZone=STRING,
    ingressPolicy=STRING,
)
FORWARD, ADMIN = "CNI-FORWARD", "CNI-ADMIN"
POLICIES = ("", "open", "same-bridge")
STAGES = ("CNI-ISOLATION-STAGE-1", "CNI-ISOLATION-STAGE-2")


def load(text: bytes) -> tuple[dict[str, Any], Result | None]:
    fields = conf.load(text, _SHAPE)
    before = conf.prev_result(fields, "could not parse prevResult: ")
    if fields["backend"] == "firewalld" and before is not None:
        raise CniError("no firewalld here: it speaks D-Bus, which machines of a lab do not have")
    fields["admin"] = fields["iptablesAdminChainName"] or ADMIN
    return fields, before


def _comment(text: str) -> list[str]:
    return ["-m", "comment", "--comment", text]


def _entry() -> list[str]:
    return [*_comment("CNI firewall plugin rules"), "-j", FORWARD]


def _admin(name: str) -> list[str]:
    return [*_comment("CNI firewall plugin admin overrides"), "-j", name]


def rules(result: Result, version: int) -> list[list[str]]:
    """The container's rules in one family."""
    found: list[list[str]] = []
    for item in result.ips:
        if item.address.version == version:
            address = f"{item.address.ip}/{item.address.max_prefixlen}"
            found.append(
                ["-d", address, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"]
            )
            found.append(["-s", address, "-j", "ACCEPT"])
    return found


async def _families(
    args: CmdArgs, fields: dict[str, Any], before: Result
) -> AsyncIterator[tuple[Iptables, list[list[str]]]]:
    """The families that the container has addresses of: the filter table, its chains made, and the rules for it."""
    for version in (4, 6):
        own = rules(before, version)
        if own:
            tables = Iptables(args.here, version, "filter")
            await tables.ensure_chain(FORWARD)
            await tables.ensure_chain(fields["admin"])
            yield tables, own


async def add(args: CmdArgs) -> None:
    fields, before = load(args.stdin)
    if before is None:
        raise CniError("missing prevResult from earlier plugin")
    async for tables, own in _families(args, fields, before):
        await tables.insert_once("FORWARD", _entry())
        await tables.insert_once(FORWARD, _admin(fields["admin"]))
        for rule in own:
            await tables.append_once(FORWARD, rule)
    await _ingress_policy(args, fields, before)
    args.print_result(before)


async def _ingress_policy(args: CmdArgs, fields: dict[str, Any], before: Result) -> None:
    policy = fields["ingressPolicy"]
    if policy in POLICIES[:2]:
        return
    if policy not in POLICIES:
        raise CniError(f"unknown ingress policy: {quoted(policy)}")
    if not before.interfaces:
        raise CniError(
            f"interface needs to be set for ingress policy {quoted(policy)}, "
            'make sure to chain "firewall" plugin with "bridge"'
        )
    bridge = before.interfaces[0].name
    if not bridge:
        raise CniError("got empty interface name")
    for version in dict.fromkeys(item.address.version for item in before.ips):
        await _isolate(Iptables(args.here, version, "filter"), bridge)


async def _isolate(tables: Iptables, bridge: str) -> None:
    """Stage 1 sees what leaves a bridge for elsewhere, stage 2 drops it where that is a bridge too."""
    note = _comment("CNI firewall plugin rules (ingressPolicy: same-bridge)")
    first, second = STAGES
    for chain in STAGES:
        await tables.ensure_chain(chain)
    await tables.insert_once("FORWARD", ["-j", first, *note])
    await tables.insert_once(first, ["-i", bridge, "!", "-o", bridge, "-j", second, *note])
    await tables.append_once(first, ["-j", "RETURN", *note])
    await tables.insert_once(second, ["-o", bridge, "-j", "DROP", *note])
    await tables.append_once(second, ["-j", "RETURN", *note])


async def delete(args: CmdArgs) -> None:
    fields, before = load(args.stdin)
    for version in (4, 6):
        tables = Iptables(args.here, version, "filter")
        for rule in rules(before or Result(), version):
            await tables.delete_quietly(FORWARD, rule)
    if fields["ingressPolicy"] not in POLICIES:
        raise CniError(f"unknown ingress policy: {quoted(fields['ingressPolicy'])}")


async def check(args: CmdArgs) -> None:
    fields, before = load(args.stdin)
    if before is None:
        raise CniError("missing prevResult from earlier plugin")
    async for tables, own in _families(args, fields, before):
        for chain, rule in (("FORWARD", _entry()), (FORWARD, _admin(fields["admin"]))):
            if not await tables.has(chain, rule):
                raise CniError(f"expected {chain} rule [{' '.join(rule)}] not found")
        for rule in own:
            if not await tables.has(FORWARD, rule):
                raise CniError(f"expected rule [{' '.join(rule)}] not found")


PLUGIN = Plugin("firewall", add, delete, check, supported=SUPPORTED[SUPPORTED.index("0.4.0") :])
main = program(PLUGIN)
