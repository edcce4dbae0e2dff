"""``ip maddr``: the multicast addresses that devices take (ip/ipmaddr.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.multicast import groups, link_groups
from kubenet_course.userland.commands.ip.link_parse import ll_addr
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, duparg, duparg2, matches
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _list(words, session)
    word = words.take()
    if matches(word, "add"):
        return _modify(words, session, add=True)
    if matches(word, "delete"):
        return _modify(words, session, add=False)
    if matches(word, "list") or matches(word, "show") or matches(word, "lst"):
        return _list(words, session)
    if matches(word, "help"):
        session.usage("maddress")
    raise Quit(255, f'Command "{word}" is unknown, try "ip maddr help".\n')


def _list(words: Words, session: Session) -> int:
    name: str | None = None
    while words.more:
        word = words.take()
        if word == "dev":
            word = words.value()
        elif matches(word, "help"):
            session.usage("maddress")
        if name is not None:
            duparg2("dev", word)
        name = word
    family = session.options.family
    with session.output() as out:
        for dev in session.net.devices.values():
            if name is None or dev.name == name:
                _one(dev, family, out)
    return 0


def _one(dev: NetDevice, family: object, out: Printer) -> None:
    """print_mlist(): nothing where the device has no addresses of the family."""
    link = link_groups(dev) if family in (0, "link") else []
    inet = groups(dev, 4) if family in (0, 4) else []
    inet6 = groups(dev, 6) if family in (0, 6) else []
    if not (link or inet or inet6):
        return
    out.open_object()
    out.any("ifindex", "%d:", dev.ifindex)
    out.any("ifname", "\t%s", dev.name)
    first = True
    out.open_array("maddr")

    def start() -> None:
        nonlocal first
        if out.oneline and not first:
            out.fp(f"\n{dev.ifindex}:\t{dev.name}")
        out.fp(out.sl)
        first = False

    for mac, static in link:
        start()
        out.open_object()
        out.any("link", "\tlink  %s", mac)
        if static:
            out.any("static", " static", True)
        out.close()
    for word, addresses in (("inet ", inet), ("inet6", inet6)):
        for address, users in addresses:
            start()
            out.open_object()
            out.any("family", f"\t{word} ", word.strip())
            out.any("address", "%s", address)
            if users > 1:
                out.any("users", " users %d", users)
            out.close()
    out.close()
    out.fp("\n")
    out.close()


def _modify(words: Words, session: Session, add: bool) -> int:
    """SIOCADDMULTI and SIOCDELMULTI: a link-layer group kept by hand."""
    name: str | None = None
    mac: bytes | None = None
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            if name is not None:
                duparg("dev", text)
            name = text
            continue
        if matches(word, "address"):
            word = words.value()
        if matches(word, "help"):
            session.usage("maddress")
        if mac is not None:
            duparg2("address", word)
        mac = ll_addr(word)
    if name is None:
        raise Quit(255, 'Not enough information: "dev" is required.\n')
    dev = session.net.devices.get(name)
    if mac is not None and len(mac) != 6 and dev is not None:
        raise Quit(1, f"Error: Invalid address length {len(mac)} - must be 6 bytes\n")
    if dev is None:
        raise Quit(1, f"ioctl: {KernelError(19).strerror}\n")
    group = MacAddress.decode(mac or bytes(6))
    if add:
        if group not in dev.static_groups:
            dev.static_groups = (*dev.static_groups, group)
    elif group in dev.static_groups:
        dev.static_groups = tuple(other for other in dev.static_groups if other != group)
    else:
        raise Quit(1, f"ioctl: {KernelError(2).strerror}\n")
    return 0
