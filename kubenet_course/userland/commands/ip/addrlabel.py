"""``ip addrlabel``: the labels by which IPv6 chooses a source address (ip/ipaddrlabel.c)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, get_prefix, invarg, matches, u32
from kubenet_course.wire.addresses import IPv6Address

NO_LABEL = 0xFFFFFFFF


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "list"
    if any(matches(word, name) for name in ("list", "show")):
        return _list(words, session)
    if matches(word, "add"):
        return _modify(words, session, add=True)
    if matches(word, "delete"):
        return _modify(words, session, add=False)
    if matches(word, "flush"):
        if words.more:
            raise Quit(1, '"ip addrlabel flush" does not allow extra arguments\n')
        session.net.ipv6.labels.clear()
        session.net.ipv6.output_cache.clear()
        return 0
    if matches(word, "help"):
        session.usage("addrlabel")
    raise Quit(255, f'Command "{word}" is unknown, try "ip addrlabel help".\n')


def _list(words: Words, session: Session) -> int:
    if words.more:
        raise Quit(1, '"ip addrlabel show" does not take any arguments.\n')
    if session.options.family == 4:
        raise Quit(255, "RTNETLINK answers: Operation not supported\nDump terminated\n")
    with session.output() as out:
        for entry in session.net.ipv6.labels:
            out.open_object()
            out.fp("prefix ")
            out.any("address", "%s", str(entry.prefix))
            out.any("prefixlen", "/%d ", entry.prefixlen)
            if entry.ifindex:
                out.any("ifname", "dev %s ", session.name_of(entry.ifindex))
            out.any("label", "label %d ", entry.label)
            out.fp("\n")
            out.close()
    return 0


def _modify(words: Words, session: Session, *, add: bool) -> int:
    prefix = None
    label: int | None = None
    ifindex = 0
    while words.more:
        word = words.take()
        if word == "prefix":
            prefix = get_prefix(words.value(), session.options.family if session.options.family in (4, 6) else 0)
        elif word == "dev":
            name = words.value()
            dev = session.find(name)
            if dev is None:
                invarg("dev is invalid\n", name)
            ifindex = dev.ifindex
        elif word == "label":
            text = words.value()
            label = u32(text)
            if label is None or label == NO_LABEL:
                invarg("label is invalid\n", text)
    if prefix is None:
        raise Quit(1, 'Not enough information: "prefix" argument is required.\n')
    if label is None:
        raise Quit(1, 'Not enough information: "label" argument is required.\n')
    labels = session.net.ipv6.labels
    try:
        if not isinstance(prefix.address, IPv6Address):
            raise Quit(2, "Error: Attribute failed policy validation.\n")
        if add:
            labels.add(prefix.address, prefix.length, label, ifindex)
        else:
            labels.delete(prefix.address, prefix.length, ifindex)
    except KernelError as failure:
        raise Quit(2, session.rtnl_error(failure)) from None
    session.net.ipv6.output_cache.clear()
    return 0
