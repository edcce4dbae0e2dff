"""-j CT: choose how the packet is tracked, before it is (libxt_CT, xt_CT.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.conntrack_entry import (
    IP_CT_UNTRACKED,
    IPS_TEMPLATE,
    UNTRACKED,
    ConntrackEntry,
)
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

EVENTS = ("new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo", "secmark")
HELPERS = {"ftp": (6,), "tftp": (17,), "sip": (6, 17), "irc": (6,), "amanda": (17,), "snmp": (17,), "pptp": (6,)}
ZONES = ("zone", "zone-orig", "zone-reply")


class Ct(Extension):
    name = "CT"
    tables = ("raw",)
    conntrack = True
    options = (
        Opt("notrack"),
        Opt("helper", "string"),
        Opt("timeout", "string"),
        Opt("ctevents", "string"),
        Opt("expevents", "string"),
        Opt("zone-orig", "string"),
        Opt("zone-reply", "string"),
        Opt("zone", "string"),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "notrack":
            self.conntrack = False  # xt_ct_tg_check(): there is nothing to ask connection tracking for
        if opt.id in ZONES:
            if value != "mark" and number(value, 0xFFFF) is None:
                raise problem(f"Cannot parse {value} as a zone ID")
            self.values[opt.id] = value if value == "mark" else number(value, 0xFFFF)
        elif opt.id in ("ctevents", "expevents"):
            for word in value.split(","):
                if word not in EVENTS:
                    raise problem(f'Unknown event type "{word}"')
            self.values[opt.id] = tuple(event for event in EVENTS if event in value.split(","))

    def refused(self, place: Place, rule: XtRule) -> int:
        helper = self.values.get("helper")
        if helper and rule.protocol not in HELPERS.get(helper, ()):
            return errno.ENOENT
        if self.values.get("timeout"):  # no timeout policy has a name here
            return errno.ENOENT if rule.protocol and not rule.protocol_inverted else errno.EINVAL
        return super().refused(place, rule)

    def _words(self, dashes: str) -> str:
        words = []
        if "notrack" in self.values:
            words.append(f"{dashes}notrack")
        if self.values.get("helper"):
            words.append(f"{dashes}helper {self.values['helper']}")
        if self.values.get("timeout"):
            words.append(f"{dashes}timeout {self.values['timeout']}")
        for key in ("ctevents", "expevents"):
            if key in self.values:
                words.append(f"{dashes}{key} {','.join(self.values[key])}")
        sides = [key for key in ZONES[1:] if key in self.values]
        words += [f"{dashes}{key} {self.values[key]}" for key in sides or ZONES[:1] if self.values.get(key)]
        return " ".join(words)

    def save(self) -> str:
        return self._words("--")

    def listing(self, names: Names | None) -> str:
        return f"CT {self._words('')}".rstrip()

    def nft(self, rule: XtRule) -> str | None:
        return "notrack" if set(self.values) == {"notrack"} else None

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        if "notrack" in self.values:
            return notrack
        zone = next((self.values[key] for key in ZONES if key in self.values), 0)
        helper = self.values.get("helper", "")

        def target(skb: Any, state: Any) -> int:
            if skb.nfct is None:
                number_of_zone = skb.mark & 0xFFFF if zone == "mark" else zone
                nothing = (0, 0, 0, 0, 0)
                template = ConntrackEntry(state.family, nothing, nothing, number_of_zone)
                template.status, template.helper = IPS_TEMPLATE, helper
                skb.nfct = template
            return CONTINUE

        return target


def notrack(skb: Any, state: Any) -> int:
    """The packet is UNTRACKED from here on."""
    if skb.nfct is None:
        skb.nfct, skb.ctinfo = UNTRACKED, IP_CT_UNTRACKED
    return CONTINUE


EXTENSION = Ct
