"""-j CHECKSUM: fill in a checksum that a device would have; here they are always right (libxt_CHECKSUM)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Checksum(Extension):
    name = "CHECKSUM"
    tables = ("mangle",)
    options = (Opt("checksum-fill", mand=True),)

    def save(self) -> str:
        return "--checksum-fill"

    def listing(self, names: Names | None) -> str:
        return "CHECKSUM fill"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return lambda skb, state: CONTINUE


EXTENSION = Checksum
