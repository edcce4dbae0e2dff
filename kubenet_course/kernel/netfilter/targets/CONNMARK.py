"""-j CONNMARK: the connection's mark, and copying it to and from packets (libxt_CONNMARK, xt_connmark.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.targets.MARK import FULL, MODES, mark_words, operation
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

ACTIONS = (*MODES, "save-mark", "restore-mark")


def _others(name: str) -> tuple[str, ...]:
    return tuple(action for action in ACTIONS if action != name)


class Connmark(Extension):
    name = "CONNMARK"
    conntrack = True
    options = (
        Opt("set-xmark", "markmask", excl=_others("set-xmark")),
        Opt("set-mark", "markmask", excl=_others("set-mark")),
        Opt("and-mark", "uint32", excl=_others("and-mark")),
        Opt("or-mark", "uint32", excl=_others("or-mark")),
        Opt("xor-mark", "uint32", excl=_others("xor-mark")),
        Opt("save-mark", excl=_others("save-mark")),
        Opt("restore-mark", excl=_others("restore-mark")),
        Opt("ctmask", "uint32", excl=("mask",)),
        Opt("nfmask", "uint32", excl=("mask",)),
        Opt("mask", "uint32", excl=("ctmask", "nfmask")),
        Opt("left-shift-mark", "uint32", high=32, excl=("right-shift-mark",)),
        Opt("right-shift-mark", "uint32", high=32, excl=("left-shift-mark",)),
    )
    value = 0
    mask = FULL
    ctmask = nfmask = FULL

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id in MODES:
            self.value, self.mask = operation(opt.id, value)
        elif opt.id == "ctmask":
            self.ctmask = self.mask = value  # one field of xt_connmark_tginfo1
        elif opt.id == "nfmask":
            self.nfmask = value
        elif opt.id == "mask":
            self.ctmask = self.nfmask = self.mask = value

    def check(self, names: Names) -> None:
        if not any(action in self.values for action in ACTIONS):
            raise problem("CONNMARK target: No operation specified")

    def _copies(self) -> str:
        return "save" if "save-mark" in self.values else "restore" if "restore-mark" in self.values else ""

    def save(self) -> str:
        copies = self._copies()
        if copies:
            return f"--{copies}-mark --nfmask 0x{self.nfmask:x} --ctmask 0x{self.ctmask:x}{self._shift('--')}"
        return f"--set-xmark 0x{self.value:x}/0x{self.mask:x}{self._shift('--')}"

    def _shift(self, dashes: str) -> str:
        key = next((key for key in ("left-shift-mark", "right-shift-mark") if self.values.get(key)), None)
        return f" {dashes}{key} {self.values[key]}" if key else ""

    def _shifted(self, mark: int) -> int:
        return (mark << self.values.get("left-shift-mark", 0) & FULL) >> self.values.get("right-shift-mark", 0)

    def listing(self, names: Names | None) -> str:
        copies = self._copies()
        if not copies:
            words = mark_words(self.value, self.mask)
        elif self.nfmask == self.ctmask == FULL:
            words = copies
        elif self.nfmask == self.ctmask:
            words = f"{copies} mask 0x{self.nfmask:x}"
        elif copies == "save":
            words = f"save nfmask 0x{self.nfmask:x} ctmask ~0x{self.ctmask:x}"
        else:
            words = f"restore ctmask 0x{self.ctmask:x} nfmask ~0x{self.nfmask:x}"
        return f"CONNMARK {words}{self._shift('')}"

    def refused(self, place: Place, rule: XtRule) -> int:
        if max(self.values.get("left-shift-mark", 0), self.values.get("right-shift-mark", 0)) > 31:
            return errno.EINVAL
        return super().refused(place, rule)

    def nft(self, rule: XtRule) -> str | None:
        copies, value, mask = self._copies(), self.value, self.mask
        if copies == "save":
            if self.nfmask == self.ctmask == FULL:
                return "ct mark set mark"
            return f"ct mark set mark and 0x{self.nfmask:x}" if self.nfmask == self.ctmask else None
        if copies == "restore":
            if self.nfmask == self.ctmask == FULL:
                return "meta mark set ct mark"
            return f"meta mark set ct mark and 0x{self.nfmask:x}" if self.nfmask == self.ctmask else None
        if mask == FULL:
            return f"ct mark set 0x{value:x}"
        if value == 0:
            return f"ct mark set ct mark and 0x{~mask & FULL:x}"
        if value == mask:
            return f"ct mark set ct mark or 0x{value:x}"
        if mask == 0:
            return f"ct mark set ct mark xor 0x{value:x}"
        return f"ct mark set ct mark xor 0x{value:x} and 0x{~mask & FULL:x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        copies, value, mask, ctmask, nfmask = self._copies(), self.value, self.mask, self.ctmask, self.nfmask

        def target(skb: Any, state: Any) -> int:
            ct = skb.nfct
            if ct is None or ct is UNTRACKED:
                return CONTINUE
            if copies == "save":
                ct.mark = ct.mark & ~ctmask & FULL ^ self._shifted(skb.mark & nfmask)
            elif copies == "restore":
                skb.mark = skb.mark & ~nfmask & FULL ^ self._shifted(ct.mark & ctmask)
            else:
                ct.mark = self._shifted(ct.mark & ~mask & FULL ^ value)
            return CONTINUE

        return target


EXTENSION = Connmark
