"""Routes, rules, neighbours, bridges' tables, connections and sockets of one target, as records."""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.view import ovs
from kubenet_course.view.records import Address, Connection, FdbEntry, Link, Neighbour, Route, Rule, SocketRow
from kubenet_course.view.target import Target, ask, ask_json, namespaces, resolve

_DETAIL = ("id", "remote", "local", "dstport", "mode", "protocol")


def links(lab: Any, target: Target) -> list[Link]:
    """Every interface with its addresses (`ip -j -d addr`)."""
    return [_link(row) for row in ask_json(lab, target, "ip", "-j", "-d", "addr", "show")]


def _link(row: dict[str, Any]) -> Link:
    info = row.get("linkinfo", {})
    data = info.get("info_data", {}) or {}
    kind = info.get("info_kind", "loopback" if row.get("link_type") == "loopback" else "")
    detail = " ".join(f"{key} {data[key]}" for key in _DETAIL if data.get(key) and kind != "bridge")
    addresses = tuple(
        Address(
            a["local"],
            a["prefixlen"],
            a.get("family", "inet"),
            str(a.get("scope", "")),
            a.get("broadcast", ""),
        )
        for a in row.get("addr_info", ())
        if "local" in a
    )
    flags = row.get("flags", ())
    return Link(
        row["ifindex"],
        row["ifname"],
        kind,
        row.get("operstate", ""),
        "UP" in flags,
        "LOWER_UP" in flags,
        row.get("address", ""),
        row.get("mtu", 0),
        row.get("master", ""),
        row.get("link") or "",
        row.get("link_index", 0),
        row.get("link_netnsid", -1),
        detail,
        addresses,
    )


def routes(lab: Any, target: Target, table: str = "main", family: int = 4) -> list[Route]:
    """`ip route show table TABLE`."""
    which = [] if table == "main" else ["table", table]
    return [
        _route(row, table) for row in ask_json(lab, target, "ip", "-j", f"-{family}", "route", "show", *which)
    ]


def _route(row: dict[str, Any], table: str) -> Route:
    hops = tuple(
        " ".join(
            [
                "nexthop",
                *(["via", hop["gateway"]] if "gateway" in hop else []),
                "dev",
                str(hop.get("dev", "")),
                "weight",
                str(hop.get("weight", 1)),
            ]
        )
        for hop in row.get("nexthops", ())
    )
    via = row.get("via")
    gateway = row.get("gateway", "") or (f"{via.get('family', '')} {via.get('host', '')}" if via else "")
    return Route(
        row["dst"],
        gateway,
        row.get("dev", ""),
        row.get("prefsrc", ""),
        row.get("protocol", ""),
        row.get("scope", ""),
        row.get("metric", 0),
        str(row.get("table", table)),
        row.get("type", ""),
        tuple(row.get("flags", ())),
        hops,
    )


def rules(lab: Any, target: Target, family: int = 4) -> list[Rule]:
    """`ip rule`, which says in what order the tables are asked."""
    found = []
    for row in ask_json(lab, target, "ip", "-j", f"-{family}", "rule", "show"):
        source = str(row.get("src", "all")) + (f"/{row['srclen']}" if "srclen" in row else "")
        selector = ["not"] if "not" in row else []
        selector += ["from", source]
        if "dst" in row:
            selector += ["to", str(row["dst"]) + (f"/{row['dstlen']}" if "dstlen" in row else "")]
        for key in ("fwmark", "iif", "oif", "tos", "ipproto", "sport", "dport"):
            if key in row:
                selector += [key, str(row[key])]
        action = f"lookup {row['table']}" if "table" in row else str(row.get("action", ""))
        found.append(Rule(row.get("priority", 0), " ".join(selector), action))
    return found


def neighbours(lab: Any, target: Target) -> list[Neighbour]:
    """`ip neigh`, by device and address."""
    found = [
        Neighbour(row["dst"], row.get("dev", ""), row.get("lladdr", ""), " ".join(row.get("state", ())))
        for row in ask_json(lab, target, "ip", "-j", "neigh", "show")
    ]
    return sorted(found, key=lambda n: (n.dev, ":" in n.address, _by_number(n.address)))


def _by_number(address: str) -> tuple[Any, ...]:
    parts = re.split(r"[.:]", address)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


# -- bridges --------------------------------------------------------------------------------------
def find_bridge(lab: Any, name: str) -> tuple[Target, str]:
    """The target and bridge that `name` means: a switch, ``MACHINE:BRIDGE``, or the only bridge so named."""
    where, colon, bridge = name.partition(":")
    if colon:
        return resolve(lab, where), bridge
    if name in lab:
        names = _bridges(lab, Target(name))
        if name in names or len(names) == 1:
            return Target(name), name if name in names else names[0]
        raise LabError(f"{name} has {'several bridges: ' + ', '.join(names) if names else 'no bridge'}")
    found = []
    for machine in lab.machines:
        for namespace in ("", *namespaces(lab, machine)):
            if name in _bridges(lab, Target(machine, namespace)):
                found.append(Target(machine, namespace))
    found = found or [Target(machine) for machine in lab.machines if name in ovs.bridges(lab, machine)]
    if len(found) == 1:
        return found[0], name
    if found:
        raise LabError(
            f"several machines have a bridge {name}: say one of {', '.join(f'{t}:{name}' for t in found)}"
        )
    raise LabError(f"there is no switch or bridge {name!r} in this lab")


