"""``ip tcp_metrics``: what TCP remembers of other hosts (ip/tcp_metrics.c); this kernel's TCP remembers nothing."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, get_prefix, matches, missarg


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if any(matches(word, name) for name in ("list", "show", "lst")):
        single = _address(words, session)
        if single:
            raise KernelError(errno.ESRCH)
        with session.output():
            return 0
    if matches(word, "delete"):
        if not words.more:
            missarg("address")
        _address(words, session)
        raise KernelError(errno.ESRCH)
    if matches(word, "flush"):
        _address(words, session)
        return 0
    if matches(word, "help"):
        session.usage("tcpmetrics")
    raise Quit(255, f'Command "{word}" is unknown, try "ip tcp_metrics help".\n')


def _address(words: Words, session: Session) -> bool:
    """Whether one host was named."""
    single = False
    family = session.options.family if session.options.family in (4, 6) else 0
    while words.more:
        word = words.take()
        if word in ("address", "src", "saddr"):
            word = words.value()
        prefix = get_prefix(word, family)
        single = prefix.length == prefix.address.bits
    return single
