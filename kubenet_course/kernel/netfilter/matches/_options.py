"""Hop-by-hop and destination options: length and types (libip6t_hbh, libip6t_dst, ip6t_hbh.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches._spi import payload_bytes
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class OptionsHeader(Extension):
    """`header` is the protocol number; `nft` translates only the length (and that only for hbh)."""

    families = (6,)
    header = 0

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id.endswith("-opts"):
            self.values[opt.id] = [self._option(word) for word in value.split(",")]
            if len(self.values[opt.id]) > 16:
                raise problem("too many addresses specified")

    def _option(self, word: str) -> tuple[int, int | None]:
        kind_text, colon, size_text = word.partition(":")
        if not kind_text[:1].isdigit():
            raise problem(f"{self.name}: no valid digits in opt `{kind_text}'")
        kind = number(kind_text)
        if kind is None:
            raise problem(f"{self.name}: error parsing opt `{kind_text}'")
        kind &= 0xFF
        if not colon:
            return kind, None
        if kind == 0:
            raise problem("PAD0 has not got length" if self.name == "hbh" else "PAD0 hasn't got length")
        if not size_text.isdigit():
            raise problem(f"{self.name}: no valid digits in length `{size_text}'")
        size = number(size_text)
        if size is None:
            raise problem(f"{self.name}: error parsing length `{size_text}'")
        return kind, size & 0xFF

    def _opts(self) -> str:
        pairs = self.values.get(f"{self.name}-opts", ())
        return ",".join(str(kind) if size is None else f"{kind}:{size}" for kind, size in pairs)

    def save(self) -> str:
        length = f"{self.name}-len"
        words = [f"{self.bang(length)}--{length} {self.values[length]}"] if length in self.values else []
        words += [f"--{self.name}-opts {self._opts()}"] if self._opts() else []
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        length = f"{self.name}-len"
        words = [self.name]
        words += [f"length:{'!' if length in self.inverted else ''}{self.values[length]}"] if length in self.values else []
        words += [f"opts {self._opts()}"] if self._opts() else []
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        if self.name != "hbh" or self._opts() or "hbh-len" not in self.values:
            return None
        return f"hbh hdrlength {'!= ' if self.inverted else ''}{self.values['hbh-len']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        length = f"{self.name}-len"

        def test(skb: Any, state: Any) -> bool:
            data = payload_bytes(skb)
            if skb.network[2] != self.header or len(data) < 8:
                return False
            size = (data[1] + 1) * 8
            if length in self.values and (self.values[length] == size) == (length in self.inverted):
                return False
            at = 2
            for kind, wanted in self.values.get(f"{self.name}-opts", ()):
                if at >= min(size, len(data)) or data[at] != kind:
                    return False
                if kind == 0:
                    at += 1
                    continue
                if wanted is not None and (at + 1 >= len(data) or data[at + 1] != wanted):
                    return False
                at += 2 + (data[at + 1] if at + 1 < len(data) else 0)
            return True

        return test
