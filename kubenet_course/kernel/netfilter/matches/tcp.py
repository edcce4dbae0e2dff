"""-m tcp: ports, flags and options of TCP (libxt_tcp, net/netfilter/xt_tcpudp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.matches import _ports
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem
from kubenet_course.wire.tcp import TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

FLAGS = (("FIN", 1), ("SYN", 2), ("RST", 4), ("PSH", 8), ("ACK", 16), ("URG", 32))
ALL = 63
PORTS = (0, 0xFFFF)


def flag_words(bits: int) -> str:
    return ",".join(name for name, bit in FLAGS if bits & bit) or "NONE"


def parse_flags(text: str) -> int:
    bits = 0
    for word in filter(None, text.split(",")):
        upper = word.upper()
        if upper == "ALL":
            bits |= ALL
        elif upper != "NONE":
            bit = dict(FLAGS).get(upper)
            if bit is None:
                raise problem(f"Unknown TCP flag `{word}'")
            bits |= bit
    return bits


class Tcp(Extension):
    name = "tcp"
    options = (
        *_ports.PORT_OPTIONS,
        Opt("syn", invert=True, key="flags"),
        Opt("tcp-flags", "string", invert=True, key="flags", words=2),
        Opt("tcp-option", "string", invert=True),
    )

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        once = {"sport": "--source-port", "dport": "--destination-port", "tcp-option": "--tcp-option"}
        if opt.id in self.values:
            if opt.id == "flags":
                raise problem("Only one of `--syn' or `--tcp-flags'  allowed")
            raise problem(f"Only one `{once[opt.id]}' allowed")
        value: Any
        if opt.name == "syn":
            value = (23, 2)
        elif opt.name == "tcp-flags":
            mask, comparison = text.split(" ", 1)
            value = (parse_flags(mask), parse_flags(comparison))
        elif opt.id == "tcp-option":
            value = number(text, 255, 1)
            if value is None:
                raise problem(f'Bad TCP option "{text}"')
        else:
            value = _ports.parse_ports(text, "tcp", names)
        self.values[opt.id] = value
        if invert:
            self.inverted.add(opt.id)

    def save(self) -> str:
        words = [
            _ports.save(key, self.values.get(key, PORTS), _ports.says_not(self, key)) for key in ("sport", "dport")
        ]
        if "tcp-option" in self.values:
            words.append(f"{self.bang('tcp-option')}--tcp-option {self.values['tcp-option']}")
        if "flags" in self.values:
            mask, comparison = self.values["flags"]
            if mask or "flags" in self.inverted:
                words.append(f"{self.bang('flags')}--tcp-flags {flag_words(mask)} {flag_words(comparison)}")
        return " ".join(word for word in words if word)

    def listing(self, names: Names | None) -> str:
        words = [
            "tcp",
            _ports.listing("spt", self.values.get("sport", PORTS), "sport" in self.inverted, "tcp", names),
            _ports.listing("dpt", self.values.get("dport", PORTS), "dport" in self.inverted, "tcp", names),
        ]
        if "tcp-option" in self.values:
            words.append(f"option={'!' if 'tcp-option' in self.inverted else ''}{self.values['tcp-option']}")
        if "flags" in self.values and (self.values["flags"][0] or "flags" in self.inverted):
            mask, comparison = self.values["flags"]
            bang = "!" if "flags" in self.inverted else ""
            if names is None:
                words.append(f"flags:{bang}0x{mask:02X}/0x{comparison:02X}")
            else:
                words.append(f"flags:{bang}{flag_words(mask)}/{flag_words(comparison)}")
        return " ".join(word for word in words if word)

    def check(self, names: Names) -> None:
        if self.rule is not None and self.rule.protocol != 6 and set(self.values) - {"tcp-option"} and not self.rule.legacy:
            raise problem("TCP match requires '-p tcp'")

    def hidden(self) -> Any:
        return tuple(key for key in ("sport", "dport") if key in self.inverted and not _ports.says_not(self, key))

    def vanishes(self) -> bool:
        return any(self.values.get(key) == PORTS and key in self.inverted for key in ("sport", "dport"))

    def refused(self, place: Place, rule: XtRule) -> int:
        """The kernel wants the protocol; iptables' own translation of ports does not look at its ``!``."""
        if place.legacy:
            return 0 if rule.protocol == 6 and not rule.protocol_inverted else errno.EINVAL
        ports = any(key in self.values for key in ("sport", "dport", "flags"))
        fits = rule.protocol == 6 and (ports or not rule.protocol_inverted)
        return 0 if fits else errno.EINVAL

    def nft(self, rule: XtRule) -> str | None:
        field = "th" if rule.protocol_inverted or rule.protocol != 6 else "tcp"
        words = []
        if "tcp-option" in self.values:
            state = "missing" if "tcp-option" in self.inverted else "exists"
            words.append(f"tcp option {self.values['tcp-option']} {state}")
        if "flags" in self.values:
            mask, comparison = (flag_words(bits).lower() for bits in self.values["flags"])
            if comparison == "none":
                words.append(f"tcp flags {'' if 'flags' in self.inverted else '! '}{mask}")
            elif mask == comparison and "flags" not in self.inverted and "," not in mask:
                words.append(f"tcp flags {mask}")
            else:
                words.append(f"tcp flags {'!= ' if 'flags' in self.inverted else ''}{comparison} / {mask}")
        words.append(_ports.nft(f"{field} sport", self.values.get("sport", PORTS), "sport" in self.inverted))
        words.append(_ports.nft(f"{field} dport", self.values.get("dport", PORTS), "dport" in self.inverted))
        return " ".join(word for word in words if word)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool] | None:  # type: ignore[override]
        tests: list[Callable[[Any], bool]] = []
        for index, key in ((0, "sport"), (1, "dport")):
            if key in self.values:
                tests.append(port_test(index, *self.values[key], key in self.inverted))  # type: ignore[call-arg]
        if "flags" in self.values:
            (mask, comparison), inverted = self.values["flags"], "flags" in self.inverted
            tests.append(lambda header: (header[4] & mask == comparison) != inverted)
        if "tcp-option" in self.values:
            wanted, absent = self.values["tcp-option"], "tcp-option" in self.inverted
            tests.append(lambda header: has_option(header[6], wanted) != absent)
        return combine(TcpHeader, tests)


def port_test(index: int, low: int, high: int, inverted: bool) -> Callable[[Any], bool]:
    if low == high:
        if inverted:
            return lambda header: header[index] != low
        return lambda header: header[index] == low
    if inverted:
        return lambda header: not low <= header[index] <= high
    return lambda header: low <= header[index] <= high


def combine(kind: type, tests: list[Callable[[Any], bool]]) -> Callable[[Any, Any], bool]:
    """A match on the transport header; packets without one never match."""
    if len(tests) == 1:
        only = tests[0]

        def one(skb: Any, state: Any) -> bool:
            header = skb.transport
            return type(header) is kind and only(header)

        return one

    def every(skb: Any, state: Any) -> bool:
        header = skb.transport
        if type(header) is not kind:
            return False
        for test in tests:
            if not test(header):
                return False
        return True

    return every


def has_option(options: bytes, wanted: int) -> bool:
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == wanted:
            return True
        if kind < 2:
            at += 1
        elif at + 1 < len(options) and options[at + 1] >= 2:
            at += options[at + 1]
        else:
            return False
    return False


EXTENSION = Tcp
