"""``type vxlan`` (ip/iplink_vxlan.c)."""

from __future__ import annotations

from typing import Any, NoReturn

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    duparg2,
    get_addr,
    invarg,
    matches,
    u16,
    u32,
    unsupported,
)

DST_PORT_HINT = (
    "vxlan: destination port not specified\n"
    "Will use Linux kernel default (non-standard value)\n"
    "Use 'dstport 4789' to get the IANA assigned value\n"
    "Use 'dstport 0' to get default and quiet this message\n"
)
FLAGS = ("proxy", "rsc", "l2miss", "l3miss")
UNSUPPORTED = (
    "remcsumtx", "remcsumrx", "external", "gbp", "gpe", "flowlabel",
    "label", "vnifilter",
)  # fmt: skip


def parse(words: Words, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {"net": session.net}
    seen: set[str] = set()
    while words.more:
        word = words.take()
        base = word.removeprefix("no")
        if word in READERS:
            name, reader = READERS[word]
            if name in seen:
                duparg2(word, words.value())
            seen.add(name)
            reader(words, session, found)
        elif base == "learning":
            found["learning"] = word == base
        elif base in FLAGS:
            found[base] = word == base
        elif base == "udpcsum":
            found["udp_csum"] = word == base
        elif base in ("udp6zerocsumtx", "udp6zerocsumrx"):
            tx, rx = found.get("zero_csum6", (False, False))
            found["zero_csum6"] = (word == base, rx) if base.endswith("tx") else (tx, word == base)
        elif base in UNSUPPORTED and (word == base or base not in ("label", "flowlabel")):
            if word == base:
                unsupported(f"vxlan {word}")
        elif matches(word, "help"):
            _usage("")
        else:
            _usage(f'vxlan: unknown command "{word}"?\n')
    return _finish(found, session)


def _finish(found: dict[str, Any], session: Session) -> dict[str, Any]:
    """The checks at the end of vxlan_parse_opt()."""
    if "group" in found and "remote" in found:
        raise Quit(1, "vxlan: both group and remote cannot be specified\n")
    if "id" not in found and not session.changing:
        raise Quit(1, "vxlan: missing virtual network identifier\n")
    if "group" in found and "link" not in found:
        raise Quit(1, "vxlan: 'group' requires 'dev' to be specified\n")
    if "port" not in found and not session.changing:
        session.proc.error(DST_PORT_HINT, end="")
    if "group" in found:
        found["remote"] = found.pop("group")
    if found.get("port") == 0:
        found["port"] = 8472
    if not session.changing:
        found.setdefault("port", 8472)
    return found


def _usage(message: str) -> NoReturn:
    raise Quit(1, message + usage_text("ip", "link vxlan"))


def _id(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    number = u32(text)
    if number is None or number >= 1 << 24:
        invarg("invalid id", text)
    found["id"] = number


def _family(found: dict[str, Any]) -> int:
    for key in ("group", "remote", "local"):
        if key in found:
            return found[key].family
    return 0


def _address(key: str, words: Words, found: dict[str, Any], multicast: bool | None, message: str) -> None:
    text = words.value()
    address = get_addr_valid(text, _family(found))
    if multicast is not None and address.is_multicast != multicast:
        invarg(message, text)
    found[key] = address


def get_addr_valid(text: str, family: int) -> Any:
    """get_addr(): the family of an earlier address holds for the next."""
    return get_addr(text, family)


def _group(words: Words, session: Session, found: dict[str, Any]) -> None:
    _address("group", words, found, True, "invalid group address")


def _remote(words: Words, session: Session, found: dict[str, Any]) -> None:
    _address("remote", words, found, False, "invalid remote address")


def _local(words: Words, session: Session, found: dict[str, Any]) -> None:
    _address("local", words, found, False, "invalid local address")


def _dev(words: Words, session: Session, found: dict[str, Any]) -> None:
    name = words.value()
    dev = session.find(name)
    if dev is None:
        raise Quit(255, f'Cannot find device "{name}"\n')
    found["link"] = dev


def _ttl(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    if text == "inherit":
        found["ttl_inherit"] = True
    elif text == "auto":
        found["ttl"] = 0
    else:
        number = u32(text)
        if number is None:
            invarg("invalid TTL", text)
        if number > 255:
            invarg("TTL must be <= 255", text)
        found["ttl"] = number


def _tos(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    tos = 1 if text == "inherit" else session.tables.number("dsfield", text)
    if tos is None or tos > 255:
        invarg("bad TOS value", text)
    found["tos"] = tos


def _df(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    if text not in ("unset", "set", "inherit"):
        invarg("DF must be 'unset', 'set' or 'inherit'", text)
    found["df"] = text


def _ageing(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    number = 0 if text == "none" else u32(text)
    if number is None:
        invarg("ageing timer", text)
    found["ageing"] = number


def _maxaddress(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    number = 0 if text == "unlimited" else u32(text)
    if number is None:
        invarg("max addresses", text)
    found["limit"] = number


def _srcport(words: Words, session: Session, found: dict[str, Any]) -> None:
    ends = []
    for what in ("min port", "max port"):
        text = words.value()
        number = u16(text)
        if number is None:
            invarg(what, text)
        ends.append(number)
    found["port_range"] = (ends[0], ends[1])


def _dstport(words: Words, session: Session, found: dict[str, Any]) -> None:
    text = words.value()
    number = u16(text)
    if number is None:
        invarg("dst port", text)
    found["port"] = number


READERS: dict[str, tuple[str, Any]] = {
    "id": ("id", _id), "vni": ("id", _id), "group": ("group", _group), "remote": ("remote", _remote),
    "local": ("local", _local), "dev": ("dev", _dev), "ttl": ("ttl", _ttl), "hoplimit": ("ttl", _ttl),
    "tos": ("tos", _tos),
    "dsfield": ("tos", _tos), "df": ("df", _df), "ageing": ("ageing", _ageing), "maxaddress": ("limit",
    _maxaddress),
    "srcport": ("srcport", _srcport), "port": ("srcport", _srcport), "dstport": ("dstport", _dstport),
}  # fmt: skip


def show(info: dict[str, Any]) -> str:
    """vxlan_print_opt()."""
    words = ["id", str(info["id"])]
    for key, label in (
        ("group", "group"), ("group6", "group"), ("remote", "remote"), ("remote6", "remote"), ("local",
        "local"),
        ("local6", "local"), ("link", "dev"),
    ):  # fmt: skip
        if key in info:
            words += [label, str(info[key])]
    ports = info["port_range"]
    words += ["srcport", str(ports["low"]), str(ports["high"]), "dstport", str(info["port"])]
    words += [] if info["learning"] else ["nolearning"]
    words += [flag for flag in FLAGS if info.get(flag)]
    if "tos" in info:
        words += ["tos", "inherit" if info["tos"] == "0x1" else str(info["tos"])]
    words += ["ttl", str(info["ttl"]) if info["ttl"] else "auto"]
    words += ["df", info["df"]] if info["df"] != "unset" else []
    words += ["ageing", str(info["ageing"]) if info["ageing"] else "none"]
    if "limit" in info:
        words += ["maxaddr", str(info["limit"])]
    for key, name in (
        ("udp_csum", "udpcsum"), ("udp_zero_csum6_tx", "udp6zerocsumtx"), ("udp_zero_csum6_rx",
        "udp6zerocsumrx"),
    ):  # fmt: skip
        words.append(name if info[key] else f"no{name}")
    return " ".join(words) + " "
