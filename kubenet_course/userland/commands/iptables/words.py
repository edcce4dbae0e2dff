"""Single words of an iptables command line: names of chains and devices, numbers (iptables/xshared.c).

Each function gives the word's value, or raises XtablesError in the words of iptables.
"""

from __future__ import annotations

import copy
import re

from kubenet_course.kernel.netfilter.extensions import find_target
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.xt import Names, XtablesError, number, problem, warn_of_device_name
from kubenet_course.userland.commands.iptables.grammar import MAX_CHAIN


class Stop(Exception):
    """-V and -h end the parsing at once."""


class BadArgument(XtablesError):
    """A word nobody asked for; printed without the program's name."""

    def __init__(self, word: str):
        super().__init__(2, f"Bad argument `{word}'")


def no_table(name: str, legacy: bool) -> XtablesError:
    if legacy:
        return XtablesError(3, f"can't initialize iptables table `{name}': Table does not exist (do you need to insmod?)")
    return XtablesError(3, f"table '{name}' does not exist")


def copy_rule(rule: XtRule) -> XtRule:
    """A second rule with the same words; extensions are values until they are attached."""
    twin = copy.copy(rule)
    twin.matches = [copy.copy(match) for match in rule.matches]
    twin.target = copy.copy(rule.target) if rule.target is not None else None
    for extension in twin.extensions():
        extension.rule = twin
    return twin


def check_chain_name(name: str) -> None:
    if not name:
        raise problem("chain name not allowed to be empty")


def parse_new_chain(name: str, family: int) -> None:
    """parse_chain(), and the check against targets' names."""
    parse_chain(name)
    if find_target(name, family) is not None or name in ("ACCEPT", "DROP", "RETURN", "QUEUE"):
        raise problem("chain name may not clash with target name")


def parse_chain(name: str) -> None:
    if len(name) >= MAX_CHAIN:
        raise problem(f"chain name `{name}' too long (must be under {MAX_CHAIN} chars)")
    if name[:1] in ("-", "!"):
        raise problem(f"chain name not allowed to start with `{name[0]}'")
    if any(char.isspace() for char in name):
        raise problem(f"Invalid chain name `{name}'")


def parse_target(name: str) -> str:
    if not name:
        raise problem("Invalid target name (too short)")
    if len(name) >= MAX_CHAIN:
        raise problem(f"Invalid target name `{name}' ({MAX_CHAIN - 1} chars max)")
    if any(char.isspace() for char in name):
        raise problem(f"Invalid target name `{name}'")
    return name


def parse_rule_number(text: str) -> int:
    value = number(text, 0xFFFFFFFF, 1)
    if value is None:
        raise problem(f"Invalid rule number `{text}'")
    return value


def parse_interface(name: str, names: Names) -> str:
    """xtables_parse_interface(): "+" at the end stands for any more letters; an odd letter is warned of."""
    if len(name) > 15:
        raise problem(f"interface name `{name}' must be shorter than IFNAMSIZ (15)")
    warn_of_device_name(name, names)
    return name


def parse_counter(text: str, what: str) -> int:
    """A counter of -c, as strtoull() reads it: a number at the beginning counts, -1 is the greatest."""
    found = re.match(r"\s*-?\d+", text)
    if found is None:
        raise problem(f"-c {what} counter not numeric")
    value = int(found.group())
    return min(value, 2**64 - 1) if value >= 0 else value % 2**64
