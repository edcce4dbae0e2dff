"""What ipip, sit, gre and gretap share (ip/iplink_iptnl.c, ip/link_gre.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    get_addr,
    invarg,
    matches,
    parse_ipv4,
    u8,
    u32,
    unsupported,
)

UNSUPPORTED = (
    "external", "ignore-df", "noignore-df", "fwmark", "encap", "noencap", "encap-sport", "encap-dport",
    "encap-csum",
    "erspan", "erspan_ver", "6rd-prefix", "6rd-relay_prefix", "6rd-reset", "isatap", "allow-localremote",
)  # fmt: skip


def parse_tunnel(words: Words, session: Session, kind: str) -> dict[str, Any]:
    """The tunnel's settings as `IpTunnel` keeps them."""
    found: dict[str, Any] = {"net": session.net}
    gre = kind in ("gre", "gretap")
    while words.more:
        word = words.take()
        if word in ("remote", "local"):
            found[word] = get_addr(words.value(), 4)
        elif word == "dev":
            found["link"] = session.device(words.value())
        elif word in ("ttl", "hoplimit", "hlim"):
            text = words.value()
            ttl = 0 if text == "inherit" else u8(text)
            if ttl is None:
                invarg("invalid TTL\n" if gre else "invalid TTL\n", text)
            found["ttl"] = ttl
        elif word in ("tos", "tclass", "dsfield"):
            found["tos"] = _tos(words, session)
        elif word in ("pmtudisc", "nopmtudisc"):
            found["pmtudisc"] = word == "pmtudisc"
        elif not gre and word == "mode":
            found["proto"] = _mode(words, kind)
        elif gre and word in ("key", "ikey", "okey"):
            value = _key(words)
            for direction in ("ikey", "okey") if word == "key" else (word,):
                found[direction] = value
        elif gre and word in ("nokey", "noikey", "nookey"):
            for direction in ("ikey", "okey") if word == "nokey" else (word.removeprefix("no"),):
                found[direction] = None
        elif gre and word.removeprefix("no").lstrip("io") in ("seq", "csum"):
            _switch(word, found)
        elif word in UNSUPPORTED:
            unsupported(f"{kind} {word}")
        elif matches(word, "help"):
            raise Quit(1, usage_text("ip", f"link {kind}"))
        else:
            raise Quit(1, usage_text("ip", f"link {kind}"))
    return found


def _switch(word: str, found: dict[str, Any]) -> None:
    on = not word.startswith("no")
    word = word.removeprefix("no")
    directions = (word[0],) if word[0] in "io" else ("i", "o")
    for direction in directions:
        found[direction + word.lstrip("io")] = on


def _tos(words: Words, session: Session) -> int:
    text = words.value()
    if text == "inherit":
        return 1
    tos = session.tables.number("dsfield", text)
    if tos is None:
        invarg("bad TOS value", text)
    return tos


def _key(words: Words) -> int:
    """tnl_parse_key(): a number, or a dotted quad."""
    text = words.value()
    if "." in text:
        quad = parse_ipv4(text)
        if quad is None:
            raise Quit(1, f'Error: inet address is expected rather than "{text}".\n')
        return int(quad)
    number = u32(text)
    if number is None:
        raise Quit(255, f'invalid value for "key": "{text}"; it should be an unsigned integer\n')
    return number


def _mode(words: Words, kind: str) -> str:
    text = words.value()
    names = {
        "any": "any",
        "any/ipv4": "any",
        "any/ip": "any",
        "ipip": "ipip",
        "ip4ip4": "ipip",
        "ipv4/ipv4": "ipip",
    }
    if kind == "sit":
        names |= {"ip6ip": "ip6ip", "ip6ip4": "ip6ip", "ipv6/ipv4": "ip6ip"}
    if text not in names:
        invarg("Cannot guess tunnel mode.", text)
    return names[text]


def show_tunnel(info: dict[str, Any]) -> str:
    """print_opt(): what stands after the kind's name."""
    gre = "proto" not in info
    words = [] if gre else [info["proto"]]
    for key, label in (("remote", "remote"), ("local", "local"), ("link", "dev")):
        if key in info:
            words += [label, str(info[key])]
    words += ["ttl", str(info["ttl"]) if info["ttl"] else "inherit"]
    if "tos" in info:
        words += ["tos", "inherit" if info["tos"] == "0x1" else str(info["tos"])]
    if not gre or not info["pmtudisc"]:
        words.append("pmtudisc" if info["pmtudisc"] else "nopmtudisc")
    for key in ("ikey", "okey"):
        if key in info:
            words += [key, str(info[key])]
    words += [key for key in ("iseq", "oseq", "icsum", "ocsum") if info.get(key)]
    return " ".join(words) + " "
