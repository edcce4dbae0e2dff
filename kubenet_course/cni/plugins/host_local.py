"""host-local: addresses from ranges in the configuration, kept in files of this machine.

    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.2.0/24", "rangeStart": …, "rangeEnd": …,
             "gateway": …}, …], …], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": …, "resolvConf": …}

One address is taken of each range set. A certain one can be asked for: CNI_ARGS IP=…, args.cni.ips,
runtimeConfig.ips.

# containernetworking/plugins plugins/ipam/host-local
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.cni import conf, gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import IP, IP_OR_CIDR, IPNET, STRING, ListOf, Struct
from kubenet_course.cni.hostlocal import RANGE_SET, Allocator, Disk, RangeSet, canonical_set
from kubenet_course.cni.result import ROUTES, Address, Dns, Result, Route, routes_of
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.errors import KernelError
from kubenet_course.userland.surroundings import Surroundings

NAMES = ("host-local",)

_IPAM = Struct(
    "IPAMConfig",
    {
        "rangeStart": IP,
        "rangeEnd": IP,
        "subnet": IPNET,
        "gateway": IP,
        "name": STRING,
        "type": STRING,
        "routes": ROUTES,
        "dataDir": STRING,
        "resolvConf": STRING,
        "ranges": ListOf(RANGE_SET, go="[]allocator.RangeSet"),
    },
    go="allocator.IPAMConfig",
    optional=True,
)
_IPS = ListOf(IP_OR_CIDR, go="[]*ip.IP")
_NET = Struct(
    "Net",
    {
        "name": STRING,
        "cniVersion": STRING,
        "ipam": _IPAM,
        "runtimeConfig": Struct(
            "",
            {"ipRanges": ListOf(RANGE_SET, go="[]allocator.RangeSet"), "ips": _IPS},
            go=r'struct { IPRanges []allocator.RangeSet "json:\"ipRanges,omitempty\""; IPs []*ip.IP "json:\"ips,omitempty\"" }',
        ),
        "args": Struct(
            "",
            {"cni": Struct("IPAMArgs", {"ips": _IPS}, go="allocator.IPAMArgs")},
            go=r'struct { A *allocator.IPAMArgs "json:\"cni\"" }',
        ),
        "cni.dev/valid-attachments": conf.ATTACHMENTS,
    },
)


@dataclass
class Config:
    """What the ipam section asks for, complete and checked."""

    name: str
    version: str
    ranges: list[RangeSet]
    routes: list[Route]
    data_dir: str = ""
    resolv_conf: str = ""
    requested: list[Address] = field(default_factory=list)
    valid: set[tuple[str, str]] = field(default_factory=set)


def load(text: bytes, env_args: str) -> Config:
    """Read a configuration. Raises CniError."""
    fields = conf.load(text, _NET, "")
    ipam = fields["ipam"]
    if ipam is None:
        raise CniError("IPAM config missing 'ipam' key")
    given = conf.args(env_args, {"IP": gojson.read_ip_or_cidr, "K8S_POD_NAMESPACE": None})
    requested = [given["IP"]] if given.get("IP") is not None else []
    requested += fields["args"]["cni"]["ips"] or []
    requested += fields["runtimeConfig"]["ips"] or []
    if None in requested:
        raise CniError("cannot understand ip: IP <nil> not v4 nor v6")
    ranges = [[ipam]] if ipam["subnet"] is not None else []
    ranges = (fields["runtimeConfig"]["ipRanges"] or []) + ranges + (ipam["ranges"] or [])
    version = fields["cniVersion"]
    return Config(
        fields["name"],
        version,
        _range_sets(ranges, version),
        routes_of(ipam["routes"]),
        ipam["dataDir"],
        ipam["resolvConf"],
        requested,
        conf.valid_attachments(fields),
    )


def _range_sets(items: list[list[dict[str, Any]]], version: str) -> list[RangeSet]:
    if not items:
        raise CniError("no IP ranges specified")
    found = []
    for number, ranges in enumerate(items):
        try:
            found.append(canonical_set(ranges or []))
        except CniError as error:
            raise CniError(f"invalid range set {number}: {error.msg}") from None
    families = [ranges[0].subnet.version for ranges in found]
    if max(families.count(4), families.count(6)) > 1 and not versions.at_least(version, "0.3.0"):
        raise CniError(f"CNI version {version} does not support more than 1 address per family")
    for number, one in enumerate(found):
        for other in range(number + 1, len(found)):
            if one.overlaps(found[other]):
                raise CniError(f"range set {number} overlaps with {other}")
    return found


def parse_resolv_conf(here: Surroundings, path: str) -> Dns:
    """The name servers of a resolv.conf. Raises CniError."""
    try:
        text = here.read(path).decode("utf-8", "replace")
    except KernelError as error:
        raise CniError(f"open {path}: {error.strerror.lower()}") from None
    dns = Dns()
    for line in text.splitlines():
        words = line.strip().split()
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver":
            dns.nameservers = [*(dns.nameservers or ()), words[1]]
        elif words[0] == "domain":
            dns.domain = words[1]
        elif words[0] in ("search", "options"):
            setattr(dns, words[0], [*(getattr(dns, words[0]) or ()), *words[1:]])
    return dns


async def add(args: CmdArgs) -> None:
    config = load(args.stdin, args.args)
    result = Result(routes=config.routes)
    if config.resolv_conf:
        result.dns = parse_resolv_conf(args.here, config.resolv_conf)
    store = Disk(args.here, config.name, config.data_dir)
    wanted = dict.fromkeys(config.requested)
    used: list[Allocator] = []
    try:
        for number, ranges in enumerate(config.ranges):
            allocator = Allocator(ranges, store, number)
            requested = next((address for address in wanted if ranges.contains(address)), None)
            if requested is not None:
                del wanted[requested]
            try:
                result.ips.append(allocator.get(args.container_id, args.ifname, requested))
            except CniError as error:
                raise CniError(f"failed to allocate for range {number}: {error.msg}") from None
            used.append(allocator)
        if wanted:
            shown = " ".join(map(str, wanted))
            raise CniError(f"failed to allocate all requested IPs: {shown}")
    except CniError:
        for allocator in used:
            allocator.release(args.container_id, args.ifname)
        raise
    args.print_result(result)


async def check(args: CmdArgs) -> None:
    config = load(args.stdin, args.args)
    store = Disk(args.here, config.name, config.data_dir)
    if not store.of(args.container_id, args.ifname):
        raise CniError(f"host-local: Failed to find address added by container {args.container_id}")


async def delete(args: CmdArgs) -> None:
    config = load(args.stdin, args.args)
    store = Disk(args.here, config.name, config.data_dir)
    for number, ranges in enumerate(config.ranges):
        Allocator(ranges, store, number).release(args.container_id, args.ifname)


async def gc(args: CmdArgs) -> None:
    """Give back every address of an attachment that the runtime does not name any more."""
    config = load(args.stdin, args.args)
    store = Disk(args.here, config.name, config.data_dir)
    for address, container_id, ifname in list(store.attachments()):
        if (container_id, ifname) not in config.valid:
            args.here.remove(f"{store.folder}/{address}")


async def status(args: CmdArgs) -> None:
    """An address plugin is ready when its configuration can be read."""
    load(args.stdin, args.args)


PLUGIN = Plugin("host-local", add, delete, check, gc, status)
main = program(PLUGIN)
