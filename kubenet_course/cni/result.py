"""What a plugin gives back, and its form in every version of the standard.

A `Result` is of the newest form; `of_data` reads any version's, `to_data` writes any version's:

    0.1.0, 0.2.0          ip4 {ip, gateway, routes}, ip6 {…}, dns
    0.3.0, 0.3.1, 0.4.0   interfaces [{name, mac, sandbox}], ips [{version, interface, address, gateway}], …
    1.0.0                 ips without version
    1.1.0                 interfaces also mtu, socketPath, pciID; routes also mtu, advmss, priority, table, scope

# CNI SPEC 1.1, "ADD Success"; containernetworking/cni pkg/types/{020,040,100}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

from kubenet_course.cni import gojson, versions
from kubenet_course.cni.errors import CniError
from kubenet_course.cni.gojson import INT, IP, IPNET, OPTIONAL_INT, STRING, ListOf, Struct

Address = IPv4Address | IPv6Address
Prefix = IPv4Interface | IPv6Interface

DNS = Struct(
    "DNS",
    {
        "nameservers": ListOf(STRING),
        "domain": STRING,
        "search": ListOf(STRING),
        "options": ListOf(STRING),
    },
    go="types.DNS",
)
ROUTE = Struct(
    "route",
    {
        "dst": IPNET,
        "gw": IP,
        "mtu": INT,
        "advmss": INT,
        "priority": INT,
        "table": OPTIONAL_INT,
        "scope": OPTIONAL_INT,
    },
    go="types.Route",
    custom=True,
    optional=True,
)
ROUTES = ListOf(ROUTE, go="[]*types.Route")
_INTERFACE = Struct(
    "Interface",
    {"name": STRING, "mac": STRING, "mtu": INT, "sandbox": STRING, "socketPath": STRING, "pciID": STRING},
    go="types100.Interface",
)
_IP = Struct(
    "ipConfig",
    {"version": STRING, "interface": OPTIONAL_INT, "address": IPNET, "gateway": IP},
    go="types100.IPConfig",
    custom=True,
)
_RESULT = Struct(
    "Result",
    {
        "cniVersion": STRING,
        "interfaces": ListOf(_INTERFACE, go="[]*types100.Interface"),
        "ips": ListOf(_IP, go="[]*types100.IPConfig"),
        "routes": ROUTES,
        "dns": DNS,
    },
    go="types100.Result",
)
_IP_020 = Struct(
    "IPConfig", {"ip": IPNET, "gateway": IP, "routes": ListOf(ROUTE)}, go="types020.IPConfig", optional=True
)
_RESULT_020 = Struct(
    "Result", {"cniVersion": STRING, "ip4": _IP_020, "ip6": _IP_020, "dns": DNS}, go="types020.Result"
)


@dataclass
class Interface:
    name: str
    mac: str = ""
    sandbox: str = ""
    mtu: int = 0
    socket_path: str = ""
    pci_id: str = ""


@dataclass
class IPConfig:
    """An address with its prefix length; `interface` counts in the result's interfaces."""

    address: Prefix
    gateway: Address | None = None
    interface: int | None = None

    def __str__(self) -> str:
        shown = "<nil>" if self.interface is None else str(self.interface)
        gateway = "<nil>" if self.gateway is None else str(self.gateway)
        address = f"{{IP:{self.address.ip} Mask:{mask_hex(self.address)}}}"
        return f"{{Interface:{shown} Address:{address} Gateway:{gateway}}}"


def mask_hex(prefix: Prefix) -> str:
    """A netmask as Go prints net.IPMask."""
    return f"{int(prefix.netmask):0{prefix.max_prefixlen // 4}x}"


@dataclass
class Route:
    """`dst` keeps host bits where the configuration had some; None where it named none."""

    dst: Prefix | None
    gw: Address | None = None
    mtu: int = 0
    advmss: int = 0
    priority: int = 0
    table: int | None = None
    scope: int | None = None
    #: It came of isDefaultGateway; Go keeps the mask of that one in 16 bytes.
    own: bool = field(default=False, compare=False, repr=False)


