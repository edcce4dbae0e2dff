"""ifconfig: interfaces as net-tools 2.10 shows and changes them (superseded by `ip link` and `ip addr`).

Addresses are set as the old ioctls do: one address for each label, its prefix length from the class of
the address unless a netmask follows.
"""

from __future__ import annotations

import re
from typing import NoReturn

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.inet.devinet import InetAddress, address_add, address_remove
from kubenet_course.kernel.netns import IFNAMSIZ
from kubenet_course.kernel.rtnetlink import change_flags
from kubenet_course.userland import resolver
from kubenet_course.userland.interfaces import TABLE_HEAD, find, labelled, long_form, named, table_row
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress, prefix_mask

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


class Failed(Exception):
    """Ends with `status` after its lines."""

    def __init__(self, text: str, status: int = 1):
        super().__init__(text)
        self.status = status


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    letters = ""
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("--help", "-h", "-?"):
            # The lists go to the other stream: so does net-tools 2.10.
            proc.print(USAGE.format(hardware="", families=""), end="")
            proc.error(HARDWARE + FAMILIES, end="")
            return 0
        if word in ("-V", "--version"):
            proc.print("net-tools 2.10")
            return 0
        if word not in ("-a", "-s", "-v"):
            proc.error(f"ifconfig: option `{word}' not recognised.\n{HINT}")
            return 1
        letters += word[1]
    words[:1] = [word[: IFNAMSIZ - 1] for word in words[:1]]
    if len(words) < 2:
        return _show(proc, words, letters)
    try:
        for text in await _configure(proc, words[0], words[1:]):
            proc.error(text)
    except Failed as failed:
        proc.error(str(failed))
        return failed.status
    return 0


def _show(proc: Process, words: list[str], letters: str) -> int:
    if words:
        row = find(proc.net, words[0])
        if row is None:
            proc.error(f"{words[0]}: error fetching interface information: Device not found")
            return 1
        rows = [row]
    else:
        rows = list(named(proc.net, every="a" in letters))
    if "s" in letters:
        proc.print(TABLE_HEAD.replace("{gap}", "      "))
        for row in rows:
            proc.print(table_row(row))
        return 0
    for row in rows:
        proc.print(long_form(proc.net, row))
    return 0


# -- changing ----------------------------------------------------------------------------------
async def _configure(proc: Process, name: str, words: list[str]) -> list[str]:
    """Carry out the words in their order; what went wrong on the way without ending it."""
    dev = proc.net.devices.get(name) or (
        proc.net.devices.get(name.partition(":")[0]) if ":" in name else None
    )
    words = list(words)
    if words and words[0] in ("inet", "inet6"):
        family = words.pop(0)
        if family == "inet6" and words and words[0] not in ("add", "del"):
            words.insert(0, "add")
    if dev is None:
        await _without_device(proc, name, words)
    said: list[str] = []
    while words:
        word = words.pop(0)
        try:
            await _word(proc, dev, name, word, words)
        except KernelError as error:
            said.append(f"{_ioctl(word)}: {error.strerror}")
            if word in ("mtu", "netmask", "hw", "broadcast", "add", "del"):
                raise Failed("\n".join(said)) from None
            if word.lstrip("-") in FLAGS:
                raise Failed("\n".join(said), 255) from None
    return said


async def _without_device(proc: Process, name: str, words: list[str]) -> NoReturn:
    """Each word tries its system calls and says what they answer; the later ones decide about the status."""
    said: list[str] = []
    status = 0
    length_given = False

    def call(name_of_call: str) -> None:
        nonlocal status
        said.append(f"{name_of_call}: No such device")
        status = 1

    def flags(verb: str = "getting") -> None:
        nonlocal status
        said.append(f"{name}: ERROR while {verb} interface flags: No such device")
        status = 255

    try:
        while words:
            word = words.pop(0)
            if word.lstrip("-") in FLAGS:
                flags()
                if word == "-promisc":
                    flags("testing")
            elif word in MISSING_CALLS:
                if word != "hw":
                    _argument(words)
                else:
                    _argument(words), _argument(words)
                call(MISSING_CALLS[word])
            elif word == "netmask":
                before = status
                await _resolve(proc, _argument(words))
                call("SIOCSIFNETMASK")
                status = before or 1
            elif word in SECOND_ADDRESS:
                if words and not word.startswith("-") and re.match(r"\d", words[0]):
                    await _resolve(proc, words.pop(0))
                    call(SECOND_ADDRESS[word])
                flags()
            elif word in ("add", "del"):
                _argument(words)
                call("SIOGIFINDEX" if word == "add" or not said else "SIOCDIFADDR")
                break
            else:
                plain, slash, _ = word.partition("/")
                await _resolve(proc, plain, f"\n{HINT}")
                length_given = length_given or bool(slash)
                call("SIOCSIFADDR")
                flags()
        if length_given:
            before = status
            call("SIOCSIFNETMASK")
            status = before
    except Failed as failed:
        raise Failed("\n".join([*said, str(failed)]), failed.status) from None
    raise Failed("\n".join(said), status)


