"""Extensions that iptables knows and this kernel does not have (no module for them)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Missing(Extension):
    """iptables warns when it loads one, and the kernel refuses the rule with ENOENT."""

    missing = True

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.ENOENT

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], Any]:
        raise NotImplementedError
