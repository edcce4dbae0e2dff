"""portmap: ports of the host lead to ports of the container, after another plugin gave it an address.

    {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true, "markMasqBit": 13,
     "externalSetMarkChain": "…", "conditionsV4": […], "conditionsV6": […], "masqAll": false}

    PREROUTING, OUTPUT   --dst-type LOCAL     -> CNI-HOSTPORT-DNAT
    CNI-HOSTPORT-DNAT    --dports 8080,8081   -> CNI-DN-…           one chain for each container
    CNI-DN-…             --dport 8080            DNAT to 10.0.0.2:80

Connections from 127.0.0.1 and from the container itself are marked (CNI-HOSTPORT-SETMARK) and get the
host's address as their source (CNI-HOSTPORT-MASQ), or answers would go astray.

# containernetworking/plugins plugins/meta/portmap
"""

from __future__ import annotations

from typing import Any

from kubenet_course.cni import conf, link
from kubenet_course.cni.chains import Chain
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import (
    BOOL,
    INT,
    OPTIONAL_BOOL,
    OPTIONAL_INT,
    OPTIONAL_STRING,
    STRING,
    ListOf,
    Struct,
    parse_ip,
)
from kubenet_course.cni.masq import Iptables, chain_name
from kubenet_course.cni.netns import Netns
from kubenet_course.cni.plugins import _portmap_nft
from kubenet_course.cni.result import Prefix, Result
from kubenet_course.cni.skel import CmdArgs, Plugin, program
from kubenet_course.errors import KernelError

_ENTRY = Struct(
    "PortMapEntry",
    {"hostPort": INT, "containerPort": INT, "protocol": STRING, "hostIP": STRING},
    go="main.PortMapEntry",
)
_SHAPE = conf.shape(
    "PortMapConf",
    backend=OPTIONAL_STRING,
    snat=OPTIONAL_BOOL,
    conditionsV4=ListOf(STRING),
    conditionsV6=ListOf(STRING),
    masqAll=BOOL,
    markMasqBit=OPTIONAL_INT,
    externalSetMarkChain=OPTIONAL_STRING,
    runtimeConfig=Struct(
        "",
        {"portMappings": ListOf(_ENTRY, go="[]main.PortMapEntry")},
        go=r'struct { PortMaps []main.PortMapEntry "json:\"portMappings,omitempty\"" }',
    ),
)
DNAT, SETMARK, MASQ = "CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"
DEFAULT_MARK_BIT = 13
#: As many ports as one multiport match takes.
PORTS_IN_A_RULE = 15
LONGEST_COMMENT = 255


def load(text: bytes, ifname: str) -> tuple[dict[str, Any], Result | None]:
    """The configuration and the result before; `addresses` are the container's. Raises CniError."""
    fields = conf.load(text, _SHAPE, "failed to parse network configuration: ")
    before = conf.prev_result(fields, "could not parse prevResult: ")
    fields["snat"] = fields["snat"] is not False
    if fields["markMasqBit"] is not None and fields["externalSetMarkChain"] is not None:
        raise CniError("Cannot specify externalSetMarkChain and markMasqBit")
    if fields["markMasqBit"] is None:
        fields["markMasqBit"] = DEFAULT_MARK_BIT
    if not 0 <= fields["markMasqBit"] <= 31:
        raise CniError("MasqMarkBit must be between 0 and 31")
    if fields["backend"] not in (None, "iptables", "nftables"):
        raise CniError(f'unrecognized backend "{fields["backend"]}"')
    fields["mappings"] = fields["runtimeConfig"]["portMappings"] or []
    for item in fields["mappings"]:
        for key, name in (("containerPort", "container"), ("hostPort", "host")):
            if item[key] <= 0:
                raise CniError(f"Invalid {name} port number: {item[key]}")
    fields["addresses"] = _addresses(before, ifname) if before else []
    return fields, before


