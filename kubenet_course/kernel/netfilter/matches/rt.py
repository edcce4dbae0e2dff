"""-m rt: the IPv6 routing header (libip6t_rt, ip6t_rt.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem
from kubenet_course.wire.addresses import IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Rt(Extension):
    name = "rt"
    families = (6,)
    options = (
        Opt("rt-type", "uint32", invert=True), Opt("rt-segsleft", "uint32rc", invert=True),
        Opt("rt-len", "uint32", invert=True), Opt("rt-0-res"), Opt("rt-0-addrs", "string"), Opt("rt-0-not-strict"),
    )  # fmt: skip

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "rt-0-not-strict" and "rt-0-addrs" not in self.values:
            raise problem("`--rt-0-addr ...' required before `--rt-0-not-strict'")
        if opt.id.startswith("rt-0-"):
            if self.values.get("rt-type") != 0 or "rt-type" in self.inverted:
                raise problem(f"`--rt-type 0' required before `--{opt.name}'")
        if opt.id == "rt-0-addrs":
            try:
                self.values[opt.id] = [IPv6Address.parse(word) for word in value.split(",")]
            except ValueError:
                raise problem(f"error parsing address `{value}'") from None

    def _words(self, dashes: bool) -> list[str]:
        values = self.values
        words = []
        for key, word in (("rt-type", "type"), ("rt-segsleft", ""), ("rt-len", "length")):
            if key not in values:
                continue
            if dashes:
                text = _spi.save(self, key) if key == "rt-segsleft" else f"{self.bang(key)}--{key} {values[key]}"
                words.append(text)
            elif key == "rt-segsleft":
                words.append(_spi.words(self, key, "segsleft", "segslefts"))
            else:
                words.append(f"{word}:{'!' if key in self.inverted else ''}{values[key]}")
        if "rt-0-res" in values:
            words.append("--rt-0-res" if dashes else "reserved")
        if "rt-0-addrs" in values:
            words.append(("--rt-0-addrs " if dashes else "0-addrs ") + ",".join(map(str, values["rt-0-addrs"])))
        if "rt-0-not-strict" in values:
            words.append("--rt-0-not-strict" if dashes else "0-not-strict")
        return [word for word in words if word]

    def save(self) -> str:
        return " ".join(self._words(True))

    def listing(self, names: Names | None) -> str:
        return " ".join(["rt", *self._words(False)])

    def nft(self, rule: XtRule) -> str | None:
        if any(key.startswith("rt-0-") for key in self.values):
            return None
        words = []
        for key, field in (("rt-type", "rt type"), ("rt-segsleft", ""), ("rt-len", "rt hdrlength")):
            if key == "rt-segsleft":
                words.append(_spi.nft(self, key, "rt seg-left"))
            elif key in self.values:
                words.append(f"{field} {'!= ' if key in self.inverted else ''}{self.values[key]}")
        return " ".join(word for word in words if word)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if skb.network[2] != 43 or len(data) < 8:
                return False
            facts = (("rt-type", data[2]), ("rt-len", (data[1] + 1) * 8))
            for key, fact in facts:
                if key in self.values and (self.values[key] == fact) == (key in self.inverted):
                    return False
            if not _spi.within(self, "rt-segsleft", data[3]):
                return False
            wanted = self.values.get("rt-0-addrs", ())
            there = [IPv6Address.decode(data[at : at + 16]) for at in range(8, len(data) - 15, 16)]
            if wanted and "rt-0-not-strict" not in self.values:
                return there == wanted
            rest = iter(there)
            return all(address in rest for address in wanted)

        return test


EXTENSION = Rt
