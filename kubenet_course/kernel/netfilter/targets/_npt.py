"""IPv6 network prefix translation, RFC 6296 (ip6t_NPT.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, prefix_of
from kubenet_course.wire.addresses import IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Npt(Extension):
    """`index` is the address that changes: 0 the source, 1 the destination."""

    families = (6,)
    tables = ("mangle",)
    index = 0
    options = (Opt("src-pfx", "hostmask", mand=True), Opt("dst-pfx", "hostmask", mand=True))

    def refused(self, place: Place, rule: XtRule) -> int:
        for key in ("src-pfx", "dst-pfx"):
            address, mask = self.values[key]
            length = prefix_of(mask, 128)
            if length is None or length > 64 or address & ~mask:
                return errno.EINVAL
        return super().refused(place, rule)

    def _text(self, key: str) -> str:
        address, mask = self.values[key]
        return f"{address}/{prefix_of(mask, 128)}"

    def save(self) -> str:
        return f"--src-pfx {self._text('src-pfx')} --dst-pfx {self._text('dst-pfx')}"

    def listing(self, names: Names | None) -> str:
        return f"{self.name} src-pfx {self._text('src-pfx')} dst-pfx {self._text('dst-pfx')}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        old, new = self.values["src-pfx"], self.values["dst-pfx"]
        length = max(prefix_of(old[1], 128) or 0, prefix_of(new[1], 128) or 0)
        adjustment = (_sum(int(old[0])) - _sum(int(new[0]))) % 0xFFFF
        field = "source" if self.index == 0 else "destination"

        def target(skb: Any, state: Any) -> int:
            address = skb.network[self.index]
            if address & old[1] == old[0]:
                changed = translate(int(address), int(new[0]), length, adjustment)
                skb.network = skb.network._replace(**{field: IPv6Address(changed)})
            return CONTINUE

        return target


def _sum(value: int) -> int:
    return sum(value >> shift & 0xFFFF for shift in range(0, 128, 16)) % 0xFFFF


def translate(address: int, prefix: int, length: int, adjustment: int) -> int:
    """The new prefix, and one 16-bit word changed so that checksums stay right."""
    low = (1 << (128 - length)) - 1
    changed = prefix & ~low | address & low
    shift = 64 if length <= 48 else 48
    word = (changed >> shift & 0xFFFF) + adjustment
    word = word % 0xFFFF if word else 0
    return changed & ~(0xFFFF << shift) | word << shift
