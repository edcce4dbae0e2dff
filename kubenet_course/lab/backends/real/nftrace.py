"""`kubenet-nftrace FAMILY…`: the kernel's own account of packets and rules, a line of JSON for each step.

In each of the families (``inet``, ``bridge``) it makes a table in which every packet that comes in or is sent is
marked (`meta nftrace set 1`), and reads what the kernel then says to the group NFNLGRP_NFTRACE: base chain, rule
that matched, policy, with the packet's headers once for each base chain (net/netfilter/nf_tables_trace.c), and when
it was read (ns since 1970). It says
``listening`` on standard error once all of that stands, and ``done`` when it was told to end and has said everything.

The tables belong to its socket (NFT_TABLE_F_OWNER, Linux 5.12): nobody else can change them, and they are gone
with the process, however it ends. `xtables-monitor --trace` would do, if it did not end at the first rule of
ip6tables with a port, and said what an IPv6 packet is.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from kubenet_course import errno

TABLE = "kubenet-trace"

# linux/netfilter/nfnetlink.h
NETLINK_NETFILTER, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 270, 1
NFNLGRP_NFTRACE, NFNL_SUBSYS_NFTABLES = 9, 10
BATCH_BEGIN, BATCH_END = 0x10, 0x11
NLMSG_ERROR, NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_APPEND = 2, 1, 4, 0x400, 0x800
SO_RCVBUFFORCE, RECEIVE_BUFFER = 33, 8 << 20
# linux/netfilter/nf_tables.h
NEWTABLE, NEWCHAIN, NEWRULE, MSG_TRACE = 0, 3, 6, 17
TABLE_F_OWNER, META_NFTRACE, REGISTER = 2, 12, 8
FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
FAMILY_NAMES = {number: name for name, number in FAMILIES.items()}
TYPES = {1: "policy", 2: "return", 3: "rule"}
VERDICTS = {
    0: "drop", 1: "accept", 2: "stolen", 3: "queue", 4: "repeat", 5: "stop",
    -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return",
}  # fmt: skip
NESTED = 0x8000
#: (hook, its number): those in which packets are marked, and those that tell how a packet comes out of PREROUTING.
MARKING, TELLING = (("prerouting", 0), ("output", 3)), (("input", 1), ("forward", 2))
#: Before defragmentation (NF_IP_PRI_RAW_BEFORE_DEFRAG), and before all (NF_BR_PRI_FIRST).
PRIORITIES = {"inet": -450, "bridge": -0x7FFFFFFF}


# -- asking -----------------------------------------------------------------------------------------
def attribute(kind: int, value: bytes | str | int) -> bytes:
    """A netlink attribute; a number is 32 bits in network order."""
    if isinstance(value, str):
        value = value.encode() + b"\0"
    body = struct.pack(">i", value) if isinstance(value, int) else value
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def message(kind: int, flags: int, family: int, resource: int, body: bytes = b"") -> bytes:
    """A message with its struct nfgenmsg; what it answers is told apart by its type alone."""
    whole = struct.pack("=BBH", family, 0, socket.htons(resource)) + body
    return struct.pack("=IHHII", 16 + len(whole), kind, NLM_F_REQUEST | flags, 0, 0) + whole


def ours(family: str) -> bytes:
    """The messages that make the table of one family."""
    number, found = FAMILIES[family], b""

    def add(kind: int, body: bytes) -> None:
        nonlocal found
        flags = NLM_F_CREATE | NLM_F_ACK | (NLM_F_APPEND if kind == NEWRULE else 0)
        found += message(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, number, 0, body)

    add(NEWTABLE, attribute(1, TABLE) + attribute(2, TABLE_F_OWNER))
    one = attribute(2 | NESTED, attribute(1, b"\1"))
    rule = _expression("immediate", attribute(1, REGISTER) + one)
    rule += _expression("meta", attribute(2, META_NFTRACE) + attribute(3, REGISTER))
    for name, hook in (*MARKING, *TELLING):
        at = attribute(1, hook) + attribute(2, PRIORITIES[family])
        add(NEWCHAIN, attribute(1, TABLE) + attribute(3, name) + attribute(4 | NESTED, at) + attribute(7, "filter"))
    for name, _ in MARKING:
        add(NEWRULE, attribute(1, TABLE) + attribute(2, name) + attribute(4 | NESTED, rule))
    return found


def _expression(name: str, data: bytes) -> bytes:
    return attribute(1 | NESTED, attribute(1, name) + attribute(2 | NESTED, data))


def connect(families: list[str]) -> socket.socket:
    """A socket that hears of traced packets, and has made our tables; OSError where the kernel refuses."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    try:
        link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:  # not root of the first user namespace
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    link.bind((0, 0))
    batch = b"".join(ours(family) for family in families)
    begin = message(BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES)
    link.send(begin + batch + message(BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES))
    waiting = len(families) * (1 + 2 * len(MARKING) + len(TELLING))
    while waiting:
        for kind, body in messages(link.recv(1 << 16)):
            if kind == NLMSG_ERROR:
                error = struct.unpack("=i", body[:4])[0]
                if error:
                    raise OSError(-error, errno.strerror(-error))
                waiting -= 1
    link.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTRACE)
    return link


