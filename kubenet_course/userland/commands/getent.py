"""getent (glibc 2.36): entries of the databases of nsswitch.conf."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland import nss, res_query
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import (
    ResolverError,
    getaddrinfo,
    gethostbyaddr,
    gethostbyname2,
    inet_aton,
)
from kubenet_course.wire.addresses import IpAddress, IPv4Address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

HINT = "Try `getent --help' or `getent --usage' for more information."
DATABASES = (
    "ahosts", "ahostsv4", "ahostsv6", "aliases", "ethers", "group", "gshadow", "hosts", "initgroups", "netgroup", "networks", "passwd",
    "protocols", "rpc", "services", "shadow",
)  # fmt: skip
#: Exit statuses.
UNKNOWN, NOT_FOUND, NO_ENUMERATION, USAGE = 1, 2, 3, 64


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(
            argv,
            "s:iAV?",
            {"service=": "s", "no-idn": "i", "no-addrconfig": "A", "version": "V", "usage": "usage"},
        )
    except OptionError as problem:
        return problem.report(proc, "getent", USAGE, HINT)
    for name, value in options:
        if name in ("?", "usage"):
            proc.error("kubenet: getent: --help is not emulated; `man getent` has the real text")
            return 1
        if name == "V":
            proc.print("getent (Debian GLIBC 2.36-9+deb12u14) 2.36")
            return 0
        if name == "s":
            database, colon, services = value.rpartition(":")
            chosen = dict(getattr(proc, "nss_services", {}))
            for each in (database,) if colon else DATABASES:
                chosen[each] = services.split()
            proc.nss_services = chosen  # type: ignore[attr-defined]
    if not words:
        proc.error(f"getent: wrong number of arguments\n{HINT}".split("\n")[0])
        proc.print(HINT)
        return UNKNOWN
    database, *keys = words
    if database not in DATABASES:
        proc.error(f"Unknown database: {database}")
        proc.print(HINT)
        return UNKNOWN
    if database == "hosts":
        return await _hosts(proc, keys) if keys else _all_hosts(proc)
    if database.startswith("ahosts"):
        return (
            await _ahosts(proc, keys, {"ahostsv4": 4, "ahostsv6": 6}.get(database, 0))
            if keys
            else _all_hosts(proc)
        )
    return _files(proc, database, keys)


# -- hosts ----------------------------------------------------------------------------------------
def _address(text: str) -> IpAddress | None:
    """inet_pton(3)"""
    try:
        return nss.inet_pton(text)
    except ValueError:
        return None


def _print_host(proc: Process, entry: nss.HostEntry) -> None:
    for address in entry.addresses:
        proc.print(" ".join([f"{str(address):<15}", entry.name, *entry.aliases]))


async def _hosts(proc: Process, keys: list[str]) -> int:
    status = 0
    for key in keys:
        address = _address(key)
        try:
            if address is not None:
                entry = await gethostbyaddr(proc, address)
            else:
                try:
                    entry = await gethostbyname2(proc, key, 6)
                except res_query.HostError:
                    entry = await gethostbyname2(proc, key, 4)
        except (res_query.HostError, ResolverError):
            status = NOT_FOUND
            continue
        _print_host(proc, entry)
    return status


def _all_hosts(proc: Process) -> int:
    """What gethostent(3) hands out: IPv4, and the lines that can be read as it."""
    for line in nss.read_hosts(proc):
        address = nss.as_ipv4(line.address)
        if address is not None:
            _print_host(
                proc, nss.HostEntry(line.names[0] if line.names else "", list(line.names[1:]), [address])
            )
    return 0


async def _ahosts(proc: Process, keys: list[str], family: int) -> int:
    status = 0
    for key in keys:
        try:
            found = await getaddrinfo(proc, key, family, mapped=family == 6)
        except ResolverError:
            status = NOT_FOUND
            continue
        for info in found:
            text = str(info.address)
            padding = 15 - len(text)
            if info.scope and info.address.family == 6:
                dev = proc.net.devices.get(info.scope)
                suffix = f"%{dev.ifindex if dev is not None else info.scope}"
                text, padding = text + suffix, padding - 2 * len(suffix)
            for kind in ("STREAM", "DGRAM", "RAW"):
                name = (info.canonname or "") if kind == "STREAM" else ""
                proc.print(f"{text}{' ' * padding} {kind:<6} {name}")
    return status


# -- files ------------------------------------------------------------------------------------------
def _lines(proc: Process, path: str) -> list[str]:
    try:
        text = proc.files.read(path, proc).decode("utf-8", "replace")
    except KernelError:
        return []
    return [line for line in (each.partition("#")[0].strip() for each in text.splitlines()) if line]


def _named_number(words: list[str]) -> str:
    """Name, number and aliases as getent sets them."""
    return " ".join([f"{words[0]:<21}", words[1], *words[2:]])


def _matches(words: list[str], key: str) -> bool:
    return key == words[0] or key in words[2:]


def _services(proc: Process, key: str | None) -> list[str]:
    found = []
    name, slash, protocol = (key or "").partition("/")
    for line in _lines(proc, "/etc/services"):
        words = line.split()
        if len(words) < 2:
            continue
        number, _, kind = words[1].partition("/")
        if key is None or (
            (number == name if name.isdigit() else _matches(words, name)) and (not slash or kind == protocol)
        ):
            found.append(_named_number(words))
            if key is not None:
                break
    return found


def _protocols(proc: Process, key: str | None) -> list[str]:
    rows = [line.split() for line in _lines(proc, "/etc/protocols")]
    return _first(
        rows, key, lambda words: words[1] == key if key and key.isdigit() else _matches(words, key or "")
    )


def _networks(proc: Process, key: str | None) -> list[str]:
    rows = []
    for words in (line.split() for line in _lines(proc, "/etc/networks")):
        number = inet_aton(words[1]) if len(words) > 1 else None
        if number is not None:
            whole = words[1] if words[1].count(".") == 3 else _network_number(words[1])
            rows.append([words[0], whole, *words[2:]])
    wanted = _network_number(key) if key and key[0].isdigit() else None
    return _first(rows, key, lambda words: words[1] == wanted if wanted else _matches(words, key or ""))


def _network_number(text: str) -> str:
    parts = (text.split(".") + ["0", "0", "0"])[:4]
    try:
        return str(IPv4Address.parse(".".join(parts)))
    except ValueError:
        return text


def _first(rows: list[list[str]], key: str | None, match: Callable[[list[str]], bool]) -> list[str]:
    rows = [words for words in rows if len(words) > 1]
    if key is None:
        return [_named_number(words) for words in rows]
    return [_named_number(words) for words in rows if match(words)][:1]


def _accounts(proc: Process, path: str, key: str | None) -> list[str]:
    """/etc/passwd and /etc/group by name or number, printed as they stand."""
    rows = [line for line in _lines(proc, path) if line.count(":") >= 2]
    if key is None:
        return rows
    by_number = key.isdigit() and path != "/etc/shadow"
    return [line for line in rows if line.split(":")[2 if by_number else 0] == key][:1]


def _initgroups(proc: Process, key: str | None) -> list[str]:
    groups = []
    for line in _lines(proc, "/etc/group"):
        fields = line.split(":")
        if len(fields) > 3 and key in fields[3].split(","):
            groups.append(fields[2])
    return ["".join([f"{key:<21}", *(f" {number}" for number in groups)])]


def _ethers(proc: Process, key: str | None) -> list[str]:
    return [
        f"{words[0]} {words[1]}"
        for words in (line.split() for line in _lines(proc, "/etc/ethers"))
        if len(words) > 1 and key in words
    ]


def _files(proc: Process, database: str, keys: list[str]) -> int:
    readers: dict[str, Callable[[str | None], list[str]]] = {
        "services": lambda key: _services(proc, key),
        "protocols": lambda key: _protocols(proc, key),
        "networks": lambda key: _networks(proc, key),
        "passwd": lambda key: _accounts(proc, "/etc/passwd", key),
        "group": lambda key: _accounts(proc, "/etc/group", key),
        "shadow": lambda key: _accounts(proc, "/etc/shadow", key),
        "gshadow": lambda key: _accounts(proc, "/etc/gshadow", key),
        "initgroups": lambda key: _initgroups(proc, key),
        "ethers": lambda key: _ethers(proc, key),
    }
    reader = readers.get(database, lambda key: [])
    if not keys:
        if database in ("initgroups", "ethers", "netgroup"):
            proc.error(f"Enumeration not supported on {database}")
            return NO_ENUMERATION
        for line in reader(None):
            proc.print(line)
        return 0
    status = 0
    for key in keys:
        found = reader(key)
        for line in found:
            proc.print(line)
        if not found:
            status = NOT_FOUND
    return status
