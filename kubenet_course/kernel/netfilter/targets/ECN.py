"""-j ECN: take back explicit congestion notification (libipt_ECN, ipt_ECN.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.targets.DSCP import set_tos
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.wire.tcp import CWR, ECE, TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Ecn(Extension):
    name = "ECN"
    families = (4,)
    tables = ("mangle",)
    options = (
        Opt("ecn-tcp-remove", excl=("ecn-tcp-cwr", "ecn-tcp-ece")), Opt("ecn-tcp-cwr", "uint8", high=1),
        Opt("ecn-tcp-ece", "uint8", high=1), Opt("ecn-ip-ect", "uint8", high=3),
    )  # fmt: skip

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("ECN target: An operation is required")

    def refused(self, place: Place, rule: XtRule) -> int:
        tcp = set(self.values) - {"ecn-ip-ect"}
        if tcp and (rule.protocol != 6 or rule.protocol_inverted):
            return errno.EINVAL
        return super().refused(place, rule)

    def save(self) -> str:
        if "ecn-tcp-remove" in self.values:
            return "--ecn-tcp-remove"
        keys = ("ecn-tcp-ece", "ecn-tcp-cwr", "ecn-ip-ect")
        return " ".join(f"--{key} {self.values[key]}" for key in keys if key in self.values)

    def listing(self, names: Names | None) -> str:
        if "ecn-tcp-remove" in self.values:
            return "ECN TCP remove"
        words = (("ecn-tcp-ece", "ECE"), ("ecn-tcp-cwr", "CWR"), ("ecn-ip-ect", "ECT codepoint"))
        return " ".join(["ECN", *(f"{word}={self.values[key]}" for key, word in words if key in self.values)])

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        values = self.values

        def target(skb: Any, state: Any) -> int:
            if "ecn-ip-ect" in values:
                set_tos(skb, skb.network.tos & ~3 | values["ecn-ip-ect"])
            header = skb.transport
            if isinstance(header, TcpHeader):
                flags = header.flags
                for key, bit in (("ecn-tcp-ece", ECE), ("ecn-tcp-cwr", CWR)):
                    wanted = 0 if "ecn-tcp-remove" in values else values.get(key)
                    if wanted is not None:
                        flags = flags | bit if wanted else flags & ~bit
                if flags != header.flags:
                    skb.transport = header._replace(flags=flags)
            return CONTINUE

        return target


EXTENSION = Ecn
