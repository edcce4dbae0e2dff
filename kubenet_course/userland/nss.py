"""The name service switch for hosts (nsswitch.conf(5)): sources in order, and what follows from each answer.

    files        /etc/hosts
    dns          the servers of /etc/resolv.conf
    myhostname   the machine's own name and localhost

A source that is not there is `UNAVAIL`. Raises `res_query.HostError` where no source knows the name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kubenet_course.errors import KernelError
from kubenet_course.userland import resolv_conf
from kubenet_course.userland.res_query import (
    AAAA,
    HOST_NOT_FOUND,
    NO_DATA,
    NOTFOUND,
    PTR,
    TRYAGAIN,
    UNAVAIL,
    A,
    Answer,
    HostError,
    collect,
    query,
    search,
)  # fmt: skip
from kubenet_course.wire.addresses import (
    LOOPBACK4,
    LOOPBACK6,
    IpAddress,
    IPv4Address,
    IPv6Address,
    parse_address,
)

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

T = TypeVar("T")
SUCCESS = "SUCCESS"
#: What follows where nsswitch.conf does not say.
DEFAULT_ACTIONS = {SUCCESS: "return", NOTFOUND: "continue", UNAVAIL: "continue", TRYAGAIN: "continue"}
DEFAULT_HOSTS = ("files", "dns")


class HostEntry(NamedTuple):
    """struct hostent."""

    name: str
    aliases: list[str]
    addresses: list[IpAddress]


class HostsLine(NamedTuple):
    """One line of /etc/hosts; `names` may be empty."""

    address: IpAddress
    names: tuple[str, ...]


class Service(NamedTuple):
    name: str
    actions: dict[str, str]


# -- files ----------------------------------------------------------------------------------------
def services(
    proc: Process, database: str = "hosts", default: tuple[str, ...] = DEFAULT_HOSTS
) -> list[Service]:
    """The services of a line of nsswitch.conf; the last line of a database counts."""
    forced = getattr(proc, "nss_services", {}).get(database)
    if forced is not None:
        return [Service(name, dict(DEFAULT_ACTIONS)) for name in forced]
    try:
        text = proc.files.read("/etc/nsswitch.conf", proc).decode("utf-8", "replace")
    except KernelError:
        text = ""
    found: list[Service] | None = None
    for line in text.splitlines():
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == database:
            found = parse_services(rest)
    if found is None:
        return [Service(name, dict(DEFAULT_ACTIONS)) for name in default]
    return found


def parse_services(text: str) -> list[Service]:
    """``files [NOTFOUND=return] dns``; what comes after a mistake is not read."""
    found: list[Service] = []
    while text := text.strip():
        if not text.startswith("["):
            word = text.replace("[", " [").split(None, 1)
            found.append(Service(word[0], dict(DEFAULT_ACTIONS)))
            text = text[len(word[0]) :]
            continue
        inside, bracket, text = text[1:].partition("]")
        if not bracket or not found or not _set_actions(found[-1].actions, inside):
            return found
    return found


def _set_actions(actions: dict[str, str], text: str) -> bool:
    for word in text.replace(" =", "=").replace("= ", "=").split():
        negated = word.startswith("!")
        status, equals, action = word.removeprefix("!").partition("=")
        status, action = status.upper(), action.lower()
        if not equals or status not in DEFAULT_ACTIONS or action not in ("return", "continue", "merge"):
            return False
        for each in DEFAULT_ACTIONS if negated else (status,):
            if not negated or each != status:
                actions[each] = action
    return True


def inet_pton(text: str) -> IpAddress:
    """inet_pton(3) of either family; numbers of IPv4 begin with no needless zero. ValueError."""
    if ":" not in text and any(len(part) > 1 and part.startswith("0") for part in text.split(".")):
        raise ValueError(text)
    return parse_address(text)


def read_hosts(proc: Process) -> list[HostsLine]:
    """/etc/hosts as this process sees it; an unreadable file has no lines."""
    try:
        text = proc.files.read("/etc/hosts", proc).decode("utf-8", "replace")
    except KernelError:
        return []
    lines = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            lines.append(HostsLine(inet_pton(words[0]), tuple(words[1:])))
        except ValueError:
            continue
    return lines


def _multi(proc: Process) -> bool:
    """`multi on` in /etc/host.conf: every line with the name counts, not the first alone."""
    try:
        text = proc.files.read("/etc/host.conf", proc).decode("utf-8", "replace")
    except KernelError:
        return False
    multi = False
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["multi"] and len(words) > 1:
            multi = words[1] == "on"
    return multi


def _of_family(address: IpAddress, family: int) -> IpAddress | None:
    """A line's address where one family is wanted: ::1 and mapped ones serve as IPv4."""
    if not family or address.family == family:
        return address
    return as_ipv4(address) if family == 4 else None


