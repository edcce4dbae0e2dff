"""Names and addresses as a program of libc asks for them: getaddrinfo(3) and getnameinfo(3).

The order of sources is the ``hosts:`` line of /etc/nsswitch.conf. `files` is read here
(/etc/hosts); `dns` is asked through `proc.system.dns`, an object with

    async def lookup(proc, name, family) -> tuple[str, list[IpAddress]]     family 4 or 6
    async def reverse(proc, address) -> str

which raise `ResolverError`. Without such an object every question to DNS ends in "Temporary failure
in name resolution", as with a name server that does not answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.wire.addresses import (
    LOOPBACK4,
    LOOPBACK6,
    IpAddress,
    IPv4Address,
    IPv6Address,
    Network,
    parse_address,
)

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

# <netdb.h>
EAI_BADFLAGS, EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_NODATA, EAI_FAMILY, EAI_ADDRFAMILY = (
    -1,
    -2,
    -3,
    -4,
    -5,
    -6,
    -9,
)

#: gai_strerror(3)
MESSAGES = {
    EAI_BADFLAGS: "Bad value for ai_flags",
    EAI_NONAME: "Name or service not known",
    EAI_AGAIN: "Temporary failure in name resolution",
    EAI_FAIL: "Non-recoverable failure in name resolution",
    EAI_NODATA: "No address associated with hostname",
    EAI_FAMILY: "ai_family not supported",
    EAI_ADDRFAMILY: "Address family for hostname not supported",
}


class ResolverError(KubenetError):
    """A name could not be resolved; `code` is an EAI_ number, str() libc's words for it."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return MESSAGES.get(self.code, "Unknown error")


class AddressInfo(NamedTuple):
    """One answer of getaddrinfo(3); as in libc only the first one has a canonical name."""

    family: int
    address: IpAddress
    canonname: str | None
    scope: str = ""


class HostsEntry(NamedTuple):
    """One line of /etc/hosts."""

    address: IpAddress
    names: tuple[str, ...]


