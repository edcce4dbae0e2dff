"""-m set: addresses and ports in an ipset (libxt_set, xt_set.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

COUNTERS = ("packets", "bytes")
RELATIONS = ("eq", "lt", "gt")


def parse_set(text: str, option: str, names: Names) -> tuple[str, tuple[str, ...]]:
    """``NAME src[,dst…]``."""
    if " " not in text:
        raise problem(f"{option} requires two args.")
    name, flags = text.split(" ", 1)
    if name.startswith("-") or len(name) >= 32:
        raise problem(f"setname `{name}' too long, max 31 characters.")
    if not names.set_exists(name):
        raise problem(f"Set {name} doesn't exist.\n")
    words = tuple(flags.split(","))
    if any(word not in ("src", "dst") for word in words):
        raise problem("You must spefify (the comma separated list of) 'src' or 'dst'.")
    if len(words) > 6:
        raise problem("Can't be more src/dst options than 6")
    return name, words


class SetMatch(Extension):
    name = "set"
    options = (
        Opt("match-set", "string", invert=True, words=2),
        Opt("return-nomatch", invert=True),
        Opt("update-counters", invert=True),
        Opt("update-subcounters", invert=True),
        *(Opt(f"{counter}-{relation}", "uint64", invert=relation == "eq") for counter in COUNTERS for relation in RELATIONS),
    )

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        if opt.id == "match-set":
            if "match-set" in self.values:
                raise problem("--match-set can be specified only once")
            self.values["match-set"] = parse_set(text, "--match-set", names)
            if invert:
                self.inverted.add("match-set")
            return
        if opt.kind == "none":
            if invert and opt.id == "return-nomatch":
                raise problem("--return-nomatch flag cannot be inverted")
            self.values[opt.id] = True
        else:
            counter = opt.id.partition("-")[0]
            if invert and not opt.invert:
                raise problem(f"--{opt.id} option cannot be inverted")
            if any(f"{counter}-{relation}" in self.values for relation in RELATIONS):
                raise problem(f"only one of the --{counter}-[eq|lt|gt] is allowed")
            value = number(text)
            if value is None:
                raise problem(f"Cannot parse {text} as a counter value")
            self.values[opt.id] = value
        if invert:
            self.inverted.add(opt.id)

    def check(self, names: Names) -> None:
        if "match-set" not in self.values:
            raise problem("You must specify `--match-set' with proper arguments")

    def _details(self, dashes: str) -> str:
        words = []
        if "return-nomatch" in self.values:
            words.append(f"{self.bang('return-nomatch')}{dashes}return-nomatch")
        words += [f"! {dashes}{key}" for key in ("update-counters", "update-subcounters") if key in self.inverted]
        for counter in COUNTERS:
            for relation in RELATIONS:
                key = f"{counter}-{relation}"
                if key in self.values:
                    words.append(f"{self.bang(key)}{dashes}{key} {self.values[key]}")
        return "".join(f" {word}" for word in words)

    def save(self) -> str:
        name, flags = self.values["match-set"]
        return f"{self.bang('match-set')}--match-set {name} {','.join(flags)}{self._details('--')}"

    def listing(self, names: Names | None) -> str:
        name, flags = self.values["match-set"]
        return f"{self.bang('match-set')}match-set {name} {','.join(flags)}{self._details('')}"

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        super().attach(net, rule)
        from kubenet_course.kernel.netfilter.ipset import sets

        sets(net).hold(self.values["match-set"][0], self)

    def detach(self, net: NetNamespace) -> None:
        super().detach(net)
        from kubenet_course.kernel.netfilter.ipset import sets

        sets(net).release(self)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        from kubenet_course.kernel.netfilter.ipset import sets

        flags, inverted = self.values["match-set"][1], "match-set" in self.inverted
        held = sets(net).held(self)
        nomatch = "return-nomatch" in self.values
        count = "update-counters" not in self.inverted
        relations = [
            (counter, relation, self.values[f"{counter}-{relation}"], f"{counter}-{relation}" in self.inverted)
            for counter in COUNTERS
            for relation in RELATIONS
            if f"{counter}-{relation}" in self.values
        ]
        if not nomatch and not relations and count:
            return lambda skb, state: held().matches(skb, state, flags) != inverted

        def test(skb: Any, state: Any) -> bool:
            entry = held().find(skb, state, flags)
            found = entry is not None and bool(entry.nomatch) == nomatch
            if found and entry is not None:
                for counter, relation, value, denied in relations:
                    fact = entry.packets if counter == "packets" else entry.bytes
                    holds = fact == value if relation == "eq" else fact < value if relation == "lt" else fact > value
                    found = found and holds != denied
                if count:
                    entry.count(skb)
            return found != inverted

        return test


EXTENSION = SetMatch