def as_ipv4(address: IpAddress) -> IpAddress | None:
    """An address of /etc/hosts where libc wants IPv4."""
    if address.family == 4:
        return address
    if address == LOOPBACK6:
        return LOOPBACK4
    return IPv4Address(int(address) & 0xFFFFFFFF) if int(address) >> 32 == 0xFFFF else None


def _lines_with(proc: Process, name: str, family: int) -> list[tuple[IpAddress, HostsLine]]:
    wanted = name.lower()
    found = []
    for line in read_hosts(proc):
        address = _of_family(line.address, family)
        if address is not None and any(own.lower() == wanted for own in line.names):
            found.append((address, line))
    return found if _multi(proc) else found[:1]


def hosts_addresses(proc: Process, name: str, family: int) -> list[IpAddress]:
    """A name's addresses in /etc/hosts, each once."""
    return list(dict.fromkeys(address for address, _ in _lines_with(proc, name, family)))


# -- walking the sources ------------------------------------------------------------------------
async def _walk(proc: Process, ask: Callable[[str], Awaitable[T]], merges: bool = True) -> T:
    """Every source in turn, until its action says `return`; the last one's answer or failure counts.

    Without `merges`, as in getaddrinfo(3), `merge` is no action and ends the walk with a failure.
    """
    failure = HostError(HOST_NOT_FOUND)
    result: T | None = None
    kept = False
    for service in services(proc):
        status = SUCCESS
        try:
            result = await ask(service.name)
            kept = service.actions[SUCCESS] == "merge"
        except HostError as problem:
            status = problem.status
            if service.name in SOURCES:
                failure, result = problem, result if kept else None
        if status == SUCCESS and service.actions[status] == "merge" and not merges:
            raise HostError(HOST_NOT_FOUND, UNAVAIL)
        if service.actions[status] == "return":
            if status == SUCCESS and result is not None:
                return result
            raise failure
    if result is not None:
        return result
    raise failure


async def addresses(proc: Process, name: str, family: int, dns: bool = True) -> tuple[str, list[IpAddress]]:
    """(canonical name, addresses), of both families where `family` is 0; without `dns` no server is asked."""

    async def ask(source: str) -> tuple[str, list[IpAddress]]:
        if source == "files":
            lines = _lines_with(proc, name, family)
            if not lines:
                raise HostError(HOST_NOT_FOUND)
            return lines[0][1].names[0], [address for address, _ in lines]
        if source == "dns" and dns:
            return await _dns_addresses(proc, name, family)
        if source == "myhostname":
            return name, _own_addresses(proc, name, family)
        raise HostError(HOST_NOT_FOUND, NOTFOUND if source == "dns" else UNAVAIL)

    return await _walk(proc, ask, merges=False)


