"""-m connbytes: how much a connection has carried (libxt_connbytes, xt_connbytes.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

MODES = ("packets", "bytes", "avgpkt")
DIRECTIONS = ("original", "reply", "both")
MAXIMUM = 0xFFFFFFFFFFFFFFFF


class Connbytes(Extension):
    name = "connbytes"
    conntrack = True
    options = (
        Opt("connbytes", "uint64rc", invert=True, mand=True), Opt("connbytes-dir", "string", mand=True),
        Opt("connbytes-mode", "string", mand=True),
    )  # fmt: skip

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "connbytes":
            if value[0] == value[1] and self.single:
                self.values["connbytes"] = (value[0], MAXIMUM)
            if value[0] > value[1]:
                raise problem(f"{value[0]} should be less than {value[1]}")
        elif opt.id == "connbytes-dir" and value not in DIRECTIONS:
            raise problem(f"Unknown --connbytes-dir `{value}'")
        elif opt.id == "connbytes-mode" and value not in MODES:
            raise problem(f"Unknown --connbytes-mode `{value}'")

    single = False

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        if opt.id == "connbytes":
            self.single = ":" not in text
        super().parse(opt, text, invert, names)

    def _range(self, separator: str = ":") -> str:
        low, high = self.values["connbytes"]
        return str(low) if high in (0, MAXIMUM) else f"{low}{separator}{high}"

    def hidden(self) -> Any:
        return self.values["connbytes"]

    def save(self) -> str:
        return (
            f"{self.bang('connbytes')}--connbytes {self._range()} --connbytes-mode {self.values['connbytes-mode']} "
            f"--connbytes-dir {self.values['connbytes-dir']}"
        )

    def listing(self, names: Names | None) -> str:
        return (
            f"{self.bang('connbytes')}connbytes {self._range()} connbytes mode {self.values['connbytes-mode']} "
            f"connbytes direction {self.values['connbytes-dir']}"
        )

    def nft(self, rule: XtRule) -> str | None:
        low, high = self.values["connbytes"]
        direction = "" if self.values["connbytes-dir"] == "both" else self.values["connbytes-dir"] + " "
        if high == MAXIMUM:
            amount = f"{'lt' if self.inverted else 'ge'} {low}"
        else:
            amount = ("!= " if self.inverted else "") + (str(low) if low == high else f"{low}-{high}")
        return f"ct {direction}{self.values['connbytes-mode']} {amount}"

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        """It turns accounting on (and says so in the kernel log), as connbytes_mt_check() does."""
        super().attach(net, rule)
        room = net.rooms["conntrack"]
        if not room.acct:
            net.host.log("xt_connbytes: Forcing CT accounting to be enabled")
            net.sysctl.write(("net", "netfilter", "nf_conntrack_acct"), "1")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (low, high), inverted = self.values["connbytes"], bool(self.inverted)
        mode, which = self.values["connbytes-mode"], self.values["connbytes-dir"]
        directions = (0, 1) if which == "both" else (DIRECTIONS.index(which),)

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            if ct is None or ct is UNTRACKED or ct.counters is None:
                return False
            packets = sum(ct.counters[direction][0] for direction in directions)
            size = sum(ct.counters[direction][1] for direction in directions)
            value = packets if mode == "packets" else size if mode == "bytes" else size // packets if packets else 0
            return (low <= value <= high) != inverted

        return test


EXTENSION = Connbytes
