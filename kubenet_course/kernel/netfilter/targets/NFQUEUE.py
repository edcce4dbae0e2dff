"""-j NFQUEUE: ask a program; none listens, so the packet is dropped unless --queue-bypass (libxt_NFQUEUE)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Nfqueue(Extension):
    name = "NFQUEUE"
    options = (
        Opt("queue-num", "uint16", excl=("queue-balance",)), Opt("queue-balance", "uint16rc", excl=("queue-num",)),
        Opt("queue-bypass"), Opt("queue-cpu-fanout", also=("queue-balance",)),
    )  # fmt: skip

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "queue-balance":
            low, high = self.values["queue-balance"]
            if ":" not in text:
                raise problem(f'Bad range "{text}"')
            if low >= high:
                raise problem(f"{low} should be less than {high}")

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.EINVAL if self.values.get("queue-balance") == (0, 65535) else 0

    def _words(self, dashes: str, flags: tuple[str, str]) -> str:
        if "queue-balance" in self.values:
            low, high = self.values["queue-balance"]
            text = f"{dashes}balance {low}:{high}"
        else:
            text = f"{dashes}num {self.values.get('queue-num', 0)}"
        text += f" {flags[0]}" if "queue-bypass" in self.values else ""
        return text + (f" {flags[1]}" if "queue-cpu-fanout" in self.values else "")

    def save(self) -> str:
        return self._words("--queue-", ("--queue-bypass", "--queue-cpu-fanout"))

    def listing(self, names: Names | None) -> str:
        return f"NFQUEUE {self._words('', ('bypass', 'cpu-fanout'))}"

    def nft(self, rule: XtRule) -> str | None:
        low, high = self.values.get("queue-balance", (self.values.get("queue-num", 0),) * 2)
        flags = ["bypass"] if "queue-bypass" in self.values else []
        flags += ["fanout"] if "queue-cpu-fanout" in self.values else []
        return f"queue num {low}" + (f"-{high}" if high != low else "") + (f" {','.join(flags)}" if flags else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        verdict = ACCEPT if "queue-bypass" in self.values else DROP
        return lambda skb, state: verdict


EXTENSION = Nfqueue