def _addresses(before: Result, ifname: str) -> list[Prefix]:
    """The container's first address in each family."""
    found: dict[int, Prefix] = {}
    for item in before.ips:
        number = item.interface
        if number is not None and 0 <= number < len(before.interfaces):
            interface = before.interfaces[number]
            if interface.name != ifname or not interface.sandbox:
                continue
        found.setdefault(item.address.version, item.address)
    return [found[version] for version in sorted(found)]


# -- chains ---------------------------------------------------------------------------------------
def toplevel_chain() -> Chain:
    return Chain(DNAT, ["PREROUTING", "OUTPUT"], [["-m", "addrtype", "--dst-type", "LOCAL"]])


def setmark_chain(bit: int) -> Chain:
    mark = f"{1 << bit:#x}/{1 << bit:#x}"
    comment = ["-m", "comment", "--comment", "CNI portfwd masquerade mark"]
    return Chain(SETMARK, rules=[[*comment, "-j", "MARK", "--set-xmark", mark]])


def masq_chain(bit: int) -> Chain:
    """Before all else in POSTROUTING, or the masquerading of bridge and ptp would come first."""
    mark = f"{1 << bit:#x}/{1 << bit:#x}"
    comment = ["-m", "comment", "--comment", "CNI portfwd requiring masquerade"]
    return Chain(MASQ, ["POSTROUTING"], [comment], [["-m", "mark", "--mark", mark, "-j", "MASQUERADE"]], True)


def dnat_chain(fields: dict[str, Any], container_id: str, address: Prefix | None = None) -> Chain:
    """The container's chain, with its rules where `address` is given."""
    chain = Chain(chain_name(fields["name"], container_id, "DN-"), [DNAT])
    if address is not None:
        chain.entry_rules = _entry_rules(fields, container_id, address.version)
        chain.rules = _dnat_rules(fields, address)
    return chain


def _entry_rules(fields: dict[str, Any], container_id: str, version: int) -> list[list[str]]:
    comment = f'dnat name: "{fields["name"]}" id: "{container_id}"'
    comment = comment if len(comment) <= LONGEST_COMMENT else f"{comment[: LONGEST_COMMENT - 2]}..."
    conditions = fields[f"conditionsV{version}"] or []
    ports: dict[str, list[int]] = {}
    for item in fields["mappings"]:
        ports.setdefault(item["protocol"], []).append(item["hostPort"])
    rules = []
    for protocol in sorted(ports):
        for start in range(0, len(ports[protocol]), PORTS_IN_A_RULE):
            shown = ",".join(map(str, ports[protocol][start : start + PORTS_IN_A_RULE]))
            match = ["-m", "multiport", "-p", protocol, "--destination-ports", shown]
            rules.append(["-m", "comment", "--comment", comment, *match, *conditions])
    return rules


def _dnat_rules(fields: dict[str, Any], address: Prefix) -> list[list[str]]:
    mark = fields["externalSetMarkChain"] or SETMARK
    everything = "0.0.0.0/0" if address.version == 4 else "::/0"
    target = f"{address.ip}" if address.version == 4 else f"[{address.ip}]"
    rules = []
    for item in fields["mappings"]:
        base = ["-p", item["protocol"], "--dport", str(item["hostPort"])]
        if item["hostIP"]:
            host = parse_ip(item["hostIP"])
            if (4 if host is not None and host.version == 4 else 6) != address.version:
                continue
            base += [] if host is not None and host.is_unspecified else ["-d", item["hostIP"]]
        if fields["snat"]:
            source = everything if fields["masqAll"] else str(address)
            rules.append([*base, "-s", source, "-j", mark])
            if address.version == 4 and not fields["masqAll"]:
                rules.append([*base, "-s", "127.0.0.1", "-j", mark])
        rules.append([*base, "-j", "DNAT", "--to-destination", f"{target}:{item['containerPort']}"])
    return rules


