"""What `set` and the options of the command line change (setoption() of nslookup.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.dns.client.wire import class_from_text, type_from_text

if TYPE_CHECKING:
    from kubenet_course.dns.client.engine import Client
    from kubenet_course.userland.process import Process

#: Words that switch something, each with its shortest form: word → (length, attribute, value).
SWITCHES = {
    "recurse": (3, "recurse", True), "norecurse": (5, "recurse", False), "vc": (2, "tcp", True), "novc": (4, "tcp", False),
    "debug": (3, "debug", True), "nodebug": (5, "debug", False), "search": (3, "search", True), "nosearch": (5, "search", False),
    "defname": (3, "search", True), "nodefname": (5, "search", False), "fail": (4, "fail", True), "nofail": (6, "fail", False),
    "sil": (3, "silent", True), "nod2": (4, "d2", False),
}  # fmt: skip
#: Words with a value: each spelling → what it sets.
VALUES = {
    "class=": "class", "cl=": "class", "type=": "type", "ty=": "type", "querytype=": "type", "query=": "type", "qu=": "type", "q=": "type",
    "domain=": "domain", "do=": "domain", "port=": "port", "po=": "port", "timeout=": "timeout", "t=": "timeout", "retry=": "retry",
    "ret=": "retry", "ndots=": "ndots",
}  # fmt: skip


class Settings:
    """`type` and `rdclass` are as they were typed; `tries` counts from 1."""

    def __init__(self, proc: Process, client: Client):
        self.proc, self.client = proc, client
        self.pending: list[str] = []
        self.recurse = True
        self.tcp = self.tcp_set = False
        self.debug = self.d2 = self.silent = False
        self.search = True
        self.fail = False
        self.type, self.rdclass = "A", "IN"
        self.default_lookups = True
        self.retry: int | None = None

    @property
    def tries(self) -> int:
        """`retry`, or what resolv.conf says."""
        return self.retry if self.retry is not None else self.client.resolv_attempts or 3

    def type_number(self) -> int:
        return type_from_text(self.type) or 1

    def class_number(self) -> int:
        return class_from_text(self.rdclass) or 1

    async def set(self, option: str) -> None:
        if option == "all":
            self.show()
            return
        if option == "d2":
            self.proc.error("kubenet: nslookup: d2 is not emulated")
            return
        for prefix, name in VALUES.items():
            if option.lower().startswith(prefix):
                getattr(self, f"_{name}")(option[len(prefix) :])
                return
        for word, (least, attribute, value) in SWITCHES.items():
            if len(option) >= least and word.startswith(option.lower()):
                setattr(self, attribute, value)
                if attribute == "tcp":
                    self.tcp_set = True
                if attribute == "search":
                    self.client.use_search = value
                return
        self.proc.print(f"*** Invalid option: {option}")

    # -- values ---------------------------------------------------------------------------------
    def _number(self, what: str, text: str, limit: int) -> int | None:
        if not (text.isascii() and text.isdigit()):
            self.proc.print(f"invalid {what} '{text}': not a valid number")
            return None
        if int(text) > limit:
            self.proc.print(f"invalid {what} '{text}': out of range")
            return None
        return int(text)

    def _class(self, text: str) -> None:
        if class_from_text(text) is None:
            self.proc.print(f"unknown query class: {text}")
        else:
            self.rdclass = text

    def _type(self, text: str) -> None:
        if type_from_text(text) is None:
            self.proc.print(f"unknown query type: {text}")
        else:
            self.type, self.default_lookups = text, False

    def _domain(self, text: str) -> None:
        self.client.search = [text] if text else self.client.search
        self.client.use_search = True
        self.search = True

    def _port(self, text: str) -> None:
        number = self._number("port", text, 65535)
        if number is not None:
            self.client.port = number

    def _timeout(self, text: str) -> None:
        number = self._number("timeout", text, (1 << 31) - 1)
        if number is not None:
            self.client.timeout = number

    def _retry(self, text: str) -> None:
        number = self._number("tries", text, (1 << 31) - 1)
        if number is not None:
            self.retry = number

    def _ndots(self, text: str) -> None:
        number = self._number("ndots", text, 128)
        if number is not None:
            self.client.ndots = number

    # -- showing --------------------------------------------------------------------------------
    def show_servers(self) -> None:
        for server in self.client.resolv_servers:
            self.proc.print(f"Default server: {server.name}\nAddress: {server.text}#{self.client.port}")

    def show(self) -> None:
        """show_settings(): `set all`."""
        client = self.client
        self.show_servers()
        ndots = client.ndots if client.ndots is not None else client.resolv_ndots
        lines = [
            "", "Set options:",
            f"  {'vc' if self.tcp else 'novc'}\t\t\t{'debug' if self.debug else 'nodebug'}\t\tnod2",
            f"  {'search' if client.use_search else 'nosearch'}\t\t{'recurse' if self.recurse else 'norecurse'}",
            f"  timeout = {client.timeout or 0}\t\tretry = {self.tries}\tport = {client.port}\tndots = {ndots}",
            f"  querytype = {self.type:<8}\tclass = {self.rdclass}",
            f"  srchlist = {'/'.join(client.search)}",
        ]  # fmt: skip
        self.proc.print("\n".join(lines))
