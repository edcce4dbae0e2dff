"""-m quota: until so many bytes have passed (libxt_quota, xt_quota.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Quota(Extension):
    name = "quota"
    options = (Opt("quota", "uint64", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('quota')}--quota {self.values['quota']}"

    def listing(self, names: Names | None) -> str:
        return f"quota: {self.values['quota']} bytes"

    def nft(self, rule: XtRule) -> str | None:
        return f"quota {'over ' if self.inverted else ''}{self.values['quota']} bytes"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        left, inverted = self.__dict__.setdefault("left", [self.values["quota"]]), bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            if left[0] >= skb.len:
                left[0] -= skb.len
                return not inverted
            left[0] = 0
            return inverted

        return test


EXTENSION = Quota