MISSING_CALLS = {"mtu": "SIOCSIFMTU", "hw": "SIOCSIFHWADDR", "txqueuelen": "SIOCSIFTXQLEN", "name": "SIOCSIFNAME"}
SECOND_ADDRESS = {
    "broadcast": "SIOCSIFBRDADDR", "-broadcast": "", "pointopoint": "SIOCSIFDSTADDR", "-pointopoint": "", "dstaddr": "SIOCSIFDSTADDR",
}  # fmt: skip


def _ioctl(word: str) -> str:
    if word.lstrip("-") in FLAGS:
        return "SIOCSIFFLAGS"
    return {
        "mtu": "SIOCSIFMTU", "netmask": "SIOCSIFNETMASK", "broadcast": "SIOCSIFBRDADDR", "hw": "SIOCSIFHWADDR",
        "del": "SIOCDIFADDR", "txqueuelen": "SIOCSIFTXQLEN", "name": "SIOCSIFNAME",
    }.get(word, "SIOCSIFADDR")  # fmt: skip


def _argument(words: list[str]) -> str:
    if not words:
        raise _usage()
    return words.pop(0)


def _usage() -> Failed:
    return Failed(USAGE.format(hardware=HARDWARE, families=FAMILIES).rstrip("\n"), 3)


FLAGS = ("up", "down", "arp", "promisc", "allmulti", "multicast", "trailers", "dynamic")


async def _word(proc: Process, dev: NetDevice, name: str, word: str, words: list[str]) -> None:
    if ":" in name and word.lstrip("-") in FLAGS and labelled(proc.net, dev, name) is None:
        raise KernelError(errno.EADDRNOTAVAIL)  # devinet_ioctl(): flags of a label that has no address
    if word in ("up", "down"):
        _up_down(proc, dev, name, word == "up")
    elif word in ("arp", "-arp"):
        change_flags(dev, {"NOARP": word == "-arp"})
    elif word in ("promisc", "-promisc"):
        on = word == "promisc"
        if getattr(dev, "promisc_user", False) != on:
            dev.promiscuity += 1 if on else -1
            dev.promisc_user = on  # type: ignore[attr-defined]
    elif word in ("allmulti", "-allmulti"):
        on = word == "allmulti"
        if on != dev.allmulti_user:
            dev.allmulti += 1 if on else -1
            dev.allmulti_user = on
    elif word in ("multicast", "-multicast"):
        dev.multicast = word == "multicast"
    elif word in ("trailers", "-trailers", "dynamic", "-dynamic"):
        return
    elif word == "mtu":
        dev.set_mtu(_number(_argument(words)))
    elif word == "txqueuelen":
        dev.qlen = _number(_argument(words))
    elif word == "name":
        proc.net.rename_device(dev, _argument(words))
    elif word == "hw":
        _hardware(dev, _argument(words), _argument(words))
    elif word == "netmask":
        _netmask(proc, dev, name, await _resolve(proc, _argument(words)))
    elif word in ("broadcast", "-broadcast"):
        if word == "broadcast" and words:
            _broadcast(proc, dev, name, await _resolve(proc, words.pop(0)))
    elif word in ("pointopoint", "-pointopoint", "dstaddr"):
        if words and word != "-pointopoint" and re.match(r"\d", words[0]):
            _peer(proc, dev, name, await _resolve(proc, words.pop(0)))
    elif word in ("add", "del"):
        await _second(proc, dev, word, _argument(words))
    elif word in ("mem_start", "io_addr", "irq", "media", "tunnel", "outfill", "keepalive"):
        raise Failed(f"kubenet: ifconfig: {word} is not emulated")
    else:
        await _address(proc, dev, name, word)


def _number(text: str) -> int:
    """atoi(): what does not begin with digits is 0."""
    match = re.match(r"\s*(\d+)", text)
    return int(match[1]) if match else 0


def _up_down(proc: Process, dev: NetDevice, name: str, up: bool) -> None:
    """SIOCSIFFLAGS; a label that is set down is deleted."""
    if ":" in name:
        address = labelled(proc.net, dev, name)
        if not up and address is not None:
            address_remove(proc.net, dev, address)
        return
    if up:
        dev.set_up()
    else:
        dev.set_down()


def _hardware(dev: NetDevice, kind: str, text: str) -> None:
    if kind not in HARDWARE.replace("(", " ").split():
        raise _usage()
    if kind != "ether":
        raise Failed(f"hw address type `{kind}' has no handler to set address. failed.")
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text):
        raise Failed(f"{text}: invalid ether address.")
    dev.set_mac(MacAddress.parse(text))


async def _resolve(proc: Process, text: str, hint: str = "") -> IPv4Address:
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


