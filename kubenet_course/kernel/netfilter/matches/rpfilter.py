"""-m rpfilter: would an answer go back the same way? (libxt_rpfilter, ipt_rpfilter.c)"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

KEYS = ("loose", "validmark", "accept-local", "invert")


class Rpfilter(Extension):
    name = "rpfilter"
    tables = ("mangle", "raw")
    options = tuple(Opt(key) for key in KEYS)

    def refused(self, place: Place, rule: XtRule) -> int:
        if place.hooks - {0}:
            return errno.EINVAL
        return super().refused(place, rule)

    def save(self) -> str:
        return " ".join(f"--{key}" for key in KEYS if key in self.values)

    def listing(self, names: Names | None) -> str:
        return " ".join(["rpfilter", *(key for key in KEYS if key in self.values)])

    def nft(self, rule: XtRule) -> str | None:
        if "accept-local" in self.values and "invert" not in self.values:
            return None
        words = []
        if "accept-local" in self.values:
            words.append("fib saddr type != local")
        keys = "saddr" + (" . mark" if "validmark" in self.values else "") + (" . iif" if "loose" not in self.values else "")
        words.append(f"fib {keys} oif {'' if 'invert' in self.values else '!= '}0")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        inverted = "invert" in self.values

        def test(skb: Any, state: Any) -> bool:
            if state.indev is not None and state.indev.is_loopback:
                return not inverted
            return self._comes_back(net, skb, state) != inverted

        return test

    def _comes_back(self, net: NetNamespace, skb: Any, state: Any) -> bool:
        from kubenet_course.kernel.inet.fib import LOCAL, UNICAST, FlowKey
        from kubenet_course.kernel.inet.fib_frontend import fib_lookup

        ip = skb.network
        if state.family == 6 or ip.source == 0:
            return True
        mark = skb.mark if "validmark" in self.values else 0
        try:
            _, route, hops = fib_lookup(net, FlowKey(int(ip.source), 0, "lo", "", mark, ip.tos))
        except KernelError:
            return False
        if route.type != UNICAST and not (route.type == LOCAL and "accept-local" in self.values):
            return False
        return "loose" in self.values or any(hop.dev is state.indev for hop in hops)


EXTENSION = Rpfilter
