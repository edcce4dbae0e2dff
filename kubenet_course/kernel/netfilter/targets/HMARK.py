"""-j HMARK: a mark from a hash of the flow (libxt_HMARK, xt_HMARK.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.matches.multiport import ports_of
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

#: (option, its word in -L, hexadecimal digits), in the order of iptables-save.
FIELDS = (
    ("src-prefix", 0), ("dst-prefix", 0), ("sport-mask", 4), ("dport-mask", 4), ("spi-mask", 8), ("sport", 4),
    ("dport", 4), ("spi", 8), ("proto-mask", 2),
)  # fmt: skip
TUPLE = {
    "src": "src-prefix", "dst": "dst-prefix", "sport": "sport-mask", "dport": "dport-mask", "spi": "spi-mask",
    "proto": "proto-mask",
}  # fmt: skip
FULL = {"sport-mask": 0xFFFF, "dport-mask": 0xFFFF, "spi-mask": 0xFFFFFFFF, "proto-mask": 0xFFFF}


class Hmark(Extension):
    name = "HMARK"
    options = (
        Opt("hmark-tuple", "string"), Opt("hmark-src-prefix", "plenmask"), Opt("hmark-dst-prefix", "plenmask"),
        Opt("hmark-sport-mask", "uint16"), Opt("hmark-dport-mask", "uint16"), Opt("hmark-spi-mask", "uint32"),
        Opt("hmark-sport", "uint16"), Opt("hmark-dport", "uint16"), Opt("hmark-spi", "uint32"),
        Opt("hmark-proto-mask", "uint16"), Opt("hmark-proto", "uint16", key="hmark-proto-mask"),
        Opt("hmark-rnd", "uint32"), Opt("hmark-mod", "uint32", low=1), Opt("hmark-offset", "uint32"),
    )  # fmt: skip

    def __init__(self, family: int):
        super().__init__(family)
        self.fields: dict[str, int] = {}
        self.by_connection = False

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        key = opt.id.removeprefix("hmark-")
        if key == "tuple":
            if not value:
                raise problem('"--hmark-tuple" requires a list of types with no spaces, e.g. src,dst,sport,dport,proto')
            for word in value.split(","):
                if word == "ct":
                    self.by_connection = True
                elif word in TUPLE:
                    field = TUPLE[word]
                    self.values[f"hmark-{field}"] = True
                    self.fields[field] = FULL.get(field, 32 if self.family == 4 else 128)
                else:
                    raise problem(f'Bad type "{word}"')
        elif key in dict(FIELDS):
            bits = 32 if self.family == 4 else 128
            self.fields[key] = bits - (~value & ((1 << bits) - 1)).bit_length() if key.endswith("prefix") else value

    def check(self, names: Names) -> None:
        if "hmark-mod" not in self.values:
            raise problem("--hmark-mod is mandatory")
        if "spi-mask" in self.fields and {"sport-mask", "dport-mask"} & set(self.fields):
            raise problem("you cannot use --hmark-spi-mask and --hmark-?port-mask,at the same time")
        if not self.by_connection and "hmark-rnd" not in self.values or "hmark-rnd" not in self.values:
            raise problem("--hmark-rnd is mandatory")

    def hidden(self) -> Any:
        return self.family == 4 and any(self.values.get(key) is True for key in ("hmark-src-prefix", "hmark-dst-prefix"))

    def save(self) -> str:
        words = []
        for key, digits in FIELDS:
            if key in self.fields:
                words.append(f"--hmark-{key} " + (f"0x{self.fields[key]:0{digits}x}" if digits else str(self.fields[key])))
        words.append(f"--hmark-rnd 0x{self.values['hmark-rnd']:08x} --hmark-mod {self.values['hmark-mod']}")
        if self.values.get("hmark-offset"):
            words.append(f"--hmark-offset {self.values['hmark-offset']}")
        words += ["--hmark-tuple ct"] if self.by_connection else []
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        words = [f"HMARK mod {self.values['hmark-mod']}"]
        if self.values.get("hmark-offset"):
            words.append(f"+ 0x{self.values['hmark-offset']:x}")
        words += ["ct,"] if self.by_connection else []
        for key, digits in FIELDS:
            if key in self.fields:
                text = f"0x{self.fields[key]:x}" if digits else str(self.fields[key])
                # ip6tables prints the prefix of a whole address as nothing.
                words.append(f"{key} {'' if self.family == 6 and text == '128' else text}")
        words.append(f"rnd 0x{self.values['hmark-rnd']:x} ")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        fields, seed = self.fields, self.values["hmark-rnd"]
        modulus, offset = self.values["hmark-mod"], self.values.get("hmark-offset", 0)
        bits = 32 if self.family == 4 else 128

        def mask(key: str) -> int:
            length = fields.get(key, 0)
            return ((1 << length) - 1) << (bits - length) if length <= bits else (1 << bits) - 1

        def target(skb: Any, state: Any) -> int:
            ct = skb.nfct
            if self.by_connection and ct is not None and ct is not UNTRACKED:
                source, destination, protocol = ct.orig[0], ct.reply[0], ct.orig[2]
                ports = (ct.orig[3], ct.reply[3])
            else:
                source, destination, protocol = skb.network[0], skb.network[1], skb.network[2]
                ports = ports_of(skb) or (0, 0)
            low = sorted((source & mask("src-prefix"), destination & mask("dst-prefix")))
            mixed = hash_words(seed, low[0], low[1], ports[0] & fields.get("sport-mask", 0),
                               ports[1] & fields.get("dport-mask", 0), protocol & fields.get("proto-mask", 0))  # fmt: skip
            skb.mark = (mixed * modulus >> 32) + offset
            return CONTINUE

        return target


def hash_words(seed: int, *words: int) -> int:
    """A 32-bit mix of the words (the kernel's jhash gives other numbers with the same spread)."""
    value = seed or 1
    for word in words:
        value = (value ^ word & 0xFFFFFFFF) * 0x9E3779B1 & 0xFFFFFFFF
        value ^= value >> 15
    return value * 0x85EBCA6B & 0xFFFFFFFF


EXTENSION = Hmark
