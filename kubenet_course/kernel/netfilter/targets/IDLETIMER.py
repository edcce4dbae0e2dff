"""-j IDLETIMER: tells sysfs when a device has been idle; nobody reads it here (libxt_IDLETIMER)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Idletimer(Extension):
    name = "IDLETIMER"
    options = (Opt("timeout", "uint32", mand=True), Opt("label", "string", mand=True, high=28), Opt("alarm"))

    def refused(self, place: Place, rule: XtRule) -> int:
        return 0 if self.values["timeout"] and self.values["label"] else errno.EINVAL

    def save(self) -> str:
        words = f"--timeout {self.values['timeout']} --label {self.values['label']}"
        return words + (" --alarm" if "alarm" in self.values else "")

    def listing(self, names: Names | None) -> str:
        words = f"timeout:{self.values['timeout']} label:{self.values['label']}"
        return words + (" alarm" if "alarm" in self.values else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return lambda skb, state: CONTINUE


EXTENSION = Idletimer
