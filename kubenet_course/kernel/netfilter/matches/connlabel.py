"""-m connlabel: one of 128 labels of a connection (libxt_connlabel, xt_connlabel.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Connlabel(Extension):
    name = "connlabel"
    conntrack = True
    complaint = "Warning: cannot open /etc/xtables/connlabel.conf: No such file or directory"
    options = (Opt("label", "string", invert=True, mand=True, low=1), Opt("set"))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "label":
            value = number(text, 0xFFFF)
            if value is None:
                names.warn(self.complaint)
                raise problem(f"label '{text}' not found or invalid value")
            self.values["label"] = value

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.ERANGE if self.values["label"] > 127 else 0

    def save(self) -> str:
        return f'{self.bang("label")}--label "{self.values["label"]}"' + (" --set" if "set" in self.values else "")

    def listing(self, names: Names | None) -> str:
        return f"connlabel {self.bang('label')}{self.values['label']}" + (" set" if "set" in self.values else "")

    def nft(self, rule: XtRule) -> str | None:
        label = self.values["label"]
        words = [f"ct label set {label}"] if "set" in self.values else []
        words.append(f"ct label and {label} != {label}" if self.inverted else f"ct label {label}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        bit, sets, inverted = 1 << self.values["label"], "set" in self.values, bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            if ct is None or ct is UNTRACKED:
                return inverted
            if sets:
                ct.labels |= bit
                return not inverted
            return bool(ct.labels & bit) != inverted

        return test


EXTENSION = Connlabel
