"""-j SET: put the packet's addresses into an ipset, or take them out (libxt_SET, xt_set.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.matches.set import parse_set
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

ACTIONS = ("add-set", "del-set", "map-set")
FLAGS = ("map-mark", "map-prio", "map-queue")


class SetTarget(Extension):
    name = "SET"
    options = (
        *(Opt(action, "string", words=2) for action in ACTIONS), Opt("timeout", "uint32"), Opt("exist"),
        *(Opt(flag) for flag in FLAGS),
    )  # fmt: skip

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        if opt.id in ACTIONS:
            if opt.id in self.values:
                raise problem(f"--{opt.id} can be specified only once")
            self.values[opt.id] = parse_set(text, f"--{opt.id}", names)
            return
        if opt.id == "timeout":
            timeout = number(text, 4294967294)
            if timeout is None:
                raise problem("Invalid value for option --timeout or out of range 0-4294967294")
            self.values["timeout"] = timeout
            return
        self.values[opt.id] = True

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.EINVAL if any(flag in self.values for flag in FLAGS) and "mangle" not in place.table else 0

    def check(self, names: Names) -> None:
        if not any(action in self.values for action in ACTIONS):
            raise problem("You must specify either `--add-set' or `--del-set' or `--map-set'")

    def _words(self, dashes: str) -> str:
        words = []
        for action in ACTIONS:
            if action in self.values:
                name, flags = self.values[action]
                words.append(f"{dashes}{action} {name} {','.join(flags)}")
                if action == "add-set":
                    words += [f"{dashes}exist"] if "exist" in self.values else []
                    words += [f"{dashes}timeout {self.values['timeout']}"] if "timeout" in self.values else []
        words += [f"{dashes}{flag}" for flag in FLAGS if flag in self.values]
        return " ".join(words)

    def save(self) -> str:
        return self._words("--")

    def listing(self, names: Names | None) -> str:
        return self._words("")

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        super().attach(net, rule)
        from kubenet_course.kernel.netfilter.ipset import sets

        for action in ACTIONS:
            if action in self.values:
                sets(net).hold(self.values[action][0], (id(self), action))

    def detach(self, net: NetNamespace) -> None:
        super().detach(net)
        from kubenet_course.kernel.netfilter.ipset import sets

        for action in ACTIONS:
            sets(net).release((id(self), action))

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        from kubenet_course.kernel.netfilter.ipset import sets

        held = {
            action: (sets(net).held((id(self), action)), self.values[action][1]) for action in ACTIONS if action in self.values
        }
        timeout, exist = self.values.get("timeout"), "exist" in self.values

        def target(skb: Any, state: Any) -> int:
            if "add-set" in held:
                found, flags = held["add-set"]
                found().add_packet(skb, state, flags, timeout, exist)
            if "del-set" in held:
                found, flags = held["del-set"]
                found().delete_packet(skb, state, flags)
            return CONTINUE

        return target


EXTENSION = SetTarget