@dataclass
class Dns:
    nameservers: list[str] | None = None
    domain: str = ""
    search: list[str] | None = None
    options: list[str] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing at all was said (an empty list is something)."""
        return not self.domain and self.nameservers is None and self.search is None and self.options is None


@dataclass
class Result:
    interfaces: list[Interface] = field(default_factory=list)
    ips: list[IPConfig] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    dns: Dns = field(default_factory=Dns)


# -- reading --------------------------------------------------------------------------------------
def dns_of(fields: dict[str, Any]) -> Dns:
    return Dns(**fields)


def route_of(fields: dict[str, Any]) -> Route:
    return Route(**fields)


def routes_of(items: list[dict[str, Any] | None] | None) -> list[Route]:
    return [route_of(item) for item in items or () if item is not None]


def of_data(data: Any, version: str) -> Result:
    """A result in the form of `version` (what a plugin printed, or a prevResult). Raises CniError."""
    version = version or versions.OLDEST
    if version not in versions.SUPPORTED:
        raise CniError(f"unsupported CNI result version {gojson.quoted(version)}")
    try:
        if version in ("0.1.0", "0.2.0"):
            return _of_020(gojson.shape_of(data, _RESULT_020))
        fields = gojson.shape_of(data, _RESULT)
    except gojson.GoJsonError as error:
        raise CniError(str(error)) from None
    result = Result(routes=routes_of(fields["routes"]), dns=dns_of(fields["dns"]))
    for item in fields["interfaces"] or ():
        result.interfaces.append(
            Interface(
                item["name"], item["mac"], item["sandbox"], item["mtu"], item["socketPath"], item["pciID"]
            )
        )
    for item in fields["ips"] or ():
        if item and item["address"] is not None:
            result.ips.append(IPConfig(item["address"], item["gateway"], item["interface"]))
    return result


def _of_020(fields: dict[str, Any]) -> Result:
    result = Result(dns=dns_of(fields["dns"]))
    for key in ("ip4", "ip6"):
        found = fields[key]
        if found is not None and found["ip"] is not None:
            result.ips.append(IPConfig(found["ip"], found["gateway"]))
            result.routes += routes_of(found["routes"])
    return result


def of_text(text: str, version: str) -> Result:
    """What a plugin printed; `version` is the configuration's, for where the result does not say its own."""
    try:
        data = gojson.loads(text)
    except gojson.GoJsonError as error:
        raise CniError(f"failed to unmarshal raw result: {error} result {text}") from None
    if not isinstance(data, dict):
        data = {} if data is None else data
    said = data.get("cniVersion") if isinstance(data, dict) else ""
    return of_data(data, said if isinstance(said, str) and said else version)


# -- writing --------------------------------------------------------------------------------------
def dns_data(dns: Dns) -> dict[str, Any]:
    found = {
        "nameservers": dns.nameservers,
        "domain": dns.domain,
        "search": dns.search,
        "options": dns.options,
    }
    return {key: value for key, value in found.items() if value}


def route_data(route: Route, newest: bool = True) -> dict[str, Any]:
    data: dict[str, Any] = {"dst": "<nil>" if route.dst is None else str(route.dst)}
    if route.gw is not None:
        data["gw"] = str(route.gw)
    if newest:
        for key in ("mtu", "advmss", "priority"):
            if getattr(route, key):
                data[key] = getattr(route, key)
        for key in ("table", "scope"):
            if getattr(route, key) is not None:
                data[key] = getattr(route, key)
    return data


def _interface_data(item: Interface, newest: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"name": item.name}
    pairs = [("mac", item.mac), ("mtu", item.mtu), ("sandbox", item.sandbox)]
    if newest:
        pairs += [("socketPath", item.socket_path), ("pciID", item.pci_id)]
    data.update({key: value for key, value in pairs if value and (newest or key != "mtu")})
    return data


def _ip_data(item: IPConfig, version: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if version.startswith("0."):
        data["version"] = str(item.address.version)
    if item.interface is not None:
        data["interface"] = item.interface
    data["address"] = str(item.address)
    if item.gateway is not None:
        data["gateway"] = str(item.gateway)
    return data


def to_data(result: Result, version: str) -> dict[str, Any]:
    """The result in the form of `version`. Raises CniError where that form cannot hold it."""
    version = version or versions.OLDEST
    if version not in versions.SUPPORTED:
        raise CniError(f"cannot convert version {versions.CURRENT} to {version}")
    if version in ("0.1.0", "0.2.0"):
        return _to_020(result, version)
    newest = versions.at_least(version, "1.1.0")
    data: dict[str, Any] = {"cniVersion": version}
    if result.interfaces:
        data["interfaces"] = [_interface_data(item, newest) for item in result.interfaces]
    if result.ips:
        data["ips"] = [_ip_data(item, version) for item in result.ips]
    if result.routes:
        data["routes"] = [route_data(item, newest) for item in result.routes]
    data["dns"] = dns_data(result.dns)
    return data


def _to_020(result: Result, version: str) -> dict[str, Any]:
    """One address of each family is all that form has; others are left out."""
    data: dict[str, Any] = {"cniVersion": version}
    for key, family in (("ip4", 4), ("ip6", 6)):
        found = next((item for item in result.ips if item.address.version == family), None)
        if found is None:
            continue
        data[key] = {"ip": str(found.address)}
        if found.gateway is not None:
            data[key]["gateway"] = str(found.gateway)
        routes = [
            route_data(item, False)
            for item in result.routes
            if item.dst is None or item.dst.version == family
        ]
        if routes:
            data[key]["routes"] = routes
    if len(data) == 1:
        raise CniError("cannot convert: no valid IP addresses")
    data["dns"] = dns_data(result.dns)
    return data


def to_text(result: Result, version: str) -> str:
    """As a plugin prints it: indented, no newline at the end."""
    return gojson.dumps(to_data(result, version))
