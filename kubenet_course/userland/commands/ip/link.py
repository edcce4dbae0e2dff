"""``ip link``: add, set, delete, show, property (ip/iplink.c)."""

from __future__ import annotations

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel import rtnetlink
from kubenet_course.userland.commands.ip import address_list
from kubenet_course.userland.commands.ip.link_parse import LinkWords, kind_help
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    bad_altname,
    duparg2,
    invarg,
    matches,
    unsupported,
)


def run(words: Words, session: Session) -> int:
    if not words.more:
        return address_list.show(words, session, link=True)
    word = words.take()
    if matches(word, "add"):
        return _add(words, session)
    if matches(word, "set") or matches(word, "change"):
        return _set(words, session)
    if matches(word, "replace"):
        return _add(words, session, replace=True)
    if matches(word, "delete"):
        return _delete(words, session)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return address_list.show(words, session, link=True)
    if matches(word, "xstats") and not words.more:
        raise Quit(1, "xstats: missing argument\n")
    if matches(word, "afstats") and not words.more:
        return 0  # only MPLS would have some
    if matches(word, "xstats") or matches(word, "afstats"):
        unsupported(f"ip link {word}")
    if matches(word, "property"):
        return _property(words, session)
    if matches(word, "help"):
        return _help(words, session)
    raise Quit(255, f'Command "{word}" is unknown, try "ip link help".\n')


def _help(words: Words, session: Session) -> int:
    if not words.more:
        session.usage("link")
    text = kind_help(words.take())
    if text is None:
        session.usage("link")
    session.proc.print(text, end="")
    return 0


def _common(words: Words, session: Session, create: bool = False) -> LinkWords:
    parsed = LinkWords(session, create=create)
    parsed.parse(words)
    return parsed


def _add(words: Words, session: Session, replace: bool = False) -> int:
    parsed = _common(words, session, create=True)
    request = parsed.request
    if parsed.dev is None and request.group is not None and parsed.type is None:
        return _set_group(parsed, session)
    if parsed.name != parsed.dev:
        raise Quit(255, 'both "name" and "dev" cannot be used when creating devices.\n')
    if parsed.link is not None:
        request.link = session.device(parsed.link)
    request.name = parsed.name
    if parsed.type is None:
        raise Quit(1, 'Not enough information: "type" argument is required\n')
    session.changing = False
    parsed.parse_kind(words)
    if replace and parsed.dev is not None:
        dev = session.find(parsed.dev)
        if dev is not None:
            raise KernelError(errno.EOPNOTSUPP)
    if request.port_kind is not None:
        if request.name is not None and session.find(request.name) is not None:
            raise Quit(2, "RTNETLINK answers: File exists\n")
        raise KernelError(95, "Unknown device type")
    rtnetlink.new_link(session.net, request)
    return 0


def _set(words: Words, session: Session) -> int:
    parsed = _common(words, session)
    request = parsed.request
    if request.index and request.net is None:
        raise Quit(255, "index can be used only when creating devices or when moving device to another netns.\n")
    if parsed.dev is None and request.group is not None:
        return _set_group(parsed, session)
    if parsed.dev is None:
        raise Quit(255, 'Not enough information: "dev" argument is required.\n')
    dev = session.device(parsed.dev)
    if parsed.name != parsed.dev:
        request.new_name = parsed.name
    if parsed.type is not None:
        session.changing = True
        parsed.parse_kind(words)
    rtnetlink.set_link(session.net, dev, request)
    return 0


def _set_group(parsed: LinkWords, session: Session) -> int:
    """``ip link set group GROUP …``: every device of the group."""
    group, parsed.request.group = parsed.request.group, None
    for dev in [dev for dev in session.net.devices.values() if dev.group == group]:
        rtnetlink.set_link(session.net, dev, parsed.request)
    return 0


def _delete(words: Words, session: Session) -> int:
    parsed = _common(words, session)
    if parsed.dev is None and parsed.request.group is not None:
        rtnetlink.delete_group(session.net, parsed.request.group)
        return 0
    if parsed.dev is None:
        raise Quit(255, 'Not enough information: "dev" argument is required.\n')
    dev = session.device(parsed.dev)
    if parsed.type is not None:
        parsed.parse_kind(words)
    rtnetlink.delete_link(session.net, dev)
    return 0


def _property(words: Words, session: Session) -> int:
    """iplink_prop(): alternative names."""
    if not words.more:
        session.usage("link")
    word = words.take()
    if matches(word, "add"):
        adding = True
    elif matches(word, "del"):
        adding = False
    elif matches(word, "help"):
        session.usage("link")
    else:
        raise Quit(255, "Operator required\n")
    dev_name: str | None = None
    names: list[str] = []
    while words.more:
        word = words.take()
        if matches(word, "altname"):
            name = words.value()
            if bad_altname(name):
                invarg("not a valid altname", name)
            names.append(name)
        elif matches(word, "help"):
            session.usage("link")
        else:
            if word == "dev":
                word = words.value()
            if dev_name is not None:
                duparg2("dev", word)
            dev_name = word
    if dev_name is None:
        raise Quit(255, 'Not enough of information: "dev" argument is required.\n')
    dev = session.device(dev_name)
    for name in names:
        if adding:
            rtnetlink.add_altname(dev, name)
        else:
            rtnetlink.delete_altname(dev, name)
    return 0
