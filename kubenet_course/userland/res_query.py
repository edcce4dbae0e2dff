"""The stub resolver of libc (resolv/res_send.c, res_query.c): queries to the servers of resolv.conf.

A and AAAA leave together from one socket; a truncated answer is asked for again over TCP; a server
that refuses, fails or is silent gives way to the next; a name with few dots goes through the search
list. Messages are read here by hand: there is nothing in them but names and addresses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland import resolv_conf
from kubenet_course.userland.sockets import (
    AF_INET,
    AF_INET6,
    SOCK_DGRAM,
    SOCK_STREAM,
    close_socket,
    open_socket,
)
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

A, CNAME, PTR, AAAA, OPT, DNAME = 1, 5, 12, 28, 41, 39
FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 1, 2, 3, 4, 5

# <netdb.h>
HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, NO_DATA = 1, 2, 3, 4

#: <nss.h>
UNAVAIL, TRYAGAIN, NOTFOUND = "UNAVAIL", "TRYAGAIN", "NOTFOUND"


class HostError(KubenetError):
    """h_errno, and the status that nsswitch.conf's actions look at."""

    def __init__(self, code: int, status: str = NOTFOUND):
        super().__init__(code)
        self.code, self.status = code, status


class Unanswered(KubenetError):
    """No server answered; `refused` where the last one could not be reached, `servfail` where it could not answer."""

    def __init__(self, refused: bool = False, servfail: bool = False):
        super().__init__(refused)
        self.refused, self.servfail = refused, servfail


class Malformed(KubenetError):
    """An answer that cannot be read."""


class Record(NamedTuple):
    """`value` is an address or the name that a CNAME or PTR leads to."""

    name: str
    rdtype: int
    value: Any


@dataclass
class Answer:
    id: int
    flags: int
    rcode: int
    question: tuple[str, int] | None = None
    records: list[Record] = field(default_factory=list)
    broken: bool = False

    @property
    def truncated(self) -> bool:
        return bool(self.flags & 0x200)


# -- messages -----------------------------------------------------------------------------------
def encode_name(name: str) -> bytes:
    """Labels of a name in text, with \\. and \\DDD; Malformed."""
    labels: list[bytes] = []
    label = bytearray()
    at = 0
    data = name.encode("utf-8", "surrogateescape")
    if data in (b"", b"."):
        return b"\0"
    while at < len(data):
        byte = data[at]
        at += 1
        if byte == 0x5C and at < len(data):
            if data[at : at + 3].isdigit() and len(data[at : at + 3]) == 3:
                label.append(int(data[at : at + 3]) & 0xFF)
                at += 3
            else:
                label.append(data[at])
                at += 1
        elif byte == 0x2E:
            labels.append(bytes(label))
            label = bytearray()
        else:
            label.append(byte)
    if label:
        labels.append(bytes(label))
    if any(not 0 < len(part) < 64 for part in labels):
        raise Malformed(name)
    wire = b"".join(bytes([len(part)]) + part for part in labels) + b"\0"
    if len(wire) > 255:
        raise Malformed(name)
    return wire


def decode_name(wire: bytes, at: int) -> tuple[str, int]:
    """dn_expand(): the name at `at` as text, and where what follows begins."""
    parts: list[str] = []
    end, jumps, size = -1, 0, 0
    while True:
        if at >= len(wire):
            raise Malformed("name")
        length = wire[at]
        if length >= 0xC0:
            if at + 1 >= len(wire) or jumps > 127:
                raise Malformed("pointer")
            end = at + 2 if end < 0 else end
            at = (length & 0x3F) << 8 | wire[at + 1]
            jumps += 1
            continue
        if length > 63 or at + 1 + length > len(wire):
            raise Malformed("label")
        if not length:
            return ".".join(parts), at + 1 if end < 0 else end
        size += length + 1
        if size > 255:
            raise Malformed("long")
        parts.append("".join(_shown(byte) for byte in wire[at + 1 : at + 1 + length]))
        at += 1 + length


def _shown(byte: int) -> str:
    if byte in b'."\\;()@$':
        return "\\" + chr(byte)
    return chr(byte) if 33 <= byte < 127 else f"\\{byte:03d}"


def encode_query(identity: int, name: str, rdtype: int, conf: resolv_conf.ResolvConf) -> bytes:
    """A query's bytes as res_mkquery() makes them, with EDNS0 where the options ask for it."""
    flags = 0x0100 | (0x20 if "trust-ad" in conf.flags else 0)
    edns = "edns0" in conf.flags
    wire = (
        struct.pack("!HHHHHH", identity, flags, 1, 0, 0, 1 if edns else 0)
        + encode_name(name)
        + struct.pack("!HH", rdtype, 1)
    )
    return wire + (b"\0" + struct.pack("!HHIH", OPT, 1200, 0, 0) if edns else b"")