# -- reading ----------------------------------------------------------------------------------------
def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each message in one datagram."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            return
        yield kind, data[at + 16 : at + length]
        at += length + 3 & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """Kind → value of the attributes of a message or of a nested one."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def record(body: bytes) -> dict[str, Any]:
    """A message NFT_MSG_TRACE as words: NFTA_TRACE_… without what the packet's headers say better."""
    told = attributes(body[4:])

    def number(kind: int) -> int:
        return int.from_bytes(told.get(kind, b""), "big")

    def text(value: bytes) -> str:
        return value.rstrip(b"\0").decode("utf-8", "replace")

    verdict = attributes(told.get(5, b""))
    code = int.from_bytes(verdict.get(1, b"\xff\xff\xff\xff"), "big", signed=True)
    if 16 in told:  # NFTA_TRACE_POLICY
        code = number(16)
    return {
        "family": FAMILY_NAMES.get(body[0], str(body[0])),
        "table": text(told.get(1, b"")),
        "chain": text(told.get(2, b"")),
        "handle": number(3),
        "type": TYPES.get(number(4), ""),
        "verdict": VERDICTS.get(code, str(code)),
        "target": text(verdict.get(2, b"")),
        "id": number(6),
        "network": told.get(8, b"").hex(),
        "transport": told.get(9, b"").hex(),
    }


def main(argv: list[str]) -> int:
    ending, told = os.pipe()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: os.write(told, b"."))
    try:
        link = connect(argv)
    except OSError as failure:
        print(f"kubenet-nftrace: {failure.strerror}", file=sys.stderr)
        return 1
    print("listening", file=sys.stderr, flush=True)
    sources: list[Any] = [link, ending]
    open_ = True
    while True:
        # Once told to end: what is in the socket already, and no more.
        ready = select.select(sources, [], [], None if open_ else 0)[0]
        if link in ready:
            for line in _read(link):
                print(json.dumps(line | {"time": time.time_ns()}))
        elif not open_:
            break
        open_ = open_ and ending not in ready
        sys.stdout.flush()
    print("done", file=sys.stderr, flush=True)
    return 0


def _read(link: socket.socket) -> Iterator[dict[str, Any]]:
    try:
        data = link.recv(1 << 16)
    except OSError as failure:
        if failure.errno != errno.ENOBUFS:
            raise
        print("lost", file=sys.stderr, flush=True)
        return
    for kind, body in messages(data):
        if kind == NFNL_SUBSYS_NFTABLES << 8 | MSG_TRACE:
            yield record(body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
