"""-m rateest: compare measured rates (libxt_rateest, xt_rateest.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

UNITS = (
    ("bit", 1), ("kibit", 1024), ("kbit", 1000), ("mibit", 1024**2), ("mbit", 10**6), ("gibit", 1024**3), ("gbit", 10**9),
    ("tibit", 1024**4), ("tbit", 10**12), ("bps", 8), ("kibps", 8 * 1024), ("kbps", 8000), ("mibps", 8 * 1024**2),
    ("mbps", 8 * 10**6), ("gibps", 8 * 1024**3), ("gbps", 8 * 10**9), ("tibps", 8 * 1024**4), ("tbps", 8 * 10**12),
)  # fmt: skip
MODES = ("lt", "gt", "eq")


def parse_rate(text: str) -> int | None:
    """Bytes a second."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", text)
    if found is None:
        return None
    unit = dict(UNITS).get(found.group(2).lower(), None if found.group(2) else 8)
    return int(float(found.group(1)) * unit) // 8 if unit else None


def rate_text(rate: int) -> str:
    bits = rate * 8
    if bits == 0xFFFFFFFF * 8:
        return "N/A"
    for factor, word in ((10**6, "Mbit"), (10**3, "Kbit")):
        if bits >= 10 * factor:
            return f"{bits / factor:.0f}{word}"
    return f"{bits}bit"


class Rateest(Extension):
    name = "rateest"
    options = (
        Opt("rateest1", "string"), Opt("rateest", "string", key="rateest1"), Opt("rateest2", "string"),
        Opt("rateest-bps1", "string"), Opt("rateest-pps1", "uint32"), Opt("rateest-bps2", "string"),
        Opt("rateest-pps2", "uint32"), Opt("rateest-bps", "string?"), Opt("rateest-pps", "string?"), Opt("rateest-delta"),
        Opt("rateest-lt", invert=True), Opt("rateest-gt", invert=True), Opt("rateest-eq", invert=True),
    )  # fmt: skip

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        """libxt_rateest does not use the common parser, and has sentences of its own."""
        word = opt.name.removeprefix("rateest-") if opt.name.startswith("rateest-") else opt.name
        if invert and not opt.invert:
            raise problem(f"rateest: {opt.name.rstrip('12') if opt.kind != 'none' else word} can't be inverted")
        if opt.id in self.values:
            again = {"rateest1": "rateest1", "rateest-bps": "rateest-bps2", "rateest-pps": "rateest-pps2"}.get(opt.id, opt.id)
            raise problem(f"rateest: can't specify --{again} twice")
        self.values[opt.id] = int(text) if opt.kind == "uint32" and text.isdigit() else True if opt.kind == "none" else text
        if invert:
            self.inverted.add(opt.id)
        self.parsed(opt, text, invert)

    def hidden(self) -> Any:
        return None if any(f"rateest-{mode}" in self.values for mode in MODES) else tuple(map(str, self.values.items()))

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id in ("rateest-bps1", "rateest-bps2") or opt.id == "rateest-bps" and value:
            rate = parse_rate(value)
            if rate is None:
                raise problem(f"rateest: could not parse rate `{value}'")
            self.values[opt.id] = rate
        elif opt.id == "rateest-pps" and value:
            if not value.isdigit():
                raise problem(f"rateest: could not parse pps `{value}'")
            self.values[opt.id] = int(value)

    def refused(self, place: Place, rule: XtRule) -> int:
        mode = any(f"rateest-{mode}" in self.values for mode in MODES)
        if not mode or "rateest1" not in self.values:
            return errno.EINVAL
        known = place.net.rooms.get("rateest", {})
        for key in ("rateest1", "rateest2"):
            if key in self.values and self.values[key] not in known:
                return errno.ENOENT
        return 0

    def _mode(self) -> str:
        mode = next((mode for mode in MODES if f"rateest-{mode}" in self.values), "")
        return f"{'! ' if f'rateest-{mode}' in self.inverted else ''}--rateest-{mode}"

    def _side(self, number: str) -> str:
        words = []
        for kind in ("bps", "pps"):
            for key in (f"rateest-{kind}{number}", f"rateest-{kind}"):
                if key in self.values:
                    value = self.values[key]
                    shown = rate_text(value) if kind == "bps" and isinstance(value, int) else value
                    words.append(f"--{key}" + (f" {shown}" if value not in ("", None) else ""))
        return " ".join(words)

    def save(self) -> str:
        values = self.values
        words = ["--rateest-delta"] if "rateest-delta" in values else []
        if "rateest2" in values:
            words.append(f"--rateest1 {values['rateest1']}")
            words += [self._only("1"), self._mode(), self._only("2") or self._only("")]
            words.append(f"--rateest2 {values['rateest2']}")
        else:
            words.append(f"--rateest {values.get('rateest1', '')}")
            words += [self._only("1"), self._mode(), self._only("2") or self._only("")]
        return " ".join(word for word in words if word)

    def _only(self, number: str) -> str:
        words = []
        for kind in ("bps", "pps"):
            key = f"rateest-{kind}{number}"
            if key in self.values:
                value = self.values[key]
                text = rate_text(value) if kind == "bps" and isinstance(value, int) else str(value)
                words.append(f"--{key} {text}".rstrip())
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        kind = "bps" if any(key.startswith("rateest-bps") for key in self.values) else "pps"

        def shown(key: str) -> list[str]:
            value = self.values.get(key)
            if not isinstance(value, int):
                return []
            return [rate_text(value) if kind == "bps" and names is not None else str(value)]

        mode = next(mode for mode in MODES if f"rateest-{mode}" in self.values)
        mode = ("! " if f"rateest-{mode}" in self.inverted else "") + mode
        first, second = shown(f"rateest-{kind}1"), shown(f"rateest-{kind}2") or shown(f"rateest-{kind}")
        words = [self.values["rateest1"], *(["delta"] if "rateest-delta" in self.values else []), kind]
        if "rateest2" in self.values:
            words += [*first, mode, self.values["rateest2"], kind, *second]
        else:
            words += [*first, *second, mode] if kind == "bps" else [*first, mode, *second]
        return " ".join(["rateest match", *words])

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        estimators = net.rooms.setdefault("rateest", {})

        def rate(key: str, kind: str) -> float:
            estimator = estimators.get(self.values.get(key, ""))
            return estimator.rate(kind) if estimator is not None else 0.0

        mode = next(mode for mode in MODES if f"rateest-{mode}" in self.values)
        inverted = f"rateest-{mode}" in self.inverted

        def test(skb: Any, state: Any) -> bool:
            kind = "bps" if any(key.startswith("rateest-bps") for key in self.values) else "pps"
            left = rate("rateest1", kind)
            right: float
            if "rateest2" in self.values:
                right = rate("rateest2", kind)
            else:
                right = self.values.get(f"rateest-{kind}2") or self.values.get(f"rateest-{kind}") or 0
            if "rateest-delta" in self.values:
                left = max(0, (self.values.get(f"rateest-{kind}1") or 0) - left)
                if "rateest2" in self.values:
                    right = max(0, (self.values.get(f"rateest-{kind}2") or 0) - right)
            holds = left < right if mode == "lt" else left > right if mode == "gt" else left == right
            return holds != inverted

        return test


EXTENSION = Rateest
