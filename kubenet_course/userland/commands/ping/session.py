"""The loop of ping and what it counts (iputils ping/ping_common.c).

One task sends when the pinger says so and takes what comes in between; times are those of the virtual
clock, in ns. A session ends when enough was answered, when time is up, or by SIGINT.
"""

from __future__ import annotations

import signal
import struct
from math import isqrt
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket.base import Datagram, SocketError
from kubenet_course.sim.loop import MICROSECOND, MILLISECOND, SECOND, Timer
from kubenet_course.userland.commands.ping.options import PingOptions
from kubenet_course.userland.resolver import AddressInfo, address_text, getnameinfo
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

MIN_INTERVAL = 10
MAX_DUP = 0x10000
TIMEVAL = 16
COUNTING = bytes(range(256)) * 2


class Fatal(Exception):
    """error(status, …): the message without the program's name."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


class PingSession:
    """What both families share; a family fills in `open`, `header`, `send_probe` and the reports."""

    sock: Any
    source: IpAddress | None = None
    multicast = False
    #: The last probe did not fit (a local error): nothing will come that were worth waiting for.
    too_long = False
    exiting = False
    snapshot = False
    transmitted = received = repeats = errors = 0
    acked = 0
    pipe = 0
    tokens = 0
    start = last_send = -1
    lowest, highest, total, squares = 2**63, 0, 0, 0
    smoothed = 0
    wait_time = 0
    #: The payload of the last request.
    sent = b""

    def __init__(self, proc: Process, name: str, options: PingOptions, info: AddressInfo, hostname: str):
        self.proc = proc
        self.name = name
        self.options = options
        self.target: IpAddress = info.address
        self.scope = info.scope
        self.hostname = hostname
        self.interval = options.interval if options.interval is not None else 1000
        self.preload = min(options.preload, options.count) if options.count else options.preload
        self.ident = options.identifier
        if self.ident is None:
            self.ident = proc.vpid & 0xFFFF
        self.timing = options.size >= TIMEVAL
        self.names: dict[tuple[IpAddress, str], str] = {}
        self.seen: set[int] = set()
        self.timers: list[Timer] = []  # of -w, and of the last answers

    # -- what a family does -----------------------------------------------------------------
    def open(self) -> None:
        raise NotImplementedError

    async def header(self) -> str:
        raise NotImplementedError

    def send_probe(self, sequence: int, payload: bytes) -> None:
        """KernelError where the system call fails."""
        raise NotImplementedError

    def local_error(self, mtu: int) -> str:
        raise NotImplementedError

    async def reply(self, datagram: Datagram) -> None:
        raise NotImplementedError

    async def network_error(self, error: SocketError) -> bool:
        raise NotImplementedError

    # -- the run ----------------------------------------------------------------------------
    async def run(self) -> int:
        proc = self.proc
        self.open()
        proc.owns(self.sock)
        proc.print(await self.header(), end="")
        proc.handlers[signal.SIGINT] = self._stop
        proc.handlers[signal.SIGALRM] = self._stop
        proc.handlers[signal.SIGQUIT] = self._snapshot
        if self.options.deadline:
            self.timers.append(proc.loop.call_later(self.options.deadline * SECOND, self._stop))
        try:
            await self._loop()
        finally:
            for timer in self.timers:
                timer.cancel()
        return self._finish()

    def _stop(self) -> None:
        self.exiting = True
        self.sock.ready.notify()

    def _snapshot(self) -> None:
        self.snapshot = True
        self.sock.ready.notify()

    async def _loop(self) -> None:
        """main_loop()."""
        options = self.options
        while not self.exiting:
            if options.count and self.received + self.errors >= options.count:
                break
            if options.deadline and self.errors:
                break
            if self.snapshot:
                self._status()
            pause = await self._pinger()
            while pause <= 0 and not self.exiting:
                pause = await self._pinger()
            if options.count and self.transmitted >= options.count and not options.deadline and not self.too_long:
                pause = self._schedule_exit(pause)
            await self._receive(pause)

    async def _receive(self, pause: int) -> None:
        """Wait up to `pause` ms for answers; back at once when nothing is on its way any more."""
        until = self.proc.loop.now + pause * MILLISECOND
        while not self.exiting and not self.snapshot:
            if not self.sock.queue and not self.sock.errors:
                left = until - self.proc.loop.now
                if left <= 0:
                    return
                ready = self.sock.ready.wait()
                timer = self.proc.loop.call_later(left, ready.set_result, None)
                await ready
                timer.cancel()
                continue
            if self.sock.errors:
                await self._take_error()
            else:
                await self.reply(self.sock.queue.popleft())
            if self._in_flight() == 0:
                return

    async def _take_error(self) -> bool:
        """One entry of the error queue; True where it was about a packet of this session."""
        error = self.sock.errors.popleft()
        if not self.sock.errors:
            self.sock.so_error = 0
        return await self.network_error(error)

    # -- sending ----------------------------------------------------------------------------
    async def _pinger(self) -> int:
        """pinger(): send if it is time; the ms until it will be."""
        options, now = self.options, self.proc.loop.now
        if self.exiting or (options.count and self.transmitted >= options.count and not options.deadline):
            return 1000
        if self.start < 0:
            self.start = self.last_send = now
            self.tokens = self.interval * (self.preload - 1)
        else:
            elapsed = (now - self.last_send) // MILLISECOND
            if not self.interval and elapsed < MIN_INTERVAL and self._in_flight() >= self.preload:
                return MIN_INTERVAL - elapsed
            tokens = min(elapsed + self.tokens, self.interval * self.preload)
            if tokens < self.interval:
                return self.interval - tokens
            self.last_send = now
            self.tokens = tokens - self.interval
        if options.outstanding and self.transmitted and self.transmitted not in self.seen:
            self._print(f"{self._stamp()}no answer yet for icmp_seq={self.transmitted % MAX_DUP}\n")
        return await self._probe()

    async def _probe(self) -> int:
        sequence = (self.transmitted + 1) & 0xFFFF
        if self.sock.errors and await self._take_error():
            self.tokens += self.interval
            return MIN_INTERVAL
        self.sock.so_error = 0
        try:
            self.seen.discard(sequence)
            self.sent = self._payload()
            self.send_probe(sequence, self.sent)
        except KernelError as failure:
            mtu = getattr(failure, "mtu", 0)
            if not mtu and await self._refused() and not self.options.quiet:
                # An ICMP error came of it as well: the errno is told after it (a hard local error).
                if self.options.flood:
                    self._print("E")
                else:
                    self.proc.error(f"{self.name}: sendmsg: {failure.strerror}")
            self._advance()
            self.too_long = bool(mtu)
            if mtu:
                self.errors += 1
                if not self.options.quiet:
                    if self.options.flood:
                        self._print("E")
                    else:
                        self.proc.error(f"{self.name}: {self.local_error(mtu)}")
            self.tokens = 0
            return max(self.interval, MIN_INTERVAL)
        self._advance()
        if self.options.flood and not self.options.quiet:
            self._print(".")
        return self.interval - self.tokens

    async def _refused(self) -> bool:
        """Whether sending that failed left an ICMP error behind (what it set off ends before the call does)."""
        await self.proc.loop.sleep(1)
        return bool(self.sock.errors) and await self._take_error()

    def _advance(self) -> None:
        self.transmitted += 1
        if ((self.transmitted - self.acked) & 0xFFFF) > 0x7FFF:
            self.acked = (self.transmitted + 1) & 0xFFFF

    def _payload(self) -> bytes:
        """The time of sending, then the pattern (or bytes that count up)."""
        size = self.options.size
        pattern = self.options.pattern
        if pattern:
            body = (pattern * (size // len(pattern) + 1))[:size]
        else:
            body = COUNTING[8 : 8 + size] if size <= 256 else (COUNTING[8:264] * (size // 256 + 1))[:size]
        if self.timing:
            clock = self.proc.system.host.wall_clock()
            body = struct.pack("<QQ", clock // SECOND, clock % SECOND // MICROSECOND) + body[TIMEVAL:]
        return body

    # -- receiving --------------------------------------------------------------------------
    def _in_flight(self) -> int:
        difference = (self.transmitted - self.acked) & 0xFFFF
        return difference if difference <= 0x7FFF else self.transmitted - self.received - self.errors

    def acknowledge(self, sequence: int) -> None:
        difference = (self.transmitted - sequence) & 0xFFFF
        if difference <= 0x7FFF:
            self.pipe = max(self.pipe, difference + 1)
            if (
                0 < ((sequence - self.acked) & 0xFFFF) <= 0x7FFF
                or ((self.transmitted - self.acked) & 0xFFFF) > 0x7FFF
            ):
                self.acked = sequence

    async def gather(
        self, sender: IpAddress, scope: str, sequence: int, data: bytes, ttl: int, when: int
    ) -> None:
        """gather_statistics(): count a reply and say so."""
        options = self.options
        peer = await self.peer_text(sender, scope)
        self.acknowledge(sequence)
        trip = 0
        if self.timing and len(data) >= TIMEVAL:
            trip = self._trip(data, when)
        duplicate = sequence in self.seen
        if duplicate:
            self.repeats += 1
        else:
            self.received += 1
            self.seen.add(sequence)
        if options.quiet:
            return
        if options.flood:
            self._print("\b \b")
            return
        size = len(data) + 8
        ident = f" ident={self.ident}" if options.verbose else ""
        text = f"{self._stamp()}{size} bytes from {peer}: icmp_seq={sequence}{ident} ttl={ttl}"
        if len(data) < options.size:
            self._print(text + " (truncated)\n")
            return
        if self.timing:
            text += f" time={_trip_text(trip)} ms"
        if duplicate and not self.multicast:
            text += " (DUP!)"
        if sender != self.target and not self.multicast:
            text += " (DIFFERENT ADDRESS!)"
        self._print(text + self._changed(data) + ("\a" if options.audible else "") + "\n")

    def _trip(self, data: bytes, when: int) -> int:
        """The round trip in µs, and the sums that the statistics need."""
        seconds, micros = struct.unpack("<QQ", data[:TIMEVAL])
        host = self.proc.system.host
        arrived = host.wall_clock() - self.proc.loop.now + when
        trip = max(0, (arrived - (seconds * SECOND + micros * MICROSECOND)) // MICROSECOND)
        if trip > 10**15:
            return 0
        self.total += trip
        self.squares += trip * trip
        self.lowest = min(self.lowest, trip)
        self.highest = max(self.highest, trip)
        self.smoothed = self.smoothed + trip - self.smoothed // 8 if self.smoothed else trip * 8
        if self.options.adaptive:
            self.interval = (self.smoothed // 8 + 500) // 1000
        return trip

    def _changed(self, data: bytes) -> str:
        """The first byte of the reply that is not what was sent."""
        start = TIMEVAL if self.timing else 0
        if data[start:] == self.sent[start:]:
            return ""
        sent = self._payload()
        for at in range(start, min(len(data), len(sent))):
            if data[at] != sent[at]:
                return f"\nwrong data byte #{at} should be 0x{sent[at]:x} but was 0x{data[at]:x}"
        return ""

    # -- words --------------------------------------------------------------------------------
    async def peer_text(self, address: IpAddress, scope: str = "") -> str:
        """pr_addr(): ``name (address)`` where a name is known and wanted."""
        plain = address_text(address, scope)
        if self.options.numeric or self.exiting:
            return plain
        key = (address, scope)
        if key not in self.names:
            name = await getnameinfo(self.proc, address, scope)
            self.names[key] = f"{name} ({plain})" if name else plain
        return self.names[key]

    def _stamp(self) -> str:
        if not self.options.timestamps:
            return ""
        clock = self.proc.system.host.wall_clock()
        return f"[{clock // SECOND}.{clock % SECOND // MICROSECOND:06d}] "

    def _print(self, text: str) -> None:
        self.proc.stdout.write(text.encode("utf-8", "surrogateescape"))

    def _schedule_exit(self, pause: int) -> int:
        """schedule_exit(): all were sent; wait for the last answers, but not for ever."""
        if self.wait_time:
            return pause
        if self.received:
            self.wait_time = max(2 * self.highest, 1000 * self.interval)
        else:
            self.wait_time = max(int(self.options.linger * 1_000_000), 1)
        if pause < 0 or pause < self.wait_time // 1000:
            pause = self.wait_time // 1000
        self.timers.append(self.proc.loop.call_later(self.wait_time * MICROSECOND, self._stop))
        return pause

    # -- statistics ---------------------------------------------------------------------------
    def _status(self) -> None:
        """status(): a line for SIGQUIT."""
        self.snapshot = False
        loss = (self.transmitted - self.received) * 100 // self.transmitted if self.transmitted else 0
        text = f"\r{self.received}/{self.transmitted} packets, {loss}% loss"
        if self.received and self.timing:
            mean = self.total // (self.received + self.repeats)
            times = "/".join(_ms(time) for time in (self.lowest, mean, self.smoothed // 8, self.highest))
            text += f", min/avg/ewma/max = {times} ms"
        self.proc.error(text)

    def _finish(self) -> int:
        """finish(): the last lines, and the exit status."""
        spent = self.last_send - self.start
        text = f"\n--- {self.hostname} ping statistics ---\n{self.transmitted} packets transmitted, {self.received} received"
        if self.repeats:
            text += f", +{self.repeats} duplicates"
        if self.errors:
            text += f", +{self.errors} errors"
        if self.transmitted:
            loss = (self.transmitted - self.received) * 100.0 / self.transmitted
            text += f", {loss:.6g}% packet loss, time {(spent + MILLISECOND // 2) // MILLISECOND}ms"
        self._print(text + "\n" + self._times(spent) + "\n")
        options = self.options
        failed = not self.received or (options.deadline and self.received < options.count)
        return 1 if failed else 0

    def _times(self, spent: int) -> str:
        parts = []
        if self.received and self.timing:
            number = self.received + self.repeats
            mean = self.total // number
            deviation = isqrt(max(self.squares // number - mean * mean, 0))
            times = f"{_ms(self.lowest)}/{_ms(mean)}/{_ms(self.highest)}/{_ms(deviation)}"
            parts.append(f"rtt min/avg/max/mdev = {times} ms")
        if self.pipe > 1:
            parts.append(f"pipe {self.pipe}")
        if (
            self.received
            and (not self.interval or self.options.flood or self.options.adaptive)
            and self.transmitted > 1
        ):
            gap = spent // MICROSECOND // (self.transmitted - 1)
            parts.append(f"ipg/ewma {_ms(gap)}/{_ms(self.smoothed // 8)} ms")
        return ", ".join(parts)


def _ms(micros: int) -> str:
    return f"{micros // 1000}.{micros % 1000:03d}"


def _trip_text(micros: int) -> str:
    """A round trip with three digits, at most, behind the point."""
    if micros >= 100000 - 50:
        return f"{(micros + 500) // 1000}"
    if micros >= 10000 - 5:
        return f"{(micros + 50) // 1000}.{(micros + 50) % 1000 // 100}"
    if micros >= 1000:
        return f"{(micros + 5) // 1000}.{(micros + 5) % 1000 // 10:02d}"
    return f"{micros // 1000}.{micros % 1000:03d}"
