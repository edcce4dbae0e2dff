"""-m devgroup: the group number of the devices (libxt_devgroup, xt_devgroup.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.matches.realm import parse_masked
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, mark_text, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: /etc/iproute2/group of a fresh machine.
GROUPS = {"default": 0}


class Devgroup(Extension):
    name = "devgroup"
    options = (Opt("src-group", "string", invert=True), Opt("dst-group", "string", invert=True))
    sides = (("src-group", "iifgroup"), ("dst-group", "oifgroup"))

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.values[opt.id] = parse_masked(self, opt, value, GROUPS)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("devgroup match: You must specify either '--src-group' or '--dst-group'")

    def refused(self, place: Place, rule: XtRule) -> int:
        if "src-group" in self.values and place.hooks - {0, 1, 2}:
            return errno.EINVAL
        return errno.EINVAL if "dst-group" in self.values and place.hooks - {2, 3, 4} else 0

    def _text(self, key: str, named: bool) -> str:
        value, mask = self.values[key]
        name = next((name for name, number in GROUPS.items() if number == value), None)
        return name if named and name is not None and mask == 0xFFFFFFFF else mark_text(value, mask)

    def save(self) -> str:
        return " ".join(f"{self.bang(key)}--{key} {self._text(key, True)}" for key, _ in self.sides if key in self.values)

    def listing(self, names: Names | None) -> str:
        named = names is not None
        return " ".join(f"{self.bang(key)}{key} {self._text(key, named)}" for key, _ in self.sides if key in self.values)

    def nft(self, rule: XtRule) -> str | None:
        words = []
        for key, field in self.sides:
            if key in self.values:
                value, mask = self.values[key]
                inverted = key in self.inverted
                if mask == 0xFFFFFFFF:
                    words.append(f"{field} {'!= ' if inverted else ''}{self._text(key, True)}")
                else:
                    words.append(f"{field} and 0x{mask:x} {'!=' if inverted else '=='} 0x{value:x}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            for key, dev in (("src-group", state.indev), ("dst-group", state.outdev)):
                if key in self.values:
                    value, mask = self.values[key]
                    if dev is None or (dev.group & mask == value) == (key in self.inverted):
                        return False
            return True

        return test


EXTENSION = Devgroup
