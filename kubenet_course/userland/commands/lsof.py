"""lsof: only -i, the sockets of processes (with -n, -P, -t, -s)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, getnameinfo
from kubenet_course.userland.services import service_port, service_table
from kubenet_course.userland.socket_table import SocketRecord, socket_records

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

USAGE = """lsof 4.95.0
 latest revision: https://github.com/lsof-org/lsof
 latest FAQ: https://github.com/lsof-org/lsof/blob/master/00FAQ
 latest (non-formatted) man page: https://github.com/lsof-org/lsof/blob/master/Lsof.8
 usage: [-?abhKlnNoOPRtUvVX] [+|-c c] [+|-d s] [+D D] [+|-E] [+|-e s] [+|-f[gG]]
 [-F [f]] [-g [s]] [-i [i]] [+|-L [l]] [+m [m]] [+|-M] [-o [o]] [-p s]
 [+|-r [t]] [-s [p:s]] [-S [t]] [-T [t]] [-u s] [+|-w] [-x [fl]] [--] [names]
Use the ``-h'' option to get more help information."""


class Selection:
    """One -i argument: ``[46][protocol][@host][:port,…]``."""

    def __init__(self) -> None:
        self.family = 0
        self.protocol = ""
        self.hosts: list[str] | None = None
        self.ports: list[tuple[int, int]] = []

    def fits(self, record: SocketRecord) -> bool:
        if self.protocol and record.kind != self.protocol:
            return False
        if self.family and record.family != self.family:
            return False
        if self.hosts is not None and not {str(record.local), str(record.remote)} & set(self.hosts):
            return False
        return not self.ports or any(
            low <= port <= high
            for low, high in self.ports
            for port in (record.local_port, record.remote_port)
            if port
        )


def _complain(proc: Process, text: str) -> int:
    proc.error(f"lsof: {text}")
    proc.error(USAGE)
    return 1


async def main(proc: Process, argv: list[str]) -> int:
    words = ["-i", *argv[2:]] if len(argv) > 1 and argv[1] == "-i" and len(argv) == 2 else argv[1:]
    settings: dict[str, str] = {}
    selections: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        match = re.fullmatch(r"-([nPtalw]*)(?:i(.*)|s(.+)|p(.*))?", word)
        if match is None or word == "-":
            try:
                parse(["lsof", word], "nPtalwi::s:p:")
            except OptionError as problem:
                letter = problem.message.rpartition("'")[0][-1:]
                return _complain(proc, f"illegal option character: {letter}")
            proc.error("kubenet: lsof: only sockets (-i) are emulated")
            return 1
        for letter in match.group(1):
            settings[letter] = ""
        if match.group(2) is not None:
            value = match.group(2)
            if not value and rest and not rest[0].startswith("-"):
                value = rest.pop(0)
            selections.append(value)
        if match.group(3) is not None:
            settings["s"] = match.group(3)
        if match.group(4) is not None:
            settings["p"] = match.group(4) or (rest.pop(0) if rest else "")
    if not selections:
        proc.error("kubenet: lsof: only sockets (-i) are emulated")
        return 1
    chosen = []
    for text in selections:
        found = await _selection(proc, text)
        if isinstance(found, str):
            return _complain(proc, found)
        chosen.append(found)
    return await _list(proc, settings, chosen)


async def _selection(proc: Process, text: str) -> Selection | str:
    found = Selection()
    match = re.fullmatch(r"([46]?)([A-Za-z]*)(?:@(\[[^\]]*\]|[^:]*))?(?::(.*))?", text)
    if match is None:
        return (
            f"unacceptable Internet address: {text}"
            if "@" in text
            else f"unknown protocol name ({text}) in: -i {text}"
        )
    family, protocol, host, ports = match.groups()
    found.family = int(family) if family else 0
    if protocol and protocol.lower() not in ("tcp", "udp", "udplite"):
        return f"unknown protocol name ({protocol}) in: -i {text}"
    found.protocol = protocol.lower()
    if host:
        try:
            found.hosts = [
                str(info.address) for info in await getaddrinfo(proc, host.strip("[]"), found.family)
            ]
        except ResolverError:
            return f"unknown host name ({host}) in: -i {text}"
    for part in (ports or "").split(","):
        low, dash, high = part.partition("-")
        if dash and low.isdigit() and high.isdigit():
            found.ports.append((int(low), int(high)))
        elif part:
            number = int(part) if part.isdigit() else service_port(proc, part, found.protocol or "tcp")
            if number is None:
                return f"unknown service {part} in: -i {text}"
            found.ports.append((number, number))
    return found


async def _list(proc: Process, settings: dict[str, str], chosen: list[Selection]) -> int:
    services = {} if "P" in settings else service_table(proc)
    wanted = settings.get("s", "")
    states = set(wanted.partition(":")[2].upper().split(",")) if wanted.upper().startswith("TCP:") else None
    pids = {int(part) for part in settings.get("p", "").split(",") if part.isdigit()}
    rows = []
    shown = proc.files.pidns
    for record in socket_records(proc.net):
        if record.kind == "raw" or not any(one.fits(record) for one in chosen):
            continue
        if states is not None and record.kind == "tcp" and record.state not in states:
            continue
        holders = [(record.owner, record.descriptor), *getattr(record.sock, "sharers", ())]
        for owner, fd in holders:
            if owner is None or not shown.number(owner):
                continue
            if not pids or shown.number(owner) in pids:
                rows.append((owner, fd, record))
    rows.sort(key=lambda row: (shown.number(row[0]), row[1]))
    if not rows:
        return 1
    if "t" in settings:
        for pid in dict.fromkeys(shown.number(row[0]) for row in rows):
            proc.print(pid)
        return 0
    table = [["COMMAND", "PID", "USER", "FD", "TYPE", "DEVICE", "SIZE/OFF", "NODE", "NAME"]]
    for owner, fd, record in rows:
        name = await _name(proc, settings, services, record)
        table.append(
            [
                owner.comm[:9],
                str(shown.number(owner)),
                owner.user,
                f"{fd}u",
                f"IPv{record.family}",
                str(record.inode),
                "0t0",
                record.kind.upper(),
                name,
            ]
        )
    widths = [max(len(row[index]) for row in table) for index in range(8)]
    for row in table:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2])]
        number, access = (row[3], " ") if row[3] == "FD" else (row[3][:-1], row[3][-1])
        cells.append(f"{number:>4s}{access} ")
        cells += [row[4].rjust(widths[4]), row[5].rjust(widths[5]), row[6].rjust(8), row[7].rjust(4), row[8]]
        proc.print(" ".join(cells))
    return 0


async def _name(
    proc: Process, settings: dict[str, str], services: dict[tuple[int, str], str], record: SocketRecord
) -> str:
    async def end(address: object, port: int) -> str:
        host = "*"
        if address:
            host = str(address)
            if "n" not in settings:
                host = await getnameinfo(proc, address) or host  # type: ignore[arg-type]
            host = f"[{host}]" if ":" in host else host
        return f"{host}:{services.get((port, record.kind), port) if port else '*'}"

    text = await end(record.local, record.local_port)
    if record.remote is not None:
        text += "->" + await end(record.remote, record.remote_port)
    return text + (f" ({record.state})" if record.kind == "tcp" else "")
