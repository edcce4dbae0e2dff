"""-m ecn: explicit congestion notification bits (libxt_ecn, xt_ecn.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.wire.tcp import CWR, ECE, TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

NFT_CODEPOINTS = ("not-ect", "ect1", "ect0", "ce")


class Ecn(Extension):
    name = "ecn"
    options = (
        Opt("ecn-tcp-cwr", invert=True), Opt("ecn-tcp-ece", invert=True), Opt("ecn-ip-ect", "uint8", invert=True, high=3),
    )  # fmt: skip
    shown = (("ecn-tcp-ece", "ECE"), ("ecn-tcp-cwr", "CWR"))

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("ECN match: some option required")

    def refused(self, place: Place, rule: XtRule) -> int:
        tcp = "ecn-tcp-cwr" in self.values or "ecn-tcp-ece" in self.values
        return errno.EINVAL if tcp and (rule.protocol != 6 or rule.protocol_inverted) else 0

    def save(self) -> str:
        words = [f"{self.bang(key)}--{key}" for key, _ in self.shown if key in self.values]
        if "ecn-ip-ect" in self.values:
            words.append(f"{self.bang('ecn-ip-ect')}--ecn-ip-ect {self.values['ecn-ip-ect']}")
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        words = ["ECN match"]
        words += [f"{'!' if key in self.inverted else ''}{word}" for key, word in self.shown if key in self.values]
        if "ecn-ip-ect" in self.values:
            words.append(f"{'!' if 'ecn-ip-ect' in self.inverted else ''}ECT={self.values['ecn-ip-ect']}")
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        words = []
        for key, word in (("ecn-tcp-ece", "ecn"), ("ecn-tcp-cwr", "cwr")):
            if key in self.values:
                words.append(f"tcp flags {'!= ' if key in self.inverted else ''}{word}")
        if "ecn-ip-ect" in self.values:
            differs = "!= " if "ecn-ip-ect" in self.inverted else ""
            words.append(f"ip ecn {differs}{NFT_CODEPOINTS[self.values['ecn-ip-ect']]}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            if "ecn-ip-ect" in self.values:
                if (skb.network.tos & 3 == self.values["ecn-ip-ect"]) == ("ecn-ip-ect" in self.inverted):
                    return False
            for key, bit in (("ecn-tcp-ece", ECE), ("ecn-tcp-cwr", CWR)):
                if key in self.values:
                    header = skb.transport
                    if not isinstance(header, TcpHeader) or bool(header.flags & bit) == (key in self.inverted):
                        return False
            return True

        return test


EXTENSION = Ecn
