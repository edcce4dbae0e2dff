"""-m icmp: type and code of ICMP (libipt_icmp, xt_tcpudp.c: icmp_match())."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: (name, type, lowest code, highest code), in the order of ``iptables -p icmp -h``.
TYPES4 = (
    ("any", 255, 0, 255), ("echo-reply", 0, 0, 255), ("pong", 0, 0, 255), ("destination-unreachable", 3, 0, 255),
    ("network-unreachable", 3, 0, 0), ("host-unreachable", 3, 1, 1), ("protocol-unreachable", 3, 2, 2),
    ("port-unreachable", 3, 3, 3), ("fragmentation-needed", 3, 4, 4), ("source-route-failed", 3, 5, 5),
    ("network-unknown", 3, 6, 6), ("host-unknown", 3, 7, 7), ("network-prohibited", 3, 9, 9),
    ("host-prohibited", 3, 10, 10), ("TOS-network-unreachable", 3, 11, 11), ("TOS-host-unreachable", 3, 12, 12),
    ("communication-prohibited", 3, 13, 13), ("host-precedence-violation", 3, 14, 14), ("precedence-cutoff", 3, 15, 15),
    ("source-quench", 4, 0, 255), ("redirect", 5, 0, 255), ("network-redirect", 5, 0, 0), ("host-redirect", 5, 1, 1),
    ("TOS-network-redirect", 5, 2, 2), ("TOS-host-redirect", 5, 3, 3), ("echo-request", 8, 0, 255), ("ping", 8, 0, 255),
    ("router-advertisement", 9, 0, 255), ("router-solicitation", 10, 0, 255), ("time-exceeded", 11, 0, 255),
    ("ttl-exceeded", 11, 0, 255), ("ttl-zero-during-transit", 11, 0, 0), ("ttl-zero-during-reassembly", 11, 1, 1),
    ("parameter-problem", 12, 0, 255), ("ip-header-bad", 12, 0, 0), ("required-option-missing", 12, 1, 1),
    ("timestamp-request", 13, 0, 255), ("timestamp-reply", 14, 0, 255), ("address-mask-request", 17, 0, 255),
    ("address-mask-reply", 18, 0, 255),
)  # fmt: skip
NFT4 = {
    0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
    9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
    13: "timestamp-request", 14: "timestamp-reply", 17: "address-mask-request", 18: "address-mask-reply",
}  # fmt: skip


def parse_type(text: str, types: tuple, word: str) -> tuple[int, int, int]:
    """A name (or its unambiguous beginning), or type[/code] by number."""
    found = [entry for entry in types if entry[0].lower().startswith(text.lower())]
    exact = [entry for entry in found if entry[0].lower() == text.lower()]
    if exact or len(found) == 1:
        entry = (exact or found)[0]
        return entry[1], entry[2], entry[3]
    if len(found) > 1:
        raise problem(f"Ambiguous {word} type `{text}': `{found[0][0]}' or `{found[1][0]}'?")
    kind_text, slash, code_text = text.partition("/")
    digits = re.match(r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)(:(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)|)", kind_text)
    kind = number(digits[1], 255) if digits else None
    if digits is None or kind is None or kind_text[digits.end() :] == ":":
        raise problem(f"Unknown {word} type `{text}'")
    if digits.end() < len(kind_text):
        raise problem(f"unknown character {kind_text[digits.end()]}")
    if digits[2]:
        raise problem(f"{word} type range not supported")
    if not slash:
        return kind, 0, 255
    low_text, colon, high_text = code_text.partition(":")
    low = number(low_text, 255)
    high = number(high_text, 255) if colon else low
    if low is None or high is None:
        raise problem(f"Unknown {word} code `{text}'")
    return kind, low, high


class Icmp(Extension):
    name = "icmp"
    families = (4,)
    protocols = (1,)
    options = (Opt("icmp-type", "string", invert=True, mand=True),)
    types = TYPES4
    word = "ICMP"
    flag = "icmp-type"
    listed = ("icmptype", "icmp")
    nft_names = NFT4
    nft_field = "icmp type"

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.values[self.flag] = parse_type(value, self.types, self.word)

    def hidden(self) -> Any:
        return self.values[self.flag]

    def save(self) -> str:
        kind, low, high = self.values[self.flag]
        bang = self.bang(self.flag)
        if kind == 255 and self.word == "ICMP":
            return f"{bang}--{self.flag} any"
        if (low, high) == (0, 255):
            return f"{bang}--{self.flag} {kind}"
        return f"{bang}--{self.flag} {kind}/{low}"

    def listing(self, names: Names | None) -> str:
        kind, low, high = self.values[self.flag]
        inverted = self.flag in self.inverted
        if names is not None:
            for name, of_type, of_low, of_high in self.types:
                if (of_type, of_low, of_high) == (kind, low, high):
                    return f"{self.listed[1]} {'!' if inverted else ''}{name}"
        text = f"{self.listed[1]} !type {kind}" if inverted else f"{self.listed[0]} {kind}"
        if low == high:
            return f"{text} code {low}"
        return f"{text} codes {low}-{high}" if (low, high) != (0, 255) else text

    def nft(self, rule: XtRule) -> str | None:
        kind, low, high = self.values[self.flag]
        if kind == 255 and self.word == "ICMP":
            return "ip protocol icmp"
        if (low, high) != (0, 255) or kind not in self.nft_names:
            return None
        return f"{self.nft_field} {'!= ' if self.flag in self.inverted else ''}{self.nft_names[kind]}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (kind, low, high), inverted = self.values[self.flag], self.flag in self.inverted
        every = kind == 255 and self.word == "ICMP"

        def test(skb: Any, state: Any) -> bool:
            header = skb.transport
            if header is None or skb.network[2] not in (1, 58):
                return False
            return (every or (header[0] == kind and low <= header[1] <= high)) != inverted

        return test


EXTENSION = Icmp
