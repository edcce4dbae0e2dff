"""``ip tuntap``: persistent TUN and TAP devices (ip/iptuntap.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel import rtnetlink
from kubenet_course.kernel.devices.tun import Tun
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, invarg, matches

FLAGS = {"pi": "pi", "one_queue": "one_queue", "vnet_hdr": "vnet_hdr", "multi_queue": "multi_queue"}


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(None, session)
    word = words.take()
    if matches(word, "add"):
        return _add(words, session)
    if matches(word, "delete"):
        return _delete(words, session)
    if any(matches(word, verb) for verb in ("show", "lst", "list")):
        name, _, _ = _parse(words, session)
        return _show(name, session)
    if matches(word, "help"):
        session.usage("tuntap")
    raise Quit(255, f'Command "{word}" is unknown, try "ip tuntap help".\n')


def _parse(words: Words, session: Session) -> tuple[str | None, str | None, dict[str, Any]]:
    name: str | None = None
    mode: str | None = None
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            text = words.value()
            if matches(text, "tun"):
                mode = "tun"
            elif matches(text, "tap"):
                mode = "tap"
            else:
                raise Quit(255, f'Unknown tunnel mode "{text}"\n')
        elif matches(word, "user") or matches(word, "group"):
            key = "user" if matches(word, "user") else "group"
            text = words.value()
            identity = _identity(text, "/etc/passwd" if key == "user" else "/etc/group", session)
            if identity is None:
                raise Quit(255, f'invalid {key} "{text}"\n')
            found[key] = identity
        elif word in FLAGS:
            found[FLAGS[word]] = True
        elif matches(word, "dev"):
            name = words.value()
        else:
            if matches(word, "name"):
                word = words.value()
            elif matches(word, "help"):
                session.usage("tuntap")
            if name is not None:
                invarg("Unknown argument", word)
            name = word
    return name, mode, found


def _identity(text: str, path: str, session: Session) -> tuple[int, str] | None:
    """(number, name) of a user or group."""
    number = c_number(text, 10)
    try:
        table = session.proc.files.read(path).decode()
    except KernelError as failure:  # no such file: numbers still serve
        if number is None:
            raise Quit(255, f"{path}: {failure.strerror}\n") from None
        table = ""
    for line in table.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and (fields[0] == text or (number is not None and fields[2] == str(number))):
            return int(fields[2]), fields[0]
    return (number, str(number)) if number is not None and number >= 0 else None


def _add(words: Words, session: Session) -> int:
    name, mode, found = _parse(words, session)
    if mode is None:
        raise Quit(1, "You failed to specify a tunnel mode\n")
    net = session.net
    if name is not None and rtnetlink.taken(net, name):
        other = session.find(name)
        busy = isinstance(other, Tun) and other.mode == mode
        raise Quit(1, f"ioctl(TUNSETIFF): {'Device or resource busy' if busy else 'Invalid argument'}\n")
    options = {key: value for key, value in found.items() if key in ("pi", "vnet_hdr", "multi_queue")}
    for key in ("user", "group"):
        if key in found:
            options[key + "_id"], options[key] = found[key]
    net.add_device(Tun(net, name or net.free_name(f"{mode}%d"), mode, options))
    return 0


def _delete(words: Words, session: Session) -> int:
    name, mode, _ = _parse(words, session)
    if mode is None:
        raise Quit(1, "You failed to specify a tunnel mode\n")
    dev = session.find(name) if name else None
    if dev is None:
        return 0
    if not isinstance(dev, Tun) or dev.mode != mode:
        raise Quit(1, "ioctl(TUNSETIFF): Invalid argument\n")
    dev.unregister()
    return 0


def _show(name: str | None, session: Session) -> int:
    """print_tuntap()."""
    with session.output() as out:
        for dev in session.net.devices.values():
            if not isinstance(dev, Tun) or (name is not None and dev.name != name):
                continue
            options = dev.options
            words = (
                [dev.mode]
                + [key for key in ("pi", "multi_queue", "vnet_hdr") if options.get(key)]
                + ["persist"]
            )
            if "user" in options or "group" in options:
                words.append("filter")
            out.open_object()
            out.any("ifname", "%s:", dev.name)
            out.open_array("flags")
            for word in words:
                out.any(None, " %s", word)
            out.close()
            for key in ("user", "group"):
                if key in options:
                    out.any(key, f" {key} %d", options[key + "_id"])
            out.fp("\n")
            out.close()
            if session.options.details:
                out.fp("\tAttached to processes:\n")
    return 0
