"""A name server with tricks, the same program on both kernels; it notes every query.

It serves a small tree of zones (`zones.txt`) from several addresses, each with a temper:

    10.53.0.1, fd53::1   a resolver: all names, recursion available
    10.53.0.2            SERVFAIL to everything
    10.53.0.3            silence
    10.53.0.5            REFUSED to everything
    10.53.0.6            all names, but no recursion available
    10.53.0.7            FORMERR to EDNS, else like .1
    10.53.0.8            NOTIMP to everything
    10.53.0.9            answers UDP with TC, and refuses TCP
    10.53.0.11           the root, authoritative   .12 test.   .13 example.test. and 0.53.10.in-addr.arpa.

and plays a trick at names below odd.test., told by the first label (`_odd`).
10.53.0.4 has nobody listening, and what is sent to 10.53.0.14 is lost.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

ADDRESSES = [f"10.53.0.{n}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13)] + ["fd53::1"]
AUTHORITY = {"10.53.0.11": ".", "10.53.0.12": "test.", "10.53.0.13": "example.test."}
ODD = dns.name.from_text("odd.test.")
ROOT, TEST = dns.name.root, dns.name.from_text("test.")
IN, A, AAAA, NS, SOA, CNAME, DNAME, TXT, ANY, AXFR, OPT = 1, 1, 28, 2, 6, 5, 39, 16, 255, 252, 41


def _wire(message: dns.message.Message) -> bytes:
    """Its bytes, records in the order of the zone (dnspython shuffles those of a set)."""
    for number in (1, 2, 3):
        message.sections[number] = [
            dns.rrset.from_rdata(rrset.name, rrset.ttl, item) for rrset in message.sections[number] for item in rrset
        ]
    return message.to_wire(max_size=65535)


class Zones:
    """Everything that is served, by zone."""

    def __init__(self) -> None:
        self.zones: dict[dns.name.Name, dict[dns.name.Name, dict[int, dns.rrset.RRset]]] = {}
        text = (Path(__file__).parent / "zones.txt").read_text()
        for part in text.split("$ORIGIN ")[1:]:
            origin, _, records = part.partition("\n")
            zone = dns.zone.from_text(records, origin=origin.strip(), relativize=False, check_origin=False)
            nodes: dict[dns.name.Name, dict[int, dns.rrset.RRset]] = {}
            for name, ttl, rdata in zone.iterate_rdatas():
                rrset = nodes.setdefault(name, {}).setdefault(rdata.rdtype, dns.rrset.RRset(name, IN, rdata.rdtype))
                rrset.add(rdata, ttl)
            self.zones[dns.name.from_text(origin.strip())] = nodes

    def zone_of(self, name: dns.name.Name) -> dns.name.Name:
        return max((zone for zone in self.zones if name.is_subdomain(zone)), key=len)


class NameServer:
    """`answer(wire, tcp, server)` gives the messages to send back; `queries` is the log."""

    def __init__(self) -> None:
        self.zones = Zones()
        self.queries: list[str] = []
        self.seen: dict[str, int] = {}

    def forget(self) -> list[str]:
        queries, self.queries, self.seen = self.queries, [], {}
        return queries

    def answer(self, wire: bytes, tcp: bool, server: str) -> list[bytes]:
        """The messages to send back, in order."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            self.queries.append(f"{server} malformed")
            return []
        if not query.question:
            self.queries.append(f"{server} no question")
            return [_wire(dns.message.make_response(query))]
        question = query.question[0]
        edns = "" if query.edns < 0 else f" edns{query.edns}"
        self.queries.append(
            f"{server}{' tcp' if tcp else ''} {question.name} {dns.rdatatype.to_text(question.rdtype)}{edns}"
            f"{' rd' if query.flags & dns.flags.RD else ''}{' ad' if query.flags & dns.flags.AD else ''}"
        )
        reply = dns.message.make_response(query)
        if query.edns >= 0:
            reply.use_edns(0, query.ednsflags & dns.flags.DO, payload=1232)
        last = server.rpartition(".")[2]
        if last == "3":
            return []
        if last in ("2", "5", "8"):
            reply.set_rcode({"2": dns.rcode.SERVFAIL, "5": dns.rcode.REFUSED, "8": dns.rcode.NOTIMP}[last])
            return [_wire(reply)]
        if last == "7" and query.edns >= 0:
            reply.use_edns(-1)
            reply.set_rcode(dns.rcode.FORMERR)
            return [_wire(reply)]
        if query.opcode() != dns.opcode.QUERY:
            reply.set_rcode(dns.rcode.NOTIMP)
            return [_wire(reply)]
        if query.edns > 0:
            reply.set_rcode(dns.rcode.BADVERS)
            return [_wire(reply)]
        if server in AUTHORITY:
            self._authoritative(query, reply, dns.name.from_text(AUTHORITY[server]))
            if server == "10.53.0.13" and self.zones.zone_of(question.name) not in (ROOT, TEST):
                self._authoritative(query, reply, self.zones.zone_of(question.name))
        else:
            if last != "6":
                reply.flags |= dns.flags.RA
            self._resolve(reply, question.name, question.rdtype)
        if question.rdtype == AXFR:
            return self._transfer(query, reply, tcp)
        if last == "9" and not tcp:
            reply.flags |= dns.flags.TC
            reply.answer = []
        if question.name.is_subdomain(ODD) and question.name != ODD:
            return self._odd(query, reply, tcp)
        return [self._fit(query, reply, tcp)]

    # -- lookups --------------------------------------------------------------------------------
    def _resolve(self, reply: dns.message.Message, name: dns.name.Name, rdtype: int) -> None:
        for _ in range(12):
            zone = self.zones.zone_of(name)
            nodes = self.zones.zones[zone]
            node = nodes.get(name)
            if node is None:
                star = nodes.get(dns.name.Name((b"*", *name.labels[1:])))
                node = {kind: self._as(rrset, name) for kind, rrset in star.items()} if star else None
            if node is None:
                if not any(other.is_subdomain(name) for other in nodes):
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                self._negative(reply, zone)
                return
            if rdtype == ANY:
                reply.answer += node.values()
                return
            if rdtype in node:
                reply.answer.append(self._as(node[rdtype], name))
                self._additional(reply, node[rdtype])
                return
            if CNAME not in node:
                self._negative(reply, zone)
                return
            reply.answer.append(self._as(node[CNAME], name))
            name = node[CNAME][0].target
            if any(rrset.name == name for rrset in reply.answer):
                return

    def _negative(self, reply: dns.message.Message, zone: dns.name.Name) -> None:
        soa = self.zones.zones[zone].get(zone, {}).get(SOA)
        if soa is not None:
            reply.authority.append(soa)

    @staticmethod
    def _as(rrset: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
        copy = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype)
        for item in rrset:
            copy.add(item, rrset.ttl)
        return copy

    def _additional(self, reply: dns.message.Message, rrset: dns.rrset.RRset) -> None:
        for item in rrset:
            target = getattr(item, "exchange", None) or getattr(item, "target", None)
            if rrset.rdtype in (NS, 15, 33) and target is not None:
                node = self.zones.zones[self.zones.zone_of(target)].get(target, {})
                reply.additional += [node[kind] for kind in (A, AAAA) if kind in node]

    def _authoritative(self, query: dns.message.Message, reply: dns.message.Message, zone: dns.name.Name) -> None:
        question = query.question[0]
        reply.flags |= dns.flags.AA
        reply.set_rcode(dns.rcode.NOERROR)
        reply.answer, reply.authority, reply.additional = [], [], []
        nodes = self.zones.zones[zone]
        if not question.name.is_subdomain(zone):
            reply.flags &= ~dns.flags.AA
            reply.set_rcode(dns.rcode.REFUSED)
            return
        for depth in range(len(zone) + 1, len(question.name) + 1):
            cut = nodes.get(question.name.split(depth)[1], {}).get(NS)
            if cut is not None:
                reply.flags &= ~dns.flags.AA
                reply.authority.append(cut)
                for item in cut:
                    glue = nodes.get(item.target, {})
                    reply.additional += [glue[kind] for kind in (A, AAAA) if kind in glue]
                return
        self._resolve(reply, question.name, question.rdtype)

    def _transfer(self, query: dns.message.Message, reply: dns.message.Message, tcp: bool) -> list[bytes]:
        zone = query.question[0].name
        nodes = self.zones.zones.get(zone)
        reply.answer, reply.authority, reply.additional = [], [], []
        if nodes is None or not tcp or SOA not in nodes.get(zone, {}):
            reply.set_rcode(dns.rcode.REFUSED)
            return [_wire(reply)]
        reply.set_rcode(dns.rcode.NOERROR)
        soa = nodes[zone][SOA]
        second = dns.message.make_response(query)
        if query.edns >= 0:
            second.use_edns(0, payload=1232)
        reply.answer = [soa, *(rrset for kind, rrset in nodes[zone].items() if kind != SOA)]
        rest = [rrset for name, node in nodes.items() if name != zone for rrset in node.values()]
        second.answer = rest
        last = dns.message.make_response(query)
        last.question = []
        last.answer = [soa]
        return [_wire(reply), _wire(second), _wire(last)]

    def _fit(self, query: dns.message.Message, reply: dns.message.Message, tcp: bool) -> bytes:
        limit = 65535 if tcp else max(512, min(1232, query.payload)) if query.edns >= 0 else 512
        wire = _wire(reply)
        if len(wire) > limit:
            reply.flags |= dns.flags.TC
            reply.answer, reply.authority, reply.additional = [], [], []
            wire = _wire(reply)
        return wire

    # -- tricks ---------------------------------------------------------------------------------
    def _odd(self, query: dns.message.Message, reply: dns.message.Message, tcp: bool) -> list[bytes]:
        question = query.question[0]
        label = question.name.labels[0].decode()
        count = self.seen[label] = self.seen.get(label, 0) + 1
        wire = _wire(reply)
        if label.startswith("rcode"):
            reply.answer, reply.authority = [], []
            reply.set_rcode(int(label[5:]))
            return [_wire(reply)]
        if label == "drop" or (label == "dropfirst" and count == 1) or (label == "dropaaaa" and question.rdtype == AAAA):
            return []
        if (label == "sfaaaa" and question.rdtype == AAAA) or (label == "sffirst" and count == 1):
            reply.answer, reply.authority = [], []
            reply.set_rcode(dns.rcode.SERVFAIL)
            return [_wire(reply)]
        if label == "nxaaaa" and question.rdtype == AAAA:
            reply.answer, reply.authority = [], []
            reply.set_rcode(dns.rcode.NXDOMAIN)
            return [_wire(reply)]
        if label == "tc" and not tcp:
            reply.flags |= dns.flags.TC
            reply.answer = []
            return [_wire(reply)]
        if label == "badid":
            return [struct.pack("!H", query.id ^ 0x5555) + wire[2:]] + ([wire] if count > 1 or not tcp else [])
        if label == "badidonly":
            return [struct.pack("!H", query.id ^ 0x5555) + wire[2:]]
        if label == "otherq":
            reply.question[0] = dns.rrset.RRset(dns.name.from_text("other.test."), IN, question.rdtype)
            return [_wire(reply)]
        if label == "noq":
            reply.question = []
            return [_wire(reply)]
        if label == "notresponse":
            return [wire[:2] + bytes([wire[2] & 0x7F]) + wire[3:]]
        if label == "short":
            return [wire[:7]]
        if label == "cut":
            return [wire[:-3]]
        if label == "garbage":
            return [wire[:12] + b"\xff" * 40]
        if label == "trailing":
            return [wire + b"trailing junk"]
        if label == "empty":
            return [b""]
        if label == "close" and tcp:
            return []
        if label == "noedns":
            reply.use_edns(-1)
            return [_wire(reply)]
        if label == "extra":
            reply.use_edns(0, 0, payload=4096, options=[
                dns.edns.GenericOption(3, b"ns1.example"), dns.edns.GenericOption(10, bytes(range(16))),
                dns.edns.GenericOption(15, b"\x00\x0fblocked here"), dns.edns.GenericOption(65001, b"\x01\x02"),
            ])  # fmt: skip
            return [_wire(reply)]
        if label in ("cookie", "badcookie", "echo"):
            sent = next((bytes(o.to_wire()) for o in query.options if o.otype == 10), b"")
            server_part = b"" if label == "echo" else bytes(8)
            reply.use_edns(0, 0, payload=1232, options=[dns.edns.GenericOption(10, sent[:8] + server_part)])
            if label == "badcookie" and len(sent) < 16:
                reply.answer = []
                reply.set_rcode(23)
            return [_wire(reply)]
        if label == "options":
            reply.use_edns(0, dns.flags.DO | 0x40, payload=4096, options=[
                dns.edns.GenericOption(8, b"\x00\x01\x18\x10\xc0\x00\x02"), dns.edns.GenericOption(9, b"\x00\x01\x51\x80"),
                dns.edns.GenericOption(11, b"\x00\x64"), dns.edns.GenericOption(12, bytes(5)), dns.edns.GenericOption(15, b"\x00\x12"),
                dns.edns.GenericOption(15, b"\x03\xe8text"), dns.edns.GenericOption(14, b"\x00\x01\x00\x02"), dns.edns.GenericOption(4, b"x"),
            ])  # fmt: skip
            return [_wire(reply)]
        return [self._fit(query, reply, tcp)]


