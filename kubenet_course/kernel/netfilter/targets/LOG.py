"""-j LOG: a line in the kernel log (libxt_LOG, xt_LOG.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.log import log_packet
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem, quote

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
LEVEL_NAMES = {
    "alert": 1, "crit": 2, "debug": 7, "emerg": 0, "error": 3, "info": 6, "notice": 5, "panic": 0,
    "warning": 4,
}  # fmt: skip
FLAGS = (
    ("log-tcp-sequence", 1, "tcp-sequence"), ("log-tcp-options", 2, "tcp-options"), ("log-ip-options", 4, "ip-options"),
    ("log-uid", 8, "uid"), ("log-macdecode", 32, "macdecode"),
)  # fmt: skip
NFT_FLAGS = {1: "tcp sequence", 2: "tcp options", 3: "tcp sequence,options", 4: "ip options", 8: "skuid", 32: "ether"}


class Log(Extension):
    name = "LOG"
    options = (
        Opt("log-level", "string"),
        Opt("log-prefix", "string", low=1, high=30),
        *(Opt(flag) for flag, _, _ in FLAGS),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "log-level":
            level = number(value, 7)
            if level is None:
                level = LEVEL_NAMES.get(value.lower())
            if level is None:
                raise problem(f'log level "{value}" unknown\n')
            self.values["log-level"] = level

    def _level(self) -> int:
        return self.values.get("log-level", 4)

    def _bits(self) -> int:
        return sum(bit for flag, bit, _ in FLAGS if flag in self.values)

    def save(self) -> str:
        words = [f"--log-prefix {quote(self.values['log-prefix'])}"] if "log-prefix" in self.values else []
        words += [f"--log-level {self._level()}"] if self._level() != 4 else []
        words += [f"--{flag}" for flag, _, _ in FLAGS if flag in self.values]
        return " ".join(words)

    def listing(self, names: Names | None) -> str:
        if names is None:
            words = f"LOG flags {self._bits()} level {self._level()}"
        else:
            words = f"LOG level {LEVELS[self._level()]}"
            words += "".join(f" {word}" for flag, _, word in FLAGS if flag in self.values)
        return words + (f' prefix "{self.values["log-prefix"]}"' if "log-prefix" in self.values else "")

    def nft(self, rule: XtRule) -> str | None:
        words = "log"
        if "log-prefix" in self.values:
            words += f' prefix "{self.values["log-prefix"]}"'
        if self._level() != 4:
            words += f" level {LEVELS[self._level()]}"
        bits = self._bits()
        if bits == 47:
            return words + " flags all"
        parts = [NFT_FLAGS[bits & 3]] if bits & 3 else []
        parts += [NFT_FLAGS[bit] for bit in (4, 8, 32) if bits & bit]
        return words + "".join(f" flags {part}" for part in parts)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        prefix, values = self.values.get("log-prefix", ""), self.values
        details = {
            "sequence": "log-tcp-sequence" in values, "tcp_options": "log-tcp-options" in values,
            "ip_options": "log-ip-options" in values, "uid": "log-uid" in values, "macdecode": "log-macdecode" in values,
        }  # fmt: skip

        def target(skb: Any, state: Any) -> int:
            log_packet(net, skb, state, prefix, **details)
            return CONTINUE

        return target


EXTENSION = Log
