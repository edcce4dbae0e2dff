"""Names and addresses as a program of libc asks for them: getaddrinfo(3), gethostbyname2(3), getnameinfo(3).

The sources and what follows from each are those of the ``hosts:`` line of /etc/nsswitch.conf (`nss`):
`files` is /etc/hosts, `dns` the servers of /etc/resolv.conf (`res_query`). The addresses come in the
order of RFC 6724 and /etc/gai.conf (`gai_sort`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kubenet_course.errors import KubenetError
from kubenet_course.userland import nss, res_query
from kubenet_course.userland.gai_sort import sort_addresses
from kubenet_course.wire.addresses import (
    IpAddress,
    IPv4Address,
    IPv6Address,
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


def host_error_text(error: ResolverError) -> str:
    """hstrerror(3)'s words for it, as the older programs have them."""
    return {EAI_AGAIN: "Host name lookup failure", EAI_NODATA: "No address associated with name"}.get(error.code, "Unknown host")


class AddressInfo(NamedTuple):
    """One answer of getaddrinfo(3); as in libc only the first one has a canonical name."""

    family: int
    address: IpAddress
    canonname: str | None
    scope: str = ""


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


# -- getaddrinfo ----------------------------------------------------------------------------------
async def getaddrinfo(
    proc: Process, name: str, family: int = 0, *, mapped: bool = False
) -> list[AddressInfo]:
    """The addresses of `name`, best first; `family` is 4, 6 or 0 for both.

    With `mapped` (AI_V4MAPPED) IPv4 addresses serve where IPv6 is wanted and there are none. Raises
    ResolverError in libc's words. A numeric address needs no source.
    """
    numeric = numeric_address(proc, name)
    if numeric is not None:
        address, scope = numeric
        if family == 4 and address.family == 6 and int(address) >> 32 == 0xFFFF:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        elif family == 6 and mapped and address.family == 4:
            address = _mapped(address)
        if family and address.family != family:
            raise ResolverError(EAI_ADDRFAMILY)
        return [AddressInfo(address.family, address, name, scope)]
    asked = to_ascii(name)
    if family == 4 and set(asked) <= set("0123456789.") and asked != ".":
        raise ResolverError(EAI_NONAME)
    dns = is_hostname(asked)
    try:
        canonical, addresses = await nss.addresses(proc, asked, family, dns)
    except res_query.HostError as failure:
        if not (family == 6 and mapped):
            raise ResolverError(_eai(failure.code)) from None
        try:
            canonical, found = await nss.addresses(proc, asked, 4, dns)
        except res_query.HostError as failure4:
            raise ResolverError(_eai(failure4.code)) from None
        addresses = [_mapped(address) for address in found]
    ordered = sort_addresses(proc, addresses)
    return [
        AddressInfo(address.family, address, canonical if number == 0 else None)
        for number, address in enumerate(ordered)
    ]


def _mapped(address: IpAddress) -> IPv6Address:
    return IPv6Address(0xFFFF << 32 | int(address))


def _eai(code: int) -> int:
    """What getaddrinfo(3) makes of h_errno."""
    return {res_query.TRY_AGAIN: EAI_AGAIN, res_query.NO_DATA: EAI_NODATA}.get(code, EAI_NONAME)


def to_ascii(name: str) -> str:
    """AI_IDN: labels that are not ASCII, in Punycode."""
    if name.isascii():
        return name
    try:
        return ".".join(
            label if label.isascii() else "xn--" + label.lower().encode("punycode").decode()
            for label in name.split(".")
        )
    except UnicodeError:
        raise ResolverError(EAI_NONAME) from None


def is_hostname(name: str) -> bool:
    """What DNS could be asked for at all: labels of 1 to 63 characters, none of them strange."""
    if name == ".":
        return True
    labels = name.removesuffix(".").split(".")
    return (
        len(name) < 254
        and not name.startswith("-")
        and all(
            0 < len(label) < 64 and all(c.isascii() and (c.isalnum() or c in "-_") for c in label)
            for label in labels
        )
    )


# -- the older calls --------------------------------------------------------------------------
async def gethostbyname2(proc: Process, name: str, family: int) -> nss.HostEntry:
    """One family's addresses with canonical name and aliases; HostError (h_errno)."""
    if name[:1].isdigit() and set(name) <= set("0123456789.") and not name.endswith("."):
        four = inet_aton(name)  # __nss_hostname_digits_dots(): never asked for
        if four is None or family != 4:
            raise res_query.HostError(res_query.HOST_NOT_FOUND)
        return nss.HostEntry(name, [], [four])
    if not name or ":" in name:
        raise res_query.HostError(res_query.HOST_NOT_FOUND)
    asked = to_ascii(name)
    return await nss.host_by_name(proc, asked, family, dns=is_hostname(asked))


async def gethostbyaddr(proc: Process, address: IpAddress) -> nss.HostEntry:
    """The names of an address; HostError."""
    return await nss.host_by_address(proc, address)


# -- getnameinfo ----------------------------------------------------------------------------------
async def getnameinfo(proc: Process, address: IpAddress, scope: str = "") -> str | None:
    """The name of an address, or None where no source knows one."""
    try:
        return (await nss.host_by_address(proc, address)).name
    except res_query.HostError:
        return None


def address_text(address: IpAddress, scope: str = "") -> str:
    """An address in numbers, with %scope where getnameinfo(3) adds it."""
    if isinstance(address, IPv6Address) and scope:
        if address.is_link_local or (address.is_multicast and address >> 112 & 0xF in (1, 2)):
            return f"{address}%{scope}"
    return str(address)
