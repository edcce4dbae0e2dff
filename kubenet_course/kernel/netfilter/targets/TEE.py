"""-j TEE: a copy of the packet to another host on the link (libxt_TEE, xt_TEE.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.dup import duplicate
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Tee(Extension):
    name = "TEE"
    options = (Opt("gateway", "host", mand=True), Opt("oif", "string", high=16))

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.EINVAL if self.values["gateway"] == 0 else 0

    def save(self) -> str:
        return f"--gateway {self.values['gateway']}" + (f" --oif {self.values['oif']}" if "oif" in self.values else "")

    def listing(self, names: Names | None) -> str:
        return f"TEE gw:{self.values['gateway']}" + (f" oif={self.values['oif']}" if "oif" in self.values else "")

    def nft(self, rule: XtRule) -> str | None:
        return f"dup to {self.values['gateway']}" + (f" device {self.values['oif']}" if "oif" in self.values else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        gateway, oif = self.values["gateway"], self.values.get("oif")

        def target(skb: Any, state: Any) -> int:
            duplicate(net, skb, state, gateway, oif)
            return CONTINUE

        return target


EXTENSION = Tee
