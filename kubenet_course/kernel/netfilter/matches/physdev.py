"""-m physdev: the bridge ports of a bridged packet (libxt_physdev, xt_physdev.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.bridge_flags import BRIDGED, IN_BRIDGE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem, warn_of_device_name

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

KEYS = ("physdev-is-in", "physdev-in", "physdev-is-out", "physdev-out", "physdev-is-bridged")


class Physdev(Extension):
    name = "physdev"
    options = (
        Opt("physdev-in", "string", invert=True),
        Opt("physdev-out", "string", invert=True),
        Opt("physdev-is-in", invert=True),
        Opt("physdev-is-out", invert=True),
        Opt("physdev-is-bridged", invert=True),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.kind == "string" and len(value) > 15:
            raise problem(f"interface name `{value}' must be shorter than IFNAMSIZ (15)")

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("PHYSDEV: no physdev option specified")
        for key in ("physdev-in", "physdev-out"):
            warn_of_device_name(self.values.get(key, ""), names)

    def refused(self, place: Place, rule: XtRule) -> int:
        """The way out is not known in INPUT, nor in OUTPUT where the packet is not bridged."""
        bridged = "physdev-is-bridged" in self.values and "physdev-is-bridged" not in self.inverted
        if ("physdev-out" in self.values or "physdev-is-out" in self.values) and not bridged and 3 in place.hooks:
            return errno.EINVAL
        return 0

    def _words(self) -> str:
        words = []
        for key in KEYS:
            if key in self.values:
                value = f" {self.values[key]}" if key in ("physdev-in", "physdev-out") else ""
                words.append(f"{self.bang(key)}--{key}{value}")
        return " ".join(words)

    def save(self) -> str:
        return self._words()

    def listing(self, names: Names | None) -> str:
        return f"PHYSDEV match {self._words()}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        values, inverted = self.values, self.inverted

        def named(dev: Any, key: str) -> bool:
            pattern = values[key]
            name = dev.name if dev is not None else ""
            found = name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern
            return found != (key in inverted)

        def test(skb: Any, state: Any) -> bool:
            if not skb.nf_flags & IN_BRIDGE:
                # Not from a bridge: only what is denied can hold.
                if any(key in values and key not in inverted for key in ("physdev-is-bridged", "physdev-is-in", "physdev-is-out")):
                    return False
                return all(key not in values or key in inverted for key in ("physdev-in", "physdev-out"))
            bridged = bool(skb.nf_flags & BRIDGED)
            facts = {
                "physdev-is-bridged": bridged, "physdev-is-in": skb.physin is not None, "physdev-is-out": skb.physout is not None,
            }  # fmt: skip
            for key, fact in facts.items():
                if key in values and fact == (key in inverted):
                    return False
            if "physdev-in" in values and not named(skb.physin, "physdev-in"):
                return False
            return "physdev-out" not in values or named(skb.physout, "physdev-out")

        return test


EXTENSION = Physdev
