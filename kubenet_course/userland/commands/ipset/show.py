"""``ipset list`` and ``save``: sets and elements as text or XML."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.ipset import Entry, IpSet, address_of
from kubenet_course.kernel.netfilter.matches.icmp import TYPES4
from kubenet_course.kernel.netfilter.matches.icmp6 import TYPES6
from kubenet_course.kernel.netfilter.rule import protocol_word
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import MacAddress


def part_text(found: IpSet, part: str, value: Any) -> str:
    if part == "ip":
        return str(address_of(value, found.family))
    if part == "net":
        address, length = value if isinstance(value, tuple) else (value, 32 if found.family == 4 else 128)
        text = str(address_of(address, found.family))
        return text if length == (32 if found.family == 4 else 128) else f"{text}/{length}"
    if part == "port":
        if found.type.name == "bitmap:port":
            return str(value)
        protocol, port = value
        return f"{protocol_word(protocol)}:{port_text(protocol, port)}"
    if part == "mac":
        return str(MacAddress(value)).upper() if value is not None else ""
    if part == "iface":
        return ("physdev:" if value[1] else "") + value[0]
    return f"0x{value:08x}" if part == "mark" else str(value)


def port_text(protocol: int, port: int) -> str:
    if protocol not in (1, 58):
        return str(port)
    kind, code = port >> 8, port & 255
    for name, of_type, low, high in TYPES4 if protocol == 1 else TYPES6:
        if of_type == kind and (low == high == code or (low, high) == (0, 255) and code == 0) and name not in ("ping", "pong"):
            return name
    return f"{kind}/{code}"


def element_text(found: IpSet, key: tuple) -> str:
    words = [part_text(found, part, value) for part, value in zip(found.type.parts, key)]
    return ",".join(word for word in words if word)


def extension_words(found: IpSet, entry: Entry) -> list[tuple[str, str]]:
    """(name, value) of what an element carries, in the order it is printed."""
    words = []
    if found.timeout is not None:
        left = 0 if entry.expires is None else max(1, (entry.expires - found.net.loop.now) // SECOND)
        words.append(("timeout", str(left)))
    if entry.nomatch:
        words.append(("nomatch", ""))
    if entry.wildcard:
        words.append(("wildcard", ""))
    if found.counters:
        words += [("packets", str(entry.packets)), ("bytes", str(entry.bytes))]
    if entry.comment:
        words.append(("comment", f'"{entry.comment}"'))
    if "skbmark" in entry.skb:
        value, mask = entry.skb["skbmark"]
        words.append(("skbmark", f"0x{value:x}" + (f"/0x{mask:x}" if mask != 0xFFFFFFFF else "")))
    if "skbprio" in entry.skb:
        words.append(("skbprio", "{:x}:{:x}".format(*entry.skb["skbprio"])))
    if "skbqueue" in entry.skb:
        words.append(("skbqueue", str(entry.skb["skbqueue"])))
    return words


def entry_line(found: IpSet, entry: Entry) -> str:
    words = [element_text(found, entry.key)]
    words += [f"{name} {value}".rstrip() for name, value in extension_words(found, entry)]
    return " ".join(words)


def ordered(found: IpSet, is_sorted: bool) -> list[Entry]:
    entries = found.live()
    if found.type.name.startswith("bitmap"):
        return sorted(entries, key=lambda entry: entry.key[0])
    return sorted(entries, key=lambda entry: str(element_text(found, entry.key))) if is_sorted else entries


def header_words(found: IpSet) -> list[tuple[str, str]]:
    """(name, value) of the header; a flag has no value."""
    options = found.options
    words: list[tuple[str, str]] = []
    hashed = found.type.name.startswith("hash")
    if found.type.name == "list:set":
        words.append(("size", str(options["size"])))
    elif hashed:
        if found.type.name != "hash:mac":
            words.append(("family", "inet" if found.family == 4 else "inet6"))
        words += [("hashsize", str(options["hashsize"])), ("maxelem", str(options["maxelem"]))]
    else:
        low, high = options["range"]
        text = f"{low}-{high}" if found.type.name == "bitmap:port" else f"{address_of(low, 4)}-{address_of(high, 4)}"
        words.append(("range", text))
    if "netmask" in options:
        words.append(("netmask", str(options["netmask"])))
    if "markmask" in options:
        words.append(("markmask", f"0x{options['markmask']:08x}"))
    if found.timeout is not None:
        words.append(("timeout", str(found.timeout)))
    words += [(flag, "") for flag in ("counters", "comment", "skbinfo") if flag in options]
    if hashed:
        words += [("bucketsize", str(options["bucketsize"])), ("initval", f"0x{found.initval:08x}")]
    return words


def header_line(found: IpSet) -> str:
    return " ".join(f"{name} {value}".rstrip() for name, value in header_words(found))


def save_text(found: IpSet, is_sorted: bool = False) -> str:
    lines = [f"create {found.name} {found.type.name} {header_line(found)}"]
    lines += [f"add {found.name} {entry_line(found, entry)}" for entry in ordered(found, is_sorted)]
    return "".join(f"{line}\n" for line in lines)


def show_text(chosen: list[IpSet], mode: str, flags: set[str]) -> str:
    terse, is_sorted = "terse" in flags, "sorted" in flags
    if mode == "xml":
        return "<ipsets>\n" + "".join(xml(found, terse, is_sorted) for found in chosen) + "</ipsets>\n"
    blocks = []
    for found in chosen:
        lines = [
            f"Name: {found.name}",
            f"Type: {found.type.name}",
            f"Revision: {found.type.revision}",
            f"Header: {header_line(found)}",
            f"Size in memory: {found.memory()}",
            f"References: {found.held}",
            f"Number of entries: {len(found.live())}",
        ]
        if not terse:
            lines.append("Members:")
            lines += [entry_line(found, entry) for entry in ordered(found, is_sorted)]
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)


def xml(found: IpSet, terse: bool, is_sorted: bool) -> str:
    header = "".join(f"<{name}>{value}</{name}>" if value else f"<{name}/>" for name, value in header_words(found))
    text = f'<ipset name="{found.name}">\n<type>{found.type.name}</type>\n<revision>{found.type.revision}</revision>\n'
    text += f"<header>{header}\n<memsize>{found.memory()}</memsize>\n<references>{found.held}</references>\n"
    text += f"<numentries>{len(found.live())}</numentries>\n</header>\n"
    if not terse:
        text += "<members>\n"
        for entry in ordered(found, is_sorted):
            inner = "".join(f"<{name}>{value}</{name}>" if value else f"<{name}/>" for name, value in extension_words(found, entry))
            text += f"<member><elem>{element_text(found, entry.key)}</elem>{inner}</member>\n"
        text += "</members>\n"
    return text + "</ipset>\n"
