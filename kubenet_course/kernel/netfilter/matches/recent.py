"""-m recent: addresses seen lately, kept in lists by name (libxt_recent, xt_recent.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

MODES = (("set", "SET"), ("rcheck", "CHECK"), ("update", "UPDATE"), ("remove", "REMOVE"))
#: ip_list_tot and the stamps kept per address.
LIST_SIZE, STAMPS = 100, 255


class Entry:
    """An address of a list: when its packets came, oldest first, and the last one's TTL."""

    __slots__ = ("stamps", "ttl")

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.ttl = 0


class Recent(Extension):
    name = "recent"
    options = (
        Opt("set", invert=True, excl=("rcheck", "update", "remove")),
        Opt("rcheck", invert=True, excl=("set", "update", "remove")),
        Opt("update", invert=True, excl=("set", "rcheck", "remove")),
        Opt("seconds", "uint32", low=1),
        Opt("reap", also=("seconds",)),
        Opt("hitcount", "uint32"),
        Opt("remove", invert=True, excl=("set", "rcheck", "update")),
        Opt("rttl", excl=("set", "remove")),
        Opt("name", "string", high=200),
        Opt("rsource"),
        Opt("rdest"),
        Opt("mask", "host"),
    )

    def check(self, names: Names) -> None:
        if not any(mode in self.values for mode, _ in MODES):
            raise problem("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'")

    def refused(self, place: Place, rule: XtRule) -> int:
        if not self._name() or "/" in self._name():
            return errno.EINVAL
        checks = "rcheck" in self.values or "update" in self.values
        if ("seconds" in self.values or "hitcount" in self.values) and not checks:
            return errno.EINVAL
        return errno.EINVAL if self.values.get("hitcount", 0) >= 65536 else 0

    def _mask(self) -> Any:
        full = "255.255.255.255" if self.family == 4 else ":".join(["ffff"] * 8)
        return self.values.get("mask", full)

    def _name(self) -> str:
        return self.values.get("name", "DEFAULT")

    def hidden(self) -> Any:
        return self.family == 4 and "mask" in self.values

    def save(self) -> str:
        words = [f"{self.bang(mode)}--{mode}" for mode, _ in MODES if mode in self.values]
        if "seconds" in self.values:
            words.append(f"--seconds {self.values['seconds']}")
        words += ["--reap"] if "reap" in self.values else []
        if self.values.get("hitcount"):
            words.append(f"--hitcount {self.values['hitcount']}")
        words += ["--rttl"] if "rttl" in self.values else []
        words.append(f"--name {self._name()} --mask {self._mask()} --{'rdest' if 'rdest' in self.values else 'rsource'}")
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        mode, word = next((mode, word) for mode, word in MODES if mode in self.values)
        words = [f"{self.bang(mode)}recent: {word}"]
        if "seconds" in self.values:
            words.append(f"seconds: {self.values['seconds']}")
        words += ["reap"] if "reap" in self.values else []
        if self.values.get("hitcount"):
            words.append(f"hit_count: {self.values['hitcount']}")
        words += ["TTL-Match"] if "rttl" in self.values else []
        side = "dest" if "rdest" in self.values else "source"
        words.append(f"name: {self._name()} side: {side} mask: {self._mask()}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tables = net.rooms.setdefault("recent", {})
        entries: dict[int, Entry] = tables.setdefault((self.family, self._name()), {})
        values, loop = self.values, net.loop
        mode = next(mode for mode, _ in MODES if mode in values)
        inverted = mode in self.inverted
        mask = int(values["mask"]) if "mask" in values else (1 << 128) - 1
        index = 1 if "rdest" in values else 0
        window = values.get("seconds", 0) * SECOND
        hits = values.get("hitcount", 0)

        def touch(address: int, entry: Entry | None, ttl: int) -> None:
            if entry is None:
                if len(entries) >= LIST_SIZE:
                    del entries[next(iter(entries))]
                entry = entries[address] = Entry()
            else:
                entries[address] = entries.pop(address)
            entry.stamps.append(loop.now)
            del entry.stamps[:-STAMPS]
            entry.ttl = ttl

        def test(skb: Any, state: Any) -> bool:
            address = skb.network[index] & mask
            ttl = skb.network.ttl
            entry = entries.get(address)
            if mode == "set":
                touch(address, entry, ttl)
                return not inverted
            if entry is None or ("rttl" in values and entry.ttl != ttl):
                return inverted
            if mode == "remove":
                del entries[address]
                return not inverted
            since = loop.now - window if window else -1
            recent = sum(1 for stamp in entry.stamps if not window or stamp >= since)
            found = recent >= max(hits, 1)
            if "reap" in values:
                entry.stamps = [stamp for stamp in entry.stamps if stamp >= since]
                if not entry.stamps:
                    del entries[address]
                    entry = None
            if mode == "update" and found:
                touch(address, entry, ttl)
            return found != inverted

        return test


EXTENSION = Recent
