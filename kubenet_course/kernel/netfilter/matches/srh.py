"""-m srh: the segment routing header of IPv6 (libip6t_srh, ip6t_srh.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, prefix_of
from kubenet_course.wire.addresses import IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

NUMBERS = ("hdr-len", "segs-left", "last-entry")
MODES = ("eq", "gt", "lt")
#: The header's field of each number, as the kernel keeps it: one value for its three comparisons.
PLACE = {"hdr-len": 1, "segs-left": 3, "last-entry": 4}


class Srh(Extension):
    name = "srh"
    families = (6,)
    options = (
        Opt("srh-next-hdr", "uint8", invert=True),
        *(Opt(f"srh-{field}-{mode}", "uint8", invert=True) for field in NUMBERS for mode in MODES),
        Opt("srh-tag", "uint16", invert=True),
        *(Opt(f"srh-{key}", "hostmask", invert=True) for key in ("psid", "nsid", "lsid")),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        for field in NUMBERS:
            if opt.id.startswith(f"srh-{field}-"):
                for mode in MODES:
                    if f"srh-{field}-{mode}" in self.values:
                        self.values[f"srh-{field}-{mode}"] = value

    def _words(self, dashes: bool) -> str:
        words = []
        for opt in self.options:
            key = opt.id
            if key not in self.values:
                continue
            value = self.values[key]
            if opt.kind == "hostmask":
                text = f"{value[0]}/{prefix_of(value[1], 128)}"
                short = key.removeprefix("srh-")
                words.append(f"{self.bang(key)}--{key} {text}" if dashes else f"{short} {'!' if key in self.inverted else ''} {text}")
            elif dashes:
                words.append(f"{self.bang(key)}--{key} {value}")
            else:
                words.append(f"{key.removeprefix('srh-')}:{'!' if key in self.inverted else ''}{value}")
        return " ".join(words)

    def save(self) -> str:
        return self._words(True)

    def listing(self, names: Names | None) -> str:
        return f"srh {self._words(False)}".rstrip()

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if skb.network[2] != 43 or len(data) < 8 or data[2] != 4:
                return False
            for key, value in self.values.items():
                if self._holds(key, value, data) == (key in self.inverted):
                    return False
            return True

        return test

    def _holds(self, key: str, value: Any, data: bytes) -> bool:
        if key == "srh-next-hdr":
            return data[0] == value
        if key == "srh-tag":
            return int.from_bytes(data[6:8], "big") == value
        for field in NUMBERS:
            if key.startswith(f"srh-{field}-"):
                fact, mode = data[PLACE[field]], key[-2:]
                return fact == value if mode == "eq" else fact > value if mode == "gt" else fact < value
        segments = [IPv6Address.decode(data[at : at + 16]) for at in range(8, len(data) - 15, 16)]
        number = {"srh-psid": data[3] + 1, "srh-nsid": data[3] - 1, "srh-lsid": 0}[key]
        if not 0 <= number < len(segments):
            return False
        return segments[number] & value[1] == value[0] & value[1]


EXTENSION = Srh
