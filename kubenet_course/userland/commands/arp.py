"""arp: the ARP table as net-tools 2.10 shows and changes it."""

from __future__ import annotations

import re
from typing import NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.inet.route import ip_route_output
from kubenet_course.kernel.neighbour import FAILED, PERMANENT, STALE, Neighbour
from kubenet_course.userland import resolver
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address, MacAddress

LONG = {
    "verbose": "v", "version": "V", "all": "a", "delete": "d", "file": "f", "numeric": "n", "set": "s", "protocol=": "A",
    "hw-type=": "H", "device=": "i", "help": "h", "use-device": "D", "symbolic": "N",
}  # fmt: skip
USAGE = """Usage:
  arp [-vn]  [<HW>] [-i <if>] [-a] [<hostname>]             <-Display ARP cache
  arp [-v]          [-i <if>] -d  <host> [pub]               <-Delete ARP entry
  arp [-vnD] [<HW>] [-i <if>] -f  [<filename>]            <-Add entry from file
  arp [-v]   [<HW>] [-i <if>] -s  <host> <hwaddr> [temp]            <-Add entry
  arp [-v]   [<HW>] [-i <if>] -Ds <host> <if> [netmask <nm>] pub          <-''-

        -a                       display (all) hosts in alternative (BSD) style
        -e                       display (all) hosts in default (Linux) style
        -s, --set                set a new ARP entry
        -d, --delete             delete a specified entry
        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -i, --device             specify network interface (e.g. eth0)
        -D, --use-device         read <hwaddr> from given device
        -A, -p, --protocol       specify protocol family
        -f, --file               read new entries from file or from /etc/ethers

  <HW>=Use '-H <hw>' to specify hardware address type. Default: ether
  List of possible hardware types (which support ARP):"""
HARDWARE = """    ash (Ash) ether (Ethernet) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) arcnet (ARCnet) 
    dlci (Frame Relay DLCI) fddi (Fiber Distributed Data Interface) hippi (HIPPI) 
    irda (IrLAP) x25 (generic X.25) eui64 (Generic EUI-64) """
VERSION = """net-tools 2.10
+I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW: (ether) +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 """
#: exit(E_USAGE) and exit(-1) of net-tools.
E_USAGE, E_FAILED = 3, 255


class Failure(Exception):
    """One line for standard error; arp ends with 255."""


class NoEntry(Failure):
    """The host has no entry; net-tools says so on standard output."""

    def __init__(self, host: str):
        super().__init__(f"No ARP entry for {host}")


#: Names of ARPHRD_ numbers; what net-tools does not know it takes for the default.
HARDWARE_NAMES = {0x304: "loop", 0x300: "tunnel", 0x308: "sit"}


class Entry(NamedTuple):
    """A line of /proc/net/arp."""

    address: str
    flags: int
    mac: str
    device: str
    hardware: str = "ether"

    @property
    def mark(self) -> str:
        return "".join(letter for bit, letter in ((2, "C"), (4, "M"), (8, "P")) if self.flags & bit)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "A:H:adfp:nsei:t:vh?DNV", LONG)
    except OptionError as error:
        proc.error(f"arp: {error.message}")
        proc.error(f"{USAGE}\n{HARDWARE}")
        return E_USAGE
    chosen = dict(options)
    if "h" in chosen or "?" in chosen:
        proc.print(USAGE)
        proc.error(HARDWARE)
        return 0
    if "V" in chosen:
        proc.print(VERSION)
        return 0
    kind = chosen.get("H", chosen.get("t", "ether"))
    try:
        if kind != "ether":
            raise Failure(f"arp: {kind}: unknown hardware type.")
        if "s" in chosen:
            return await _set(proc, words, chosen.get("i", ""), "D" in chosen)
        if "d" in chosen:
            return await _delete(proc, words, chosen.get("i", ""))
        if "f" in chosen:
            return await _from_file(proc, words, chosen.get("i", ""))
        return await _show(proc, words, chosen)
    except NoEntry as missing:
        proc.print(str(missing))
        return E_FAILED
    except Failure as failure:
        proc.error(str(failure))
        return E_FAILED


# -- looking -----------------------------------------------------------------------------------
def _entries(proc: Process) -> list[Entry]:
    found = []
    for line in proc.files.read_text("/proc/net/arp", proc).splitlines()[1:]:
        address, kind, flags, mac, _, device = line.split()
        found.append(Entry(address, int(flags, 16), mac, device, HARDWARE_NAMES.get(int(kind, 16), "ether")))
    return found


async def _show(proc: Process, words: list[str], chosen: dict[str, str]) -> int:
    wanted = ""
    if words:
        wanted = str(await _resolve(proc, words[0]))
    entries = _entries(proc)
    shown = [
        entry
        for entry in entries
        if (not wanted or entry.address == wanted) and ("i" not in chosen or entry.device == chosen["i"])
    ]
    if shown and "a" not in chosen:
        proc.print(f"{'Address':<23}  {'HWtype':<8}{'HWaddress':<20}{'Flags':<6}{'Mask':<15} Iface")
    for entry in shown:
        name = None if "n" in chosen else await resolver.getnameinfo(proc, IPv4Address.parse(entry.address))
        proc.print(_bsd(entry, name) if "a" in chosen else _linux(entry, name))
    if "v" in chosen:
        proc.print(f"Entries: {len(entries)}\tSkipped: {len(entries) - len(shown)}\tFound: {len(shown)}")
    elif not shown and wanted:
        if "a" in chosen:
            proc.print(f"arp: in {len(entries)} entries no match found.")
        else:
            proc.print(f"{words[0]} ({wanted}) -- no entry")
    elif not shown and entries:
        proc.print(f"arp: in {len(entries)} entries no match found.")
    return 0


