"""``ip tunnel``: ipip, gre and sit tunnels by the old interface (ip/iptunnel.c)."""

from __future__ import annotations

from typing import Any, NoReturn

from kubenet_course.errors import KernelError
from kubenet_course.kernel import rtnetlink
from kubenet_course.kernel.devices._ip_tunnel import MODULE, IpTunnel, load_tunnels
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    duparg2,
    invarg,
    matches,
    parse_ipv4,
    u8,
    u32,
    unsupported,
)

BASE_DEVICES = {"ipip": "tunl0", "gre": "gre0", "sit": "sit0"}
MODES = {
    "ipip": "ipip", "ip/ip": "ipip", "gre": "gre", "gre/ip": "gre", "sit": "sit", "ipv6/ip": "sit",
}  # fmt: skip


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(words, session)
    word = words.take()
    for verb in ("add", "change", "delete"):
        if matches(word, verb):
            return {"add": _add, "change": _change, "delete": _delete}[verb](words, session)
    if any(matches(word, verb) for verb in ("show", "lst", "list")):
        return _show(words, session)
    if matches(word, "help"):
        session.usage("tunnel")
    if matches(word, "prl") or matches(word, "6rd"):
        unsupported(f"ip tunnel {word}")
    raise Quit(255, f'Command "{word}" is unknown, try "ip tunnel help"\n')


def _address(text: str) -> Any:
    """get_addr32()."""
    address = parse_ipv4("0.0.0.0" if text in ("any", "default", "all") else text)
    if address is None:
        raise Quit(1, f'Error: an IP address is expected rather than "{text}"\n')
    return address


def parse_args(words: Words, session: Session) -> tuple[str | None, str | None, dict[str, Any]]:
    """parse_args(): (name, mode, settings)."""
    name: str | None = None
    mode: str | None = None
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "mode":
            text = words.value()
            if text in ("vti", "isatap"):
                unsupported(f"ip tunnel mode {text}")
            if text not in MODES:
                raise Quit(1, f'Unknown tunnel mode "{text}"\n')
            mode = MODES[text]
        elif word in ("key", "ikey", "okey"):
            for direction in ("ikey", "okey") if word == "key" else (word,):
                found[direction] = (
                    _key(words, word)
                    if direction == word or word == "key" and not found.get("ikey")
                    else found["ikey"]
                )
        elif word in ("seq", "csum", "iseq", "oseq", "icsum", "ocsum"):
            for direction in ("i", "o") if word in ("seq", "csum") else (word[0],):
                found[direction + word.lstrip("io")] = True
        elif word in ("pmtudisc", "nopmtudisc"):
            found["pmtudisc"] = word == "pmtudisc"
        elif word in ("remote", "local"):
            found[word] = _address(words.value())
        elif word == "dev":
            found["link"] = session.device(words.value())
        elif word in ("ttl", "hoplimit", "hlim"):
            text = words.value()
            ttl = 0 if text == "inherit" else u8(text)
            if ttl is None:
                invarg("invalid TTL\n", text)
            found["ttl"] = ttl
        elif word in ("tos", "tclass") or (word and matches(word, "dsfield")):
            text = words.value()
            tos = 1 if text == "inherit" else session.tables.number("dsfield", text)
            if tos is None:
                invarg("bad TOS value", text)
            found["tos"] = tos
        else:
            if word == "name":
                word = words.value()
            elif matches(word, "help"):
                session.usage("tunnel")
            if name is not None:
                duparg2("name", word)
            name = word
    if (
        mode != "gre"
        and any(found.get(key) for key in ("ikey", "okey", "iseq", "oseq", "icsum", "ocsum"))
        and mode
    ):
        raise Quit(1, "Keys are not allowed with ipip and sit tunnels\n")
    return name, mode, found


def _key(words: Words, name: str) -> int:
    text = words.value()
    number = parse_ipv4(text) if "." in text else u32(text)
    if number is None:
        raise Quit(255, f'invalid value for "{name}": "{text}"; it should be an unsigned integer\n')
    return int(number)


