"""-j TTL: write the hops left, IPv4 (libipt_TTL, xt_HL.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

WORDS = {"set": "set to", "dec": "decrement by", "inc": "increment by"}


class Ttl(Extension):
    name = "TTL"
    families = (4,)
    tables = ("mangle",)
    word = "ttl"
    options = (
        Opt("ttl-set", "uint8", excl=("ttl-dec", "ttl-inc")),
        Opt("ttl-dec", "uint8", low=1, excl=("ttl-set", "ttl-inc")),
        Opt("ttl-inc", "uint8", low=1, excl=("ttl-set", "ttl-dec")),
    )

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem(f"{self.name}: You must specify an action")

    def _only(self) -> tuple[str, int]:
        key, value = next(iter(self.values.items()))
        return key.rpartition("-")[2], value

    def save(self) -> str:
        mode, value = self._only()
        return f"--{self.word}-{mode} {value}"

    def listing(self, names: Names | None) -> str:
        mode, value = self._only()
        return f"{self.name} {WORDS[mode]} {value}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        mode, value = self._only()

        def target(skb: Any, state: Any) -> int:
            old = skb.network.ttl
            new = value if mode == "set" else max(0, old - value) if mode == "dec" else min(255, old + value)
            if new != old:
                skb.network = skb.network._replace(ttl=new)
            return CONTINUE

        return target


EXTENSION = Ttl
