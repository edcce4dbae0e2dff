"""-m udp: ports of UDP (libxt_udp, net/netfilter/xt_tcpudp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.matches import _ports
from kubenet_course.kernel.netfilter.matches.tcp import PORTS, combine, port_test
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Udp(Extension):
    name = "udp"
    options = (
        Opt("source-port", "portrc", invert=True, key="sport"), Opt("sport", "portrc", invert=True),
        Opt("destination-port", "portrc", invert=True, key="dport"), Opt("dport", "portrc", invert=True),
    )  # fmt: skip

    def vanishes(self) -> bool:
        return any(self.values.get(key) == PORTS and key in self.inverted for key in ("sport", "dport"))

    def save(self) -> str:
        words = (
            _ports.save(key, self.values.get(key, PORTS), _ports.says_not(self, key)) for key in ("sport", "dport")
        )
        return " ".join(word for word in words if word)

    def listing(self, names: Names | None) -> str:
        words = ["udp"]
        for key in ("sport", "dport"):
            word = key[0] + "pt"
            words.append(_ports.listing(word, self.values.get(key, PORTS), key in self.inverted, "udp", names))
        return " ".join(word for word in words if word)

    def refused(self, place: Place, rule: XtRule) -> int:
        """The kernel wants the protocol; iptables' own translation of ports does not look at its ``!``."""
        if place.legacy:
            return 0 if rule.protocol == 17 and not rule.protocol_inverted else errno.EINVAL
        ports = any(key in self.values for key in ("sport", "dport", "flags"))
        fits = rule.protocol == 17 and (ports or not rule.protocol_inverted)
        return 0 if fits else errno.EINVAL

    def nft(self, rule: XtRule) -> str | None:
        field = "th" if rule.protocol_inverted or rule.protocol != 17 else "udp"
        words = (
            _ports.nft(f"{field} {key}", self.values.get(key, PORTS), key in self.inverted) for key in ("sport", "dport")
        )
        return " ".join(word for word in words if word)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool] | None:  # type: ignore[override]
        tests = [
            port_test(index, *self.values[key], key in self.inverted)  # type: ignore[call-arg]
            for index, key in ((0, "sport"), (1, "dport"))
            if key in self.values
        ]
        return combine(UdpHeader, tests)

    def check(self, names: Names) -> None:
        if self.rule is not None and self.rule.protocol != 17 and self.values and not self.rule.legacy:
            raise problem("UDP match requires '-p udp'")

    def hidden(self) -> Any:
        return tuple(key for key in ("sport", "dport") if key in self.inverted and not _ports.says_not(self, key))


EXTENSION = Udp