# -- ADD, DEL, CHECK ------------------------------------------------------------------------------
async def add(args: CmdArgs) -> None:
    try:
        fields, before = load(args.stdin, args.ifname)
    except CniError as error:
        raise CniError(f"failed to parse config: {error.msg}") from None
    if before is None:
        raise CniError("must be called as chained plugin")
    for address in fields["addresses"] if fields["mappings"] else ():
        if fields["backend"] == "nftables":
            await _portmap_nft.forward(args.here, fields, args.container_id, address)
        else:
            await _forward(args, fields, address)
        await _forget_connections(args, fields, address.version)
    args.print_result(before)


async def _forward(args: CmdArgs, fields: dict[str, Any], address: Prefix) -> None:
    tables = Iptables(args.here, address.version, "nat")
    if fields["snat"]:
        if fields["externalSetMarkChain"] is None:
            for chain in (setmark_chain(fields["markMasqBit"]), masq_chain(fields["markMasqBit"])):
                await _setup(chain, tables, f"unable to create chain {SETMARK}: ")
        if address.version == 4:
            await _route_localnet(args, address)
    await _setup(toplevel_chain(), tables, "failed to create top-level DNAT chain: ")
    await _setup(dnat_chain(fields, args.container_id, address), tables, "unable to setup DNAT: ")


async def _setup(chain: Chain, tables: Iptables, failure: str) -> None:
    try:
        await chain.setup(tables)
    except CniError as error:
        raise CniError(f"{failure}{error.msg}") from None


async def _route_localnet(args: CmdArgs, address: Prefix) -> None:
    """Packets from 127.0.0.1 may leave by the device that leads to the container."""
    host = Netns(args.here)
    done = await host.run("ip", "-j", "route", "get", str(address.ip))
    if done.returncode == 0:
        import json

        for row in json.loads(done.stdout or "[]")[:1]:
            link.write_setting(host, f"net/ipv4/conf/{row.get('dev', 'lo')}/route_localnet", "1")


async def _forget_connections(args: CmdArgs, fields: dict[str, Any], version: int) -> None:
    """UDP flows that connection tracking knows would go where they went before."""
    for item in fields["mappings"]:
        if item["protocol"].lower() == "udp":
            family = "ipv4" if version == 4 else "ipv6"
            port = str(item["hostPort"])
            try:
                await args.here.run(["conntrack", "-D", "-f", family, "-p", "udp", "--dport", port])
            except KernelError:
                return  # no conntrack here: a hint, no more


async def delete(args: CmdArgs) -> None:
    try:
        fields, _ = load(args.stdin, args.ifname)
    except CniError as error:
        raise CniError(f"failed to parse config: {error.msg}") from None
    if not fields["mappings"]:
        return
    if fields["backend"] == "nftables":
        await _portmap_nft.unforward(args.here, args.container_id)
        return
    for version in (4, 6):
        tables = Iptables(args.here, version, "nat")
        if (await tables.try_("-S", "OUTPUT")).returncode:
            continue
        try:
            await dnat_chain(fields, args.container_id).teardown(tables)
        except CniError as error:
            raise CniError(f"could not teardown ipv{version} dnat: {error.msg}") from None


async def check(args: CmdArgs) -> None:
    fields, before = load(args.stdin, args.ifname)
    if before is None:
        raise CniError("Required prevResult missing")
    for address in fields["addresses"] if fields["mappings"] else ():
        if fields["backend"] == "nftables":
            await _portmap_nft.check(args.here, fields, args.container_id, address)
            continue
        chain = dnat_chain(fields, args.container_id, address)
        for version in (
            4,
            6,
        ):  # both, whatever the address is: so 1.1 did, and finds fault with one family alone
            tables = Iptables(args.here, version, "nat")
            if (await tables.try_("-S", "OUTPUT")).returncode:
                continue
            try:
                await chain.check(tables)
            except CniError as error:
                raise CniError(f"could not check ipv{version} dnat: {error.msg}") from None


PLUGIN = Plugin("portmap", add, delete, check)
main = program(PLUGIN)
