"""-m conntrack: what connection tracking knows about the packet (libxt_conntrack, xt_conntrack.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import conntrack_entry as ct_core
from kubenet_course.kernel.netfilter.xt import (
    Extension,
    Names,
    Opt,
    mask_text,
    prefix_of,
    problem,
    range_text,
)
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: In the order in which they are printed.
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
STATUSES = (("EXPECTED", 1), ("SEEN_REPLY", 2), ("ASSURED", 4), ("CONFIRMED", 8))
#: The state of each ctinfo.
OF_INFO = ("ESTABLISHED", "RELATED", "NEW", "ESTABLISHED", "RELATED")
PORT_KEYS = ("ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport")
ADDRESS_KEYS = ("ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst")
NFT_FIELDS = {
    "ctorigsrc": "original saddr", "ctorigdst": "original daddr", "ctreplsrc": "reply saddr", "ctrepldst": "reply daddr",
    "ctorigsrcport": "original proto-src", "ctorigdstport": "original proto-dst",
    "ctreplsrcport": "reply proto-src", "ctrepldstport": "reply proto-dst",
}  # fmt: skip


def parse_states(text: str, known: tuple[str, ...], word: str) -> frozenset[str]:
    """Words at commas; the complaint names the first wrong one with all that follows."""
    parts = text.split(",")
    for position, part in enumerate(parts):
        if part.upper() not in known:
            raise problem(f'Bad {word} "{",".join(parts[position:])}"')
    return frozenset(part.upper() for part in parts)


def state_of(skb: Any) -> str:
    ct = skb.nfct
    if ct is None:
        return "INVALID"
    return "UNTRACKED" if ct is ct_core.UNTRACKED else OF_INFO[skb.ctinfo]


def states_test(states: frozenset[str], inverted: bool) -> Callable[[Any, Any], bool]:
    """The test of ctstate and state: one look at skb.nfct and skb.ctinfo."""
    invalid, untracked = "INVALID" in states, "UNTRACKED" in states
    snat, dnat = "SNAT" in states, "DNAT" in states
    wanted = tuple((state in states) != inverted for state in OF_INFO)
    untracked_entry = ct_core.UNTRACKED

    def test(skb: Any, state: Any) -> bool:
        ct = skb.nfct
        if ct is None:
            return invalid != inverted
        if ct is untracked_entry:
            return untracked != inverted
        return wanted[skb.ctinfo]

    def with_nat(skb: Any, state: Any) -> bool:
        ct = skb.nfct
        found = state_of(skb) in states
        if not found and ct is not None:
            found = bool(snat and ct.status & ct_core.IPS_SRC_NAT or dnat and ct.status & ct_core.IPS_DST_NAT)
        return found != inverted

    return with_nat if snat or dnat else test


class ConntrackMatch(Extension):
    name = "conntrack"
    conntrack = True
    options = (
        Opt("ctstate", "string", invert=True),
        Opt("ctproto", "protocol", invert=True),
        *(Opt(key, "hostmask", invert=True) for key in ADDRESS_KEYS),
        Opt("ctstatus", "string", invert=True),
        Opt("ctexpire", "uint32rc", invert=True),
        *(Opt(key, "portrc", invert=True) for key in PORT_KEYS),
        Opt("ctdir", "string"),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "ctstate":
            self.values["ctstate"] = parse_states(value, STATES, "ctstate")
        elif opt.id == "ctstatus":
            words = tuple(name for name, _ in STATUSES)
            bits = 0
            for part in parse_states(value, ("NONE", *words), "ctstatus"):
                bits |= dict(STATUSES).get(part, 0)
            self.values["ctstatus"] = bits
        elif opt.id == "ctdir":
            if value.upper() not in ("ORIGINAL", "REPLY"):
                raise problem(f'conntrack: Bad value for "--ctdir" option: "{value}"')
            self.values["ctdir"] = value.upper()

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("conntrack: At least one option is required")

    def _words(self) -> list[tuple[str, str, str]]:
        """(bang, key, value) of each option, in the order of iptables-save."""
        words = []
        for opt in self.options:
            key = opt.id
            if key not in self.values:
                continue
            value = self.values[key]
            if key == "ctstate":
                text = ",".join(state for state in STATES if state in value)
            elif key == "ctstatus":
                text = ",".join(name for name, bit in STATUSES if value & bit) or "NONE"
            elif key in ADDRESS_KEYS:
                holes = prefix_of(value[1], value[0].bits) is None
                text = str(value[0]) if holes else f"{value[0]}{mask_text(value[1], self.family)}"
            elif key == "ctexpire" or key in PORT_KEYS:
                text = range_text(*value)
            else:
                text = str(value)
            words.append((self.bang(key), key, text))
        return words

    def save(self) -> str:
        return " ".join(f"{bang}--{key} {text}" for bang, key, text in self._words())

    def listing(self, names: Names | None) -> str:
        words = []
        for bang, key, text in self._words():
            if names is not None and key in ADDRESS_KEYS and not self.values[key][1] and not self.values[key][0]:
                text = "anywhere"
            words.append(f"{bang}{key} {text}")
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        out = []
        for _, key, text in self._words():
            inverted = key in self.inverted
            differs = "!= " if inverted else ""
            if key == "ctstate":
                states = [word for word in text.lower().split(",") if word not in ("snat", "dnat")]
                nats = [word for word in text.lower().split(",") if word in ("snat", "dnat")]
                if states:
                    out.append(f"ct state {'! ' if inverted else ''}{','.join(states)}")
                if nats:
                    out.append(f"ct status {'! ' if inverted else ''}{','.join(nats)}")
            elif key == "ctstatus":
                words = text.lower().replace("_", "-") if text != "NONE" else ""
                out.append(f"ct status {'! ' if inverted else ''}{words}".rstrip())
            elif key == "ctproto":
                out.append(f"ct original protocol {differs}{text}")
            elif key == "ctexpire":
                out.append(f"ct expiration {differs}{text.replace(':', '-')}")
            elif key == "ctdir":
                out.append(f"ct direction {differs}{text.lower()}")
            else:
                out.append(f"ct {NFT_FIELDS[key]} {differs}{text.replace(':', '-') if key in PORT_KEYS else text}")
        return " ".join(out)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tests: list[Callable[[Any, Any], bool]] = []
        if "ctstate" in self.values:
            tests.append(states_test(self.values["ctstate"], "ctstate" in self.inverted))
            if len(self.values) == 1:
                return tests[0]
        others = [self._entry_test(key) for key in self.values if key != "ctstate"]

        def test(skb: Any, state: Any) -> bool:
            if tests and not tests[0](skb, state):
                return False
            ct = skb.nfct
            if ct is None or ct is ct_core.UNTRACKED:
                return False
            return all(one(ct, skb) for one in others)

        return test

    def _entry_test(self, key: str) -> Callable[[Any, Any], bool]:
        value, inverted = self.values[key], key in self.inverted
        if key == "ctproto":
            return lambda ct, skb: (ct.orig[2] == value) != inverted
        if key == "ctstatus":
            if not value:
                return lambda ct, skb: (ct.status & 15 == 0) != inverted
            return lambda ct, skb: bool(ct.status & value) != inverted
        if key == "ctexpire":
            low, high = value
            return lambda ct, skb: (low <= _left(ct, self) <= high) != inverted
        if key == "ctdir":
            reply = value == "REPLY"
            return lambda ct, skb: (skb.ctinfo >= ct_core.IP_CT_IS_REPLY) == reply
        of_reply, index = key.startswith("ctrepl"), 0
        if key in ADDRESS_KEYS:
            index = 0 if key.endswith("src") else 1
            address, mask = value
            network = address & mask
            return lambda ct, skb: ((ct.reply if of_reply else ct.orig)[index] & mask == network) != inverted
        index = 3 if key.endswith("srcport") else 4
        low, high = value
        return lambda ct, skb: (low <= (ct.reply if of_reply else ct.orig)[index] <= high) != inverted


def _left(ct: Any, extension: Extension) -> int:
    assert extension.net is not None
    end = ct.expires if ct.confirmed else extension.net.loop.now + ct.timeout
    return max(0, end - extension.net.loop.now) // SECOND


EXTENSION = ConntrackMatch
