"""ss (iproute2 6.1): sockets of the namespace, with ss' columns, filters and details."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from kubenet_course.registry import text_of
from kubenet_course.userland.commands.ss import render as columns
from kubenet_course.userland.commands.ss.details import extended, memory, tcp_info, timer_text
from kubenet_course.userland.commands.ss.filter import (
    ALL,
    DEFAULT,
    FilterError,
    parse_filter,
    service_lookup,
    state_set,
)
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.resolver import getnameinfo
from kubenet_course.userland.services import service_table
from kubenet_course.userland.socket_table import SocketRecord, socket_records

if TYPE_CHECKING:
    from kubenet_course.userland.pids import PidNamespace
    from kubenet_course.userland.process import Process

LONG = {
    "numeric": "n", "resolve": "r", "all": "a", "listening": "l", "options": "o", "extended": "e", "memory": "m",
    "processes": "p", "info": "i", "summary": "s", "ipv4": "4", "ipv6": "6", "packet": "0", "tcp": "t", "udp": "u",
    "raw": "w", "unix": "x", "family=": "f", "kill": "K", "no-header": "H", "oneline": "O", "query=": "A", "socket=": "A",
    "help": "h", "version": "V", "net=": "N", "threads": "T", "sctp": "S", "dccp": "d", "mptcp": "M", "vsock": "vsock",
    "tipc": "tipc", "xdp": "xdp", "events": "E", "bpf": "b", "context": "Z", "contexts": "z", "diag=": "D", "filter=": "F",
    "tos": "tos", "cgroup": "cgroup", "inet-sockopt": "inet-sockopt", "tipcinfo": "tipcinfo",
}  # fmt: skip
UNSUPPORTED = {"F": "-F", "D": "-D", "E": "-E", "b": "-b", "T": "-T", "N": "-N", "tos": "--tos", "cgroup": "--cgroup",
               "inet-sockopt": "--inet-sockopt", "tipcinfo": "--tipcinfo"}  # fmt: skip
TABLES = {"all": "raw udp tcp", "inet": "raw udp tcp", "tcp": "tcp", "udp": "udp", "raw": "raw", "mptcp": "mptcp", "unix": "unix",
          "unix_dgram": "unix", "unix_stream": "unix", "unix_seqpacket": "unix", "packet": "packet", "packet_raw": "packet",
          "packet_dgram": "packet", "netlink": "netlink", "dccp": "dccp", "sctp": "sctp", "vsock_stream": "vsock",
          "vsock_dgram": "vsock", "tipc": "tipc", "xdp": "xdp"}  # fmt: skip
SHOWN = {"ESTABLISHED": "ESTAB", "CLOSE": "UNCONN", "SYN_SENT": "SYN-SENT", "SYN_RECV": "SYN-RECV", "FIN_WAIT1": "FIN-WAIT-1",
         "FIN_WAIT2": "FIN-WAIT-2", "TIME_WAIT": "TIME-WAIT", "CLOSE_WAIT": "CLOSE-WAIT", "LAST_ACK": "LAST-ACK"}  # fmt: skip
EVERYTHING = frozenset({"raw", "udp", "tcp", "unix", "packet", "netlink"})


@lru_cache(1)
def usage() -> str:
    return json.loads(text_of(__name__, "usage.json"))


class View:
    """What to show."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.tables: set[str] = set()
        self.family = 0
        self.states: frozenset[str] | None = None

    def finish(self) -> None:
        """filter_default_dbs(), filter_states_set(): what is not said."""
        if not self.tables:
            self.tables = set(EVERYTHING) if not self.family else {"raw", "udp", "tcp"}
        if self.states is None:
            if "a" in self.flags:
                self.states = ALL
            elif "l" in self.flags:
                self.states = frozenset({"LISTEN", "CLOSE"})
            elif self.tables <= {"udp", "raw"}:
                self.states = frozenset({"ESTABLISHED"})
            else:
                self.states = DEFAULT

    def wants(self, record: SocketRecord) -> bool:
        if record.kind not in self.tables or record.state not in (self.states or ()):
            return False
        if record.kind in ("udp", "raw") and record.state == "CLOSE" and not self.flags & {"a", "l", "state"}:
            return False
        return not self.family or self.family == record.family

    def hides_state(self) -> bool:
        return len(self.states or ()) == 1

    def hides_netid(self) -> bool:
        return len(self.tables) == 1 and self.tables != {"unix"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "hVnralompeis460tuwxf:KHOA:N:TSdMEbZzD:F:", LONG)
    except OptionError as problem:
        if problem.unsupported:
            return problem.report(proc, "ss")
        proc.error(f"ss: {problem.message}")
        proc.error(usage())
        return 255
    view = View()
    for name, value in options:
        status = _option(proc, view, name, value)
        if status is not None:
            return status
    try:
        words = _states(view, words)
        predicate = parse_filter(words, service_lookup(proc))
    except FilterError as problem:
        proc.error(str(problem))
        if problem.usage:
            proc.error(usage())
        return problem.status
    if "s" in view.flags:
        _summary(proc)
        return 0
    view.finish()
    records = [record for record in _in_order(socket_records(proc.net)) if view.wants(record)]
    if predicate is not None:
        records = [record for record in records if predicate(record)]
    if "K" in view.flags:
        records = [record for record in records if record.kind == "tcp"]
    proc.print(await _table(proc, view, records), end="")
    if "K" in view.flags:
        for record in records:
            _kill(record)
    return 0


