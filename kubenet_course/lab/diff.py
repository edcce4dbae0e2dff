"""What changed on the machines: two snapshots, compared fact by fact.

A snapshot is taken through the machines' own commands in their machine-readable forms (`ip -j`,
`bridge -j`, `iptables-save`, `sysctl`), in every network namespace that has a name, and the backend's
list of files. Commands that a machine does not have are left out on both sides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: facts[(machine, namespace, kind, key)] = {name: value}
Key = tuple[str, str, str, str]
Facts = dict[str, str]
Snapshot = dict[Key, Facts]

KINDS = (
    "namespace", "link", "address", "route", "rule", "neighbour", "fdb", "iptables", "ip6tables", "sysctl",
    "file",
)  # fmt: skip
SYSCTLS = (
    "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.proxy_arp", "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.all.send_redirects", "net.ipv4.icmp_echo_ignore_all", "net.ipv4.ip_default_ttl",
    "net.ipv6.conf.all.disable_ipv6", "net.bridge.bridge-nf-call-iptables",
)  # fmt: skip
#: MAC addresses that no lab chose, and the link-local addresses made from them.
_RANDOM = re.compile(
    r"\b(?!02:00:00:)(?!00:00:00:00:00:00)(?![0-9a-f][13579bdf]:)[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"
    r"|\bfe80::(?!ff:fe00:)[0-9a-f:]+"
)
_SAVES = ("iptables-save", "ip6tables-save")


@dataclass(frozen=True)
class Change:
    """One difference: `sign` is + (came), - (went) or ~ (is otherwise now)."""

    machine: str
    namespace: str
    sign: str
    kind: str
    text: str

    def __str__(self) -> str:
        where = self.machine + (f" [{self.namespace}]" if self.namespace else "")
        return f"{where}: {self.sign} {self.kind} {self.text}"


@dataclass(frozen=True)
class Diff:
    """All differences, in a fixed order; its repr has one a line."""

    changes: tuple[Change, ...]

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.changes)) or "(nothing changed)"


def snapshot(lab: Any) -> Snapshot:
    """Every fact about every machine of a lab, now."""
    facts: Snapshot = {}
    lab.backend.settle()
    random = lab.backend_name != "emulated"  # a replay there gives new MAC addresses
    for name in lab.machines:
        namespaces = [""]
        listing = lab.query(name, ["ip", "netns", "list"])
        if listing.returncode == 0:
            namespaces += [line.split()[0] for line in listing.stdout.splitlines() if line.strip()]
        for namespace in namespaces:
            if namespace:
                facts[name, "", "namespace", namespace] = {}
            for kind, key, values in _facts(lab, name, namespace):
                if random:
                    key = _RANDOM.sub("(made up)", key)
                    values = {what: _RANDOM.sub("(made up)", value) for what, value in values.items()}
                facts[name, namespace, kind, key] = values
        for path, digest in lab.backend.changed_files(name).items():
            facts[name, "", "file", path] = {"content": digest}
    return facts


def compare(before: Mapping[Key, Facts], after: Mapping[Key, Facts]) -> Diff:
    """The changes from `before` to `after`, by machine, namespace and kind, each in its own order."""
    changes = []
    order: dict[Key, None] = dict.fromkeys([*before, *after])
    for key in sorted(order, key=lambda k: (k[0], k[1], KINDS.index(k[2]))):
        machine, namespace, kind, name = key
        old, new = before.get(key), after.get(key)
        if old == new or (
            namespace and _comes_with(key, (machine, "", "namespace", namespace), before, after)
        ):
            continue
        if old is None and new is not None:
            changes.append(Change(machine, namespace, "+", kind, _whole(kind, name, new)))
        elif new is None and old is not None:
            changes.append(Change(machine, namespace, "-", kind, _whole(kind, name, old)))
        elif old is not None and new is not None:
            changes.append(Change(machine, namespace, "~", kind, f"{name}: {_between(kind, old, new)}"))
    return Diff(tuple(changes))


def _comes_with(key: Key, space: Key, before: Mapping[Key, Facts], after: Mapping[Key, Facts]) -> bool:
    """Whether a fact is one that every new namespace has: its rules, sysctls, and a `lo` that is down."""
    if space in before and space in after:
        return False
    facts = after.get(key) or before.get(key) or {}
    return key[2] in ("rule", "sysctl") or (key[2:] == ("link", "lo") and facts.get("state") == "DOWN")


def _whole(kind: str, name: str, facts: Facts) -> str:
    if kind in ("file", "link", "sysctl", "neighbour"):
        extra = {"link": facts.get("state", ""), "sysctl": facts.get("value", ""), "neighbour": " ".join(
            filter(None, (facts.get("lladdr", ""), facts.get("state", ""))))}.get(kind, "")  # fmt: skip
        return f"{name} {extra}".strip()
    return name


def _between(kind: str, old: Facts, new: Facts) -> str:
    if kind == "file":
        return "content changed"
    parts = []
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            parts.append(f"{name} {old.get(name) or 'none'} → {new.get(name) or 'none'}")
    return ", ".join(parts)


def _facts(lab: Any, machine: str, namespace: str) -> Iterator[tuple[str, str, Facts]]:
    prefix = ["ip", "netns", "exec", namespace] if namespace else []
    ip = ["ip", *(["-n", namespace] if namespace else [])]

    def rows(argv: list[str]) -> list[dict[str, Any]]:
        result = lab.query(machine, argv)
        if result.returncode or not result.stdout.strip():
            return []
        return [row for row in json.loads(result.stdout) if row]

    for row in rows([*ip, "-j", "-d", "link", "show"]):
        yield "link", row["ifname"], _link(row)
    for row in rows([*ip, "-j", "addr", "show"]):
        for address in row.get("addr_info", ()):
            if "local" in address:
                text = f"{address['local']}/{address['prefixlen']} dev {row['ifname']}"
                yield (
                    "address",
                    text,
                    {"scope": str(address.get("scope")), "label": str(address.get("label", ""))},
                )
    for family in ("-4", "-6"):
        for row in rows([*ip, "-j", family, "route", "show", "table", "all"]):
            if row.get("table") != "local" and not row.get("type", "").startswith(
                ("local", "multicast", "anycast")
            ):
                yield "route", _route(row), {}
        for row in rows([*ip, "-j", family, "rule", "show"]):
            yield "rule", " ".join(f"{k} {v}" for k, v in row.items() if v not in ([], "")), {}
        for row in rows([*ip, "-j", family, "neigh", "show"]):
            state = " ".join(row.get("state", []))
            yield "neighbour", f"{row['dst']} dev {row.get('dev', '')}", {
                "lladdr": row.get("lladdr", ""), "state": state,
            }  # fmt: skip
    for row in rows([*prefix, "bridge", "-j", "fdb", "show"]):
        if "permanent" not in str(row.get("state", "")) and "permanent" not in row.get("flags", []):
            yield "fdb", f"{row['mac']} dev {row.get('ifname', '')}", {"master": row.get("master", "")}
    for save in _SAVES:
        yield from _rules(save, lab.query(machine, [*prefix, save]).stdout)
    yield from _sysctls(lab.query(machine, [*prefix, "sysctl", *SYSCTLS]).stdout)


def _link(row: dict[str, Any]) -> Facts:
    keep = ("operstate", "mtu", "master", "address", "link", "link_netnsid")
    facts = {name: str(row[name]) for name in keep if name in row}
    facts["state"] = "UP" if "UP" in row.get("flags", ()) else "DOWN"
    facts["operstate"] = facts.get("operstate", "")
    facts["kind"] = row.get("linkinfo", {}).get("info_kind", "")
    return facts


def _route(row: dict[str, Any]) -> str:
    words = [row["type"]] if "type" in row else []
    words.append(row["dst"])
    for key, word in (("gateway", "via"), ("dev", "dev"), ("table", "table"), ("protocol", "proto"),
                      ("scope", "scope"), ("prefsrc", "src"), ("metric", "metric")):  # fmt: skip
        if key in row:
            words += [word, str(row[key])]
    for hop in row.get("nexthops", ()):
        words += ["nexthop", "via", str(hop.get("gateway", "")), "dev", str(hop.get("dev", ""))]
    return " ".join([*words, *row.get("flags", ())])


def _rules(save: str, text: str) -> Iterator[tuple[str, str, Facts]]:
    kind = "iptables" if save == "iptables-save" else "ip6tables"
    table = ""
    seen: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chain, policy, _ = line[1:].split(" ", 2)
            yield kind, f"-t {table} {chain}", {"policy": policy}
        elif line.startswith("-A"):
            seen[table + line] = seen.get(table + line, 0) + 1
            copies = seen[table + line]
            yield kind, f"-t {table} {line}" + (f" (copy {copies})" if copies > 1 else ""), {}


def _sysctls(text: str) -> Iterator[tuple[str, str, Facts]]:
    for line in text.splitlines():
        name, equals, value = line.partition(" = ")
        if equals:
            yield "sysctl", name, {"value": value}