def decode(wire: bytes) -> Answer:
    """Header, question and the answer section; Malformed where not even the question can be read."""
    if len(wire) < 12:
        raise Malformed("short")
    identity, flags, questions, answers, _, _ = struct.unpack("!HHHHHH", wire[:12])
    answer = Answer(identity, flags, flags & 15)
    at = 12
    for _ in range(questions):
        name, at = decode_name(wire, at)
        if at + 4 > len(wire):
            raise Malformed("question")
        answer.question = (name, int.from_bytes(wire[at : at + 2], "big"))
        at += 4
    try:
        for _ in range(answers):
            name, at = decode_name(wire, at)
            if at + 10 > len(wire):
                raise Malformed("record")
            rdtype, rdclass, _, size = struct.unpack("!HHIH", wire[at : at + 10])
            at += 10
            if at + size > len(wire):
                raise Malformed("data")
            if rdclass == 1:
                _add(answer, name, rdtype, wire, at, size)
            at += size
    except Malformed:
        answer.broken = True
    return answer


def _add(answer: Answer, name: str, rdtype: int, wire: bytes, at: int, size: int) -> None:
    value: Any
    if rdtype == A and size == 4:
        value = IPv4Address(int.from_bytes(wire[at : at + 4], "big"))
    elif rdtype == AAAA and size == 16:
        value = IPv6Address(int.from_bytes(wire[at : at + 16], "big"))
    elif rdtype in (CNAME, PTR, DNAME):
        value = decode_name(wire, at)[0]
    else:
        return
    answer.records.append(Record(name, rdtype, value))


