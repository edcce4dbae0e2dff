"""``ip addr``: add, change, replace, del, flush, show (ip/ipaddress.c: ipaddr_modify())."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import devinet
from kubenet_course.kernel.inet6 import addrconf
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip import address_list
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Prefix,
    Quit,
    Words,
    duparg,
    duparg2,
    get_addr,
    get_prefix,
    invarg,
    matches,
    number,
    u32,
    unsupported,
)
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address, prefix_mask

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

FOREVER = 0xFFFFFFFF
#: CONFFLAG words of ip-address(8); True: IPv6 only.
FLAGS = {"home": True, "nodad": True, "mngtmpaddr": True, "noprefixroute": False, "autojoin": False, "optimistic": True}

WILDCARD = (
    "Warning: Executing wildcard deletion to stay compatible with old scripts.\n"
    "         Explicitly specify the prefix length ({address}/32) to avoid this warning.\n"
    "         This special behaviour is likely to disappear in further releases,\n"
    "         fix your scripts!\n"
)


def run(words: Words, session: Session) -> int:
    if not words.more:
        return address_list.show(words, session)
    word = words.take()
    if matches(word, "add"):
        return modify(words, session, "add")
    if matches(word, "change") or word == "chg":
        return modify(words, session, "change")
    if matches(word, "replace"):
        return modify(words, session, "replace")
    if matches(word, "delete"):
        return modify(words, session, "del")
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return address_list.show(words, session)
    if matches(word, "flush"):
        return address_list.flush(words, session)
    if matches(word, "save") or matches(word, "showdump") or matches(word, "restore"):
        unsupported(f"ip address {word}")
    if matches(word, "help"):
        session.usage("address")
    raise Quit(255, f'Command "{word}" is unknown, try "ip address help".\n')


@dataclass
class AddressWords:
    """What the words of ``ip addr add`` and the like said."""

    local: Prefix | None = None
    peer: Prefix | None = None
    broadcast: IpAddress | None = None
    #: ``brd +`` or ``brd -``: made from the address.
    automatic: str = ""
    dev: str | None = None
    label: str | None = None
    scope: int | None = None
    metric: int = 0
    valid: int = FOREVER
    preferred: int = FOREVER
    lifetimes: bool = False
    flags: set[str] = field(default_factory=set)

    @property
    def family(self) -> int:
        for prefix in (self.local, self.peer):
            if prefix is not None:
                return prefix.family
        return 0


def parse(words: Words, session: Session, verb: str) -> AddressWords:
    said = AddressWords()
    preferred = session.options.family
    wanted = preferred if preferred in (4, 6) else 0
    while words.more:
        word = words.take()
        if word in ("peer", "remote"):
            if said.peer is not None:
                duparg("peer", words.value())
            said.peer = get_prefix(words.value(), said.family or wanted)
        elif matches(word, "broadcast") or word == "brd":
            _broadcast(words, said, wanted)
        elif word == "anycast":
            get_addr(words.value(), said.family or wanted)  # no kernel takes notice of it
        elif word == "scope":
            text = words.value()
            said.scope = session.tables.number("scope", text)
            if said.scope is None:
                invarg("invalid scope value.", text)
        elif word == "dev":
            said.dev = words.value()
        elif word == "label":
            said.label = words.value()
        elif matches(word, "metric") or matches(word, "priority") or matches(word, "preference"):
            text = words.value()
            metric = u32(text)
            if metric is None:
                invarg('"metric" value is invalid\n', text)
            said.metric = metric
        elif matches(word, "valid_lft"):
            said.valid = _lifetime(words, "valid_lft")
            said.lifetimes = True
        elif matches(word, "preferred_lft"):
            said.preferred = _lifetime(words, "preferred_lft")
            said.lifetimes = True
        elif word in FLAGS:
            said.flags.add(word)
            if FLAGS[word] and said.family == 4:
                session.proc.error(f"Warning: {word} option can be set only for IPv6 addresses")
                said.flags.discard(word)
        else:
            if word == "local":
                word = words.value()
            if matches(word, "help"):
                session.usage("address")
            if said.local is not None:
                duparg2("local", word)
            said.local = get_prefix(word, said.family or wanted)
    return said


def _broadcast(words: Words, said: AddressWords, wanted: int) -> None:
    text = words.value()
    if said.broadcast is not None or said.automatic:
        duparg("broadcast", text)
    if text in ("+", "-"):
        said.automatic = text
    else:
        said.broadcast = get_addr(text, said.family or wanted)


def _lifetime(words: Words, key: str) -> int:
    text = words.value()
    if text == "forever":
        return FOREVER
    value = number(text, 0, FOREVER)
    if value is None:
        invarg(f"{key} value", text)
    return value


def modify(words: Words, session: Session, verb: str) -> int:
    said = parse(words, session, verb)
    if said.dev is None:
        raise Quit(1, 'Not enough information: "dev" argument is required.\n')
    if "autojoin" in said.flags and said.local is not None and not said.local.address.is_multicast:
        raise Quit(1, "autojoin needs multicast address\n")
    _complete(said, verb)
    if verb == "del" and said.family == 4 and said.peer is None and said.local is not None and not said.local.given:
        session.proc.error(WILDCARD.format(address=said.local.address), end="")
    dev = session.find(said.dev)
    if dev is None:
        raise Quit(1, f'Cannot find device "{said.dev}"\n')
    if said.valid == 0:
        raise Quit(1, "valid_lft is zero\n")
    if said.preferred > said.valid and said.lifetimes:
        raise Quit(1, "preferred_lft is greater than valid_lft\n")
    family = said.family
    if family == 0:
        raise KernelError(errno.EOPNOTSUPP)
    if family == 6:
        _modify6(dev, said, verb)
    elif verb == "del":
        _delete4(dev, said)
    else:
        _add4(dev, said, verb)
    return 0


def _complete(said: AddressWords, verb: str) -> None:
    """The peer of a plain address is itself; ``brd +`` is made from it; the scope follows from the address."""
    if said.automatic and said.local is not None:
        peer = said.peer or said.local
        if peer.family != 4:
            raise Quit(1, "Broadcast can be set only for IPv4 addresses\n")
        if peer.length <= 30:
            host = ~prefix_mask(32, peer.length) & 0xFFFFFFFF
            all_ones = int(peer.address) | host
            said.broadcast = IPv4Address(all_ones if said.automatic == "+" else all_ones ^ host)
    elif said.broadcast is not None and said.family == 6:
        raise Quit(1, "Broadcast can be set only for IPv4 addresses\n")
    if said.scope is None and verb != "del" and said.local is not None:
        said.scope = 254 if said.local.family == 4 and said.local.address >> 24 == 127 else 0


def _delete4(dev: NetDevice, said: AddressWords) -> None:
    """inet_rtm_deladdr(): the first address that agrees in all that was said."""
    local = said.local
    for address in dev.net.ipv4.addresses[dev]:
        if local is not None and local.address != address.local:
            continue
        if said.label is not None and said.label != address.label:
            continue
        peer = said.peer or (local if local is not None and local.given else None)
        if peer is not None and (
            address.prefixlen != peer.length or not Prefix(address.peer, peer.length, True).covers(peer.address)
        ):
            continue
        devinet.address_remove(dev.net, dev, address)
        return
    raise KernelError(errno.EADDRNOTAVAIL, "ipv4: Address not found")


def _add4(dev: NetDevice, said: AddressWords, verb: str) -> None:
    """rtm_to_ifaddr() and inet_rtm_newaddr()."""
    if said.local is None and said.peer is None:
        raise KernelError(errno.EOPNOTSUPP)
    local = said.local or said.peer
    peer = said.peer or local
    assert local is not None and peer is not None
    if said.local is None:
        raise KernelError(errno.EINVAL, "ipv4: Local address is not supplied")
    now = dev.net.loop.now
    valid = None if said.valid == FOREVER else now + said.valid * SECOND
    preferred = None if said.preferred == FOREVER else now + said.preferred * SECOND
    if said.label is not None and len(said.label.encode("utf-8", "surrogateescape")) >= 16:
        raise KernelError(errno.ERANGE, "Attribute failed policy validation")
    if said.broadcast is not None and said.broadcast.family != 4:
        raise KernelError(errno.EINVAL)
    new = devinet.InetAddress(
        local.address,  # type: ignore[arg-type]
        peer.length,
        said.label or dev.name,
        peer.address,  # type: ignore[arg-type]
        broadcast=said.broadcast,  # type: ignore[arg-type]
        scope=said.scope or 0,
        noprefixroute="noprefixroute" in said.flags,
        metric=said.metric,
        valid=valid,
        preferred=preferred,
        deprecated=said.preferred == 0,
        autojoin="autojoin" in said.flags,
    )
    devinet.address_add(dev.net, dev, new, replace=verb in ("replace", "change"))


def _modify6(dev: NetDevice, said: AddressWords, verb: str) -> None:
    local = said.local or said.peer
    assert local is not None
    net = dev.net
    if verb == "del":
        length = local.length
        addrconf.address_remove(net, dev, IPv6Address(local.address), length)
        return
    now = net.loop.now
    new = addrconf.Inet6Address(
        IPv6Address(local.address),
        (said.peer or local).length,
        scope=said.scope or 0,
        flags=set(said.flags),
        peer=IPv6Address(said.peer.address) if said.peer is not None and said.local is not None else None,
        metric=said.metric,
        valid=None if said.valid == FOREVER else now + said.valid * SECOND,
        preferred=None if said.preferred == FOREVER else now + said.preferred * SECOND,
    )
    addrconf.address_add(net, dev, new, replace=verb in ("replace", "change"))
