"""-j TCPOPTSTRIP: write no-operations over TCP options (libxt_TCPOPTSTRIP, xt_TCPOPTSTRIP.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem
from kubenet_course.wire.tcp import TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

KINDS = {"mss": 2, "wscale": 3, "sack-permitted": 4, "sack": 5, "timestamp": 8, "md5": 19}
WORDS = {value: name for name, value in KINDS.items()}


class Tcpoptstrip(Extension):
    name = "TCPOPTSTRIP"
    tables = ("mangle",)
    protocols = (6,)
    options = (Opt("strip-options", "string"),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        kinds = set()
        for word in value.split(","):
            kind = KINDS.get(word, number(word, 255))
            if kind is None:
                raise problem(f'Bad TCP option value "{word}"')
            if kind < 2:
                raise problem("Option value may not be 0 or 1")
            kinds.add(kind)
        self.values["strip-options"] = sorted(kinds)

    def save(self) -> str:
        kinds = self.values.get("strip-options", ())
        return f"--strip-options {','.join(map(str, kinds))}" if kinds else ""

    def listing(self, names: Names | None) -> str:
        kinds = self.values.get("strip-options", ())
        words = (str(kind) if names is None else WORDS.get(kind, str(kind)) for kind in kinds)
        return f"TCPOPTSTRIP options {','.join(words)}" if kinds else ""

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        kinds = frozenset(self.values.get("strip-options", ()))

        def target(skb: Any, state: Any) -> int:
            header = skb.transport
            if isinstance(header, TcpHeader) and header.options:
                skb.transport = header._replace(options=strip(header.options, kinds))
            return CONTINUE

        return target


def strip(options: bytes, kinds: frozenset[int]) -> bytes:
    out, at = bytearray(options), 0
    while at < len(out):
        kind = out[at]
        if kind < 2:
            at += 1
            continue
        if at + 1 >= len(out) or out[at + 1] < 2:
            break
        size = out[at + 1]
        if kind in kinds:
            out[at : at + size] = b"\x01" * len(out[at : at + size])
        at += size
    return bytes(out)


EXTENSION = Tcpoptstrip
