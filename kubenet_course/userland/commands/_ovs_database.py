"""``ovs-vsctl set``, ``get``, ``clear`` and ``remove``: the switch's database (lib/db-ctl-base.c)."""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.kernel.ovs.switch import OvsPort, Switch
from kubenet_course.userland.commands._ovs import OvsError

COLUMNS = {
    "bridge": ("_uuid", "name", "fail_mode", "datapath_type", "ports", "stp_enable", "rstp_enable",
    "other_config",
               "external_ids", "protocols", "mcast_snooping_enable", "datapath_id", "controller",
               "flood_vlans"),
    "port": ("_uuid", "name", "tag", "trunks", "vlan_mode", "interfaces", "other_config", "external_ids",
    "qos", "bond_mode"),
    "interface": ("_uuid", "name", "type", "options", "ofport", "ofport_request", "mac", "mac_in_use",
    "admin_state",
                  "link_state", "error", "external_ids", "other_config", "mtu", "mtu_request", "statistics",
                  "ifindex",
                  "ingress_policing_rate", "ingress_policing_burst"),
}  # fmt: skip


def _column(table: str, text: str) -> str:
    """get_column(): a column's name may be abbreviated."""
    known = COLUMNS[table]
    wanted = text.replace("-", "_")
    if wanted in known:
        return wanted
    found = [name for name in known if name.startswith(wanted)]
    if not found:
        raise OvsError(f'{table.capitalize()} does not contain a column whose name matches "{text}"')
    if len(found) > 1:
        raise OvsError(f'{table.capitalize()} contains more than one column whose name matches "{text}"')
    return found[0]


def _other(row: Any, column: str, key: str | None, value: str) -> None:
    if column in ("external_ids", "other_config"):
        if key is None:
            row.other[column] = dict(
                pair.split("=", 1) for pair in value.strip("{}").split(",") if "=" in pair
            )
        else:
            row.other.setdefault(column, {})[key] = value
        return
    raise OvsError(f"kubenet: ovs-vsctl column {column} is not emulated")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OvsError(f'"{text}" is not a valid integer') from None


