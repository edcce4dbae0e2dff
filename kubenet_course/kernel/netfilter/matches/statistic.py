"""-m statistic: at random, or every nth packet (libxt_statistic, xt_statistic.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Statistic(Extension):
    name = "statistic"
    options = (
        Opt("mode", "string", mand=True),
        Opt("probability", "double", invert=True, low=0, high=1, excl=("every", "packet")),
        Opt("every", "uint32", invert=True, low=1, excl=("probability",), also=("packet",)),
        Opt("packet", "uint32", excl=("probability",)),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "mode" and value not in ("random", "nth"):
            raise problem(f'Bad mode "{value}"')
        if opt.id == "probability":
            self.values["probability"] = int(value * 0x80000000 + 0.5)

    def check(self, names: Names) -> None:
        mode = self.values.get("mode", "random")
        if mode == "random" and "probability" not in self.values:
            raise problem("--probability must be specified when using random mode")
        if mode == "nth":
            if "every" not in self.values and "packet" not in self.values:
                raise problem("--every and --packet must be specified when using nth mode")
            if self.values.get("packet", 0) >= self.values.get("every", 0):
                raise problem("the --packet p must be 0 <= p <= n-1")

    def _chance(self) -> str:
        return f"{self.values['probability'] / 0x80000000:.11f}"

    def save(self) -> str:
        if self.values["mode"] == "random":
            return f"--mode random {self.bang('probability')}--probability {self._chance()}"
        return f"--mode nth {self.bang('every')}--every {self.values['every']} --packet {self.values['packet']}"

    def listing(self, names: Names | None) -> str:
        if self.values["mode"] == "random":
            return f"statistic mode random {self.bang('probability')}probability {self._chance()}"
        text = f"statistic mode nth {self.bang('every')}every {self.values['every']}"
        return text + (f" packet {self.values['packet']}" if self.values["packet"] else "")

    def nft(self, rule: XtRule) -> str | None:
        if self.values["mode"] == "random":
            operator = ">=" if "probability" in self.inverted else "<"
            return f"meta random & 2147483647 {operator} {self.values['probability']}"
        return f"numgen inc mod {self.values['every']} {'!= ' if 'every' in self.inverted else ''}{self.values['packet']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        if self.values["mode"] == "random":
            chance, inverted = self.values["probability"], "probability" in self.inverted
            random = net.host.random
            return lambda skb, state: (random.getrandbits(31) < chance) != inverted
        every, inverted = self.values["every"], "every" in self.inverted
        counter = self.__dict__.setdefault("counter", [self.values["packet"]])

        def test(skb: Any, state: Any) -> bool:
            counter[0] = 0 if counter[0] == every - 1 else counter[0] + 1
            return (counter[0] == 0) != inverted

        return test


EXTENSION = Statistic
