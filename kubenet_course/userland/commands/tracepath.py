"""tracepath: the way to a host and its path MTU, with UDP alone (iputils 20221126, tracepath.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, make_socket
from kubenet_course.kernel.socket.base import SocketError
from kubenet_course.sim.loop import MICROSECOND, MILLISECOND, SECOND
from kubenet_course.userland.commands.ping.options import UsageError, number
from kubenet_course.userland.getopt import Getopt
from kubenet_course.userland.options import OptionError
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import EAI_ADDRFAMILY, ResolverError, getaddrinfo, getnameinfo
from kubenet_course.wire.addresses import ANY4, IpAddress

NAMES = ("tracepath", "tracepath6")
INT_MAX = 2**31 - 1
HISTORY = 64
COLUMN = 52
USAGE = """
Usage
  tracepath [options] <destination>

Options:
  -4             use IPv4
  -6             use IPv6
  -b             print both name and ip
  -l <length>    use packet <length>
  -m <hops>      use maximum <hops>
  -n             no dns name resolution
  -p <port>      use destination <port>
  -V             print version and exit
  <destination>  dns name or ip address

For more details see tracepath(8).
"""
VERSION = """tracepath from iputils 20221126
libcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes
"""


@dataclass
class Run:
    """The options, and what is known so far. `sent` holds (ttl, time) by the port's number."""

    proc: Process
    family: int = 0
    numeric: bool = False
    both: bool = False
    hops: int = 30
    port: int = 44444
    mtu: int = 0
    target: IpAddress = ANY4
    sock: Any = None
    sent: dict[int, tuple[int, int]] = field(default_factory=dict)
    slot: int = 0
    hops_to: int = -1
    hops_back: int = -1

    @property
    def overhead(self) -> int:
        return 28 if self.family == 4 else 48


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    run = Run(proc, family=6 if name == "tracepath6" else 0)
    try:
        words = Getopt(argv, "46nbh?l:m:p:V")
        for letter, value in words:
            if letter in "46":
                run.family = int(letter)
            elif letter == "n":
                run.numeric = True
            elif letter == "b":
                run.both = True
            elif letter == "l":
                run.mtu = number(name, value, 28, INT_MAX)
            elif letter == "m":
                run.hops = number(name, value, 0, 255)
            elif letter == "p":
                run.port = number(name, value, 0, 65535)
            elif letter == "V":
                proc.print(VERSION, end="")
                return 0
            else:
                raise UsageError(USAGE, 255)
        if len(words.operands) != 1:
            raise UsageError(USAGE, 255)
    except OptionError as error:
        proc.error(f"{name}: {error.message}\n{USAGE}", end="")
        return 255
    except UsageError as error:
        proc.error(error.text, end="")
        return error.status
    return await _trace(run, name, words.operands[0])


async def _trace(run: Run, name: str, host: str) -> int:
    host, slash, port = host.partition("/")
    if slash and port.isascii() and port.isdigit() and int(port[:6]) < 65536:
        run.port = int(port)
    try:
        found = [info for info in await getaddrinfo(run.proc, host) if run.family in (0, info.family)]
        if not found:
            raise ResolverError(EAI_ADDRFAMILY)
    except ResolverError as error:
        run.proc.error(f"{name}: {host}: {error}")
        return 1
    run.family, run.target = found[0].family, found[0].address
    run.mtu = run.mtu or (65535 if run.family == 4 else 128000)
    run.sock = run.proc.owns(make_socket(run.proc.net, AF_INET if run.family == 4 else AF_INET6, SOCK_DGRAM))
    run.sock.recv_errors = True
    run.sock.dont_fragment = True
    if found[0].scope in run.proc.net.devices:
        run.sock.device = run.proc.net.devices[found[0].scope]
    if not await _all_hops(run):
        run.proc.print(f"     Too many hops: pmtu {run.mtu}")
    resume = f"     Resume: pmtu {run.mtu} "
    resume += f"hops {run.hops_to} " if run.hops_to >= 0 else ""
    resume += f"back {run.hops_back} " if run.hops_back >= 0 else ""
    run.proc.print(resume)
    return 0


async def _all_hops(run: Run) -> bool:
    """True where the end was reached, or an error."""
    for ttl in range(1, run.hops + 1):
        run.sock.ttl = ttl
        tries, result = 0, -1
        while tries < 3:
            before = run.mtu
            result = await _probe(run, ttl)
            if run.mtu != before:
                tries = 0
                continue
            if result == 0:
                return True
            if result > 0:
                break
            tries += 1
        if result < 0:
            run.proc.print(f"{ttl:2d}:  no reply")
    return False


