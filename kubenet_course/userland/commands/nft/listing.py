"""What `nft list …` prints, from the kernel's tables: blocks, indentation, long sets on several lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style, time_text
from kubenet_course.kernel.netfilter.nf_tables.objects import (
    CtExpectation,
    CtHelper,
    CtTimeout,
    NamedObject,
)
from kubenet_course.kernel.netfilter.nf_tables.rule import ANONYMOUS
from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet
from kubenet_course.kernel.netfilter.tables import DROP, Base, Chain, Rule, Table
from kubenet_course.userland.commands.nft.xt_rules import native_text

HOOKS = {
    "inet": ("prerouting", "input", "forward", "output", "postrouting", "ingress"), "arp": ("input", "output"),
    "netdev": ("ingress", "egress"),
}  # fmt: skip
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
BRIDGE_PRIORITIES = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}


def hook_name(family: str, hook: int) -> str:
    return HOOKS.get(family if family in HOOKS else "inet", HOOKS["inet"])[hook]


def priority_text(family: str, hook: int, priority: int, style: Style) -> str:
    """A word and a distance where one of the known priorities is near."""
    if style.numeric_priority:
        return str(priority)
    known = BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    if family in ("arp", "netdev"):
        known = {"filter": 0} if family == "arp" else {"filter": 0}
    best: tuple[int, str] | None = None
    for word, number in known.items():
        if not priority_allowed(family, hook, word):
            continue
        distance = priority - number
        if abs(distance) <= 10 and (best is None or abs(distance) < abs(best[0])):
            best = (distance, word)
    if best is None:
        return str(priority)
    distance, word = best
    if not distance:
        return word
    return f"{word} {'+' if distance > 0 else '-'} {abs(distance)}"


def priority_allowed(family: str, hook: int, word: str) -> bool:
    if family == "bridge":
        return {"dstnat": hook == 0, "out": hook == 3, "srcnat": hook == 4}.get(word, True)
    return {"dstnat": hook == 0, "srcnat": hook == 4}.get(word, True)


class Listing:
    """Collects lines; `style` has the switches."""

    def __init__(self, style: Style):
        self.style = style
        self.lines: list[str] = []

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def _handle(self, handle: int) -> str:
        return f" # handle {handle}" if self.style.handle else ""

    # -- tables -----------------------------------------------------------------------------
    def table_head(self, table: Table, handle: bool = True) -> None:
        shown = self._handle(table.handle) if handle else ""
        self.lines.append(f"table {table.family} {table.name} {{{shown}")

    def table(self, table: Table) -> None:
        self.table_head(table)
        first = True
        if table.dormant:
            self.lines.append("\tflags dormant")
        if table.comment:
            self.lines.append(f'\tcomment "{table.comment}"')
        for block in self._blocks(table):
            if not first:
                self.lines.append("")
            first = False
            block()
        self.lines.append("}")

    def _blocks(self, table: Table) -> Iterable[Any]:
        for item in table.objects.values():
            yield lambda item=item: self.object(item)
        for item in table.sets.values():
            if not item.meter:
                yield lambda item=item: self.set(item)
        for chain in table.chains.values():
            if not chain.name.startswith(ANONYMOUS):
                yield lambda chain=chain: self.chain(chain)

    def only(self, table: Table, blocks: Iterable[Any]) -> None:
        """A table with some of its contents, without blank lines between."""
        self.table_head(table, False)
        for block in blocks:
            block()
        self.lines.append("}")

    # -- objects ----------------------------------------------------------------------------
    def object(self, item: NamedObject, indent: str = "\t") -> None:
        self.lines.append(f"{indent}{item.kind} {item.name} {{{self._handle(item.handle)}")
        if item.comment:
            self.lines.append(f'{indent}\tcomment "{item.comment}"')
        shown = item.state.shown() if item.state is not None else None
        if item.kind == "counter" and shown is not None:
            if not self.style.stateless:
                self.lines.append(f"{indent}\tpackets {shown.packets} bytes {shown.bytes}")  # type: ignore[attr-defined]
        elif item.kind == "quota" and shown is not None:
            self.lines.append(f"{indent}\t{shown.words(self.style)}")  # type: ignore[attr-defined]
        elif item.kind == "limit" and shown is not None:
            self.lines.append(f"{indent}\t{shown.words()}")  # type: ignore[attr-defined]
        elif item.details is not None:
            self.lines += [f"{indent}\t{line}" for line in details_lines(item.details, self.style)]
        self.lines.append(f"{indent}}}")

    # -- sets -------------------------------------------------------------------------------
    def set(self, item: NftSet, elements: list[Any] | None = None) -> None:
        self.set_declaration(item)
        if not self.style.terse:
            self._elements(item, item.listed() if elements is None else elements)
        self.lines.append("\t}")

    def set_declaration(self, item: NftSet) -> None:
        kind = "map" if item.is_map else "meter" if item.meter else "set"
        lines = self.lines
        lines.append(f"\t{kind} {item.name} {{{self._handle(item.handle)}")
        lines.append("\t\t" + key_words(item))
        if item.comment:
            comment = [f'\t\tcomment "{item.comment}"']
        else:
            comment = []
        if item.policy == "memory":
            lines.append("\t\tpolicy memory")
        if item.size:
            lines.append(f"\t\tsize {item.size}")
        words = flag_words(item)
        if words:
            lines.append(f"\t\tflags {','.join(words)}")
        if item.statements:
            lines.append("\t\t" + " ".join(statement.text(self.style._replace(stateless=True)) for statement in item.statements))
        if item.auto_merge:
            lines.append("\t\tauto-merge")
        if item.timeout:
            lines.append(f"\t\ttimeout {time_text(item.timeout, self.style)}")
        if item.gc_interval:
            lines.append(f"\t\tgc-interval {time_text(item.gc_interval, self.style)}")
        lines += comment

    def _elements(self, item: NftSet, elements: list[Any]) -> None:
        if not elements:
            return
        per_line = len(elements) if item.meter else item.types[0].per_line if len(item.types) == 1 else 1
        text = "\t\telements = { "
        for number, element in enumerate(elements):
            if number:
                text += ", " if number % per_line else ",\n\t\t\t     "
            text += element.text(self.style)
        self.lines += (text + " }").split("\n")

    # -- chains -----------------------------------------------------------------------------
    def chain(self, chain: Chain, rules: bool = True) -> None:
        self.lines.append(f"\tchain {chain.name} {{{self._handle(chain.handle)}")
        if chain.comment:
            self.lines.append(f'\t\tcomment "{chain.comment}"')
        if chain.base is not None:
            self.lines.append("\t\t" + self.hook(chain, chain.base))
        if rules:
            for rule in chain.rules:
                self.lines.append("\t\t" + self.rule(rule))
        self.lines.append("\t}")

    def hook(self, chain: Chain, base: Base) -> str:
        family = chain.table.family
        words = f"type {base.type} hook {hook_name(family, base.hook)}"
        if base.device:
            devices = base.device.split(",")
            words += f' device "{devices[0]}"' if len(devices) == 1 else " devices = { " + ", ".join(devices) + " }"
        words += f" priority {priority_text(family, base.hook, base.priority, self.style)};"
        return words + f" policy {'drop' if base.policy == DROP else 'accept'};"

    def rule(self, rule: Rule) -> str:
        return native_text(rule, self.style) + self._handle(rule.handle)


def details_lines(details: Any, style: Style) -> list[str]:
    """The lines of an object that counts nothing."""
    if isinstance(details, CtHelper):
        return [f'type "{details.helper}" protocol {details.protocol}', f"l3proto {details.l3}"]
    if isinstance(details, CtTimeout):
        policy = ", ".join(f"{state} : {seconds}" for state, seconds in details.policy)
        return [f"protocol {details.protocol}", f"l3proto {details.l3}", f"policy = {{ {policy} }}"]
    if isinstance(details, CtExpectation):
        return [
            f"protocol {details.protocol}", f"dport {details.dport}", f"timeout {time_text(details.timeout, style)}",
            f"size {details.size}", f"l3proto {details.l3}",
        ]  # fmt: skip
    lines = [f"mss {details.mss}", f"wscale {details.wscale}"]
    words = details.flag_words()
    if words:  # each word has its place, also where the other is not there
        lines.append(f"{'timestamp' if 'timestamp' in words else ''} {'sack-perm' if 'sack-perm' in words else ''}")
    return lines


def flag_words(item: NftSet) -> list[str]:
    """The flags as they are printed: none where timeout is the only one and a time is given."""
    flags = {flag for flag in item.flags if flag in ("constant", "interval", "timeout", "dynamic")}
    if not flags - ({"timeout"} if item.timeout else set()):
        return []
    return [flag for flag in ("dynamic", "constant", "interval", "timeout") if flag in flags]


def key_words(item: NftSet) -> str:
    """type a . b : c, or typeof … as it was typed."""
    data = ""
    if item.typeof is not None:
        key, value = item.typeof
        return f"typeof {key}" + (f" : {'interval ' if item.data_interval else ''}{value}" if value else "")
    if item.is_map:
        data = item.data_kind
        data = f" : {'interval ' if item.data_interval else ''}{data}"
    return "type " + " . ".join(kind.name for kind in item.types) + data
