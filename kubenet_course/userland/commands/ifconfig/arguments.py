"""What ifconfig says of itself, and how it reads its words (net-tools: ifconfig.c)."""

from __future__ import annotations

import re

from kubenet_course.userland import resolver
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address

HINT = "ifconfig: `--help' gives usage information."
USAGE = """Usage:
  ifconfig [-a] [-v] [-s] <interface> [[<AF>] <address>]
  [add <address>[/<prefixlen>]]
  [del <address>[/<prefixlen>]]
  [[-]broadcast [<address>]]  [[-]pointopoint [<address>]]
  [netmask <address>]  [dstaddr <address>]  [tunnel <address>]
  [outfill <NN>] [keepalive <NN>]
  [hw <HW> <address>]  [mtu <NN>]
  [[-]trailers]  [[-]arp]  [[-]allmulti]
  [multicast]  [[-]promisc]
  [mem_start <NN>]  [io_addr <NN>]  [irq <NN>]  [media <type>]
  [txqueuelen <NN>]
  [name <newname>]
  [[-]dynamic]
  [up|down] ...

  <HW>=Hardware Type.
  List of possible hardware types:
{hardware}  <AF>=Address family. Default: inet
  List of possible address families:
{families}"""
HARDWARE = """    loop (Local Loopback) slip (Serial Line IP) cslip (VJ Serial Line IP) 
    slip6 (6-bit Serial Line IP) cslip6 (VJ 6-bit Serial Line IP) adaptive (Adaptive Serial Line IP) 
    ash (Ash) ether (Ethernet) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) tunnel (IPIP Tunnel) 
    ppp (Point-to-Point Protocol) hdlc ((Cisco)-HDLC) lapb (LAPB) 
    arcnet (ARCnet) dlci (Frame Relay DLCI) frad (Frame Relay Access Device) 
    sit (IPv6-in-IPv4) fddi (Fiber Distributed Data Interface) hippi (HIPPI) 
    irda (IrLAP) ec (Econet) x25 (generic X.25) 
    eui64 (Generic EUI-64) 
"""
FAMILIES = """    unix (UNIX Domain) inet (DARPA Internet) inet6 (IPv6) 
    ax25 (AMPR AX.25) netrom (AMPR NET/ROM) rose (AMPR ROSE) 
    ipx (Novell IPX) ddp (Appletalk DDP) ec (Econet) 
    ash (Ash) x25 (CCITT X.25) 
"""
FLAGS = ("up", "down", "arp", "promisc", "allmulti", "multicast", "trailers", "dynamic")


class Failed(Exception):
    """Ends with `status` after its lines."""

    def __init__(self, text: str, status: int = 1):
        super().__init__(text)
        self.status = status


def argument(words: list[str]) -> str:
    if not words:
        raise usage()
    return words.pop(0)


def usage() -> Failed:
    return Failed(USAGE.format(hardware=HARDWARE, families=FAMILIES).rstrip("\n"), 3)


async def resolve(proc: Process, text: str, hint: str = "") -> IPv4Address:
    try:
        return IPv4Address.parse(text)
    except ValueError:
        pass
    if re.fullmatch(r"[\d./]+", text):
        raise Failed(f"{text}: Unknown host{hint}")
    try:
        found = await resolver.getaddrinfo(proc, text, 4)
    except resolver.ResolverError as error:
        raise Failed(f"{text}: {resolver.host_error_text(error)}{hint}") from None
    return found[0].address  # type: ignore[return-value]
