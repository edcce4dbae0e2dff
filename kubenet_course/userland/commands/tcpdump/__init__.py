"""tcpdump 4.99: watch or read packets, filter, print, save.

`dissect.py` and its neighbours say what a packet is, `filter.py` which ones are wanted, `capture.py` where
they come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.registry import text_of
from kubenet_course.userland.commands.tcpdump.capture import Source, device_list, from_file, live
from kubenet_course.userland.commands.tcpdump.dissect import Printer
from kubenet_course.userland.commands.tcpdump.filter import FilterError, Lookups, View, compile_filter
from kubenet_course.userland.commands.tcpdump.hexdump import ascii_only, lines
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Exit, Signalled
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, getnameinfo
from kubenet_course.userland.services import service_port, service_table
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address
from kubenet_course.wire.pcap import LINKTYPES, PcapError, Record, encode_record, file_header

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

LONG = {
    "buffer-size=": "B", "list-interfaces": "D", "help": "h", "interface=": "i", "monitor-mode": "I", "time-stamp-type=": "j",
    "list-time-stamp-types": "J", "dont-verify-checksums": "K", "list-data-link-types": "L", "no-optimize": "O",
    "no-promiscuous-mode": "p", "direction=": "Q", "snapshot-length=": "s", "absolute-tcp-sequence-numbers": "S", "packet-buffered": "U",
    "linktype=": "y", "immediate-mode": "immediate", "count": "count", "number": "#", "print": "print", "version": "version",
    "micro": "micro", "nano": "nano", "time-stamp-precision=": "precision", "relinquish-privileges=": "Z", "lengths": "lengths",
}  # fmt: skip
UNSUPPORTED = {"C": "-C", "d": "-d", "E": "-E", "G": "-G", "I": "-I", "M": "-M", "T": "-T", "V": "-V", "W": "-W", "z": "-z", "nano": "--nano",  # noqa: E501
               "precision": "--time-stamp-precision", "J": "-J", "j": "-j"}  # fmt: skip


@lru_cache(1)
def _texts() -> dict[str, str]:
    return json.loads(text_of(__name__, "usage.json"))


class Settings:
    def __init__(self) -> None:
        self.flags: dict[str, int] = {}
        self.values: dict[str, str] = {}

    def count(self, name: str) -> int:
        return self.flags.get(name, 0)


def die(proc: Process, message: str) -> Exit:
    proc.error(f"tcpdump: {message}")
    return Exit(1)


def _usage(proc: Process, say: Callable[..., None] | None = None) -> None:
    for name in ("version", "usage"):
        (say or proc.error)(_texts()[name])


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(
            argv, "aAbB:c:C:dDeE:fF:G:hHi:Ij:JKlLm:M:nNOpqQ:r:s:StT:uUvV:w:W:xXy:Yz:Z:#", LONG, permute=False
        )
    except OptionError as problem:
        if problem.unsupported:
            return problem.report(proc, "tcpdump")
        proc.error(f"tcpdump: {problem.message}")
        _usage(proc)
        return 1
    settings = Settings()
    for name, value in options:
        if name in UNSUPPORTED:
            proc.error(f"kubenet: tcpdump: option {UNSUPPORTED[name]} is not emulated")
            return 1
        settings.flags[name] = settings.flags.get(name, 0) + 1
        settings.values[name] = value
    if settings.count("version"):
        proc.print(_texts()["version"])
        return 0
    if settings.count("h"):
        _usage(proc, proc.print)
        return 0
    if settings.count("D"):
        for line in device_list(proc.net):
            proc.print(line)
        return 0
    return await _Run(proc, settings, words).run()


class _Run:
    """One capture from its beginning to its statistics."""

    def __init__(self, proc: Process, settings: Settings, words: list[str]):
        self.proc, self.settings = proc, settings
        self.expression = " ".join(words)
        self.limit = self._number("c", "invalid packet count", 1)
        self.snapshot = self._number("s", "invalid snaplen", 0) or 262144
        self.direction = settings.values.get("Q", "inout")
        if self.direction not in ("in", "out", "inout"):
            raise die(proc, f"unknown capture direction `{self.direction}'")
        if "y" in settings.values and settings.values["y"].upper() not in ("EN10MB", "LINUX_SLL2"):
            raise die(proc, f"invalid data link type {settings.values['y']}")
        self.printer = Printer()
        self.printer.verbose = settings.count("v")
        self.printer.link = bool(settings.count("e"))
        self.printer.quick = bool(settings.count("q"))
        self.printer.absolute = bool(settings.count("S"))
        self.printer.no_checksums = bool(settings.count("K"))
        self.names: dict[IpAddress, str] = {}
        self.numeric = settings.count("n") > 0
        self.captured = 0
        self.first: int | None = None
        self.previous: int | None = None
        self.writer: Any = None

    def _number(self, name: str, complaint: str, least: int) -> int | None:
        text = self.settings.values.get(name)
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or int(text) < least or int(text) > 2**31 - 1:
            raise die(self.proc, f"{complaint} {text}")
        return int(text)

    async def run(self) -> int:
        proc, settings = self.proc, self.settings
        try:
            if "r" in settings.values:
                source = await from_file(proc, settings.values["r"])
            else:
                source = live(
                    proc, settings.values.get("i"), self.snapshot, promiscuous=not settings.count("p")
                )
        except PcapError as problem:
            raise die(proc, str(problem)) from None
        except KernelError as failure:
            raise die(proc, failure.extack or failure.strerror) from None
        if settings.count("L"):
            proc.print(f"Data link types for {source.name} (use option -y to set):")
            proc.print("  {} ({})".format(*LINKTYPES[source.link_type]))
            return 0
        if "F" in settings.values:
            try:
                self.expression = proc.files.read_text(settings.values["F"], proc, proc.cwd)
            except KernelError as failure:
                raise die(proc, f"can't open {settings.values['F']}: {failure.strerror}") from None
        test = await self._filter(source)
        if not self.numeric:
            ports = service_table(proc)
            self.printer.port = lambda port, protocol: ports.get((port, protocol), str(port))
            self.printer.host = lambda address: self.names.get(address, str(address))
        self.printer.device_names = source.device_names
        self._open_output(source)
        self._announce(source)
        interrupted = await self._loop(source, test)
        if self.writer is not None and self.writer is not proc.stdout:
            self.writer.close()
        if settings.count("count"):
            proc.print(f"{self.captured} packet{'' if self.captured == 1 else 's'}")
        if source.live:
            if interrupted and self.writer is None:
                proc.print("")  # whatever line was begun ends
            self._statistics(source)
        source.close()
        return 0

    def _announce(self, source: Source) -> None:
        name, words = LINKTYPES[source.link_type]
        if not source.live:
            self.proc.error(
                f"reading from file {source.name}, link-type {name} ({words}), snapshot length {source.snapshot}"
            )
            if name == "LINUX_SLL2":
                self.proc.error("Warning: interface names might be incorrect")
            return
        listening = (
            f"listening on {source.name}, link-type {name} ({words}), snapshot length {self.snapshot} bytes"
        )
        if source.name == "any":
            self.proc.error("tcpdump: data link type LINUX_SLL2")
        if "w" in self.settings.values or self.printer.verbose:
            self.proc.error(f"tcpdump: {listening}")
        else:
            self.proc.error("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode")
            self.proc.error(listening)

    def _open_output(self, source: Source) -> None:
        path = self.settings.values.get("w")
        if path is None:
            return
        if path == "-":
            self.writer = self.proc.stdout
        else:
            try:
                self.writer = self.proc.files.open_writer(path, self.proc, cwd=self.proc.cwd)
            except KernelError as failure:
                raise die(self.proc, f"{path}: {failure.strerror}") from None
        self.writer.write(file_header(source.link_type, self.snapshot if source.live else source.snapshot))

    async def _filter(self, source: Source) -> Any:
        """The compiled expression; names in it are looked up first."""
        if not self.expression.strip():
            return None
        hosts: dict[str, list[IpAddress]] = {}
        for word in self.expression.replace("(", " ").replace(")", " ").split():
            if any(char.isalpha() for char in word) and ":" not in word and word not in _KEYWORDS:
                try:
                    hosts[word] = [info.address for info in await getaddrinfo(self.proc, word)]
                except ResolverError:
                    continue
        proc = self.proc

        def port(name: str) -> int | None:
            return service_port(proc, name, "tcp") or service_port(proc, name, "udp")

        try:
            return compile_filter(self.expression, Lookups(hosts.get, port, source.live, source.netmask))
        except FilterError as problem:
            raise die(self.proc, str(problem)) from None

    async def _loop(self, source: Source, test: Any) -> bool:
        """Packets until the end, the count or a signal; whether it was a signal."""
        try:
            while self.limit is None or self.captured < self.limit:
                record, outgoing = await source.next()
                if record is None:
                    return False
                if self.direction != "inout" and outgoing != (self.direction == "out"):
                    continue
                if test is not None and not test(
                    View(record.data, source.link_type, record.length, outgoing)
                ):
                    continue
                source.matched += 1
                self.captured += 1
                await self._show(source, record)
        except Signalled as signalled:
            if signalled.signum not in (1, 2, 15):
                raise
            return True
        except PcapError as problem:
            raise die(self.proc, str(problem)) from None
        return False

    async def _show(self, source: Source, record: Record) -> None:
        if len(record.data) > self.snapshot:
            record = record._replace(data=record.data[: self.snapshot])
        if self.writer is not None:
            self.writer.write(encode_record(record))
            if not self.settings.count("print"):
                return
        if self.settings.count("count"):
            return
        if not self.numeric:
            await self._resolve(source, record.data)
        text = self._timestamp(record.time) + self.printer.frame(source.link_type, record.data, record.length)
        if self.settings.count("#"):
            text = f"{self.captured:5d}  " + text
        self.proc.print(text)
        self._dump(source, record.data)

    def _dump(self, source: Source, data: bytes) -> None:
        hexes, both, plain = (self.settings.count(name) for name in ("x", "X", "A"))
        from_link = max(hexes, both, plain) > 1
        shown = data if from_link else data[source.link_length :]
        if both:
            self.proc.print(lines(shown, ascii_too=True))
        elif hexes:
            self.proc.print(lines(shown, ascii_too=False))
        if plain:
            self.proc.print(ascii_only(shown))

    def _timestamp(self, time: int) -> str:
        import time as clock

        mode = self.settings.count("t")
        seconds, micro = time // 1_000_000_000, time // 1000 % 1_000_000
        if self.first is None:
            self.first = time
        before, self.previous = self.previous if self.previous is not None else time, time
        if mode == 1:
            return ""
        if mode == 2:
            return f"{seconds}.{micro:06d} "
        if mode in (3, 5):
            passed = time - (before if mode == 3 else self.first)
            whole = abs(passed) // 1_000_000_000
            sign = "-" if passed < 0 else " "
            return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{abs(passed) // 1000 % 1_000_000:06d} "
        text = clock.strftime("%H:%M:%S", clock.gmtime(seconds)) + f".{micro:06d} "
        return clock.strftime("%Y-%m-%d ", clock.gmtime(seconds)) + text if mode == 4 else text

    async def _resolve(self, source: Source, data: bytes) -> None:
        """Names of the packet's addresses, asked for once each."""
        view = View(data, source.link_type, len(data))
        found: list[IpAddress] = []
        net = view.net
        if view.ethertype == 0x0800 and len(data) >= net + 20:
            found = [IPv4Address.decode(data[net + 12 :]), IPv4Address.decode(data[net + 16 :])]
        elif view.ethertype == 0x0806 and len(data) >= net + 28:
            found = [IPv4Address.decode(data[net + 14 :]), IPv4Address.decode(data[net + 24 :])]
        elif view.ethertype == 0x86DD and len(data) >= net + 40:
            found = [IPv6Address.decode(data[net + 8 :]), IPv6Address.decode(data[net + 24 :])]
        for address in found:
            if address not in self.names:
                self.names[address] = str(address)
                name = await getnameinfo(self.proc, address)
                if name is not None:
                    self.names[address] = name.partition(".")[0] if self.settings.count("N") else name

    def _statistics(self, source: Source) -> None:
        for count, words in (
            (self.captured, "captured"),
            (source.received(), "received by filter"),
            (0, "dropped by kernel"),
        ):
            self.proc.error(f"{count} packet{'' if count == 1 else 's'} {words}")


_KEYWORDS = frozenset(
    "host net port portrange src dst and or not ip ip6 arp rarp tcp udp icmp icmp6 igmp ether proto broadcast multicast less greater "
    "gateway vlan mask len inbound outbound".split()
)
