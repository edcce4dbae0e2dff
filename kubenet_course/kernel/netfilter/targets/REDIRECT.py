"""-j REDIRECT: to a port of this host (libxt_NAT, nf_nat_redirect.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.masquerade import redirect
from kubenet_course.kernel.netfilter.nat import NatRange
from kubenet_course.kernel.netfilter.targets import _nat
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Redirect(Extension):
    name = "REDIRECT"
    conntrack = True
    tables = ("nat",)
    hooks = (0, 3)
    options = (Opt("to-ports", "string"), Opt("random"))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "to-ports":
            _nat.needs_protocol(self)
            low, high, base = _nat.parse_ports(text, names)
            if base is not None:
                raise problem("Shifted portmap ranges not supported with this kernel")
            self.values["to-ports"] = NatRange(min_port=low, max_port=high, base_port=base)

    def save(self) -> str:
        words = f"--to-ports {_nat.ports_text(self.values['to-ports'])}" if "to-ports" in self.values else ""
        return (words + _nat.flag_words(self)).strip()

    def listing(self, names: Names | None) -> str:
        words = f"redir ports {_nat.ports_text(self.values['to-ports'])}" if "to-ports" in self.values else ""
        return (words + _nat.flag_words(self, "")).strip()

    def nft(self, rule: XtRule) -> str | None:
        to = f" to :{_nat.ports_text(self.values['to-ports'])}" if "to-ports" in self.values else ""
        return f"redirect{to}{_nat.nft_flags(self)}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        wanted = _nat.with_flags(self.values.get("to-ports", NatRange()), self)
        return lambda skb, state: redirect(net, skb, state, wanted)


EXTENSION = Redirect
