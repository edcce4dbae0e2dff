"""A rule of iptables: addresses, devices and protocol, then matches, then a target.

`XtRule` knows its words for iptables-save, iptables -L and nft list, and compiles itself to one
test. The test for the fixed part is generated source, compiled once per shape of rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import tables, xt
from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP, Rule, Step
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.xt import Extension, Names

#: To a program that is not there: what is queued is lost.
STANDARD = {"ACCEPT": ACCEPT, "DROP": DROP, "QUEUE": DROP}


class XtRule(Rule):
    """`source` and `destination` are (address, mask); devices may end in ``+``."""

    def __init__(self, family: int):
        super().__init__()
        self.family = family
        any_address: Any = (IPv4Address(0), 0) if family == 4 else (IPv6Address(0), 0)
        self.source: tuple[Any, int] = any_address
        self.destination: tuple[Any, int] = any_address
        self.source_inverted = self.destination_inverted = False
        self.indev = self.outdev = ""
        self.indev_inverted = self.outdev_inverted = False
        self.protocol = 0
        self.protocol_inverted = False
        self.fragment = self.fragment_inverted = False
        self.matches: list[Extension] = []
        #: A standard verdict or chain's name in `jump`, or an extension in `target`; both may be empty.
        self.jump = ""
        self.goto = False
        self.target: Extension | None = None
        self._spec: str | None = None
        #: Made by iptables-legacy.
        self.legacy = False

    # -- life -------------------------------------------------------------------------------
    def attached(self) -> None:
        assert self.chain is not None
        net = self.chain.table.ruleset.net
        for extension in self.extensions():
            extension.attach(net, self)

    def detached(self) -> None:
        assert self.chain is not None
        net = self.chain.table.ruleset.net
        for extension in self.extensions():
            extension.detach(net)

    def extensions(self) -> list[Extension]:
        return [*self.matches, self.target] if self.target is not None else self.matches

    def targets(self) -> Iterator[str]:
        if self.jump and self.jump not in ("ACCEPT", "DROP", "RETURN") and not (self.legacy and self.jump == "QUEUE"):
            yield self.jump

    def chain_renamed(self, old: str, new: str) -> None:
        if self.jump == old:
            self.jump, self._spec = new, None

    def changed(self) -> None:
        self._spec = None

    # -- words ------------------------------------------------------------------------------
    def spec(self) -> str:
        """What iptables-save prints after ``-A CHAIN``."""
        if self._spec is None:
            self._spec = self.save()
        return self._spec

    text = spec

    def identity(self, only_words: bool = False) -> tuple[Any, ...]:
        """Two rules are the same to -C and -D if this is; `only_words`: what no word says is not looked at."""
        nowhere = self.legacy and self.indev == "+" and self.indev_inverted, self.legacy and self.outdev == "+" and self.outdev_inverted
        return (self.spec(), nowhere, *(extension.hidden() for extension in self.extensions() if not only_words))

    def save(self, counters: bool = False) -> str:
        words = self._head()
        for match in self.matches:
            words.append(f"-m {match.name}")
            saved = match.save()
            if saved:
                words.append(saved)
        if counters:
            words.append(f"-c {self.packets} {self.bytes}")
        if self.target is not None:
            words.append(f"-j {self.target.name}")
            saved = self.target.save()
            if saved:
                words.append(saved)
        elif self.jump:
            words.append(f"-{'g' if self.goto else 'j'} {self.jump}")
        return " ".join(words)

    def _head(self) -> list[str]:
        words = []
        for flag, (address, mask), inverted in (
            ("-s", self.source, self.source_inverted), ("-d", self.destination, self.destination_inverted),
        ):  # fmt: skip
            if mask or inverted:
                bang = "! " if inverted else ""
                text = xt.mask_text(mask, self.family) or f"/{32 if self.family == 4 else 128}"
                words.append(f"{bang}{flag} {address}{text}")
        if self.indev and not (self.legacy and self.indev == "+"):
            words.append(f"{'! ' if self.indev_inverted else ''}-i {self.indev}")
        if self.outdev and not (self.legacy and self.outdev == "+"):
            words.append(f"{'! ' if self.outdev_inverted else ''}-o {self.outdev}")
        if self.protocol:
            words.append(f"{'! ' if self.protocol_inverted else ''}-p {protocol_word(self.protocol)}")
        if self.fragment:
            words.append("! -f" if self.fragment_inverted else "-f")
        return words

    def listing(self, names: Names | None) -> str:
        """The matches' and target's part of a line of iptables -L."""
        parts = [match.listing(names) for match in self.matches]
        if self.target is not None:
            parts.append(self.target.listing(names))
        return " ".join(part for part in parts if part)

    # -- compiling --------------------------------------------------------------------------
    def addresses(self) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = {}
        for where, (address, mask), inverted in (
            (0, self.source, self.source_inverted), (1, self.destination, self.destination_inverted),
        ):  # fmt: skip
            if mask and not inverted:
                found[where, mask] = int(address)
        return found

    def step(self) -> Step:
        assert self.chain is not None
        net = self.chain.table.ruleset.net
        test = self.test()
        table = self.chain.table
        if self.target is not None:
            return test, tables.ACTION, self.target.compile(net), self
        if not self.jump:
            return test, tables.NOTHING, None, self
        if self.jump == "RETURN":
            return test, tables.RETURNS, None, self
        if self.jump in STANDARD:
            return test, tables.VERDICT, STANDARD[self.jump], self
        kind = tables.GOES if self.goto else tables.JUMPS
        return test, kind, table.chains[self.jump], self

    def test(self) -> Callable[[Any, Any], bool] | None:
        """One function for the fixed part and all matches; None where everything passes."""
        assert self.chain is not None
        net = self.chain.table.ruleset.net
        shape, constants = self._shape()
        tests = []
        for match in self.matches:
            compiled = match.compile(net)
            if compiled is not None:
                tests.append(compiled)
        if not shape:
            if not tests:
                return None
            if len(tests) == 1:
                return tests[0]
        calls = [f"m{number}(skb, state)" for number in range(len(tests))]
        arguments = [*(f"c{number}" for number in range(len(constants))), *(f"m{number}" for number in range(len(tests)))]
        return _factory(" and ".join([*shape, *calls]), tuple(arguments))(*constants, *tests)

    def _shape(self) -> tuple[list[str], list[Any]]:
        shape: list[str] = []
        constants: list[Any] = []

        def constant(value: Any) -> str:
            constants.append(value)
            return f"c{len(constants) - 1}"

        if self.protocol:
            shape.append(f"skb.network[2] {'!=' if self.protocol_inverted else '=='} {constant(self.protocol)}")
        full = (1 << (32 if self.family == 4 else 128)) - 1
        for index, (address, mask), inverted in (
            (0, self.source, self.source_inverted), (1, self.destination, self.destination_inverted),
        ):  # fmt: skip
            if not mask and not inverted:
                continue
            operator = "!=" if inverted else "=="
            field = f"skb.network[{index}]"
            if mask != full:
                field = f"({field} & {constant(mask)})"
            shape.append(f"{field} {operator} {constant(int(address))}")
        for field, device, inverted in (
            ("state.indev", self.indev, self.indev_inverted), ("state.outdev", self.outdev, self.outdev_inverted),
        ):  # fmt: skip
            if not device or device == "+" and not inverted:
                continue
            name = f"({field}.name if {field} is not None else '')"
            if device.endswith("+"):
                shape.append(f"{'not ' if inverted else ''}{name}.startswith({constant(device[:-1])})")
            else:
                shape.append(f"{name} {'!=' if inverted else '=='} {constant(device)}")
        if self.fragment:
            shape.append(f"{'not ' if self.fragment_inverted else ''}skb.network[6] & 0x1fff")
        return shape, constants


@lru_cache(1024)
def _factory(shape: str, arguments: tuple[str, ...]) -> Callable[..., Any]:
    """A maker of tests of this shape (our own generated source: names and operators only)."""
    scope: dict[str, Any] = {}
    source = f"def make({', '.join(arguments)}):\n    return lambda skb, state: {shape}\n"
    exec(compile(source, "<rule>", "exec"), scope)  # noqa: S102
    return scope["make"]


#: Protocols that iptables-save and -L name by themselves (proto_to_name() without /etc/protocols).
PROTOCOL_WORDS = {number: name for name, number in reversed(xt.PROTOCOL_CHAIN)}
PROTOCOL_WORDS[58] = "ipv6-icmp"
PROTOCOL_WORDS[135] = "mobility-header"


def protocol_word(number: int) -> str:
    return PROTOCOL_WORDS.get(number) or SAVED_PROTOCOLS.get(number) or str(number)


#: From /etc/protocols, which iptables-save asks for the rest.
SAVED_PROTOCOLS = {
    2: "igmp", 3: "ggp", 4: "ipencap", 5: "st", 8: "egp", 9: "igp", 12: "pup", 20: "hmp", 22: "xns-idp", 27: "rdp",
    29: "iso-tp4", 33: "dccp", 36: "xtp", 37: "ddp", 38: "idpr-cmtp", 41: "ipv6", 43: "ipv6-route", 44: "ipv6-frag",
    45: "idrp", 46: "rsvp", 47: "gre", 57: "skip", 59: "ipv6-nonxt", 60: "ipv6-opts", 73: "rspf", 81: "vmtp",
    88: "eigrp", 89: "ospf", 93: "ax.25", 94: "ipip", 97: "etherip", 98: "encap", 103: "pim", 108: "ipcomp",
    112: "vrrp", 115: "l2tp", 124: "isis", 133: "fc", 137: "mpls-in-ip", 138: "manet", 139: "hip", 140: "shim6",
    141: "wesp", 142: "rohc",
}  # fmt: skip