# -- on the computer's own kernel ---------------------------------------------------------------
class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer, address: str):
        self.server, self.address = server, address

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for wire in self.server.answer(data, False, self.address):
            self.transport.sendto(wire, addr)


async def serve_real(server: NameServer, ready: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        try:
            while True:
                size = struct.unpack("!H", await reader.readexactly(2))[0]
                answers = server.answer(await reader.readexactly(size), True, address)
                if not answers:
                    break
                for wire in answers:
                    writer.write(struct.pack("!H", len(wire)) + wire)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    for address in ADDRESSES:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, 53))
        await loop.create_datagram_endpoint(lambda address=address: _Udp(server, address), sock=sock)
        if address != "10.53.0.9":
            await asyncio.start_server(stream, address, 53)
    ready()
    await asyncio.Event().wait()


# -- on the emulated kernel ---------------------------------------------------------------------
def program(server: NameServer) -> Callable[..., Any]:
    """A program for an emulated machine."""
    from kubenet_course.errors import KernelError
    from kubenet_course.userland.sockets import Sockets

    async def main(proc: Any, argv: list[str]) -> int:
        net = Sockets(proc)

        async def datagrams(address: str) -> None:
            udp = await net.udp(address, 53)
            while True:
                data, peer = await udp.receive()
                for wire in server.answer(data, False, address):
                    await udp.send(wire, *peer)

        async def stream(conn: Any) -> None:
            data = b""
            try:
                while chunk := await conn.read():
                    data += chunk
                    while len(data) >= 2 and len(data) >= 2 + (size := struct.unpack("!H", data[:2])[0]):
                        message, data = data[2 : 2 + size], data[2 + size :]
                        answers = server.answer(message, True, conn.local[0])
                        if not answers:
                            return
                        for wire in answers:
                            await conn.write(struct.pack("!H", len(wire)) + wire)
            except KernelError:
                return
            finally:
                conn.close()

        async def streams(address: str) -> None:
            listener = await net.listen(address, 53)
            while True:
                net.spawn(stream(await listener.accept()))

        for address in ADDRESSES:
            net.spawn(datagrams(address))
            if address != "10.53.0.9":
                net.spawn(streams(address))
        await proc.loop.future()
        return 0

    return main
