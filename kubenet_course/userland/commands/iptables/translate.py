"""iptables-translate and iptables-restore-translate: rules in the words of nft (iptables/xtables-translate.c).

Nothing is changed and hardly anything is looked up: a chain that is not there is translated like any other. What an
extension says of itself is its `nft`; where it says nothing the rule is printed as a comment, as it was given.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.iptables import BUILT_IN
from kubenet_course.kernel.netfilter.rule import XtRule, protocol_word
from kubenet_course.kernel.netfilter.xt import Extension, XtablesError, prefix_of, problem, range_text
from kubenet_course.userland.commands.iptables import run
from kubenet_course.userland.commands.iptables._help import TEXT
from kubenet_course.userland.commands.iptables.names import MachineNames, Unresolved
from kubenet_course.userland.commands.iptables.parse import Command, CommandParser, Stop
from kubenet_course.userland.commands.iptables.restore import parse_counters, split_words
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "1.8.9"
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
TCP_FLAGS = (("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32))
USAGE = (
    "{0} " + VERSION + " (c) 2014 by Pablo Neira Ayuso <pablo@netfilter.org>\n"
    "Usage: {0} [-h] [-f <FILE>] [-V]\n\t[ --help ]\n\t[ --file=<FILE> ]\n\t[ --version ]"
)


# -- one rule -----------------------------------------------------------------------------------
def rule_words(rule: XtRule) -> str | None:
    """What follows the chain's name in nft's language; None where some part has no translation (…_xlate())."""
    words = _devices(rule)
    if rule.fragment:
        words.append(f"ip frag-off & 0x1fff {'' if rule.fragment_inverted else '!= '}0")
    words += _protocol(rule)
    family, bits = ("ip", 32) if rule.family == 4 else ("ip6", 128)
    for field, (address, mask), inverted in (
        ("saddr", rule.source, rule.source_inverted),
        ("daddr", rule.destination, rule.destination_inverted),
    ):
        if mask or inverted:
            words.append(f"{family} {field} {_network(address, mask, bits, inverted)}")
    comment = ""
    for match in rule.matches:
        if match.name == "comment":
            comment = f' comment "{match.values["comment"]}"'
            continue
        text = OWN[match.name](match) if match.name in OWN else match.nft(rule)
        if text is None:
            return None
        words.append(text)
    verdict = _verdict(rule)
    return None if verdict is None else " ".join([*filter(None, words), "counter"]) + verdict + comment


def set_words(rule: XtRule) -> list[str]:
    """The sets that the rule needs: what follows ``add set FAMILY TABLE``."""
    return [
        "connlimit0 { type ipv4_addr; flags dynamic; }" for match in rule.matches if match.name == "connlimit"
    ]


def _mark(match: Extension) -> str:
    (value, mask), bang = match.values["mark"], "!=" if match.inverted else ""
    if mask == 0xFFFFFFFF:
        return f"mark {bang + ' ' if bang else ''}0x{value:x}"
    return f"mark and 0x{mask:x} {bang or '=='} 0x{value:x}"


def _limit(match: Extension) -> str:
    words = match.nft(XtRule(match.family)) or ""
    return words if "burst" in words else f"{words} burst 5 packets"


def _tcp(match: Extension) -> str:
    """Ports and options as listed; flags as ``flags / mask``."""
    ports = XtRule(match.family)
    ports.protocol = 6
    words = re.sub(r"(^| )tcp flags .*?(?= tcp |$)", "", match.nft(ports) or "").strip()
    mask, comparison = match.values.get("flags", (0, 0))
    bang = "!= " if "flags" in match.inverted else ""
    if not (mask or comparison or bang):
        return words
    named = [",".join(name for name, bit in TCP_FLAGS if bits & bit) or "0x0" for bits in (comparison, mask)]
    flags = f"tcp flags {bang}{' / '.join(named)}"
    return f"{words} {flags}".strip()


def _udp(match: Extension) -> str:
    """1.8.9 asks for both ports whether the source is inverted."""
    words, bang = [], "!= " if "sport" in match.inverted else ""
    for key in ("sport", "dport"):
        low, high = match.values.get(key, (0, 0xFFFF))
        if (low, high) != (0, 0xFFFF):
            words.append(f"udp {key} {bang}{range_text(low, high, '-')}")
    return " ".join(words)


def _owner(match: Extension) -> str | None:
    return match.nft(XtRule(match.family)) if len(match.values) == 1 else None


def _connlimit(match: Extension) -> str:
    family, bits = ("ip", 32) if match.family == 4 else ("ip6", 128)
    side = "daddr" if "connlimit-daddr" in match.values else "saddr"
    mask = match.values.get("connlimit-mask", (1 << bits) - 1)
    key = f"{family} {side}"
    if mask != (1 << bits) - 1:
        key += f" and {IPv4Address(mask) if bits == 32 else IPv6Address(mask)}"
    above = "connlimit-above" in match.values
    over = above != bool(match.inverted & {"connlimit-above", "connlimit-upto"})
    number = match.values["connlimit-above" if above else "connlimit-upto"]
    return f"add @connlimit0 {{ {key} ct count {'over ' if over else ''}{number} }}"


#: Where the tool's words are not those in which nft lists the rule.
OWN: dict[str, Callable[[Extension], str | None]] = {
    "mark": _mark, "limit": _limit, "tcp": _tcp, "udp": _udp, "owner": _owner, "connlimit": _connlimit,
}  # fmt: skip


def _devices(rule: XtRule) -> list[str]:
    words = []
    for field, device, inverted in (
        ("iifname", rule.indev, rule.indev_inverted),
        ("oifname", rule.outdev, rule.outdev_inverted),
    ):
        if device == "+" and inverted:
            words.append(f'{field} "INVAL/D"')
        elif device and device != "+":
            name = f"{device[:-1]}*" if device.endswith("+") else device
            words.append(f'{field} {"!= " if inverted else ""}"{name}"')
    return words


def _protocol(rule: XtRule) -> list[str]:
    """Nothing where the protocol's own match stands in the rule and says it."""
    if not rule.protocol:
        return []
    name = protocol_word(rule.protocol)
    if any(match.name == name for match in rule.matches):
        return []
    field = "ip protocol" if rule.family == 4 else "meta l4proto"
    return [f"{field} {'!= ' if rule.protocol_inverted else ''}{name}"]


