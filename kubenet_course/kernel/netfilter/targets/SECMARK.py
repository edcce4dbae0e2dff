"""-j SECMARK: a security context; the machine has no security module that knows any (libxt_SECMARK)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Secmark(Extension):
    name = "SECMARK"
    options = (Opt("selctx", "string", mand=True),)

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.ENOENT if place.table in ("mangle", "security") else errno.EINVAL

    def save(self) -> str:
        return f"--selctx {self.values['selctx']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        raise NotImplementedError


EXTENSION = Secmark
