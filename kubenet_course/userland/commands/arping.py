"""arping: ask for a neighbour with ARP, below IP (iputils 20221126, arping.c)."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet.route import ip_route_output
from kubenet_course.kernel.skbuff import PACKET_HOST, PACKET_OUTGOING
from kubenet_course.kernel.socket.packet import Captured, PacketSocket
from kubenet_course.sim.loop import MICROSECOND, SECOND
from kubenet_course.userland.commands.ping.options import UsageError, number
from kubenet_course.userland.getopt import Getopt
from kubenet_course.userland.options import OptionError
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.wire.addresses import ANY4, BROADCAST_MAC, IPv4Address, MacAddress
from kubenet_course.wire.arp import ARP_REPLY, ARP_REQUEST, ArpHeader
from kubenet_course.wire.ethernet import ETH_P_ARP, EthernetHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

INT_MAX = 2**31 - 1
USAGE = """
Usage:
  arping [options] <destination>

Options:
  -f            quit on first reply
  -q            be quiet
  -b            keep on broadcasting, do not unicast
  -D            duplicate address detection mode
  -U            unsolicited ARP mode, update your neighbours
  -A            ARP answer mode, update your neighbours
  -V            print version and exit
  -c <count>    how many packets to send
  -w <timeout>  how long to wait for a reply
  -i <interval> set interval between packets (default: 1 second)
  -I <device>   which ethernet device to use
  -s <source>   source ip address
  <destination> dns name or ip address

