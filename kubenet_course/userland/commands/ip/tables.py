"""Names of numbers, from /etc/iproute2: tables, protocols, scopes, groups, DS fields, realms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.words import c_number

if TYPE_CHECKING:
    from kubenet_course.userland.files import FileView

PROTOCOLS = {
    0: "none", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra",
    12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr",
    186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}  # fmt: skip
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
#: rtm_type, for those who want numbers (``-N``).
ROUTE_TYPES = {"unspec": 0, "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6,
               "unreachable": 7, "prohibit": 8, "throw": 9, "nat": 10}  # fmt: skip
TABLES = {253: "default", 254: "main", 255: "local"}
NAMED_FILES = {"proto": "rt_protos", "scope": "rt_scopes", "table": "rt_tables", "group": "group",
               "dsfield": "rt_dsfield", "realm": "rt_realms"}  # fmt: skip
BUILT_IN: dict[str, dict[int, str]] = {
    "proto": PROTOCOLS, "scope": SCOPES, "table": TABLES, "group": {0: "default"}, "dsfield": {}, "realm": {0: "cosmos"},
}  # fmt: skip
LIMITS = {"proto": 255, "scope": 255, "table": 0xFFFFFFFF, "group": 0x7FFFFFFF, "dsfield": 255, "realm": 0xFFFF}


class NameTables:
    """Both ways between numbers and names; what a file says goes before what is built in."""

    def __init__(self, files: FileView, numeric: bool = False):
        self.files = files
        self.numeric = numeric
        self._tables: dict[str, dict[int, str]] = {}

    def _table(self, kind: str) -> dict[int, str]:
        if kind not in self._tables:
            table = dict(BUILT_IN[kind])
            name = NAMED_FILES[kind]
            paths = [f"/etc/iproute2/{name}"]
            if kind in ("proto", "table"):
                folder = f"/etc/iproute2/{name}.d"
                if self.files.isdir(folder):
                    paths += [f"{folder}/{entry}" for entry in self.files.listdir(folder) if entry.endswith(".conf")]
            for path in paths:
                table.update(self._read(path))
            self._tables[kind] = table
        return self._tables[kind]

    def _read(self, path: str) -> dict[int, str]:
        try:
            text = self.files.read_text(path)
        except KernelError:
            return {}
        found: dict[int, str] = {}
        for line in text.splitlines():
            words = line.split()
            if len(words) < 2 or words[0].startswith("#"):
                continue
            number = c_number(words[0])
            if number is not None:
                found[number] = words[1]
        return found

    def name(self, kind: str, number: int) -> str:
        """The name, or the number as iproute2 writes it."""
        if self.numeric:
            return f"0x{number:02x}" if kind == "dsfield" else str(number)
        table = self._table(kind)
        if number in table:
            return table[number]
        return f"0x{number:02x}" if kind == "dsfield" else str(number)

    def number(self, kind: str, word: str) -> int | None:
        """From a name or a number; None for neither."""
        for number, name in self._table(kind).items():
            if name == word:
                return number
        value = c_number(word, 16 if kind == "dsfield" else 0)
        return value if value is not None and 0 <= value <= LIMITS[kind] else None