async def host_by_name(proc: Process, name: str, family: int, dns: bool = True) -> HostEntry:
    """gethostbyname2(3); without `dns` only files are looked into, for what is no name that a server could know."""

    async def ask(source: str) -> HostEntry:
        if source == "files":
            lines = _lines_with(proc, name, family)
            if not lines:
                raise HostError(HOST_NOT_FOUND)
            first = lines[0][1]
            aliases = list(first.names[1:])
            for _, line in lines[1:]:
                aliases += line.names[1:]
                aliases += [line.names[0]] if line.names[0] != first.names[0] else []
            return HostEntry(first.names[0], aliases, [address for address, _ in lines])
        if source == "dns":
            if not dns:
                raise HostError(HOST_NOT_FOUND)
            rdtype = A if family == 4 else AAAA
            asked, found = await search(proc, name, [rdtype])
            canonical, aliases, values = collect(_one(found), asked, rdtype)
            if not values:
                raise HostError(NO_DATA)
            return HostEntry(canonical, aliases, resolv_conf.load(proc).sorted(values) if family == 4 else values)
        if source == "myhostname":
            return HostEntry(name, [], _own_addresses(proc, name, family))
        raise HostError(HOST_NOT_FOUND, UNAVAIL)

    return await _walk(proc, ask)


async def host_by_address(proc: Process, address: IpAddress) -> HostEntry:
    """gethostbyaddr(3); servers are asked for a mapped address as the IPv4 one that it is."""
    if address.family == 6 and int(address) == 0:
        raise HostError(HOST_NOT_FOUND)

    async def ask(source: str) -> HostEntry:
        if source == "files":
            for line in read_hosts(proc):
                if line.address.family == address.family and line.address == address:
                    return HostEntry(line.names[0] if line.names else "", list(line.names[1:]), [address])
            raise HostError(HOST_NOT_FOUND)
        if source == "dns":
            mapped = address.family == 6 and int(address) >> 32 == 0xFFFF
            asked = IPv4Address(int(address) & 0xFFFFFFFF) if mapped else address
            name = reverse_name(asked)
            found = await query(proc, resolv_conf.load(proc), name, [PTR])
            _, _, values = collect(_one(found), name, PTR)
            if not values:
                raise HostError(HOST_NOT_FOUND)
            return HostEntry(values[0], [], [asked])
        raise HostError(HOST_NOT_FOUND, UNAVAIL)

    return await _walk(proc, ask)


SOURCES = ("files", "dns", "myhostname")


def reverse_name(address: IpAddress) -> str:
    """1.0.0.10.in-addr.arpa; nibbles below ip6.arpa."""
    if isinstance(address, IPv6Address):
        return ".".join(reversed(f"{int(address):032x}")) + ".ip6.arpa"
    return ".".join(reversed(str(address).split("."))) + ".in-addr.arpa"


def _one(found: list[Answer | None]) -> Answer:
    answer = found[0]
    assert answer is not None
    return answer


async def _dns_addresses(proc: Process, name: str, family: int) -> tuple[str, list[IpAddress]]:
    """gethostbyname4_r(): A and AAAA at once; one good answer is enough."""
    types = [A] if family == 4 else [AAAA] if family == 6 else [A, AAAA]
    asked, answers = await search(proc, name, types)
    canonical, found, failure = "", [], HostError(HOST_NOT_FOUND)
    for rdtype, answer in zip(types, answers):
        if answer is None or answer.rcode:
            continue
        try:
            own, _, values = collect(answer, asked, rdtype)
        except HostError as problem:
            failure = problem
            continue
        canonical = canonical or (own if values else "")
        found += values
    if not found:
        raise failure
    return canonical, found


def _own_addresses(proc: Process, name: str, family: int) -> list[IpAddress]:
    """nss-myhostname(8)"""
    wanted = name.lower().removesuffix(".")
    found: list[IpAddress] = []
    if wanted == "localhost" or wanted.endswith(".localhost"):
        found = [LOOPBACK4, LOOPBACK6]
    elif wanted == proc.uts.hostname.lower():
        own = [
            entry.local
            for dev in proc.net.devices.values()
            for entry in proc.net.ipv4.device_addresses(dev)
            if not entry.local.is_loopback
        ]
        found = [*own] or [IPv4Address.parse("127.0.0.2"), LOOPBACK6]
    found = [address for address in found if family in (0, address.family)]
    if not found:
        raise HostError(HOST_NOT_FOUND)
    return found