# -- addresses written as numbers ---------------------------------------------------------------
@lru_cache(1024)
def inet_aton(text: str) -> IPv4Address | None:
    """inet_aton(3): one to four numbers, decimal, octal or hexadecimal; None for anything else."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    numbers = []
    for part in parts:
        number = _aton_number(part)
        if number is None:
            return None
        numbers.append(number)
    *heads, last = numbers
    if any(number > 255 for number in heads) or last >= 1 << (8 * (4 - len(heads))):
        return None
    value = last
    for position, number in enumerate(heads):
        value |= number << (24 - 8 * position)
    return IPv4Address(value)


def _aton_number(text: str) -> int | None:
    if not text or not text.isascii() or not text[0].isdigit():
        return None
    base = 16 if text[:2] in ("0x", "0X") else 8 if text[0] == "0" and len(text) > 1 else 10
    digits = text[2:] if base == 16 else text
    try:
        return int(digits, base) if digits.isalnum() else None
    except ValueError:
        return None


def numeric_address(proc: Process, text: str) -> tuple[IpAddress, str] | None:
    """(address, scope) where `text` is an address in numbers; ResolverError for a bad scope."""
    four = inet_aton(text)
    if four is not None:
        return four, ""
    head, percent, scope = text.partition("%")
    try:
        six = IPv6Address.parse(head)
    except ValueError:
        return None
    if not percent:
        return six, ""
    if scope.isascii() and scope.isdigit():
        dev = proc.net.by_index.get(int(scope))
        return six, dev.name if dev is not None else scope
    link = six.is_link_local or (six.is_multicast and six >> 112 & 0xF in (1, 2))
    if not link or scope not in proc.net.devices:
        raise ResolverError(EAI_NONAME)
    return six, scope


# -- sources --------------------------------------------------------------------------------------
def read_hosts(proc: Process) -> list[HostsEntry]:
    """/etc/hosts as this process sees it; an unreadable file has no entries."""
    try:
        text = proc.files.read("/etc/hosts", proc).decode("utf-8", "replace")
    except KernelError:
        return []
    entries = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            entries.append(HostsEntry(parse_address(words[0].partition("%")[0]), tuple(words[1:])))
        except ValueError:
            continue
    return entries


def sources(proc: Process) -> list[str]:
    """The services of the ``hosts:`` line, in order, e.g. ``["files", "dns"]``."""
    try:
        text = proc.files.read("/etc/nsswitch.conf", proc).decode("utf-8", "replace")
    except KernelError:
        text = ""
    for line in text.splitlines():
        database, colon, services = line.partition("#")[0].partition(":")
        if colon and database.strip() == "hosts":
            return [word for word in services.split() if not word.startswith("[")]
    return ["dns", "files"]


def _from_files(proc: Process, name: str, family: int) -> tuple[str, list[IpAddress]] | None:
    """_nss_files_gethostbyname4_r(): all lines with the name, the first one's name is canonical.

    Asked for IPv4 alone, libc reads the line of ::1 as one of 127.0.0.1.
    """
    wanted = name.lower()
    canonical = ""
    addresses: list[IpAddress] = []
    for entry in read_hosts(proc):
        address = entry.address
        if family == 4 and address.family == 6 and address == LOOPBACK6:
            address = LOOPBACK4
        if (family and address.family != family) or wanted not in (own.lower() for own in entry.names):
            continue
        canonical = canonical or entry.names[0]
        addresses.append(address)
    return (canonical, addresses) if addresses else None


# -- getaddrinfo ----------------------------------------------------------------------------------
async def getaddrinfo(proc: Process, name: str, family: int = 0) -> list[AddressInfo]:
    """The addresses of `name`, best first; `family` is 4, 6 or 0 for both.

    Raises ResolverError in libc's words. A numeric address needs no source.
    """
    numeric = numeric_address(proc, name)
    if numeric is not None:
        address, scope = numeric
        if family and address.family != family:
            raise ResolverError(EAI_ADDRFAMILY)
        return [AddressInfo(address.family, address, name, scope)]
    if not _is_hostname(name) or (family == 4 and set(name) <= set("0123456789.")):
        raise ResolverError(EAI_NONAME)
    failure = EAI_NONAME
    for source in sources(proc):
        try:
            found = await _ask(proc, source, name, family)
        except ResolverError as error:
            failure = error.code
            continue
        if found is not None:
            ordered = sort_addresses(proc, found[1])
            return [
                AddressInfo(address.family, address, found[0] if number == 0 else None)
                for number, address in enumerate(ordered)
            ]
    raise ResolverError(failure)


def _is_hostname(name: str) -> bool:
    """What DNS could be asked for at all: labels of 1 to 63 characters, none of them strange."""
    labels = name.removesuffix(".").split(".")
    return len(name) < 254 and all(
        0 < len(label) < 64
        and not label.startswith("-")
        and all(c.isascii() and (c.isalnum() or c in "-_") for c in label)
        for label in labels
    )


async def _ask(proc: Process, source: str, name: str, family: int) -> tuple[str, list[IpAddress]] | None:
    if source == "files":
        return _from_files(proc, name, family)
    if source == "dns":
        return await _ask_dns(proc, name, family)
    if source == "myhostname" and name == proc.uts.hostname:
        return name, [IPv4Address.parse("127.0.1.1")] if family != 6 else [LOOPBACK6]
    return None


async def _ask_dns(proc: Process, name: str, family: int) -> tuple[str, list[IpAddress]] | None:
    """Both families where none is wanted; one good answer is enough."""
    dns: Any = getattr(proc.system, "dns", None)
    if dns is None:
        raise ResolverError(EAI_AGAIN)
    canonical, addresses, failure = "", [], None
    for one in (family,) if family else (4, 6):
        try:
            name_found, found = await dns.lookup(proc, name, one)
        except ResolverError as error:
            failure = failure or error
            continue
        canonical = canonical or name_found
        addresses += found
    if not addresses and failure is not None:
        raise failure
    return (canonical, addresses) if addresses else None


# -- RFC 3484 -------------------------------------------------------------------------------------
_LABELS = [
    (Network.parse("::1/128"), 0),
    (Network.parse("2002::/16"), 2),
    (Network.parse("::/96"), 3),
    (Network.parse("::ffff:0:0/96"), 4),
    (Network.parse("fec0::/10"), 5),
    (Network.parse("fc00::/7"), 6),
    (Network.parse("2001::/32"), 7),
    (Network.parse("::/0"), 1),
]
_PRECEDENCE = [
    (Network.parse("::1/128"), 50),
    (Network.parse("2002::/16"), 30),
    (Network.parse("::/96"), 20),
    (Network.parse("::ffff:0:0/96"), 10),
    (Network.parse("::/0"), 40),
]


def _as_six(address: IpAddress) -> int:
    return int(address) if address.family == 6 else 0xFFFF << 32 | int(address)


def _match(table: list[tuple[Network, int]], address: IpAddress) -> int:
    value = IPv6Address(_as_six(address))
    return next(number for network, number in table if value in network)


def _scope(address: IpAddress) -> int:
    if isinstance(address, IPv4Address):
        return 2 if address.is_loopback or address.is_link_local else 14
    if address.is_multicast:
        return address >> 112 & 0xF
    return 2 if address.is_loopback or address.is_link_local else 14


def _source_for(proc: Process, address: IpAddress) -> IpAddress | None:
    """The source address that connect(2) on a UDP socket would choose; None where it fails."""
    try:
        if isinstance(address, IPv4Address):
            from kubenet_course.kernel.inet.route import ip_route_output

            return ip_route_output(proc.net, address).source
        from kubenet_course.kernel.inet6.route import ip6_route_output

        return ip6_route_output(proc.net, address).source
    except KernelError:
        return None


def sort_addresses(proc: Process, addresses: list[IpAddress]) -> list[IpAddress]:
    """RFC 3484, section 6, as glibc does it: reachable first, then scope, label, precedence."""
    if len(addresses) < 2:
        return list(addresses)
    known = {address: _source_for(proc, address) for address in addresses}

    def key(address: IpAddress) -> tuple[int, int, int, int, int]:
        source = known[address]
        same_scope = source is not None and _scope(source) == _scope(address)
        same_label = source is not None and _match(_LABELS, source) == _match(_LABELS, address)
        return (
            source is None,
            not same_scope,
            not same_label,
            -_match(_PRECEDENCE, address),
            _scope(address),
        )

    return sorted(addresses, key=key)


# -- getnameinfo ----------------------------------------------------------------------------------
async def getnameinfo(proc: Process, address: IpAddress, scope: str = "") -> str | None:
    """The name of an address, or None where no source knows one."""
    for source in sources(proc):
        if source == "files":
            for entry in read_hosts(proc):
                if entry.address == address and entry.address.family == address.family:
                    return entry.names[0]
        elif source == "dns":
            dns: Any = getattr(proc.system, "dns", None)
            if dns is None:
                continue
            try:
                return await dns.reverse(proc, address)
            except ResolverError:
                continue
    return None


def address_text(address: IpAddress, scope: str = "") -> str:
    """An address in numbers, with %scope where getnameinfo(3) adds it."""
    if isinstance(address, IPv6Address) and scope:
        if address.is_link_local or (address.is_multicast and address >> 112 & 0xF in (1, 2)):
            return f"{address}%{scope}"
    return str(address)
