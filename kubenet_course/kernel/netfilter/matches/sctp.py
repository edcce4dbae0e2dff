"""-m sctp: ports and chunks of SCTP (libxt_sctp, xt_sctp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _ports, _spi
from kubenet_course.kernel.netfilter.matches.tcp import PORTS
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem, range_text

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

#: (name, chunk type, letters of its flags from bit 7 to bit 0)
CHUNKS = (
    ("DATA", 0, "----IUBE"), ("INIT", 1, "--------"), ("INIT_ACK", 2, "--------"), ("SACK", 3, "--------"),
    ("HEARTBEAT", 4, "--------"), ("HEARTBEAT_ACK", 5, "--------"), ("ABORT", 6, "-------T"), ("SHUTDOWN", 7, "--------"),
    ("SHUTDOWN_ACK", 8, "--------"), ("ERROR", 9, "--------"), ("COOKIE_ECHO", 10, "--------"),
    ("COOKIE_ACK", 11, "--------"), ("ECN_ECNE", 12, "--------"), ("ECN_CWR", 13, "--------"),
    ("SHUTDOWN_COMPLETE", 14, "-------T"), ("I_DATA", 64, "----IUBE"), ("RE_CONFIG", 130, "--------"),
    ("PAD", 132, "--------"), ("ASCONF", 193, "--------"), ("ASCONF_ACK", 128, "--------"),
    ("FORWARD_TSN", 192, "--------"), ("I_FORWARD_TSN", 194, "--------"),
)  # fmt: skip
NFT_WORDS = {"ECN_ECNE": "ecne", "ECN_CWR": "cwr"}
BY_TYPE = {kind: (name, flags) for name, kind, flags in CHUNKS}


class Sctp(Extension):
    name = "sctp"
    protocols = (132,)
    full_stop = ""
    options = (*_ports.PORT_OPTIONS, Opt("chunk-types", "string", invert=True, words=2))
    mode = ""
    chunks: dict[int, tuple[int, int]] = {}

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        if opt.id == "chunk-types":
            if "chunk-types" in self.values:
                raise problem("Only one `--chunk-types' allowed")
            if " " not in text:
                raise problem("--chunk-types requires two args")
            mode, words = text.split(" ", 1)
            self._parse_chunks(mode, words)
            self.values["chunk-types"] = True
        else:
            if opt.id in self.values:
                raise problem(f"Only one `--{'source' if opt.id == 'sport' else 'destination'}-port' allowed")
            self.values[opt.id] = _ports.parse_ports(text, "sctp", names)
        if invert:
            self.inverted.add(opt.id)

    def _parse_chunks(self, mode: str, words: str) -> None:
        if mode.lower() not in ("all", "any", "only"):
            raise problem('Match type has to be one of "ALL", "ANY" or "ONLY"')
        self.mode, self.chunks = mode.lower(), {}
        if words.upper() == "ALL":
            self.chunks = dict.fromkeys(range(256), (0, 0))
            return
        if words.upper() == "NONE":
            return
        for word in words.split(","):
            name, colon, letters = word.partition(":")
            found = next((entry for entry in CHUNKS if entry[0].lower() == name.lower()), None)
            if found is None:
                raise problem(f"Unknown sctp chunk `{name}'")
            mask = value = 0
            for letter in letters:
                position = found[2].find(letter.upper())
                if position < 0 or letter == "-":
                    raise problem(f"Invalid flags for chunk type {found[1]}")
                mask |= 0x80 >> position
                value |= 0x80 >> position if letter.isupper() else 0
            self.chunks[found[1]] = (mask, value)

    def _flags(self, kind: int) -> str:
        mask, value = self.chunks[kind]
        flags = BY_TYPE[kind][1] if kind in BY_TYPE else ""
        text = "".join(
            letter if value & 0x80 >> position else letter.lower()
            for position, letter in enumerate(flags)
            if mask & 0x80 >> position
        )
        return f":{text}" if text else ""

    def _chunk_words(self, numeric: bool) -> str:
        if len(self.chunks) == 256:
            return "ALL"
        if not self.chunks:
            return "NONE"
        order = sorted(self.chunks)
        return ",".join(
            (f"0x{kind:04X}" if numeric else BY_TYPE[kind][0]) + self._flags(kind) for kind in order
        )

    def save(self) -> str:
        words = [
            f"{self.bang(key)}--{key} {range_text(*self.values[key])}" for key in ("sport", "dport") if key in self.values
        ]
        if "chunk-types" in self.values:
            words.append(f"{self.bang('chunk-types')}--chunk-types {self.mode} {self._chunk_words(False)}")
        return " ".join(word for word in words if word)

    def listing(self, names: Names | None) -> str:
        words = ["sctp"]
        for key in ("sport", "dport"):
            words.append(_ports.listing(f"{key[0]}pt", self.values.get(key, PORTS), key in self.inverted, "sctp", names))
        if "chunk-types" in self.values:
            words.append(f"{self.bang('chunk-types')}{self.mode} {self._chunk_words(names is None)}")
        return " ".join(word for word in words if word)

    def nft(self, rule: XtRule) -> str | None:
        if not self.values:
            return None
        words = [_ports.nft(f"sctp {key}", self.values.get(key, PORTS), key in self.inverted) for key in ("sport", "dport")]
        if "chunk-types" in self.values:
            if self.mode == "any" and len(self.chunks) != 1:
                return None
            for name, kind, _ in CHUNKS:
                word = NFT_WORDS.get(name, name.lower().replace("_", "-"))
                if kind in self.chunks and self.chunks[kind][0]:
                    mask, value = self.chunks[kind]
                    words.append(f"sctp chunk {word} flags & 0x{mask:x} == 0x{value:x}")
                elif kind in self.chunks or self.mode == "only":
                    there = (kind in self.chunks) != ("chunk-types" in self.inverted)
                    words.append(f"sctp chunk {word} {'exists' if there else 'missing'}")
        return " ".join(word for word in words if word)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if len(data) < 12:
                return False
            for key, port in (("sport", int.from_bytes(data[:2], "big")), ("dport", int.from_bytes(data[2:4], "big"))):
                low, high = self.values.get(key, PORTS)
                if (low <= port <= high) == (key in self.inverted):
                    return False
            if "chunk-types" not in self.values:
                return True
            return self._chunks_match(data[12:]) != ("chunk-types" in self.inverted)

        return test

    def _chunks_match(self, data: bytes) -> bool:
        wanted = set(self.chunks)
        at = 0
        while at + 4 <= len(data):
            kind, flags, length = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 4:
                return False
            fits = kind in self.chunks and flags & self.chunks[kind][0] == self.chunks[kind][1]
            if fits and self.mode == "any":
                return True
            if not fits and self.mode == "only":
                return False
            if fits:
                wanted.discard(kind)
            at += length + 3 & ~3
        return self.mode == "only" or self.mode == "all" and not wanted


EXTENSION = Sctp