For more details see arping(8).
"""
VERSION = """arping from iputils 20221126
libcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes
"""


class Fatal(Exception):
    """`message` on standard error, or on standard output where `plain`; the status is 2."""

    def __init__(self, message: str, plain: bool = False, status: int = 2):
        super().__init__(message)
        self.plain = plain
        self.status = status


@dataclass
class Options:
    """What the command line said; `timeout` and `interval` in s, 0 for none."""

    quit_first: bool = False
    quiet: bool = False
    broadcast: bool = False
    dad: bool = False
    unsolicited: bool = False
    answer: bool = False
    count: int = 0
    timeout: int = 0
    interval: int = 1
    device: str = ""
    source: str = ""
    host: str = ""


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options = _parse(proc, argv)
        if options is None:
            return 0
        return await _Arping(proc, options).run()
    except UsageError as error:
        proc.error(error.text, end="")
        return error.status
    except Fatal as error:
        if error.plain:
            proc.print(error)
        else:
            proc.error(f"arping: {error}")
        return error.status


def _parse(proc: Process, argv: list[str]) -> Options | None:
    options = Options()
    flags = {"f": "quit_first", "q": "quiet", "b": "broadcast", "D": "dad", "U": "unsolicited", "A": "answer"}
    words = Getopt(argv, "h?bfDUAqc:w:i:s:I:V")
    try:
        for letter, value in words:
            if letter in flags:
                setattr(options, flags[letter], True)
            elif letter == "c":
                options.count = number("arping", value, 1, INT_MAX)
            elif letter == "w":
                options.timeout = number("arping", value, 0, INT_MAX)
            elif letter == "i":
                options.interval = number("arping", value, 0, INT_MAX)
            elif letter == "s":
                options.source = value
            elif letter == "I":
                options.device = value
            elif letter == "V":
                proc.print(VERSION, end="")
                return None
            else:
                raise UsageError(USAGE, 2)
    except OptionError as error:
        raise UsageError(f"arping: {error.message}\n{USAGE}", 2) from None
    if len(words.operands) != 1:
        raise UsageError(USAGE, 2)
    options.host = words.operands[0]
    return options


class _Arping:
    def __init__(self, proc: Process, options: Options):
        self.proc = proc
        self.options = options
        self.sent = self.broadcasts = self.received = self.received_broadcasts = self.requests = 0
        self.last = 0
        self.to: MacAddress = BROADCAST_MAC
        self.stopped = False
        self.source = ANY4
        self.target = ANY4
        self.dev: NetDevice
        self.sock: Any = None

    async def run(self) -> int:
        options, proc = self.options, self.proc
        try:
            self.target = (await getaddrinfo(proc, options.host, 4))[0].address  # type: ignore[assignment]
        except ResolverError as error:
            raise Fatal(f"{options.host}: {error}") from None
        self.dev = self._device()
        self.source = self._source()
        self.sock = proc.owns(PacketSocket(proc.net, ETH_P_ARP))
        self.sock.bind(self.dev.name)
        if not options.quiet:
            proc.print(f"ARPING {self.target} from {self.source} {self.dev.name}")
        proc.handlers[signal.SIGINT] = self._stop
        await self._loop()
        if not options.quiet:
            extra = [
                f"{n} {word}(s)"
                for n, word in ((self.requests, "request"), (self.received_broadcasts, "broadcast"))
                if n
            ]
            proc.print(f"Sent {self.sent} probes ({self.broadcasts} broadcast(s))")
            proc.print(f"Received {self.received} response(s)" + (f" ({', '.join(extra)})" if extra else ""))
        if options.dad:
            return int(self.received > 0)
        if options.unsolicited or options.answer:
            return 0
        if options.timeout and options.count:
            return int(self.received < options.count)
        return int(self.received == 0)

    def _stop(self) -> None:
        self.stopped = True
        self.sock.ready.notify()

    # -- what to ask with -----------------------------------------------------------------------
    def _device(self) -> NetDevice:
        net, name = self.proc.net, self.options.device
        if name:
            if name not in net.devices:
                raise Fatal(f"Device {name} not available.")
            dev = net.devices[name]
            if not dev.up:
                raise Fatal(f'Interface "{name}" is down', plain=True)
            if dev.noarp or dev.is_loopback:
                raise Fatal(f'Interface "{name}" is not ARPable', plain=True)
            return dev
        fit = [dev for dev in net.devices.values() if dev.up and not dev.noarp and not dev.is_loopback]
        fit = [dev for dev in fit if net.ipv4.addresses.get(dev)] or fit
        if len(fit) != 1:
            raise UsageError(
                f"arping: Suitable device could not be determined. Please, use option -I.\n{USAGE}", 2
            )
        return fit[0]

    def _source(self) -> IPv4Address:
        options, net = self.options, self.proc.net
        if options.source:
            try:
                source = IPv4Address.parse(options.source)
            except ValueError:
                raise Fatal(f"invalid source {options.source}") from None
            if not options.dad and not net.ipv4.is_local(source):
                raise Fatal(f"bind: {errno.strerror(errno.EADDRNOTAVAIL)}")
            return source
        if options.dad:
            return ANY4
        if options.unsolicited or options.answer:
            return self.target
        try:
            return ip_route_output(net, self.target, oif=self.dev).source or ANY4
        except KernelError as failure:
            raise Fatal(f"connect: {failure.strerror}") from None

    # -- asking -----------------------------------------------------------------------------------
    async def _loop(self) -> None:
        """Send every `interval` seconds; listen in between; leave on the tick after the last."""
        options, loop = self.options, self.proc.loop
        deadline = loop.now + options.timeout * SECOND if options.timeout else None
        while not self.stopped:
            if options.count and self.sent >= options.count:
                return
            self._send()
            tick = loop.now + max(options.interval * SECOND, MICROSECOND * 100)
            if deadline is not None and loop.now >= deadline:
                return
            until = min(tick, deadline) if deadline is not None and deadline < tick else tick
            if await self._listen(until):
                return
            if deadline is not None and loop.now >= deadline and until != tick:
                return

    def _send(self) -> None:
        operation = ARP_REPLY if self.options.answer else ARP_REQUEST
        target_mac = self.dev.mac if self.options.answer else self.to
        header = ArpHeader(operation, self.dev.mac, self.source, target_mac, self.target)
        self.last = self.proc.loop.now
        try:
            self.sock.send(EthernetHeader(self.to, self.dev.mac, ETH_P_ARP), header)
        except KernelError as failure:
            raise Fatal(f"sendto: {failure.strerror}") from None
        self.sent += 1
        self.broadcasts += self.to == BROADCAST_MAC

    async def _listen(self, until: int) -> bool:
        """True where a reply ends it all."""
        while not self.stopped:
            left = until - self.proc.loop.now
            if left <= 0:
                return False
            try:
                frame = await self.sock.next_frame(left)
            except KernelError:
                return False
            if self._ours(frame):
                self._reply(frame)
                if self.options.quit_first or self.options.dad:
                    return True
        return True

    def _ours(self, frame: Captured) -> bool:
        """recv_pack(): a reply (or request) from the target, to us."""
        arp = frame.network
        if (
            frame.pkt_type == PACKET_OUTGOING
            or not isinstance(arp, ArpHeader)
            or arp.sender_ip != self.target
        ):
            return False
        if self.options.dad:
            return arp.sender_mac != self.dev.mac
        return arp.target_ip == self.source

    def _reply(self, frame: Captured) -> None:
        arp, options = frame.network, self.options
        unicast = frame.pkt_type == PACKET_HOST
        self.received += 1
        self.received_broadcasts += not unicast
        self.requests += arp.operation == ARP_REQUEST
        if not options.quiet:
            word = "reply" if arp.operation == ARP_REPLY else "request"
            micros = (frame.time - self.last) // MICROSECOND
            self.proc.print(
                f"{'Unicast' if unicast else 'Broadcast'} {word} from {arp.sender_ip} [{str(arp.sender_mac).upper()}]"
                f"  {micros // 1000}.{micros % 1000:03d}ms"
            )
        if not options.broadcast and not options.dad and not options.unsolicited and not options.answer:
            self.to = arp.sender_mac
