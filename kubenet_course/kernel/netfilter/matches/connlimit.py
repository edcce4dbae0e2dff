"""-m connlimit: how many connections one source has (libxt_connlimit, nf_conncount.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import conntrack_entry as core
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, mask_text, prefix_of, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Connlimit(Extension):
    name = "connlimit"
    conntrack = True
    options = (
        Opt("connlimit-upto", "uint32", invert=True, excl=("connlimit-above",)),
        Opt("connlimit-above", "uint32", invert=True, excl=("connlimit-upto",)),
        Opt("connlimit-mask", "plenmask"),
        Opt("connlimit-saddr", excl=("connlimit-daddr",)),
        Opt("connlimit-daddr", excl=("connlimit-saddr",)),
    )
    mask = -1
    #: As it was given: IPv4's may be too long.
    typed = 0

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "connlimit-mask":
            self.typed = value
            self.mask = value & ((1 << (32 if self.family == 4 else 128)) - 1)

    def check(self, names: Names) -> None:
        if "connlimit-upto" not in self.values and "connlimit-above" not in self.values:
            raise problem('You must specify "--connlimit-above" or "--connlimit-upto".')
        if self.mask < 0:
            self.mask = (1 << (32 if self.family == 4 else 128)) - 1

    def _limit(self) -> tuple[str, int]:
        key = "connlimit-upto" if "connlimit-upto" in self.values else "connlimit-above"
        upto = (key == "connlimit-upto") != (key in self.inverted)
        return ("upto" if upto else "above"), self.values[key]

    def _length(self) -> str:
        bits = 32 if self.family == 4 else 128
        length = prefix_of(self.mask, bits)
        return str(length) if length is not None else mask_text(self.mask, self.family)[1:]

    def hidden(self) -> Any:
        return self.family == 4 and "connlimit-mask" in self.values, self.typed if self.typed >> 32 and self.family == 4 else 0

    def save(self) -> str:
        word, count = self._limit()
        side = "daddr" if "connlimit-daddr" in self.values else "saddr"
        return f"--connlimit-{word} {count} --connlimit-mask {self._length()} --connlimit-{side}"

    def listing(self, names: Names | None) -> str:
        word, count = self._limit()
        side = "dst" if "connlimit-daddr" in self.values else "src"
        return f"#conn {side}/{self._length()} {'<=' if word == 'upto' else '>'} {count}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        word, count = self._limit()
        index = 1 if "connlimit-daddr" in self.values else 0
        mask, upto, room = self.mask, word == "upto", net.rooms["conntrack"]
        seen: dict[int, list[Any]] = self.__dict__.setdefault("seen_connections", {})

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            tup = ct.orig if ct is not None and ct is not core.UNTRACKED else core.tuple_of_packet(skb)
            if tup is None:
                return False
            key = tup[index] & mask
            live = [entry for entry in seen.get(key, ()) if counts(room, entry) or entry is ct]
            if ct is not None and ct is not core.UNTRACKED and ct not in live:
                live.append(ct)
            seen[key] = live
            return (len(live) <= count) if upto else (len(live) > count)

        return test


def counts(room: Any, ct: Any) -> bool:
    """Still in the table, and not a TCP connection that is over."""
    found = room.find(ct.family, ct.orig, ct.zone)
    if found is None or found[0] is not ct:
        return False
    return ct.tcp is None or ct.tcp.name not in ("TIME_WAIT", "CLOSE")


EXTENSION = Connlimit