def quoted(text: str) -> str:
    """ovsdb_atom_to_string(): a plain word stands as it is, anything else in quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and text not in ("true", "false"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Database:
    """The part of an ovs-vsctl run that reads and writes columns."""

    room: Switch
    output: list[str]

    def row(self, table: str, record: str) -> tuple[str, Any]:
        """(canonical table, record); the record by name."""
        known = {"bridge": "Bridge", "port": "Port", "interface": "Interface", "open_vswitch": "Open_vSwitch"}
        full = next((name for key, name in known.items() if key.startswith(table.lower())), None)
        if full is None:
            raise OvsError(f'unknown table "{table}"')
        if full == "Bridge":
            found: Any = self.room.bridges.get(record)
        elif full == "Open_vSwitch":
            raise OvsError(f"kubenet: ovs-vsctl table {full} is not emulated")
        else:
            found = self.room.find_port(record)
        if found is None:
            raise OvsError(f'no row "{record}" in table {full}')
        return full, found

    def set_(self, options: set[str], words: list[str]) -> None:
        table, record, *settings = words
        full, row = self.row(table, record)
        for setting in settings:
            self._set_column(full.lower(), row, setting)

    def _set_column(self, table: str, row: Any, setting: str) -> None:
        found = re.fullmatch(r"([\w-]+)(?::([^=]+))?=(.*)", setting, re.DOTALL)
        if found is None:
            raise OvsError(f'{setting}: argument does not end in "=" followed by a value.')
        column, key, value = found.group(1), found.group(2), found.group(3).strip('"')
        column = _column(table, column)
        if table == "bridge":
            if column in ("fail_mode", "datapath_type"):
                if column == "fail_mode" and value not in ("standalone", "secure"):
                    raise OvsError(
                        f"constraint violation: {value} is not one of the allowed values "
                        "([secure, standalone])"
                    )
                if column == "fail_mode":
                    row.set_fail_mode(value)
                else:
                    row.datapath_type = value
            else:
                _other(row, column, key, value)
        elif column in ("tag", "trunks", "vlan_mode") and table == "port":
            self._set_vlan(row, column, value)
        elif table == "interface" and column == "type":
            row.kind = "" if value == "system" else value
            self._reopen(row)
        elif table == "interface" and column == "options":
            if key is not None:
                row.options[key] = value
            else:
                row.options = dict(pair.split("=", 1) for pair in value.strip("{}").split(",") if "=" in pair)
        elif table == "interface" and column == "ofport_request":
            row.number = _integer(value)
        else:
            _other(row, column, key, value)

    def _set_vlan(self, port: OvsPort, column: str, value: str) -> None:
        if column == "vlan_mode":
            allowed = ("access", "dot1q-tunnel", "native-tagged", "native-untagged", "trunk")
            if value not in allowed:
                raise OvsError(
                    f"constraint violation: {value} is not one of the allowed values ([{', '.join(allowed)}])"
                )
            port.vlan_mode = value
        elif value in ("[]", ""):
            setattr(port, column, None if column == "tag" else [])
        else:
            numbers = [_integer(word) for word in value.strip("[]").split(",")]
            for number in numbers:
                if not 0 <= number <= 4095:
                    raise OvsError(
                        f"constraint violation: {number} is not in the valid range 0 to 4,095 (inclusive)"
                    )
            if column == "tag":
                port.tag = numbers[0]
            else:
                port.trunks = sorted(numbers)
        port.bridge.forget(port)

    def _reopen(self, port: OvsPort) -> None:
        port.error = ""

    def get(self, options: set[str], words: list[str]) -> None:
        table, record, *columns = words
        full, row = self.row(table, record)
        for text in columns:
            column, _, key = text.partition(":")
            self.output.append(self._value(full.lower(), row, _column(full.lower(), column), key))

    def _value(self, table: str, row: Any, column: str, key: str) -> str:
        if column == "_uuid":
            return str(row.uuid)
        if column == "name":
            return quoted(row.name)
        if table == "bridge":
            if column == "ports":
                return "[" + ", ".join(sorted(port.uuid for port in row.ports.values())) + "]"
            if column in ("fail_mode", "datapath_type"):
                value = getattr(row, column)
                return quoted(value) if value else ("[]" if column == "fail_mode" else '""')
        if column == "tag":
            return "[]" if row.tag is None else str(row.tag)
        if column == "trunks":
            return "[" + ", ".join(map(str, row.trunks)) + "]" if len(row.trunks) != 1 else str(row.trunks[0])
        if column == "vlan_mode":
            return row.vlan_mode or "[]"
        if column == "type":
            return quoted(row.kind) if row.kind else '""'
        if column == "ofport":
            return str(row.number if row.number >= 0 else -1) if row.number != 0xFFFE else "65534"
        if column == "mac_in_use":
            return quoted(str(row.device.mac)) if row.device is not None else "[]"
        if column in ("admin_state", "link_state"):
            up = row.device is not None and (row.device.up if column == "admin_state" else row.device.running)
            return "up" if up else "down"
        if column == "error":
            return quoted(row.error) if row.error else "[]"
        values = row.options if column == "options" else row.other.get(column, {})
        if not isinstance(values, dict):
            return str(values)
        if key:
            if key not in values:
                raise OvsError(f'no key {key} in {table.capitalize()} record "{row.name}" column {column}')
            return quoted(values[key])
        return "{" + ", ".join(f"{name}={quoted(value)}" for name, value in sorted(values.items())) + "}"

    def clear(self, options: set[str], words: list[str]) -> None:
        table, record, *columns = words
        full, row = self.row(table, record)
        for text in columns:
            column = _column(full.lower(), text)
            empty: dict[str, Any] = {
                "tag": None,
                "trunks": [],
                "vlan_mode": "",
                "fail_mode": "",
                "datapath_type": "",
                "options": {},
            }
            if column in empty:
                setattr(row, column, empty[column])
            else:
                row.other.pop(column, None)

    def remove(self, options: set[str], words: list[str]) -> None:
        table, record, column, *values = words
        full, row = self.row(table, record)
        column = _column(full.lower(), column)
        if column == "tag":
            row.tag = None
        elif column == "trunks":
            row.trunks = [number for number in row.trunks if str(number) not in ",".join(values).split(",")]
        elif column == "options":
            for value in values:
                row.options.pop(value.partition("=")[0], None)
        else:
            raise OvsError(f"kubenet: ovs-vsctl remove {column} is not emulated")