def _bridges(lab: Any, target: Target) -> list[str]:
    return [row["ifname"] for row in ask_json(lab, target, "ip", "-j", "link", "show", "type", "bridge")]


def fdb(lab: Any, target: Target, bridge: str) -> list[FdbEntry]:
    """What a bridge knows about where MAC addresses are; its own come last, groups are left out."""
    if not target.namespace and bridge not in _bridges(lab, target) and bridge in ovs.bridges(lab, target.machine):
        return ovs.learned(lab, target.machine, bridge)
    found = []
    for row in ask_json(lab, target, "bridge", "-j", "fdb", "show", "br", bridge):
        mac = row.get("mac", "")
        if int(mac[:2] or "0", 16) & 1 or (row.get("master") != bridge and row.get("ifname") != bridge):
            continue
        if "self" in row.get("flags", ()) and "dst" not in row and row.get("ifname") != bridge:
            continue
        found.append(
            FdbEntry(
                mac,
                row.get("ifname", ""),
                bridge,
                str(row.get("vlan", "")),
                row.get("state", ""),
                row.get("dst", ""),
            )
        )
    return sorted(dict.fromkeys(found), key=lambda e: (e.own, e.port, e.mac, e.vlan))


# -- connections ----------------------------------------------------------------------------------
_TUPLE = re.compile(r"\b(src|dst|sport|dport|type|code|id)=(\S+)")


def connections(lab: Any, target: Target) -> list[Connection]:
    """`conntrack -L`, in a fixed order."""
    found = [
        parse_connection(line) for line in ask(lab, target, "conntrack", "-L").splitlines() if "src=" in line
    ]
    return sorted(found, key=lambda c: (c.protocol, c.original, c.reply))


def parse_connection(line: str) -> Connection:
    """One line of `conntrack -L`."""
    words = line.split()
    protocol, timeout = words[0], int(words[2]) if len(words) > 2 and words[2].isdigit() else 0
    state = words[3] if len(words) > 3 and "=" not in words[3] and not words[3].startswith("[") else ""
    halves: list[dict[str, str]] = []
    for key, value in _TUPLE.findall(line):
        if key == "src":
            halves.append({})
        halves[-1][key] = value
    original, reply = halves[0], halves[1] if len(halves) > 1 else {}
    flags = " ".join(re.findall(r"\[(\w+)\]", line))
    mark = re.search(r"\bmark=([1-9]\d*)", line)
    return Connection(
        protocol,
        state,
        _half(original),
        _half(reply),
        flags,
        _nat_words(original, reply),
        timeout,
        mark[1] if mark else "",
    )


def _half(half: dict[str, str]) -> str:
    if not half:
        return ""
    sport, dport = half.get("sport"), half.get("dport")
    source = _with_port(half["src"], sport)
    destination = _with_port(half.get("dst", ""), dport)
    extra = f" id {half['id']}" if "id" in half else ""
    return f"{source} → {destination}{extra}"


def _with_port(address: str, port: str | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _nat_words(original: dict[str, str], reply: dict[str, str]) -> str:
    """How the two directions differ from being mirror images."""
    if not reply:
        return ""
    words = []
    if (original["src"], original.get("sport")) != (reply.get("dst"), reply.get("dport")):
        words.append(f"source becomes {_with_port(reply.get('dst', ''), reply.get('dport'))}")
    if (original["dst"], original.get("dport")) != (reply.get("src"), reply.get("sport")):
        words.append(f"destination becomes {_with_port(reply.get('src', ''), reply.get('sport'))}")
    if "id" in original and original["id"] != reply.get("id"):
        words.append(f"id becomes {reply.get('id')}")
    return ", ".join(words)


# -- sockets --------------------------------------------------------------------------------------
def sockets(lab: Any, target: Target) -> list[SocketRow]:
    """`ss -Htunap`: TCP and UDP sockets with their programs, listening ones first."""
    found = []
    for line in ask(lab, target, "ss", "-Htunap").splitlines():
        words = line.split()
        if len(words) < 6:
            continue
        program = ", ".join(dict.fromkeys(re.findall(r'\("([^"]+)"', line)))
        found.append(SocketRow(words[0], words[1], words[4], words[5], program))
    order = {"LISTEN": 0, "UNCONN": 1}
    return sorted(found, key=lambda s: (order.get(s.state, 2), s.protocol, s.local, s.peer))
