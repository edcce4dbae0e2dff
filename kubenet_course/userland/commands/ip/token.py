"""``ip token``: the interface identifier that autoconfigured addresses get (ip/iptoken.c)."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, get_prefix, invarg, matches
from kubenet_course.wire.addresses import IPv6Address


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "list"
    if any(matches(word, name) for name in ("list", "lst", "show")) or matches(word, "get"):
        return _list(words, session)
    if matches(word, "set") or matches(word, "add"):
        return _set(words, session)
    if matches(word, "delete"):
        return _set(words, session, delete=True)
    if matches(word, "help"):
        session.usage("token")
    raise Quit(255, f'Command "{word}" is unknown, try "ip token help".\n')


def _device(words: Words, session: Session) -> str:
    name = words.value()
    if session.find(name) is None:
        invarg("dev is invalid\n", name)
    return name


def _list(words: Words, session: Session) -> int:
    name = ""
    while words.more:
        if words.take() == "dev":
            name = _device(words, session)
    with session.output() as out:
        for dev in session.net.devices.values():
            idev = session.net.ipv6.devices.get(dev)
            if idev is None or dev.is_loopback or dev.noarp or (name and dev is not session.find(name)):
                continue
            out.open_object()
            out.any("token", "token %s ", str(idev.token))
            out.any("ifname", "dev %s\n", dev.name)
            out.close()
    return 0


def _set(words: Words, session: Session, *, delete: bool = False) -> int:
    """iptoken_set(), and inet6_set_iftoken() for what is refused."""
    name = ""
    token = IPv6Address(0) if delete else None
    while words.more:
        word = words.take()
        if word == "dev":
            name = _device(words, session)
        elif not delete:
            token = IPv6Address(get_prefix(word, 6).address)
    if token is None:
        raise Quit(1, "Not enough information: token is required.\n")
    if not name:
        raise Quit(1, 'Not enough information: "dev" argument is required.\n')
    net, dev = session.net, session.device(name)
    if dev.is_loopback or dev.noarp:
        raise KernelError(errno.EINVAL, "ipv6: Device is loopback" if dev.is_loopback else "ipv6: Device does not do neighbour discovery")
    idev = net.ipv6.devices.get(dev)
    if idev is None:
        raise KernelError(errno.ENODEV)
    accepts = net.sysctl.conf("ipv6", dev.name, "accept_ra")
    if not accepts or (accepts < 2 and net.sysctl.conf("ipv6", dev.name, "forwarding")):
        raise KernelError(errno.EINVAL, "ipv6: Router advertisement is disabled on device")
    idev.token = IPv6Address(int(token) & (1 << 64) - 1)
    return 0
