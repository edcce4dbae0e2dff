"""A DNS message in words: what it asks, what it answers, what it refers to."""

from __future__ import annotations

from typing import Any

WIDEST = 44  # characters of a record's data
SHOWN = 3  # records of an answer that are told; more are counted


def _short(text: str) -> str:
    """Data of a record, cut where it is long; a name without its last dot."""
    text = text[:-1] if len(text) > 1 and text.endswith(".") else text
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


class MessageWords:
    """A DNS message in words."""

    def __init__(self, wire: bytes):
        import dns.exception
        import dns.flags
        import dns.message
        import dns.rcode
        import dns.rdatatype

        self.message: Any = None
        self.name, self.rdtype, self.rcode = "?", "?", "?"
        self.authoritative = self.truncated = self.recursion_available = False
        try:
            message = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
        except (dns.exception.DNSException, ValueError):
            return
        self.message = message
        self.rcode = dns.rcode.to_text(message.rcode())
        self.authoritative = bool(message.flags & dns.flags.AA)
        self.truncated = bool(message.flags & dns.flags.TC)
        self.recursion_available = bool(message.flags & dns.flags.RA)
        if message.question:
            question = message.question[0]
            self.name = question.name.to_text(omit_final_dot=len(question.name) > 1)
            self.rdtype = dns.rdatatype.to_text(question.rdtype)

    def _sets(self, section: str) -> list[Any]:
        return list(getattr(self.message, section)) if self.message is not None else []

    @property
    def is_referral(self) -> bool:
        return (
            self.rcode == "NOERROR"
            and not self._sets("answer")
            and not self.authoritative
            and bool(self.referrals())
        )

    @property
    def referral_depth(self) -> int:
        """Dots in the name of the zone that is referred to: 0 for a top-level domain."""
        return min((zone.count(".") for zone, _ in self.referrals()), default=0)

    @property
    def zone(self) -> str:
        """The zone that an authoritative answer is out of, as far as it says so."""
        for rrset in self._sets("authority"):
            if rrset.rdtype == 6 or (rrset.rdtype == 2 and self.authoritative):
                return rrset.name.to_text(omit_final_dot=len(rrset.name) > 1)
        return ""

    def referrals(self) -> list[tuple[str, str]]:
        """(zone, server's name) of the NS records in the authority section."""
        return [
            (rrset.name.to_text(omit_final_dot=len(rrset.name) > 1), item.target.to_text())
            for rrset in self._sets("authority")
            if rrset.rdtype == 2
            for item in rrset
        ]

    def glue(self) -> list[tuple[str, str]]:
        return [
            (rrset.name.to_text(), item.address)
            for section in ("additional", "answer")
            for rrset in self._sets(section)
            if rrset.rdtype in (1, 28)
            for item in rrset
        ]

    def summary(self) -> str:
        """An answer in a few words."""
        import dns.rdatatype

        if self.message is None:
            return "a message that cannot be read"
        if self.truncated:
            return "truncated"
        if self.rcode != "NOERROR":
            return self.rcode
        if self.is_referral:
            servers = [target.rstrip(".") for _, target in self.referrals()]
            zone = self.referrals()[0][0]
            return f"ask the servers of {zone}: {', '.join(servers[:2])}{' …' if len(servers) > 2 else ''}"
        words_ = [
            f"{dns.rdatatype.to_text(rrset.rdtype)} {_short(item.to_text())}"
            for rrset in self._sets("answer")
            for item in rrset
        ]
        if not words_:
            return "no such record"
        return ", ".join(words_[:SHOWN]) + (f" and {len(words_) - SHOWN} more" if len(words_) > SHOWN else "")

    def records(self) -> list[str]:
        """Every record, a line each, its section before it."""
        lines = []
        for section in ("answer", "authority", "additional"):
            for rrset in self._sets(section):
                lines += [f"{section}: {line}" for line in rrset.to_text().splitlines()]
        return lines