def _kill(record: SocketRecord) -> None:
    """SOCK_DESTROY: tcp_abort()."""
    from kubenet_course.errno import ECONNABORTED
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.kernel.socket.tcp_output import send_active_reset

    sock = record.sock
    if not isinstance(sock, TcpSocket):
        sock.drop()
    elif sock.state == "LISTEN":
        sock.shutdown(2)
    else:
        if sock.state in ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2"):
            send_active_reset(sock)
        sock.fail(ECONNABORTED)


def _option(proc: Process, view: View, name: str, value: str) -> int | None:
    """Take one option in; an exit status where it ends the program."""
    if name == "h":
        proc.print(usage())
        return 0
    if name == "V":
        proc.print("ss utility, iproute2-6.1.0")
        return 0
    if name in ("Z", "z"):
        proc.error("ss: SELinux is not enabled.")
        return 1
    if name in UNSUPPORTED:
        proc.error(f"kubenet: ss: option {UNSUPPORTED[name]} is not emulated")
        return 1
    if name in ("4", "6"):
        view.family = int(name)
    elif name in "tuwx0SdM":
        view.tables.add(
            {
                "t": "tcp",
                "u": "udp",
                "w": "raw",
                "x": "unix",
                "0": "packet",
                "S": "sctp",
                "d": "dccp",
                "M": "mptcp",
            }[name]
        )
    elif name in ("vsock", "tipc", "xdp"):
        view.tables.add(name)
    elif name == "f":
        if value in ("inet", "inet6"):
            view.family = 4 if value == "inet" else 6
        elif value in ("link", "unix", "netlink", "vsock", "tipc", "xdp"):
            view.tables.add("packet" if value == "link" else value)
        else:
            proc.error(f'ss: "{value}" is invalid family')
            proc.error(usage())
            return 255
    elif name == "A":
        for word in value.split(","):
            if word.lstrip("!") not in TABLES:
                proc.error(f'ss: "{word}" is illegal socket table id')
                proc.error(usage())
                return 255
            tables = set(EVERYTHING) if word == "all" else set(TABLES[word.lstrip("!")].split())
            view.tables = view.tables - tables if word.startswith("!") else view.tables | tables
    view.flags.add(name)
    return None


def _states(view: View, words: list[str]) -> list[str]:
    """``state X`` and ``exclude X`` in front of the expression."""
    rest = list(words)
    while rest and rest[0] in ("state", "exclude", "excl"):
        word = rest.pop(0)
        if not rest:
            raise FilterError("ss: wrong state name: ", usage=False)
        found = state_set(rest.pop(0))
        if word == "state":
            view.states = (view.states or frozenset()) | found
        else:
            view.states = (ALL if view.states is None else view.states) - found
        view.flags.add("state")
    return rest


def _in_order(records: list[SocketRecord]) -> list[SocketRecord]:
    """Raw, UDP, TCP; IPv4 before IPv6; listeners first."""
    rank = {"raw": 0, "udp": 1, "tcp": 2}
    return sorted(records, key=lambda record: (rank[record.kind], record.family, record.state != "LISTEN"))