async def _address(proc: Process, dev: NetDevice, name: str, text: str) -> None:
    """SIOCSIFADDR (devinet_ioctl), and the interface comes up."""
    plain, slash, length = text.partition("/")
    value = await _resolve(proc, plain, f"\n{HINT}")
    net = proc.net
    old = labelled(net, dev, name)
    if old is not None and old.local != value:
        address_remove(net, dev, old)
        old = None
    if value == 0:
        return
    if old is None:
        prefixlen = _class_length(int(value))
        broadcast = (
            IPv4Address(value | ((1 << (32 - prefixlen)) - 1))
            if prefixlen < 31 and not dev.is_loopback
            else None
        )
        address_add(net, dev, InetAddress(value, prefixlen, name, value, broadcast))
    if slash and (not length or (length.isdigit() and int(length) <= 32)):
        _netmask(proc, dev, name, IPv4Address(prefix_mask(32, int(length or 0))))
    dev.set_up()


def _class_length(address: int) -> int:
    """inet_abc_len()."""
    for bits, value, length in (
        (0x80000000, 0, 8),
        (0xC0000000, 0x80000000, 16),
        (0xE0000000, 0xC0000000, 24),
    ):
        if address & bits == value:
            return length
    raise KernelError(errno.EINVAL)


def _current(proc: Process, dev: NetDevice, name: str) -> InetAddress:
    address = labelled(proc.net, dev, name)
    if address is None:
        raise KernelError(errno.EADDRNOTAVAIL)
    return address


def _netmask(proc: Process, dev: NetDevice, name: str, mask: IPv4Address) -> None:
    """SIOCSIFNETMASK: the broadcast address follows if it was the old mask's."""
    length = int(mask).bit_count()
    if prefix_mask(32, length) != mask:
        raise KernelError(errno.EINVAL)
    address = _current(proc, dev, name)
    if address.prefixlen == length:
        return
    follows = address.broadcast is not None and address.broadcast == address.local | (
        (1 << (32 - address.prefixlen)) - 1
    )
    address_remove(proc.net, dev, address)
    broadcast = (
        IPv4Address(address.local | ((1 << (32 - length)) - 1))
        if follows and length < 31
        else address.broadcast
    )
    address_add(
        proc.net, dev, InetAddress(address.local, length, name, address.local, broadcast, address.scope)
    )


def _broadcast(proc: Process, dev: NetDevice, name: str, value: IPv4Address) -> None:
    """SIOCSIFBRDADDR."""
    address = _current(proc, dev, name)
    address_remove(proc.net, dev, address)
    address_add(
        proc.net, dev, InetAddress(address.local, address.prefixlen, name, address.peer, value, address.scope)
    )


def _peer(proc: Process, dev: NetDevice, name: str, value: IPv4Address) -> None:
    """SIOCSIFDSTADDR."""
    address = _current(proc, dev, name)
    if not dev.pointopoint:
        return
    address_remove(proc.net, dev, address)
    address_add(
        proc.net,
        dev,
        InetAddress(address.local, address.prefixlen, name, value, address.broadcast, address.scope),
    )


async def _second(proc: Process, dev: NetDevice, word: str, text: str) -> None:
    """`add` and `del`: an IPv6 address with its prefix length, or an IPv4 address under the next label."""
    plain, slash, length = text.partition("/")
    try:
        value = IPv6Address.parse(plain)
    except ValueError:
        _alias(proc, dev, word, await _resolve(proc, text))
        return
    if slash and length.isdigit() and int(length) > 128:
        raise _usage()
    prefixlen = int(length) if slash and length.isdigit() else 128 if not slash else 0
    from kubenet_course.kernel.inet6 import addrconf

    if word == "add":
        if value.is_multicast:
            raise KernelError(errno.EADDRNOTAVAIL)  # ipv6_add_addr(); the ioctl knows no IFA_F_MCAUTOJOIN
        addrconf.address_add(proc.net, dev, addrconf.Inet6Address(value, prefixlen))
        return
    for own in proc.net.ipv6.addresses.get(dev, ()):
        if own.local == value and own.prefixlen == prefixlen:
            addrconf.address_remove(proc.net, dev, own)
            return
    raise KernelError(errno.EADDRNOTAVAIL)


def _alias(proc: Process, dev: NetDevice, word: str, value: IPv4Address) -> None:
    """An IPv4 address as DEV:N, with the mask and broadcast address that the device has. `del` of an
    address that is nowhere adds it: so does net-tools 2.10."""
    for number in range(256):
        name = f"{dev.name}:{number}"
        address = labelled(proc.net, dev, name)
        if word == "del" and address is not None and address.local == value:
            return address_remove(proc.net, dev, address)
        if address is None:
            break
    base = labelled(proc.net, dev, dev.name)
    length = base.prefixlen if base is not None else _class_length(int(value))
    return address_add(
        proc.net, dev, InetAddress(value, length, name, value, base.broadcast if base is not None else None)
    )
