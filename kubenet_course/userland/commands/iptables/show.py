"""What iptables prints: lists of rules, and the format of iptables-save."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.iptables import BUILT_IN, Tables
from kubenet_course.kernel.netfilter.rule import XtRule, protocol_word
from kubenet_course.kernel.netfilter.tables import ACCEPT, Chain
from kubenet_course.kernel.netfilter.xt import Names, mask_text

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "v1.8.9"


class Style:
    """The switches of a listing: -n, -v, -x, --line-numbers."""

    def __init__(self, options: set[str], names: Names):
        self.names = None if "n" in options else names
        self.wild = "*" if "n" in options else "any"
        self.verbose = "v" in options
        self.exact = "x" in options
        self.numbers = "0" in options


def count(value: int, exact: bool) -> str:
    """print_num(): five digits, then in thousands with K, M, G or T."""
    if exact:
        return f"{value:8} "
    if value <= 99999:
        return f"{value:5} "
    suffix = "K"
    value = (value + 500) % 2**64 // 1000
    for letter in "MGT":
        if value <= 9999:
            break
        value, suffix = (value + 500) // 1000, letter
    return f"{value:4}{suffix} "


def chain_header(chain: Chain | None, name: str, built_in: bool, style: Style, references: int) -> list[str]:
    if built_in:
        base = chain.base if chain is not None else None
        policy = "ACCEPT" if base is None or base.policy == ACCEPT else "DROP"
        line = f"Chain {name} (policy {policy}"
        if style.verbose:
            packets, size = (chain.counters if chain is not None and chain.counters else None) or (0, 0)
            shown = [count(number, style.exact).strip() for number in (packets, size)]
            line += f" {shown[0]} packets, {shown[1]} bytes"
        line += ")"
    else:
        line = f"Chain {name} ({references} references)"
    head = "num  " if style.numbers else ""
    if style.verbose:
        head += "    pkts      bytes " if style.exact else " pkts bytes "
    head += f"{'target':<10} {'prot':<4} opt"
    head += f" {'in':<6} {'out':<6} " if style.verbose else ""
    head += f" {'source':<19}  {'destination':<19} "
    return [line, head]


def rule_line(rule: XtRule, number: int, style: Style) -> str:
    line = f"{number:<4} " if style.numbers else ""
    if style.verbose:
        line += count(rule.packets, style.exact) + count(rule.bytes, style.exact)
    line += head_columns(rule, style)
    if style.verbose:
        line += f" {'!' * rule.indev_inverted + (rule.indev or style.wild):<6} "
        line += f"{'!' * rule.outdev_inverted + (rule.outdev or style.wild):<6} "
    family = rule.family
    line += ("!" if rule.source_inverted else " ") + f"{address(rule.source, family, style.names):<19} "
    line += ("!" if rule.destination_inverted else " ") + f"{address(rule.destination, family, style.names):<19} "
    if rule.goto:
        line += "[goto] "
    details = rule.listing(style.names)
    # A leading backspace: the tool leaves the blank before this one out.
    return line + details[1:] if details.startswith("\b") else f"{line} {details}" if details else line


def head_columns(rule: XtRule, style: Style) -> str:
    target = (rule.target.listed_name or rule.target.name) if rule.target is not None else rule.jump
    protocol = str(rule.protocol)
    if style.names is not None:
        protocol = "all" if not rule.protocol else protocol_word(rule.protocol)
    option = ("!f" if rule.fragment_inverted else "-f") if rule.fragment else "--"
    return f"{target:<9} {'!' if rule.protocol_inverted else ' '}{protocol:<4} {option} "


def address(network: tuple, family: int, names: Names | None) -> str:
    value, mask = network
    if names is not None and (not mask or family == 6 and value == 0):
        return "anywhere"
    if not mask:
        return "0.0.0.0/0" if family == 4 else "::/0"
    if names is not None:
        return names.address_name(value, mask) + mask_text(mask, family)
    return f"{value}{mask_text(mask, family)}"


def sentence(rule: XtRule, names: Names) -> str:
    """The line that -v prints for a rule that is added or deleted (FMT_NOTABLE)."""
    target = (rule.target.listed_name or rule.target.name) if rule.target is not None else rule.jump
    protocol = "all" if not rule.protocol else protocol_word(rule.protocol)
    option = ("!f" if rule.fragment_inverted else "-f") if rule.fragment else "--"
    line = f"{target} {'!' if rule.protocol_inverted else ' '}{protocol} opt {option}"
    line += f" in {'!' * rule.indev_inverted}{rule.indev or '*'} out {'!' * rule.outdev_inverted}{rule.outdev or '*'} "
    line += ("!" if rule.source_inverted else " ") + address(rule.source, rule.family, None)
    line += "  " if not rule.destination_inverted else " !"
    line += f"-> {address(rule.destination, rule.family, None)}  "
    details = rule.listing(None)
    return f"{line} {details}" if details else line


def list_table(proc: Process, tables: Tables, table: str, only: str | None, style: Style) -> None:
    """iptables -L."""
    found = tables.table(table)
    names = [built_in.name for built_in in BUILT_IN[table]] + [chain.name for chain in tables.user_chains(table)]
    first = True
    for name in names:
        if only is not None and name != only:
            continue
        if not first:
            proc.print()
        first = False
        chain = found.chains.get(name) if found is not None else None
        built_in = tables.is_built_in(table, name) is not None
        references = chain.references() if chain is not None and not built_in else 0
        for line in chain_header(chain, name, built_in, style, references):
            proc.print(line)
        for number, rule in enumerate(chain.rules if chain is not None else (), 1):
            if isinstance(rule, XtRule):
                proc.print(rule_line(rule, number, style))


def policy_line(chain: Chain | None, name: str, counters: bool) -> str:
    policy = "DROP" if chain is not None and chain.base is not None and chain.base.policy != ACCEPT else "ACCEPT"
    line = f"-P {name} {policy}"
    if counters:
        packets, size = (chain.counters if chain is not None else None) or (0, 0)
        line += f" -c {packets} {size}"
    return line


def list_rules(tables: Tables, table: str, only: str | None, number: int, verbose: bool) -> list[str]:
    """iptables -S."""
    found = tables.table(table)
    lines = []
    for built_in in BUILT_IN[table]:
        if only in (None, built_in.name) and not number:
            chain = found.chains.get(built_in.name) if found is not None else None
            lines.append(policy_line(chain, built_in.name, verbose))
    for chain in tables.user_chains(table):
        if only in (None, chain.name) and not number:
            lines.append(f"-N {chain.name}")
    names = [built_in.name for built_in in BUILT_IN[table]] + [chain.name for chain in tables.user_chains(table)]
    for name in names:
        chain = found.chains.get(name) if found is not None else None  # type: ignore[assignment]
        if only not in (None, name) or chain is None:
            continue
        for position, rule in enumerate(chain.rules, 1):
            if isinstance(rule, XtRule) and number in (0, position):
                text = rule.save(counters=True) if verbose else rule.spec()
                lines.append(f"-A {name} {text}".rstrip() if not text else f"-A {name} {text}")
    return lines


def warning_of_legacy(tables: Tables, save: str = "") -> str:
    """nft_check_xt_legacy()."""
    program = f"{tables.word}tables-legacy"
    return f"# Warning: {program} tables present, use {program}{save} to see them"


def complaints(tables: Tables, table: str, only: str | None = None) -> list[str]:
    """What the tool says on standard error when it prints these rules."""
    found = tables.table(table)
    chains = found.chains.values() if found is not None else ()
    rules = (rule for chain in chains if only in (None, chain.name) for rule in chain.rules if isinstance(rule, XtRule))
    return [part.complaint for rule in rules for part in rule.extensions() if part.complaint]


def save_table(tables: Tables, table: str, counters: bool) -> list[str]:
    """One table in the format of iptables-save, without the comments around it."""
    found = tables.table(table)
    lines = [f"*{table}"]
    for built_in in BUILT_IN[table]:
        chain = found.chains.get(built_in.name) if found is not None else None
        policy = "DROP" if chain is not None and chain.base is not None and chain.base.policy != ACCEPT else "ACCEPT"
        packets, size = (chain.counters if chain is not None else None) or (0, 0)
        lines.append(f":{built_in.name} {policy} [{packets}:{size}]")
    for user in tables.user_chains(table):
        lines.append(f":{user.name} - [0:0]")
    names = [built_in.name for built_in in BUILT_IN[table]] + [chain.name for chain in tables.user_chains(table)]
    for name in names:
        chain = found.chains.get(name) if found is not None else None
        for rule in chain.rules if chain is not None else ():
            if isinstance(rule, XtRule):
                prefix = f"[{rule.packets}:{rule.bytes}] " if counters else ""
                text = rule.spec()
                lines.append(f"{prefix}-A {name} {text}" if text else f"{prefix}-A {name}")
    lines.append("COMMIT")
    return lines


def clock(proc: Process) -> str:
    """The date as ctime(3) writes it, on the machine's clock."""
    now = datetime.datetime.fromtimestamp(proc.system.host.wall_clock() // 10**9, datetime.UTC)
    return f"{now:%a %b} {now.day:>2} {now:%H:%M:%S %Y}"
