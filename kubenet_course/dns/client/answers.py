"""What an answer leads to (recv_done() and followup_lookup() of dighost.c).

`Answers` is the half of `engine.Client` that judges messages: is it for us, is it to be asked for again
in another way, of another server, under another name, of the servers that it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dns.name

from kubenet_course.dns.client.lookup import COOKIE, NS, SOA, Lookup, Query, Server
from kubenet_course.dns.client.text import short_name
from kubenet_course.dns.client.wire import (
    ANSWER,
    AUTHORITY,
    BadMessage,
    Message,
    class_text,
    decode,
    hex_dump,
    name_from_text,
    type_text,
)  # fmt: skip
from kubenet_course.userland.resolver import ResolverError

if TYPE_CHECKING:
    from random import Random

    from kubenet_course.userland.process import Process

AGAIN, NEXT, DONE = "again", "next", "done"


class Answers:
    """Needs of the client: what it says (`print_message` …), `requeue`, `addresses`, `fatal`."""

    proc: Process
    random: Random
    check_ra = False
    exit_status = 0
    #: With +nssearch and a single server BIND 9.18 shows nothing.
    silent = False

    # -- what programs say ----------------------------------------------------------------------
    def print_message(self, query: Query, message: Message, sending: bool = False) -> None:
        """An answer, or with `sending` a query."""

    def received(self, query: Query, size: int) -> None:
        """After a whole answer."""

    def trying(self, name: dns.name.Name) -> None:
        """Before a name is asked for."""

    def comment(self, lookup: Lookup, text: str) -> None:
        """A remark about how things go."""

    def warning(self, lookup: Lookup, text: str) -> None:
        if not lookup.yaml:
            self.proc.print(f";; {text}")

    def error(self, lookup: Lookup, text: str) -> None:
        self.proc.print(f";; {text}")

    # -- what the client brings -------------------------------------------------------------------
    def fatal(self, text: str, status: int = 1) -> Exception:
        raise NotImplementedError

    def requeue(self, lookup: Lookup, **changes: Any) -> None:
        raise NotImplementedError

    async def addresses(self, name: str) -> list[Server]:
        raise NotImplementedError

    @staticmethod
    def address_failure(failure: ResolverError) -> str:
        raise NotImplementedError

    # -- answers --------------------------------------------------------------------------------
    async def _answered(self, query: Query, wire: bytes, tcp: bool) -> str:
        """recv_done(): AGAIN to wait for another message, NEXT for the next server, DONE."""
        lookup = query.lookup
        query.elapsed = self.proc.loop.now - query.sent
        again = DONE if tcp else AGAIN
        if len(wire) < 12:
            self.warning(
                lookup,
                "ERROR: short (< header size) message"
                if tcp
                else "Warning: short (< header size) message received",
            )
            return again
        identity = int.from_bytes(wire[:2], "big")
        if identity != query.message.id:
            text = f"ID mismatch: expected ID {query.message.id}, got {identity}"
            self.warning(lookup, f"{'ERROR' if tcp else 'Warning'}: {text}")
            return again
        if not wire[2] & 0x80:
            self.warning(lookup, "Warning: query response not set")
        try:
            message = decode(wire, lookup.best_effort)
        except BadMessage as problem:
            self.warning(lookup, f"Got bad packet: {problem}")
            if not lookup.yaml:
                self.proc.print(hex_dump(wire), end="")
            return DONE
        if message.malformed:
            self.warning(lookup, "Warning: Message parser reports malformed message packet.")
        for question in message.questions:
            if (question.name, question.rdtype, question.rdclass) != (
                lookup.name,
                lookup.rdtype,
                lookup.rdclass,
            ):
                found = (
                    f"{short_name(question.name)}/{type_text(question.rdtype)}/{class_text(question.rdclass)}"
                )
                self.warning(lookup, f";; Question section mismatch: got {found}")
                return again
        if not lookup.transfer:
            query.bytes += message.size
        self._cookie(query, message)
        if self._retried(query, message, tcp):
            return DONE
        outcome = self._another_server(query, message)
        return outcome or await self._accepted(query, message)

    def _cookie(self, query: Query, message: Message) -> None:
        """process_cookie()"""
        if message.edns is None and query.lookup.cookie_text:
            self.comment(query.lookup, "expected opt record in response")
        if message.edns is None or query.message.edns is None or not query.lookup.cookie:
            return
        sent = next((data for code, data in query.message.edns.options if code == COOKIE), b"")
        for code, data in message.edns.options:
            if code != COOKIE:
                continue
            if len(data) >= 8 and data[:8] == sent[:8]:
                message.cookie = "good" if len(data) >= 16 else "echoed"
                if message.cookie == "good":
                    query.lookup.cookie_text = data
            else:
                self.warning(query.lookup, "Warning: Client COOKIE mismatch")
                message.cookie = "bad"

    def _retried(self, query: Query, message: Message, tcp: bool) -> bool:
        """BADVERS, truncation, BADCOOKIE: the same question again, in another way."""
        lookup = query.lookup
        edns = message.edns
        if message.rcode == 16 and edns is not None and lookup.edns > edns.version and lookup.negotiate:
            self.comment(lookup, f"BADVERS, retrying with EDNS version {edns.version}.")
            self.requeue(lookup, edns=edns.version)
            return True
        if message.flag(0x200) and not lookup.ignore and not tcp:
            self.comment(lookup, "Truncated, retrying in TCP mode.")
            self.requeue(lookup, tcp=True)
            return True
        if (
            message.rcode == 23
            and not tcp
            and lookup.cookie
            and lookup.badcookie
            and message.cookie == "good"
        ):
            if lookup.show_badcookie:
                self.print_message(query, message)
                self.received(query, message.size)
            self.comment(lookup, "BADCOOKIE, retrying.")
            self.requeue(lookup, cookie_tries=lookup.cookie_tries + 1, tcp=lookup.cookie_tries >= 2)
            return True
        return False

    def _another_server(self, query: Query, message: Message) -> str | None:
        lookup = query.lookup
        servfail = message.rcode == 2 and not lookup.fail
        if not servfail and not (self.check_ra and not message.flag(0x80) and lookup.recurse):
            return None
        reason = "SERVFAIL reply" if message.rcode == 2 and servfail else "recursion not available"
        following = query.following and not query.messages
        self.comment(
            lookup, f"Got {reason} from {query.server.text}{', trying next server' if following else ''}"
        )
        return NEXT if following else None

    async def _accepted(self, query: Query, message: Message) -> str:
        lookup = query.lookup
        if self.exit_status == 9:
            self.exit_status = 0  # an earlier name's servers that could not be reached are forgotten
        if lookup.transfer:
            return self._transferred(query, message)
        if message.rcode == 3 and (lookup.need_search or (lookup.suffix is not None and not lookup.absolute)):
            if lookup.origin + 1 < len(lookup.origins):
                self.requeue(lookup, origin=lookup.origin + 1)
                if lookup.show_search:
                    self.print_message(query, message)
                    self.received(query, message.size)
                return DONE
            self.print_message(query, message)
            self.received(query, message.size)
            self.received(query, message.size)  # dighost.c says it twice
            return DONE
        if self.silent:
            return DONE
        if message.rcode and lookup.suffix is not None:
            self.print_message(query, message)
            if message.rcode == 3:
                self.received(query, message.size)
            return DONE
        if lookup.ns_search and lookup.trace_root:
            self.received(query, message.size)
            await self._follow(query, message, ANSWER if message.answers else AUTHORITY)
            return DONE
        self.print_message(query, message)
        if lookup.trace and not lookup.trace_root and message.answers:
            self.received(query, message.size)
            return DONE
        if lookup.trace:
            following = await self._delegated(query, message, ANSWER if lookup.trace_root else AUTHORITY)
            self.received(query, message.size)
            if following is not None:
                self.requeue(following)
            return DONE
        self.received(query, message.size)
        return DONE

    def _transferred(self, query: Query, message: Message) -> str:
        more = query.more(message)
        self.print_message(query, message)
        if more is None:
            began = bool(message.rcode) or not message.answers or message.answers[0].rdtype == SOA
            self.proc.print("; Transfer failed." if began else "; Transfer failed.  Didn't start with SOA answer.")
            return DONE
        if more:
            return AGAIN
        self.received(query, message.size)
        return DONE

    # -- following NS records -------------------------------------------------------------------
    async def _follow(self, query: Query, message: Message, section: int) -> None:
        following = await self._delegated(query, message, section)
        if following is not None:
            self.requeue(following)

    async def _delegated(self, query: Query, message: Message, section: int) -> Lookup | None:
        """followup_lookup(): the question for the servers that the NS records name, in a random order."""
        lookup = query.lookup
        name = self._asked_name(lookup)
        targets: list[dns.name.Name] = []
        level = lookup.level
        for record in message.sections[section]:
            if record.rdtype != NS or not name.is_subdomain(record.name):
                continue
            if lookup.trace and not lookup.trace_root and len(record.name) <= lookup.level:
                if not targets:
                    kind = "BAD (HORIZONTAL) REFERRAL" if len(record.name) == lookup.level else "BAD REFERRAL"
                    self.warning(lookup, kind)
                if len(record.name) < lookup.level:
                    return None
            level = len(record.name)
            targets.append(record.rdata.target)  # type: ignore[attr-defined]
        if not targets:
            return None
        servers: list[Server] = []
        failed = ""
        for target in targets:
            text = short_name(target)
            try:
                servers += await self.addresses(text)
            except ResolverError as failure:
                failed = text
                self.proc.print(f"couldn't get address for '{text}': {self.address_failure(failure)}")
        if not servers:
            raise self.fatal(f"couldn't get address for '{failed}': no more")
        self.random.shuffle(servers)
        changes: dict[str, Any] = (
            {"rdtype": SOA, "recurse": False} if lookup.ns_search else {"rdtype": lookup.asked_type}
        )
        return lookup.clone(servers=servers, trace_root=False, level=level, **changes)

    def _asked_name(self, lookup: Lookup) -> dns.name.Name:
        if lookup.ns_search:
            return lookup.name
        return name_from_text(lookup.textname)