async def _probe(run: Run, ttl: int) -> int:
    """probe_ttl(): 0 for the end, -1 for no answer, else the path MTU."""
    loop = run.proc.loop
    for _ in range(10):
        run.sent[run.slot] = (ttl, loop.now)
        local = _send(run)
        if local is None:
            break
        errors = [local] if isinstance(local, SocketError) else []
        result = await _errors(run, ttl, errors)
        run.sent.pop(run.slot, None)
        if result == 0:
            return 0
        if result > 0:
            return await _probe(run, ttl)
    else:
        run.proc.print(f"{ttl:2d}:  send failed")
        return 0
    run.slot = (run.slot + 1) % HISTORY
    until = loop.now + SECOND
    while not run.sock.errors and not run.sock.queue and loop.now < until:
        try:
            await run.sock.wait_ready(until - loop.now)
        except KernelError:
            break
    if run.sock.queue:
        run.sock.queue.clear()
        run.proc.print(f"{ttl:2d}?: reply received 8)")
        return 0
    return await _errors(run, ttl, [])


def _send(run: Run) -> SocketError | int | None:
    """None where the packet left; the local error that says it is too long; another errno."""
    sock, port = run.sock, run.port + run.slot & 0xFFFF
    sock.so_error = 0
    try:
        rt = sock._route(run.target, port)
        if run.mtu > 65535 and (run.family == 4 or run.mtu > 65535 + 40) and rt.mtu > 65535:
            return errno.EMSGSIZE
        if run.mtu > rt.mtu:
            if run.family == 4 and run.mtu > 65535:
                return errno.EMSGSIZE
            return SocketError(errno.EMSGSIZE, None, 0, 0, rt.mtu, None, None, b"", None, run.proc.loop.now)
        sock.sendto(bytes(max(0, run.mtu - run.overhead)), run.target, port or 1)
    except KernelError as failure:
        return failure.errno
    return None


async def _errors(run: Run, ttl: int, errors: list[SocketError]) -> int:
    """recverr(): print every error in the queue; 0 where one of them is the end."""
    progress = -1
    while errors or run.sock.errors:
        error = errors.pop(0) if errors else run.sock.errors.popleft()
        run.sock.so_error = 0
        progress = run.mtu
        if await _show(run, ttl, error):
            return 0
        progress = run.mtu
    return progress


async def _show(run: Run, ttl: int, error: SocketError) -> bool:
    """One line of the trace; True where it is the last."""
    slot = run.slot if error.offender is None else getattr(error.transport, "destination_port", -1) - run.port
    known = run.sent.pop(slot, None) if error.offender is not None or run.family == 6 else None
    sent_ttl = known[0] if known is not None else -1
    if error.offender is None:
        text = f"{ttl:2d}?: {'[LOCALHOST]':<32} "
    else:
        text = f"{sent_ttl:2d}:  " if sent_ttl > 0 else f"{ttl:2d}?: "
        text += f"{await _host(run, error.offender):<{COLUMN}}"
    if known is not None:
        micros = (error.time - known[1]) // MICROSECOND
        text += f"{micros * MICROSECOND // MILLISECOND:3d}.{micros % 1000:03d}ms "
    back = _hops_back(error)
    if error.errno == errno.EMSGSIZE:
        text += f"pmtu {error.info & 0xFFFFFFFF}"
        run.mtu = error.info or run.mtu
    elif error.errno == errno.ECONNREFUSED:
        text += "reached"
        run.hops_to, run.hops_back = sent_ttl if sent_ttl >= 0 else ttl, back
    elif _expired(run, error):
        if back >= 0 and back != (sent_ttl if sent_ttl >= 0 else ttl):
            text += f"asymm {back:2d} "
    else:
        marks = {errno.EPROTO: "!P", errno.EHOSTUNREACH: "!H", errno.ENETUNREACH: "!N", errno.EACCES: "!A"}
        run.proc.print(text + marks.get(error.errno, ""))
        if error.errno not in marks:
            run.proc.error(f"NET ERROR: {KernelError(error.errno).strerror}")
        return True
    run.proc.print(text)
    return error.errno == errno.ECONNREFUSED


def _expired(run: Run, error: SocketError) -> bool:
    return (
        error.errno == errno.EHOSTUNREACH and error.code == 0 and error.type == (11 if run.family == 4 else 3)
    )


def _hops_back(error: SocketError) -> int:
    """How many routers the answer passed, judged by its TTL."""
    if error.reply is None:
        return -1
    ttl = error.reply.ttl
    return 65 - ttl if ttl <= 64 else 129 - ttl if ttl <= 128 else 256 - ttl


async def _host(run: Run, address: IpAddress) -> str:
    if run.numeric:
        return str(address)
    name = await getnameinfo(run.proc, address) or str(address)
    text = f"{name} ({address})" if run.both else name
    return text[: COLUMN - 1] if len(text) >= COLUMN else text
