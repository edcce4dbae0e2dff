"""-m osf: the sender's system by its SYN (libxt_osf); no fingerprints are loaded, so none is recognised."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Osf(Extension):
    name = "osf"
    families = (4,)
    protocols = (6,)
    hooks = (0, 1, 2)
    options = (Opt("genre", "string", invert=True, mand=True, high=32), Opt("ttl", "uint32", high=2), Opt("log", "uint32", high=2))

    def save(self) -> str:
        words = [f"{self.bang('genre')}--genre {self.values['genre']}"]
        words += [f"--{key} {self.values[key]}" for key in ("ttl", "log") if key in self.values]
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        return f"OS fingerprint match {self.bang('genre')}{self.values['genre']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        inverted = bool(self.inverted)
        return lambda skb, state: inverted


EXTENSION = Osf
