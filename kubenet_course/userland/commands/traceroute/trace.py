"""The order of probes, the waiting and the printing (traceroute.c: do_it(), print_probe()).

Up to `simultaneous` probes are under way at once; a hop is printed as soon as its turn comes. A probe
is given up `here` times later than another one of its hop was answered, `near` times later than one of
a later hop, at the latest after `wait` seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MILLISECOND, SECOND, TimeoutExpired
from kubenet_course.userland.commands.traceroute.methods import Method, Probe
from kubenet_course.userland.commands.traceroute.options import TraceOptions
from kubenet_course.userland.resolver import address_text, getnameinfo
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


class Trace:
    """One run: probes by hop, sent `options.probes` to each and several at a time."""

    def __init__(self, proc: Process, options: TraceOptions, method: Method):
        self.proc = proc
        self.options = options
        self.method = method
        self.probes = [
            Probe(number // options.probes + 1) for number in range(options.max_hops * options.probes)
        ]
        self.names: dict[IpAddress, str] = {}
        self.last_send = -(10**18)

    async def run(self) -> None:
        options = self.options
        start, end = (options.first_hop - 1) * options.probes, len(self.probes)
        while start < end:
            pause: int | None = None
            under_way = 0
            number = start
            while number < end:
                probe = self.probes[number]
                if number == start and not probe.done and probe.sent >= 0:
                    expires = probe.sent + self._timeout(number)
                    if expires > self.proc.loop.now:
                        pause = expires
                    else:
                        self._receive()
                        if not probe.done:
                            self.method.expire(probe)
                if probe.done:
                    if number == start:
                        await self._print(number)
                        start += 1
                    if probe.final:
                        end = (number // options.probes + 1) * options.probes
                    number += 1
                    continue
                if probe.sent < 0:
                    ready = self.last_send + int(options.send_wait * SECOND)
                    if options.send_wait and self.proc.loop.now < ready:
                        pause = ready if pause is None else min(pause, ready)
                        break
                    await self._send(probe)
                under_way += 1
                if under_way >= options.simultaneous:
                    break
                number += 1
            if pause is not None:
                await self._poll(pause)
        self.proc.print()

    async def _send(self, probe: Probe) -> None:
        self.method.send(probe)
        self.last_send = probe.sent
        # The kernel handles a packet before send(2) returns, over links without delay to the very end.
        await self.proc.loop.sleep(0)

    async def _poll(self, until: int) -> None:
        """Take what came; where nothing did, wait for it until `until`."""
        if self._receive():
            return
        left = until - self.proc.loop.now
        if left > 0:
            try:
                await self.proc.loop.wait_for(self.method.ready.wait(), left)
            except TimeoutExpired:
                return
        self._receive()

    def _receive(self) -> bool:
        waiting = [probe for probe in self.probes if probe.sent >= 0 and not probe.done]
        self.method.receive(waiting)
        return any(probe.done for probe in waiting)

    def _timeout(self, number: int) -> int:
        """get_timeout(), in ns."""
        options = self.options
        longest = int(options.wait * SECOND)
        first = number - number % options.probes
        if options.here:
            for probe in self.probes[first : first + options.probes]:
                if probe.done and probe.received > probe.sent:
                    return min(int((probe.received - probe.sent + MILLISECOND) * options.here), longest)
        if options.near:
            for probe in self.probes[number + 1 :]:
                if probe.sent < 0:
                    break
                if probe.done and probe.received > probe.sent:
                    return min(int((probe.received - probe.sent + MILLISECOND) * options.near), longest)
        return longest

    # -- printing -----------------------------------------------------------------------------
    async def _print(self, number: int) -> None:
        """print_probe()."""
        options, probe = self.options, self.probes[number]
        place = number % options.probes
        text = f"\n{probe.ttl:2d} " if place == 0 else ""
        if probe.address is None:
            text += " *"
        else:
            before = next(
                (p.address for p in reversed(self.probes[number - place : number]) if p.address is not None),
                None,
            )
            if before != probe.address:
                text += " " + await self._host(probe.address) + self._back(probe)
        if probe.received >= 0:
            text += f"  {(probe.received - probe.sent) / MILLISECOND:.3f} ms"
        if probe.error:
            text += f" {probe.error}"
        self.proc.print(text, end="")

    def _back(self, probe: Probe) -> str:
        """``'-3'``: as many hops back, where that differs (--back)."""
        if not self.options.backward or not probe.reply_ttl:
            return ""
        first = next(limit for limit in (64, 128, 255) if probe.reply_ttl <= limit)
        hops = first - probe.reply_ttl + 1
        return f" '-{hops}'" if hops != probe.ttl else ""

    async def _host(self, address: IpAddress) -> str:
        plain = address_text(address, self.options.scope if address.family == 6 else "")
        if self.options.numeric:
            return plain
        if address not in self.names:
            self.names[address] = f"{await getnameinfo(self.proc, address) or plain} ({plain})"
        return self.names[address]