def _network(address: object, mask: int, bits: int, inverted: bool) -> str:
    length = prefix_of(mask, bits)
    if length is None:
        shown = IPv4Address(mask) if bits == 32 else IPv6Address(mask)
        return f"& {shown} {'!=' if inverted else '=='} {address}"
    return f"{'!= ' if inverted else ''}{address}" + (f"/{length}" if length < bits else "")


def _verdict(rule: XtRule) -> str | None:
    if rule.target is not None:
        words = "nftrace set 1" if rule.target.name == "TRACE" else rule.target.nft(rule)
        return None if words is None else f" {words}".rstrip()
    if rule.jump in ("ACCEPT", "DROP", "RETURN"):
        return f" {rule.jump.lower()}"
    if rule.jump == "QUEUE":
        return None
    return f" {'goto' if rule.goto else 'jump'} {rule.jump}" if rule.jump else ""


# -- commands -----------------------------------------------------------------------------------
class Untranslated(Exception):
    """A command that has no translation."""


def lines_of(command: Command, words: list[str], family: int, restore: bool) -> list[str]:
    """do_command_xlate(): what is printed, without ``nft``. Untranslated where there is no way to say it."""
    table, chain = command.table, command.chain
    where = f"{'ip' if family == 4 else 'ip6'} {table}"
    if command.letter in ("A", "I"):
        verb, tick = "add" if command.letter == "A" else "insert", "" if restore else "'"
        found: list[str] = []
        for rule in command.rules:
            text = rule_words(rule)
            if text is None:
                # getopt() has been told to forget every "!".
                return [*found, "# " + "".join(f"{'' if word == '!' else word} " for word in words)]
            found += [f"{tick}add set {where} {text}{tick}" for text in set_words(rule)]
            found.append(f"{tick}{verb} rule {where} {chain} {text}{tick}")
        return found
    if command.letter == "F":
        return [f"flush table {where}" if chain is None else f"flush chain {where} {chain}"]
    if command.letter == "N":
        return [f"add chain {where} {chain}"]
    if command.letter == "X":
        return [f"delete chain {where} {'(null)' if chain is None else chain}"]
    if command.letter == "L":
        return [f"list table {where}"]
    raise Untranslated


