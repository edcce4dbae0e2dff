"""-j MARK: write the packet's mark (libxt_MARK, xt_mark.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

FULL = 0xFFFFFFFF
MODES = ("set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark")


def _excl(name: str) -> tuple[str, ...]:
    return tuple(mode for mode in ("xor-mark", "or-mark", "and-mark", "set-mark", "set-xmark") if mode != name)


def operation(mode: str, given: Any) -> tuple[int, int]:
    """(value, mask) of mark = (mark & ~mask) ^ value for one of MODES.

    `given` is (value, mask) for set-xmark and set-mark, a number for the others.
    """
    if mode == "set-xmark":
        value, mask = given
        return value, mask
    if mode == "set-mark":
        value, mask = given
        return value, value | mask
    if mode == "and-mark":
        return 0, ~given & FULL
    return given, given if mode == "or-mark" else 0


class Mark(Extension):
    """mark = (mark & ~mask) ^ value."""

    name = "MARK"
    options = (
        Opt("set-xmark", "markmask", excl=_excl("set-xmark")),
        Opt("set-mark", "markmask", excl=_excl("set-mark")),
        Opt("and-mark", "uint32", excl=_excl("and-mark")),
        Opt("or-mark", "uint32", excl=_excl("or-mark")),
        Opt("xor-mark", "uint32", excl=_excl("xor-mark")),
    )
    value = mask = 0

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.value, self.mask = operation(opt.id, value)

    def check(self, names: Names) -> None:
        if not any(mode in self.values for mode in MODES):
            raise problem("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required")

    def save(self) -> str:
        return f"--set-xmark 0x{self.value:x}/0x{self.mask:x}"

    def listing(self, names: Names | None) -> str:
        return f"MARK {mark_words(self.value, self.mask)}"

    def nft(self, rule: XtRule) -> str | None:
        value, mask = self.value, self.mask
        if mask == FULL:
            return f"meta mark set 0x{value:x}"
        if mask == 0:
            return f"meta mark set mark xor 0x{value:x}"
        if value == mask:
            return f"meta mark set mark or 0x{value:x}"
        if value == 0:
            return f"meta mark set mark and 0x{~mask & FULL:x}"
        return f"meta mark set mark and 0x{~mask & FULL:x} xor 0x{value:x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        keep, value = ~self.mask & FULL, self.value

        def target(skb: Any, state: Any) -> int:
            skb.mark = skb.mark & keep ^ value
            return CONTINUE

        return target


def mark_words(value: int, mask: int) -> str:
    if value == 0:
        return f"and 0x{~mask & FULL:x}"
    if value == mask:
        return f"or 0x{value:x}"
    if mask == 0:
        return f"xor 0x{value:x}"
    return f"set 0x{value:x}" if mask == FULL else f"xset 0x{value:x}/0x{mask:x}"


EXTENSION = Mark