# -- sending ------------------------------------------------------------------------------------
class Exchange:
    """res_nsend() for one name and one or two types: the answers in their order, None where there is none."""

    def __init__(self, proc: Process, conf: resolv_conf.ResolvConf, name: str, types: list[int]):
        self.proc, self.conf, self.name = proc, conf, name.removesuffix(".")
        self.types = types
        random = proc.system.host.random
        self.ids = [random.getrandbits(16) for _ in types]
        self.wires = [encode_query(identity, name, kind, conf) for identity, kind in zip(self.ids, types)]
        self.found: list[Answer | None] = [None] * len(types)

    async def run(self) -> list[Answer | None]:
        """Raises Unanswered."""
        circuit = "use-vc" in self.conf.flags
        refused = False
        self.servfail = False
        servers = list(enumerate(self.conf.servers))
        if "rotate" in self.conf.flags:
            turn = _turn(self.proc) % len(servers)
            servers = servers[turn:] + servers[:turn]
        for _ in range(self.conf.attempts):
            for number, (address, scope) in servers:
                refused = False
                done: bool | None
                try:
                    if circuit:
                        done = await self._stream(address)
                    else:
                        done = await self._datagrams(number, address, scope)
                        if done is None:
                            circuit = True
                            done = await self._stream(address)
                except KernelError as failure:
                    refused, done = failure.errno != errno.EAGAIN, False
                    self.servfail = False
                if done:
                    return self.found
            if circuit:
                break
        raise Unanswered(refused, self.servfail)

    def _open(self, address: IpAddress, kind: int) -> Any:
        return open_socket(self.proc, AF_INET if address.family == 4 else AF_INET6, kind)

    def _take(self, wire: bytes) -> int | None:
        """Which question a message answers; it is kept. None for one that is none of ours."""
        try:
            answer = decode(wire)
        except Malformed:
            identity = int.from_bytes(wire[:2], "big")
            if len(wire) < 12 or identity not in self.ids:
                return None
            answer = Answer(
                identity, 0x8000, 0, (self.name, self.types[self.ids.index(identity)]), broken=True
            )
        for number, (identity, rdtype) in enumerate(zip(self.ids, self.types)):
            if answer.id != identity or answer.question is None or self.found[number] is not None:
                continue
            if answer.question[0].lower() == self.name.lower() and answer.question[1] == rdtype:
                self.found[number] = answer
                return number
        return None

    async def _datagrams(self, number: int, address: IpAddress, scope: str) -> bool | None:
        """send_dg(): True when answered, False for the next server, None to try TCP."""
        self.found = [None] * len(self.types)
        failed = [False] * len(self.types)
        sock = self._open(address, SOCK_DGRAM)
        try:
            sock.connect(address, 53, scope=scope)
            single = "single-request" in self.conf.flags or "single-request-reopen" in self.conf.flags
            waiting = [[0], [1]][: len(self.types)] if single else [list(range(len(self.types)))]
            for group in waiting:
                for which in group:
                    sock.sendto(self.wires[which])
                seconds = self.conf.timeout << number
                if number:
                    seconds = max(1, seconds // len(self.conf.servers))
                while any(self.found[which] is None and not failed[which] for which in group):
                    got = self._take((await sock.recv(seconds * SECOND)).data)
                    answer = self.found[got] if got is not None else None
                    if got is None or answer is None:
                        continue
                    if answer.rcode in (SERVFAIL, NOTIMP, REFUSED):
                        self.found[got], failed[got] = None, True
                        self.servfail = answer.rcode == SERVFAIL
                    elif answer.truncated:
                        return None
        finally:
            close_socket(self.proc, sock)
        return any(answer is not None for answer in self.found)

    async def _stream(self, address: IpAddress) -> bool:
        """send_vc(): all questions over one connection."""
        self.found = [None] * len(self.types)
        sock = self._open(address, SOCK_STREAM)
        try:
            await sock.connect(address, 53, self.conf.timeout * SECOND)
            await sock.send(b"".join(len(wire).to_bytes(2, "big") + wire for wire in self.wires))
            for _ in self.types:
                size = int.from_bytes(await self._exactly(sock, 2), "big")
                self._take(await self._exactly(sock, size))
        finally:
            close_socket(self.proc, sock)
        for number, answer in enumerate(self.found):
            if answer is not None and answer.rcode in (SERVFAIL, NOTIMP, REFUSED):
                self.found[number] = None
                self.servfail = answer.rcode == SERVFAIL
        return any(answer is not None for answer in self.found)

    async def _exactly(self, sock: Any, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await sock.recv(size - len(data), self.conf.timeout * SECOND)
            if not more:
                raise KernelError(104)
            data += more
        return data


def _turn(proc: Process) -> int:
    """Whose turn it is with `rotate`: from a random one on, for as long as the process lives."""
    turn = getattr(proc, "resolver_turn", None)
    if turn is None:
        turn = proc.system.host.random.getrandbits(8)
    proc.resolver_turn = turn + 1  # type: ignore[attr-defined]
    return turn


# -- names --------------------------------------------------------------------------------------
async def query(
    proc: Process, conf: resolv_conf.ResolvConf, name: str, types: list[int]
) -> list[Answer | None]:
    """res_nquery(): the answers of which at least one has records; HostError."""
    asked = list(types)
    no_aaaa = "no-aaaa" in conf.flags and AAAA in asked
    if no_aaaa:
        asked = [A]
    try:
        found = await Exchange(proc, conf, name, asked).run()
    except Malformed:
        raise HostError(NO_RECOVERY, UNAVAIL) from None
    except Unanswered as failure:
        raise _Silent(failure.refused, failure.servfail) from None
    answers = [answer for answer in found if answer is not None]
    good = [answer for answer in answers if answer.rcode == 0 and (answer.records or answer.broken)]
    if no_aaaa and types == [AAAA]:
        good = []
    if good:
        return found
    if any(answer.rcode == 0 for answer in answers):
        raise HostError(NO_DATA)
    if any(answer.rcode == NXDOMAIN for answer in answers):
        raise HostError(HOST_NOT_FOUND)
    raise HostError(NO_RECOVERY, UNAVAIL)


class _Silent(HostError):
    """No server gave an answer that can be used."""

    def __init__(self, refused: bool, servfail: bool):
        super().__init__(TRY_AGAIN, UNAVAIL)
        self.refused, self.servfail = refused, servfail


async def search(proc: Process, name: str, types: list[int]) -> tuple[str, list[Answer | None]]:
    """res_nsearch(): (name that was found, answers); the search list as `ndots` says. HostError."""
    conf = resolv_conf.load(proc)
    dots = name.count(".")
    trailing = name.endswith(".")
    saved: HostError | None = None
    silent: HostError | None = None
    nodata = servfail = as_is = False
    if dots >= conf.ndots or trailing:
        try:
            return name, await query(proc, conf, name, types)
        except HostError as failure:
            if trailing or (isinstance(failure, _Silent) and failure.refused):
                raise
            saved, as_is = failure, True
    for suffix in conf.search:
        suffix = suffix.removesuffix(".")
        full = f"{name}.{suffix}" if suffix else name
        if not suffix:
            as_is = True
        try:
            return full, await query(proc, conf, full, types)
        except HostError as failure:
            if isinstance(failure, _Silent):
                if failure.refused:
                    raise
                if not failure.servfail:
                    silent = failure
                    break
                servfail = True
                continue
            if failure.code == NO_DATA:
                nodata = True
            elif failure.code != HOST_NOT_FOUND:
                break
    only_below = "no-tld-query" in conf.flags and not dots and conf.search
    if not as_is and not only_below:
        try:
            return name, await query(proc, conf, name, types)
        except HostError as failure:
            saved = saved or failure
    if saved is not None and saved.code != HOST_NOT_FOUND:
        raise saved
    if nodata:
        raise HostError(NO_DATA)
    if servfail:
        raise HostError(TRY_AGAIN, UNAVAIL)
    raise silent or saved or HostError(HOST_NOT_FOUND)


def collect(answer: Answer, name: str, rdtype: int) -> tuple[str, list[str], list[Any]]:
    """getanswer(): (canonical name, aliases, values) by way of the CNAMEs. HostError for a broken message."""
    wanted = name.removesuffix(".")
    aliases: list[str] = []
    values: list[Any] = []
    for record in answer.records:
        if record.name.lower() != wanted.lower():
            continue
        if record.rdtype == CNAME and not values:
            aliases.append(record.name)
            wanted = record.value
        elif record.rdtype == rdtype:
            wanted = record.name
            values.append(record.value)
    if answer.broken:
        raise HostError(NO_RECOVERY, UNAVAIL)
    return wanted, aliases, values
