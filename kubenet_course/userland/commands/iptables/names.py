"""Names of services, protocols, users and hosts, from the machine's own files in /etc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


class MachineNames:
    """What `kernel.netfilter.xt.Names` asks for; files are read once, when first needed."""

    def __init__(self, proc: Process):
        self.proc = proc
        self._files: dict[str, list[list[str]]] = {}
        self._services: tuple[dict, dict] | None = None

    def _lines(self, name: str, separator: str | None = None) -> list[list[str]]:
        if name not in self._files:
            try:
                text = self.proc.files.read_text(f"/etc/{name}")
            except KernelError:
                text = ""
            rows = [line.partition("#")[0].strip() for line in text.splitlines()]
            self._files[name] = [row.split(separator) for row in rows if row]
        return self._files[name]

    def _tables(self) -> tuple[dict, dict]:
        if self._services is None:
            by_name: dict[tuple[str, str], int] = {}
            by_port: dict[tuple[int, str], str] = {}
            for row in self._lines("services"):
                port_text, _, protocol = row[1].partition("/")
                port = int(port_text)
                for name in (row[0], *row[2:]):
                    by_name.setdefault((name, protocol), port)
                    by_name.setdefault((name, ""), port)
                by_port.setdefault((port, protocol), row[0])
                by_port.setdefault((port, ""), row[0])
            self._services = (by_name, by_port)
        return self._services

    def service_port(self, name: str, protocol: str | None = None) -> int | None:
        return self._tables()[0].get((name, protocol or ""))

    def service_name(self, port: int, protocol: str | None = None) -> str | None:
        return self._tables()[1].get((port, protocol or ""))

    def protocol_number(self, name: str) -> int | None:
        for row in self._lines("protocols"):
            if name == row[0] or name in row[2:]:
                return int(row[1])
        return None

    def protocol_name(self, number: int) -> str | None:
        return next((row[0] for row in self._lines("protocols") if row[1] == str(number)), None)

    def user_id(self, name: str) -> int | None:
        return next((int(row[2]) for row in self._lines("passwd", ":") if row[0] == name), None)

    def user_name(self, number: int) -> str | None:
        return next((row[0] for row in self._lines("passwd", ":") if row[2] == str(number)), None)

    def group_id(self, name: str) -> int | None:
        return next((int(row[2]) for row in self._lines("group", ":") if row[0] == name), None)

    def group_name(self, number: int) -> str | None:
        return next((row[0] for row in self._lines("group", ":") if row[2] == str(number)), None)

    def host_addresses(self, name: str, family: int) -> list[Any]:
        """From /etc/hosts; names that only DNS knows are not looked up."""
        found = []
        for row in self._lines("hosts"):
            if name in row[1:]:
                try:
                    address = parse_address(row[0])
                except ValueError:
                    continue
                if address.family == family and address not in found:
                    found.append(address)
        return found

    def address_name(self, address: Any, mask: int) -> str:
        """xtables_ipaddr_to_anyname(): a host's name where /etc/hosts has one."""
        if mask == (1 << address.bits) - 1:
            for row in self._lines("hosts"):
                if row[0] == str(address) and len(row) > 1:
                    return row[1]
        if address.family == 4:
            for row in self._lines("networks"):
                if len(row) > 1 and row[1] == str(address):
                    return row[0]
        return str(address)

    def set_exists(self, name: str) -> bool:
        from kubenet_course.kernel.netfilter.ipset import sets

        return sets(self.proc.net).find(name) is not None

    def warn(self, line: str) -> None:
        self.proc.error(line)
