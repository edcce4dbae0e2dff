"""traceroute: the routers on the way to a host, as Debian's traceroute 2.1.2 finds and shows them.

`options.py` reads the command line, `methods.py` sends probes and understands the answers (UDP, ICMP
echo, TCP SYN), `trace.py` decides what to send and when to give up, and prints.
"""

from __future__ import annotations

from kubenet_course.userland.commands.traceroute.methods import METHODS, ProbeFailed
from kubenet_course.userland.commands.traceroute.options import Leave, parse
from kubenet_course.userland.commands.traceroute.trace import Trace
from kubenet_course.userland.process import Process

NAMES = ("traceroute", "traceroute6", "tcptraceroute")


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    try:
        options = await parse(proc, name, argv)
    except Leave as leave:
        proc.stderr.write(leave.text.encode("utf-8", "surrogateescape"))
        return leave.status
    method = METHODS[options.method](proc, options)
    options.packet_length = max(options.packet_length, method.header_length)
    try:
        method.begin()
        header = (
            f"traceroute to {options.host} ({options.address_text}), {options.max_hops} hops max, "
            f"{options.packet_length} byte packets"
        )
        proc.print(header, end="")
        await Trace(proc, options, method).run()
    except ProbeFailed as failure:
        proc.error(f"\n{failure}")
        return 1
    finally:
        method.close()
    return 0