def _complain(what: str, name: str, failure: KernelError | None = None) -> NoReturn:
    raise Quit(1, f'{what} tunnel "{name}" failed: {failure.strerror if failure else "No such device"}\n')


def _add(words: Words, session: Session) -> int:
    name, mode, found = parse_args(words, session)
    if mode is None:
        raise Quit(1, "cannot determine tunnel mode (ipip, gre, vti or sit)\n")
    if found.get("ttl") and found.get("pmtudisc") is False:
        raise Quit(1, "ttl != 0 and nopmtudisc are incompatible\n")
    kind: Any = rtnetlink.device_kind(mode)
    try:
        load_tunnels(session.net, MODULE[mode])
        attrs = {**found, "net": session.net, "by_ioctl": True}
        if mode != "gre":
            attrs["proto"] = "ipip" if mode == "ipip" else "ip6ip"
        if name is not None and rtnetlink.taken(session.net, name):
            raise KernelError(17)
        dev = kind.newlink(session.net, name or session.net.free_name(f"{mode}%d"), attrs, None, None)
        session.net.add_device(dev)
    except KernelError as failure:
        _complain("add", BASE_DEVICES[mode], failure)
    return 0


def _tunnel(session: Session, name: str | None) -> IpTunnel | None:
    dev = session.find(name) if name else None
    return dev if isinstance(dev, IpTunnel) and not dev.tap else None


def _change(words: Words, session: Session) -> int:
    name, _, found = parse_args(words, session)
    dev = _tunnel(session, name)
    if dev is None:
        raise Quit(1, f'get tunnel "{name or ""}" failed: No such device\n')
    try:
        dev.changelink(found)
    except KernelError as failure:
        _complain("change", dev.name, failure)
    return 0


def _delete(words: Words, session: Session) -> int:
    name, _, _ = parse_args(words, session)
    dev = _tunnel(session, name)
    if dev is None:
        _complain("delete", name or "")
    if dev.fallback:
        _complain("delete", dev.name, KernelError(1))
    dev.unregister()
    return 0


def _show(words: Words, session: Session) -> int:
    name, mode, found = parse_args(words, session)
    if name is not None:
        dev = _tunnel(session, name)
        if dev is None:
            raise Quit(1, f'get tunnel "{name}" failed: No such device\n')
        session.proc.print(describe(dev))
        return 0
    if session.options.json:
        unsupported("ip -j tunnel")
    for other in session.net.devices.values():
        if not isinstance(other, IpTunnel) or other.tap or (mode is not None and other.kind != mode):
            continue
        if any(found.get(key) and found[key] != other.settings[key] for key in ("remote", "local")):
            continue
        session.proc.print(describe(other))
    return 0


def describe(dev: IpTunnel) -> str:
    """print_tunnel()."""
    info = dev.info()
    settings = dev.settings
    inner = {"any": "any", "ipip": "ip", "ip6ip": "ipv6"}[info["proto"]] if "proto" in info else "gre"
    if dev.kind == "sit" and dev.fallback:
        inner = "ipv6"
    words = [f"{dev.name}: {inner}/ip", "remote", info["remote"], "local", info["local"]]
    if "link" in info:
        words += ["dev", info["link"]]
    words += ["ttl", str(info["ttl"]) if info["ttl"] else "inherit"]
    if settings["tos"]:
        words += ["tos", "inherit" if settings["tos"] == 1 else f"{settings['tos']:#x}"]
    if not settings["pmtudisc"]:
        words.append("nopmtudisc")
    ikey, okey = settings.get("ikey"), settings.get("okey")
    if ikey is not None and ikey == okey:
        words += ["key", str(ikey)]
    else:
        words += ["ikey", str(ikey)] if ikey is not None else []
        words += ["okey", str(okey)] if okey is not None else []
    text = " ".join(words)
    for key, sentence in (
        ("iseq", "Drop packets out of sequence."),
        ("icsum", "Checksum in received packet is required."),
        ("oseq", "Sequence packets on output."),
        ("ocsum", "Checksum output packets."),
    ):
        if settings.get(key):
            text += f"\n  {sentence}"
    return text
