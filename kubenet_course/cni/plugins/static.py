"""static: addresses, routes and name servers as the configuration says; nothing is kept.

Addresses also come from CNI_ARGS (IP=…,GATEWAY=…), args.cni.ips and runtimeConfig.ips, each of which
takes the place of those before.

# containernetworking/plugins plugins/ipam/static
"""

from __future__ import annotations

from dataclasses import dataclass

from kubenet_course.cni import conf, gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import IP, STRING, ListOf, Struct
from kubenet_course.cni.result import (
    DNS,
    ROUTES,
    Address,
    Dns,
    IPConfig,
    Prefix,
    Result,
    Route,
    dns_of,
    routes_of,
)
from kubenet_course.cni.skel import CmdArgs, Plugin, nothing, program

_ADDRESS = Struct("Address", {"address": STRING, "gateway": IP}, go="main.Address")
_IPAM = Struct(
    "IPAMConfig",
    {
        "name": STRING,
        "type": STRING,
        "routes": ROUTES,
        "addresses": ListOf(_ADDRESS, go="[]main.Address"),
        "dns": DNS,
    },
    go="main.IPAMConfig",
    optional=True,
)
_IPS = ListOf(STRING, go="[]string")
_NET = Struct(
    "Net",
    {
        "name": STRING,
        "cniVersion": STRING,
        "ipam": _IPAM,
        "runtimeConfig": Struct("", {"ips": _IPS}, go=r'struct { IPs []string "json:\"ips,omitempty\"" }'),
        "args": Struct(
            "",
            {"cni": Struct("IPAMArgs", {"ips": _IPS}, go="main.IPAMArgs")},
            go=r'struct { A *main.IPAMArgs "json:\"cni\"" }',
        ),
    },
)


@dataclass
class Config:
    ips: list[IPConfig]
    routes: list[Route]
    dns: Dns



def _cidr(text: str, what: str = "the 'address' field is expected to be") -> Prefix:
    try:
        found: Prefix = gojson.read_cidr(text)
    except gojson.GoJsonError:
        raise CniError(f"{what} in CIDR notation, got: '{text}'") from None
    return found


def load(text: bytes, env_args: str) -> Config:
    """Read a configuration. Raises CniError."""
    fields = conf.load(text, _NET, "")
    ipam = fields["ipam"]
    if ipam is None:
        raise CniError("IPAM config missing 'ipam' key")
    given = conf.args(env_args, {"IP": None, "GATEWAY": None})
    asked = [_cidr(item.strip(), "the 'ip' field is expected to be") for item in given["IP"].split(",")] if given.get("IP") else []
    gateways = _gateways(given["GATEWAY"]) if given.get("GATEWAY") else []
    found: list[IPConfig] = []
    instead = False
    for source in (fields["args"]["cni"]["ips"], fields["runtimeConfig"]["ips"]):
        if source:
            instead = True
            found = [IPConfig(_cidr(item, "an entry in the 'ips' field is NOT")) for item in source]
    if not instead:
        found = [IPConfig(_cidr(item["address"]), item["gateway"]) for item in ipam["addresses"] or ()]
        found += [IPConfig(address) for address in asked]
        for gateway in gateways:
            for config in found:
                if gateway.version == config.address.version and gateway in config.address.network:
                    config.gateway = gateway
    families = [item.address.version for item in found]
    if max(families.count(4), families.count(6)) > 1 and not versions.at_least(fields["cniVersion"], "0.3.0"):
        version = fields["cniVersion"]
        raise CniError(f"CNI version {version} does not support more than 1 address per family")
    return Config(found, routes_of(ipam["routes"]), dns_of(ipam["dns"]))


def _gateways(text: str) -> list[Address]:
    found = []
    for item in text.split(","):
        gateway = gojson.parse_ip(item.strip())
        if gateway is None:
            raise CniError(f"invalid gateway address: {item}")
        found.append(gateway)
    return found


async def add(args: CmdArgs) -> None:
    config = load(args.stdin, args.args)
    args.print_result(Result(ips=config.ips, routes=config.routes, dns=config.dns))


async def check(args: CmdArgs) -> None:
    config = load(args.stdin, args.args)
    before = conf.prev_result(conf.load(args.stdin, conf.shape()))
    if before is None:
        raise CniError("Required prevResult missing")
    for item in config.ips:
        for other in before.ips:
            if item.address.ip == other.address.ip and item.gateway not in (None, other.gateway):
                raise CniError(f"static: Failed to match addr {item.address.ip} on interface {args.ifname}")


PLUGIN = Plugin("static", add, nothing, check)
main = program(PLUGIN)