async def main(proc: Process, argv: list[str], family: int) -> int:
    program = f"{run.program_name(family)}-translate"
    names = MachineNames(proc, resolving=True)
    while True:
        parser = CommandParser(argv[1:], family, names, legacy=True, tables=None)
        try:
            command = parser.parse()
            break
        except Unresolved as wanted:
            await names.resolve(wanted)
        except Stop:
            proc.print(f"{program} {run.version(False)}")
            if not parser.command.version:
                proc.print("\n" + TEXT.format(program=program), end="")
            return 0
        except XtablesError as failure:
            return run.complain(proc, program, False, failure)
    if command.other_family:
        proc.error(f"Try `{program} -h' or '{program} --help' for more information.")
        return 2
    for rule in command.rules:
        for extension in rule.extensions():
            if extension.complaint:
                proc.error(extension.complaint)
    try:
        for line in lines_of(command, argv[1:], family, False):
            proc.print(f"nft {line}")
    except Untranslated:
        proc.print("nft ", end="")
        proc.error("Translation not implemented")
        return 1
    return 0


# -- a whole file -------------------------------------------------------------------------------
async def restore_main(proc: Process, argv: list[str], family: int) -> int:
    shown = argv[0].rpartition("/")[2]
    try:
        options, _ = parse(argv, "hf:V", {"help": "h", "file=": "f", "version": "V"})
    except OptionError as failure:
        return failure.report(proc, shown, 1, USAGE.format(shown))
    given = dict(options)
    if "h" in given:
        proc.error(USAGE.format(shown))
        return 1
    if "V" in given:
        proc.print(f"{shown} v{VERSION}")
        return 0
    path = given.get("f")
    if path is None:
        proc.error("ERROR: missing file name")
        proc.error(USAGE.format(shown))
        return 1
    try:
        text = (proc.files.read(path, proc, proc.cwd)).decode(errors="replace")
    except KernelError:
        proc.error(f"Cannot open file {path}")
        return 1
    names = MachineNames(proc, resolving=True)
    now = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(proc.system.files.now() // 1_000_000_000))
    proc.print(f"# Translated by {shown} v{VERSION} on {now}")
    translation = _Translation(proc, family, names)
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        while True:
            try:
                status = translation.line(number, line)
                break
            except Unresolved as wanted:
                await names.resolve(wanted)
        if status:
            return status
    proc.print(f"# Completed on {now}")
    return 0


class _Translation:
    """xtables_restore_xlate_main(): the lines of a file, each printed as it is read."""

    def __init__(self, proc: Process, family: int, names: MachineNames):
        self.proc, self.family, self.names = proc, family, names
        self.program = f"{run.program_name(family)}-translate-restore"
        self.word = "ip" if family == 4 else "ip6"
        self.table = ""

    def line(self, number: int, line: str) -> int:
        """0, or the status with which the program ends."""
        try:
            if line in ("", "COMMIT") or line.startswith("#"):
                self.table = "" if line == "COMMIT" else self.table
            elif line.startswith("*") and not self.table:
                self._begin(number, line[1:].split()[:1])
            elif line.startswith(":") and self.table:
                self._chain(number, line[1:].split())
            elif not self.table or not self._rule(line):
                self.proc.error(f"{self.program}: line {number} failed")
                return 1
        except XtablesError as failure:
            return run.complain(self.proc, self.program, False, failure, number)
        return 0

    def _begin(self, number: int, words: list[str]) -> None:
        name = words[0] if words else ""
        if name not in BUILT_IN:
            raise problem(f"{self.program}: line {number} table name '{name}' invalid")
        self.table = name
        self.proc.print(f"add table {self.word} {name}")

    def _chain(self, number: int, words: list[str]) -> None:
        if len(words) < 2:
            raise problem(f"{self.program}: line {number} {'policy' if words else 'chain name'} invalid")
        name, policy = words[:2]
        text = f"add chain {self.word} {self.table} {name}"
        built_in = next((one for one in BUILT_IN[self.table] if one.name == name), None)
        if built_in is not None:
            priority = 0 if self.table == "security" else built_in.priority
            text += f" {{ type {built_in.type} hook {HOOKS[built_in.hook]} priority {priority}; "
            text += f"policy {policy.lower()}; }}" if policy in ("ACCEPT", "DROP") else "}"
        self.proc.print(text)

    def _rule(self, line: str) -> bool:
        if line.startswith("["):
            bracket, closed, line = line.partition("]")
            if parse_counters(bracket + closed) is None:
                raise problem("invalid packet counters")
        words = split_words(line)
        parser = CommandParser(words, self.family, self.names, legacy=True, restore=True, tables=None)
        parser.command.table = self.table
        try:
            command = parser.parse()
            for text in lines_of(command, ["-t", self.table, *words], self.family, True):
                self.proc.print(text)
        except Stop:
            return True
        except Untranslated:
            return False
        return True
