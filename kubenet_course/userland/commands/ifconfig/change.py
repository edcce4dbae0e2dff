"""ifconfig changes an interface, word for word (net-tools: ifconfig.c; the ioctls: net/ipv4/devinet.c: devinet_ioctl())."""

from __future__ import annotations

import re

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.inet.devinet import InetAddress, address_add, address_remove
from kubenet_course.kernel.rtnetlink import change_flags
from kubenet_course.userland.commands.ifconfig.arguments import (
    FLAGS,
    HARDWARE,
    HINT,
    Failed,
    argument,
    resolve,
    usage,
)
from kubenet_course.userland.commands.ifconfig.nowhere import without_device
from kubenet_course.userland.interfaces import labelled
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress, prefix_mask


async def configure(proc: Process, name: str, words: list[str]) -> list[str]:
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
        await without_device(proc, name, words)
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


def _ioctl(word: str) -> str:
    if word.lstrip("-") in FLAGS:
        return "SIOCSIFFLAGS"
    return {
        "mtu": "SIOCSIFMTU", "netmask": "SIOCSIFNETMASK", "broadcast": "SIOCSIFBRDADDR", "hw": "SIOCSIFHWADDR",
        "del": "SIOCDIFADDR", "txqueuelen": "SIOCSIFTXQLEN", "name": "SIOCSIFNAME",
    }.get(word, "SIOCSIFADDR")  # fmt: skip


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
        dev.set_mtu(_number(argument(words)))
    elif word == "txqueuelen":
        dev.qlen = _number(argument(words))
    elif word == "name":
        proc.net.rename_device(dev, argument(words))
    elif word == "hw":
        _hardware(dev, argument(words), argument(words))
    elif word == "netmask":
        _netmask(proc, dev, name, await resolve(proc, argument(words)))
    elif word in ("broadcast", "-broadcast"):
        if word == "broadcast" and words:
            _broadcast(proc, dev, name, await resolve(proc, words.pop(0)))
    elif word in ("pointopoint", "-pointopoint", "dstaddr"):
        if words and word != "-pointopoint" and re.match(r"\d", words[0]):
            _peer(proc, dev, name, await resolve(proc, words.pop(0)))
    elif word in ("add", "del"):
        await _second(proc, dev, word, argument(words))
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
        raise usage()
    if kind != "ether":
        raise Failed(f"hw address type `{kind}' has no handler to set address. failed.")
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text):
        raise Failed(f"{text}: invalid ether address.")
    dev.set_mac(MacAddress.parse(text))


async def _address(proc: Process, dev: NetDevice, name: str, text: str) -> None:
    """SIOCSIFADDR (devinet_ioctl), and the interface comes up."""
    plain, slash, length = text.partition("/")
    value = await resolve(proc, plain, f"\n{HINT}")
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
        _alias(proc, dev, word, await resolve(proc, text))
        return
    if slash and length.isdigit() and int(length) > 128:
        raise usage()
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