async def _table(proc: Process, view: View, records: list[SocketRecord]) -> str:
    numeric = "n" in view.flags
    services = {} if numeric else service_table(proc)
    rows = []
    for record in records:
        row = [""] * len(columns.COLUMNS)
        row[columns.NETID] = record.kind
        row[columns.STATE] = SHOWN.get(record.state, record.state)
        row[columns.RECEIVE] = f"{record.receive_queue:<6d}"
        row[columns.SEND] = f"{record.send_queue:<6d}"
        row[columns.LOCAL] = await _address(proc, view, record, True) + ":"
        row[columns.LOCAL_PORT] = _port(services, record, record.local_port)
        row[columns.PEER] = await _address(proc, view, record, False) + ":"
        row[columns.PEER_PORT] = _port(services, record, record.remote_port)
        row[columns.PROCESS] = _process_cell(view, record, proc.files.pidns)
        rows.append(row)
    hidden = set()
    if view.hides_netid():
        hidden.add(columns.NETID)
    if view.hides_state():
        hidden.add(columns.STATE)
    return columns.render(rows, hidden, "H" not in view.flags)


async def _address(proc: Process, view: View, record: SocketRecord, local: bool) -> str:
    address = record.local if local else record.remote
    if address is None or address == 0:
        if record.family == 4:
            text = "0.0.0.0"
        else:
            text = "[::]" if record.v6only else "*"
    else:
        text = str(address)
        if "r" in view.flags:
            text = await getnameinfo(proc, address) or text
        if record.family == 6 and address.family == 4:
            text = f"[::ffff:{text}]"
        elif address.family == 6 and ":" in text:
            text = f"[{text}]"
    if local and record.device:
        text += f"%{record.device}"
    return text


def _port(services: dict[tuple[int, str], str], record: SocketRecord, port: int) -> str:
    if record.kind == "raw":
        return (
            "*"
            if port == 0
            else {1: "icmp", 58: "ipv6-icmp", 2: "igmp", 89: "ospf"}.get(port, str(port))
            if services
            else str(port)
        )
    return str(services.get((port, record.kind), port)) if port else "*"


def _process_cell(view: View, record: SocketRecord, shown: PidNamespace) -> str:
    flags = view.flags
    cell = ""
    if "o" in flags and record.timer is not None:
        cell += timer_text(record.timer)
    if "p" in flags and record.owner is not None:
        holders = [(record.owner, record.descriptor), *getattr(record.sock, "sharers", ())]
        users = [
            f'("{one.comm}",pid={shown.number(one)},fd={fd})' for one, fd in holders if shown.number(one)
        ]
        cell += f" users:({','.join(users)})" if users else ""
    if "e" in flags:
        cell += extended(record)
    more = ""
    if "m" in flags and record.state != "TIME_WAIT":
        more += memory(record)
    if "i" in flags and record.kind == "tcp" and record.state != "TIME_WAIT":
        more += tcp_info(record)
    if more:
        cell += more if "O" in flags else "\n\t" + more
    return cell


def _summary(proc: Process) -> None:
    """-s: from /proc/net/sockstat and sockstat6."""
    records = socket_records(proc.net)
    waiting = sum(record.state == "TIME_WAIT" for record in records)
    live = [record for record in records if record.state != "TIME_WAIT"]
    established = sum(
        record.kind == "tcp" and record.state in ("ESTABLISHED", "CLOSE_WAIT") for record in live
    )
    orphans = sum(record.kind == "tcp" and getattr(record.sock, "orphan", False) for record in live)
    counts = {
        (kind, family): sum(one.kind == kind and one.family == family for one in live)
        for kind in ("raw", "udp", "tcp")
        for family in (4, 6)
    }
    tcp = counts["tcp", 4] + counts["tcp", 6]
    proc.print(f"Total: {len(live) + len(proc.net.sockets.packet)}")
    proc.print(
        f"TCP:   {tcp + waiting} (estab {established}, closed {waiting}, orphaned {orphans}, timewait {waiting})"
    )
    proc.print("")
    proc.print("Transport Total     IP        IPv6")
    for name in ("raw", "udp", "tcp"):
        four, six = counts[name, 4], counts[name, 6]
        proc.print(f"{name.upper()}\t  {four + six:<9d} {four:<9d} {six:<9d}")
    four = sum(counts[name, 4] for name in ("raw", "udp", "tcp"))
    six = sum(counts[name, 6] for name in ("raw", "udp", "tcp"))
    proc.print(f"INET\t  {four + six:<9d} {four:<9d} {six:<9d}")
    proc.print(f"FRAG\t  {0:<9d} {0:<9d} {0:<9d}")
    proc.print("")
