"""-m dccp: ports, packet types and options of DCCP (libxt_dccp, xt_dccp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem, range_text

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

TYPES = ("REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK", "INVALID")
#: INVALID stands for every type from 10 on.
INVALID = 0xFC00


class Dccp(Extension):
    name = "dccp"
    protocols = (33,)
    options = (
        Opt("source-port", "portrc", invert=True, key="sport"), Opt("sport", "portrc", invert=True),
        Opt("destination-port", "portrc", invert=True, key="dport"), Opt("dport", "portrc", invert=True),
        Opt("dccp-types", "string", invert=True), Opt("dccp-option", "uint8", invert=True, low=1),
    )  # fmt: skip

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "dccp-types":
            bits = 0
            for word in filter(None, value.split(",")):
                if word.upper() not in TYPES:
                    raise problem(f"Unknown DCCP type `{word}'")
                bits |= INVALID if word.upper() == "INVALID" else 1 << TYPES.index(word.upper())
            self.values["dccp-types"] = bits

    def _types(self, numeric: bool) -> str:
        bits = self.values["dccp-types"]
        if numeric:
            return ",".join(str(kind) for kind in range(16) if bits >> kind & 1)
        words = [TYPES[kind] for kind in range(10) if bits >> kind & 1]
        return ",".join(words + (["INVALID"] if bits & INVALID else []))

    def save(self) -> str:
        words = [
            f"{self.bang(key)}--{key} {range_text(*self.values[key])}" for key in ("sport", "dport") if key in self.values
        ]
        if "dccp-types" in self.values:
            words.append(f"{self.bang('dccp-types')}--dccp-types {self._types(False)}")
        if "dccp-option" in self.values:
            words.append(f"{self.bang('dccp-option')}--dccp-option {self.values['dccp-option']}")
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        from kubenet_course.kernel.netfilter.matches._ports import listing

        words = ["dccp"]
        for key in ("sport", "dport"):
            if key in self.values:
                words.append(listing(f"{key[0]}pt", self.values[key], key in self.inverted, "dccp", names))
        if "dccp-types" in self.values:
            words.append(f"{self.bang('dccp-types')}{self._types(names is None)}")
        if "dccp-option" in self.values:
            words.append(f"option={'!' if 'dccp-option' in self.inverted else ''}{self.values['dccp-option']}")
        empty = self.values.get("dccp-types") == 0
        return " ".join(word for word in words if word) + (" " if empty else "")

    def nft(self, rule: XtRule) -> str | None:
        if "dccp-option" in self.values:
            return None
        words = [
            f"dccp {key} {'!= ' if key in self.inverted else ''}{range_text(*self.values[key], separator='-')}"  # type: ignore[misc]
            for key in ("sport", "dport")
            if key in self.values
        ]
        if "dccp-types" in self.values:
            bits = self.values["dccp-types"]
            kinds = [TYPES[kind].lower() for kind in range(10) if bits >> kind & 1] + (["10-15"] if bits & INVALID else [])
            text = kinds[0] if len(kinds) == 1 else "{ " + ", ".join(kinds) + " }"
            words.append(f"dccp type {'!= ' if 'dccp-types' in self.inverted else ''}{text}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if len(data) < 12:
                return False
            for key, at in (("sport", 0), ("dport", 2)):
                if key in self.values:
                    low, high = self.values[key]
                    if (low <= int.from_bytes(data[at : at + 2], "big") <= high) == (key in self.inverted):
                        return False
            if "dccp-types" in self.values:
                kind = data[8] >> 1 & 15
                if bool(self.values["dccp-types"] >> kind & 1) == ("dccp-types" in self.inverted):
                    return False
            if "dccp-option" in self.values:
                options = data[12 : data[4] * 4]
                return (self.values["dccp-option"] in options) != ("dccp-option" in self.inverted)
            return True

        return test


EXTENSION = Dccp
