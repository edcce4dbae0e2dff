"""-j REJECT: drop it and say so (libipt_REJECT, libip6t_REJECT, nf_reject_ipv4.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.reject import reject4, reject6, reset
from kubenet_course.kernel.netfilter.tables import DROP
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: (name, short name, ICMP code, nft's word); code None is a TCP reset.
KINDS4 = (
    ("icmp-net-unreachable", "net-unreach", 0, "net-unreachable"),
    ("icmp-host-unreachable", "host-unreach", 1, "host-unreachable"),
    ("icmp-proto-unreachable", "proto-unreach", 2, "prot-unreachable"),
    ("icmp-port-unreachable", "port-unreach", 3, "port-unreachable"),
    ("icmp-net-prohibited", "net-prohib", 9, "net-prohibited"),
    ("icmp-host-prohibited", "host-prohib", 10, "host-prohibited"),
    ("tcp-reset", "tcp-rst", None, ""),
    ("icmp-admin-prohibited", "admin-prohib", 13, "admin-prohibited"),
)
KINDS6 = (
    ("icmp6-no-route", "no-route", 0, "no-route"),
    ("icmp6-adm-prohibited", "adm-prohibited", 1, "admin-prohibited"),
    ("icmp6-addr-unreachable", "addr-unreach", 3, "addr-unreachable"),
    ("icmp6-port-unreachable", "port-unreach", 4, "port-unreachable"),
    ("tcp-reset", "tcp-reset", None, ""),
    ("icmp6-policy-fail", "policy-fail", 5, "policy-fail"),
    ("icmp6-reject-route", "reject-route", 6, "reject-route"),
)


class Reject(Extension):
    name = "REJECT"
    tables = ("filter",)
    hooks = (1, 2, 3)
    options = (Opt("reject-with", "string"),)

    def __init__(self, family: int):
        super().__init__(family)
        self.kinds = KINDS4 if family == 4 else KINDS6
        self.kind: tuple = self.kinds[3]

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        for kind in self.kinds:
            if any(name.lower().startswith(value.lower()) for name in kind[:2]):
                self.kind = kind
                return
        raise problem(f'unknown reject type "{value}"')

    def refused(self, place: Place, rule: XtRule) -> int:
        if self.kind[2] is None and (rule.protocol != 6 or rule.protocol_inverted):
            return errno.EINVAL
        return super().refused(place, rule)

    def save(self) -> str:
        return f"--reject-with {self.kind[0]}"

    def listing(self, names: Names | None) -> str:
        return f"reject-with {self.kind[0]}"

    def nft(self, rule: XtRule) -> str | None:
        if self.kind[2] is None:
            return "reject with tcp reset"
        if self.kind[3] == "port-unreachable":
            return "reject"
        return f"reject with {'icmp' if self.family == 4 else 'icmpv6'} type {self.kind[3]}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        code = self.kind[2]
        send = reject4 if self.family == 4 else reject6

        def target(skb: Any, state: Any) -> int:
            if code is None:
                reset(net, skb, state)
            else:
                send(net, skb, state, code)
            return DROP

        return target


EXTENSION = Reject
