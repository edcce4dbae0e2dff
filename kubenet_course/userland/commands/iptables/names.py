"""Names of services, protocols, users and hosts, from the machine's own files in /etc."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError, KubenetError

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


class Unresolved(KubenetError):
    """A host's name that has to be looked up first (`MachineNames.resolve`)."""

    def __init__(self, name: str, family: int):
        super().__init__(name)
        self.name, self.family = name, family


class MachineNames:
    """What `kernel.netfilter.xt.Names` asks for; files are read once, when first needed.

    Names and addresses of hosts come from the resolver, which waits, and who asks here cannot. With
    `resolving`, a name that is not known yet is `Unresolved`, and an address is a mark in the text that
    `fill` replaces; without it only /etc/hosts is asked.
    """

    def __init__(self, proc: Process, resolving: bool = False):
        self.proc = proc
        self.resolving = resolving
        self.hosts: dict[tuple[str, int], list[Any]] = {}
        self.failures: dict[tuple[str, int], str] = {}
        self.marked: list[Any] = []
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
        """Raises Unresolved for a name that was not looked up yet. ``1`` is an address (inet_aton(3))."""
        from kubenet_course.userland.resolver import inet_aton

        if family == 4 and (address := inet_aton(name)) is not None:
            return [address]
        if not self.resolving:
            from kubenet_course.userland.nss import hosts_addresses

            return hosts_addresses(self.proc, name, family)
        if (name, family) not in self.hosts:
            raise Unresolved(name, family)
        return self.hosts[name, family]

    def host_failure(self, name: str, family: int) -> str:
        """getaddrinfo's words for why a name that was looked up has no address."""
        return self.failures.get((name, family), "Temporary failure in name resolution")

    async def resolve(self, wanted: Unresolved) -> None:
        """host_to_ipaddr(): each address once."""
        from kubenet_course.userland.resolver import ResolverError, getaddrinfo

        try:
            found = [info.address for info in await getaddrinfo(self.proc, wanted.name, wanted.family)]
        except ResolverError as failure:
            found = []
            self.failures[wanted.name, wanted.family] = str(failure)
        self.hosts[wanted.name, wanted.family] = list(dict.fromkeys(found))

    def address_name(self, address: Any, mask: int) -> str:
        """xtables_ipaddr_to_anyname(): a host's name, a network's name, or the address."""
        if mask == (1 << address.bits) - 1 and self.resolving:
            if address not in self.marked:
                self.marked.append(address)
            return f"\0{self.marked.index(address)}\0"
        return self._network_name(address)

    def _network_name(self, address: Any) -> str:
        if address.family == 4:
            for row in self._lines("networks"):
                if len(row) > 1 and row[1] == str(address):
                    return row[0]
        return str(address)

    async def fill(self, text: str) -> str:
        """Names for the marks of `address_name`; columns stay as wide as they were."""
        from kubenet_course.userland.resolver import getnameinfo

        names = [await getnameinfo(self.proc, address) or self._network_name(address) for address in self.marked]

        def name(match: re.Match[str]) -> str:
            own = names[int(match[1])]
            return own.ljust(len(match[0]) - 1) + " " if match[2] else own

        return re.sub("\0([0-9]+)\0( *)", name, text)

    def set_exists(self, name: str) -> bool:
        from kubenet_course.kernel.netfilter.ipset import sets

        return sets(self.proc.net).find(name) is not None

    def warn(self, line: str) -> None:
        self.proc.error(line)