def _linux(entry: Entry, name: str | None) -> str:
    host = (name or entry.address)[:23]
    if not entry.flags & 2 and not entry.flags & 8:
        kind, mac, mark = "", "(incomplete)", ""
    elif entry.flags & 8:
        kind, mac, mark = "*", "<from_interface>", entry.mark
    else:
        kind, mac, mark = entry.hardware, entry.mac, entry.mark
    return f"{host:<23}  {kind:<8}{mac:<20}{mark:<6}{'':<15} {entry.device}"


def _bsd(entry: Entry, name: str | None) -> str:
    text = f"{name or '?'} ({entry.address}) at "
    if entry.flags & 8:
        text += "<from_interface> "
    elif not entry.flags & 2:
        text += "<incomplete> "
    else:
        text += f"{entry.mac} [{entry.hardware}] "
    text += "PERM " if entry.flags & 4 else ""
    text += "PUB " if entry.flags & 8 else ""
    return f"{text}on {entry.device}"


# -- changing ----------------------------------------------------------------------------------
async def _resolve(proc: Process, host: str) -> IPv4Address:
    """An IPv4 address or a name's first one (INET_resolve)."""
    try:
        return IPv4Address.parse(host)
    except ValueError:
        pass
    try:
        found = await resolver.getaddrinfo(proc, host, 4)
    except resolver.ResolverError as error:
        raise Failure(f"{host}: {resolver.host_error_text(error)}") from None
    return found[0].address  # type: ignore[return-value]


def _device(proc: Process, name: str, address: IPv4Address, call: str) -> NetDevice:
    """The device named, else the one that the address is routed to (arp_req_set)."""
    if name:
        try:
            return proc.net.device(name)
        except KernelError as error:
            raise Failure(f"{call}: {error.strerror}") from None
    try:
        rt = ip_route_output(proc.net, address)
    except KernelError as error:
        raise Failure(f"{call}: {error.strerror}") from None
    if rt.gateway is not None:
        raise Failure(f"{call}: {KernelError(errno.ENETUNREACH).strerror}")
    dev = rt.dev
    if dev is None or dev.is_loopback:
        raise Failure(f"{call}: {KernelError(errno.EINVAL).strerror}")
    return dev


async def _set(proc: Process, words: list[str], device: str, use_device: bool) -> int:
    if not words:
        raise Failure("arp: need host name")
    address = await _resolve(proc, words[0])
    if len(words) < 2:
        raise Failure("arp: need hardware address")
    flags = words[2:]
    if use_device:
        try:
            mac = proc.net.device(words[1]).mac
        except KernelError as error:
            raise Failure(f"arp: cant get HW-Address for `{words[1]}': {error.strerror}.") from None
        device = device or words[1]
    else:
        if not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", words[1]):
            raise Failure("arp: invalid hardware address")
        mac = MacAddress.parse(words[1])
    for flag in flags:
        if flag not in ("temp", "pub", "perm", "dontpub", "trail", "dev", "netmask"):
            proc.error(f"{USAGE}\n{HARDWARE}")
            return E_USAGE
    if "pub" in flags and not device and not any(one.mac == mac for one in proc.net.devices.values()):
        raise Failure(f"SIOCSARP: {KernelError(errno.ENODEV).strerror}")
    dev = _device(proc, device, address, "SIOCSARP")
    table = proc.net.arp
    if "pub" in flags:
        proxy = Neighbour(table, dev, address)
        proxy.proxy = True
        table.proxies[(int(address), dev)] = proxy
        return 0
    entry = table.get(address, dev)
    entry.update(mac, STALE if "temp" in flags else PERMANENT, admin=True)
    return 0


async def _delete(proc: Process, words: list[str], device: str) -> int:
    if not words:
        raise Failure("arp: need host name")
    address = await _resolve(proc, words[0])
    table = proc.net.arp
    if "pub" in words[1:]:
        # arp_req_delete_public(): an entry of a device is found with -i only.
        key = (int(address), proc.net.devices.get(device))
        if key not in table.proxies:
            raise NoEntry(words[0])
        del table.proxies[key]
        return 0
    try:
        dev = _device(proc, device, address, "SIOCDARP(dontpub)")
    except Failure:
        if device:
            raise
        raise NoEntry(words[0]) from None
    entry = table.lookup(address, dev)
    if entry is None:
        raise NoEntry(words[0])
    entry.update(None, FAILED, admin=True)
    table.delete(entry)
    return 0


async def _from_file(proc: Process, words: list[str], device: str) -> int:
    """Lines of `host hwaddr [temp|pub]`; /etc/ethers where no file is named."""
    path = words[0] if words else "/etc/ethers"
    try:
        text = proc.files.read_text(path, proc, proc.cwd)
    except KernelError:
        raise Failure(f"arp: cannot open etherfile {path} !") from None
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        if len(fields) < 2:
            raise Failure(f"arp: format error on line {number} of etherfile {path} !")
        try:
            await _set(proc, fields, device, False)
        except Failure as failure:
            proc.error(f"{failure}\narp: cannot set entry on line {number} of etherfile {path} !")
    return 0
