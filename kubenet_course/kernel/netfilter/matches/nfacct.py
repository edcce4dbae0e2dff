"""-m nfacct: named accounting objects (libxt_nfacct); none can be made here, so none is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Nfacct(Extension):
    name = "nfacct"
    options = (Opt("nfacct-name", "string", mand=True, low=1, high=32),)

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.ENOENT

    def save(self) -> str:
        return f"--nfacct-name {self.values['nfacct-name']}"

    def listing(self, names: Names | None) -> str:
        return f"nfacct-name {self.values['nfacct-name']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        return lambda skb, state: True


EXTENSION = Nfacct
