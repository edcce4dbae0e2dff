"""-m cgroup: the control group of the sender's socket (libxt_cgroup); all processes are in the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Cgroup(Extension):
    name = "cgroup"
    options = (Opt("path", "string", invert=True), Opt("cgroup", "uint32", invert=True))

    def refused(self, place: Place, rule: XtRule) -> int:
        both = "path" in self.values and "cgroup" in self.values
        missing = self.values.get("path", "/") not in ("", "/")
        if not self.values or both or missing or place.hooks - {1, 3, 4}:
            return errno.EINVAL
        return 0

    def save(self) -> str:
        if "path" in self.values:
            return f'{self.bang("path")}--path "{self.values["path"]}"'
        if not self.values:
            return ""  # the kernel takes no such rule
        return f"{self.bang('cgroup')}--cgroup {self.values['cgroup']}"

    def listing(self, names: Names | None) -> str:
        key = "path" if "path" in self.values else "cgroup"
        return f"cgroup {self.bang(key)}{self.values[key]}"

    def nft(self, rule: XtRule) -> str | None:
        if "path" in self.values:
            return None
        return f"meta cgroup {'!= ' if self.inverted else ''}{self.values['cgroup']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        holds = "path" in self.values or self.values["cgroup"] == 0
        inverted = bool(self.inverted)
        return lambda skb, state: skb.sk is not None and holds != inverted


EXTENSION = Cgroup
