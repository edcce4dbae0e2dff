"""One iptables command: parse it, do it, say what went wrong in iptables' words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.iptables import BUILT_IN, NO_CHAIN, Refused, Tables
from kubenet_course.kernel.netfilter.xt import PARAMETER_PROBLEM, VERSION_PROBLEM, XtablesError, problem
from kubenet_course.userland.commands.iptables import show
from kubenet_course.userland.commands.iptables._help import TEXT
from kubenet_course.userland.commands.iptables.grammar import Command
from kubenet_course.userland.commands.iptables.names import MachineNames, Unresolved
from kubenet_course.userland.commands.iptables.parse import CommandParser
from kubenet_course.userland.commands.iptables.words import BadArgument, Stop
from kubenet_course.userland.streams import Capture

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


def version(legacy: bool) -> str:
    return f"{show.VERSION} ({'legacy' if legacy else 'nf_tables'})"


def program_name(family: int) -> str:
    return "iptables" if family == 4 else "ip6tables"


async def main(proc: Process, argv: list[str], family: int, legacy: bool) -> int:
    """Parse until every host's name is known; then do it, and put names for the addresses of a listing."""
    names = MachineNames(proc, resolving=True)
    stdout, written = proc.stdout, Capture()
    proc.stdout = written
    try:
        while True:
            try:
                status = attempt(proc, argv, family, legacy, names)
                break
            except Unresolved as wanted:
                proc.stdout = stdout
                await names.resolve(wanted)
                proc.stdout = written
    finally:
        proc.stdout = stdout
    text = bytes(written.data).decode("utf-8", "surrogateescape")
    proc.print(await names.fill(text) if names.marked else text, end="")
    return status


def attempt(proc: Process, argv: list[str], family: int, legacy: bool, names: MachineNames) -> int:
    program = program_name(family)
    parser = CommandParser(argv[1:], family, names, legacy=legacy)
    try:
        command = parser.parse()
    except Stop:
        if parser.command.version:
            proc.print(f"{program} {version(legacy)}")
        else:
            proc.print(f"{program} {version(legacy)}\n\n{TEXT.format(program=program)}", end="")
        return 0
    except XtablesError as failure:
        return complain(proc, program, legacy, failure)
    if command.other_family:
        # `iptables -6 …`: a line that is not for this family.
        proc.error(f"Try `{program} -h' or '{program} --help' for more information.")
        return PARAMETER_PROBLEM
    tables = Tables(proc.net, family, legacy)
    tables.ruleset.actor = (proc.pid, proc.comm)
    try:
        execute(proc, tables, command, names)
    except Refused as refused:
        if refused.batch:
            proc.error(f"{program} {version(legacy)}:  {refused.message}")
        else:
            proc.error(f"{program}: {refused.message}")
        return refused.code
    except XtablesError as failure:
        return complain(proc, program, legacy, failure)
    return 0


def complain(proc: Process, program: str, legacy: bool, failure: XtablesError, line: int = 0) -> int:
    """xtables_error(): the sentence, then where it was and how to get help."""
    if isinstance(failure, BadArgument):
        proc.error(failure.message)
    else:
        proc.error(f"{program} {version(legacy)}: {failure.message}")
    if failure.code == PARAMETER_PROBLEM:
        if line:
            proc.error(f"Error occurred at line: {line}")
        proc.error(f"Try `{program} -h' or '{program} --help' for more information.")
    elif failure.code == VERSION_PROBLEM:
        proc.error(f"Perhaps {program} or your kernel needs to be upgraded.")
    return failure.code


def check_target(tables: Tables, command: Command) -> None:
    """A name after -j that is no target must be a chain."""
    name = command.chain_target
    if not name:
        return
    if tables.chain(command.table, name) is not None or tables.is_built_in(command.table, name) is not None:
        return
    if tables.legacy:
        if any(rule.goto for rule in command.rules):
            raise problem(f"goto '{name}' is not a chain")
        raise problem(f"Couldn't load target `{name}':No such file or directory\n")
    raise problem(f"Chain '{name}' does not exist")


def execute(proc: Process, tables: Tables, command: Command, names: MachineNames) -> None:
    """Do what a command says; Refused or XtablesError where it cannot be done."""
    letter, table, chain = command.letter, command.table, command.chain
    if letter in ("L", "S") and tables.others_there():
        proc.error(show.warning_of_legacy(tables))
    if letter in ("A", "I", "R", "D", "C"):
        change_rules(proc, tables, command, names)
    elif letter == "D#":
        tables.delete_number(table, chain or "", command.number)
    elif letter == "L":
        need_listed(proc, tables, table, chain)
        warn_of(proc, show.complaints(tables, table, chain))
        list_rules(proc, tables, command, names)
    elif letter == "S":
        need_listed(proc, tables, table, chain)
        warn_of(proc, show.complaints(tables, table, chain))
        for line in show.list_rules(tables, table, chain, command.number, "v" in command.options):
            proc.print(line)
    elif letter == "F":
        for name in tables.flush(table, chain, "v" in command.options):
            if "v" in command.options:
                proc.print(f"Flushing chain `{name}'")
    elif letter in ("Z", "Z#"):
        zero(proc, tables, command)
    elif letter == "N":
        tables.new_chain(table, chain or "")
    elif letter == "X":
        delete_chains(proc, tables, command)
    elif letter == "E":
        tables.rename_chain(table, chain or "", command.new_name)
    elif letter == "P":
        tables.set_policy(table, chain or "", command.policy)
    if tables.legacy and letter[0] in "ADIRFNXEP":
        tables.table_replaced(table)
    if command.zero_too:
        zero(proc, tables, command)


def change_rules(proc: Process, tables: Tables, command: Command, names: MachineNames) -> None:
    letter, table, chain = command.letter, command.table, command.chain or ""
    check_target(tables, command)
    existing = tables.chain(table, chain)
    by_rule = letter == "C" or letter == "D"  # a number was seen to before; iptables-nft looks for the rule first
    if not tables.exists(table, chain) and not by_rule:
        raise Refused(NO_CHAIN)
    if existing is None and letter == "R" and not tables.legacy:
        raise Refused(NO_CHAIN)  # a built-in chain comes into being with its first rule
    count = len(existing.rules) if existing is not None else 0
    if letter == "I" and command.number - 1 > count:
        raise Refused("Index of insertion too big.")
    if letter == "R" and not 1 <= command.number <= count:
        raise Refused("Index of replacement too big.")
    for rule in command.rules:
        if "v" in command.options and letter != "C":
            proc.print(show.sentence(rule, names))
        if letter == "A":
            tables.append(table, chain, rule)
        elif letter == "I":
            tables.insert(table, chain, command.number or 1, rule)
        elif letter == "R":
            tables.replace(table, chain, command.number, rule)
        elif letter == "D":
            tables.delete(table, chain, rule)
        else:
            tables.find(table, chain, rule, check=True)
            if "v" in command.options:
                proc.print(show.sentence(rule, names))


def need_listed(proc: Process, tables: Tables, table: str, chain: str | None) -> None:
    if chain is not None and tables.exists(table, chain):
        if tables.foreign_chain(table, chain):
            raise Incompatible(f"chain `{chain}' in table `{table}' is incompatible, use 'nft' tool.")
        return
    if chain is None:
        try:
            comment = tables.foreign(table)
        except Refused as refused:
            raise Incompatible(refused.message) from None
        if comment:
            proc.print(comment)
        return
    if tables.legacy:
        raise Refused(NO_CHAIN)
    raise Incompatible(f"chain `{chain}' in table `{table}' is incompatible, use 'nft' tool.")


class Incompatible(XtablesError):
    """What iptables-nft says of a chain it cannot read, and of one that is not there."""

    def __init__(self, message: str):
        super().__init__(1, message)


def warn_of(proc: Process, lines: list[str]) -> None:
    for line in lines:
        proc.error(line)


def list_rules(proc: Process, tables: Tables, command: Command, names: MachineNames) -> None:
    style = show.Style(command.options, names)
    if not command.number:
        show.list_table(proc, tables, command.table, command.chain, style)
        return
    chain = tables.chain(command.table, command.chain or "")
    if chain is not None and command.number <= len(chain.rules):
        rule = chain.rules[command.number - 1]
        proc.print(show.rule_line(rule, command.number, style))  # type: ignore[arg-type]


def zero(proc: Process, tables: Tables, command: Command) -> None:
    number = command.number if command.letter == "Z#" else None
    if command.zero_too:
        if command.chain is not None and tables.table(command.table) is None:
            raise Refused(f"CHAIN_ZERO failed (No such file or directory): chain {command.chain}", 4, batch=True)
        # Listing asks for the built-in chains it shows, and zeroing then makes them.
        for built_in in BUILT_IN[command.table]:
            if command.chain in (None, built_in.name):
                tables.base_chain(command.table, built_in.name)
    names = tables.zero(command.table, command.chain, number)
    if "v" in command.options and number is None:
        if command.chain is None:
            there = set(names)
            names = [built_in.name for built_in in BUILT_IN[command.table] if built_in.name in there]
            names += [chain.name for chain in tables.user_chains(command.table)]
        for name in names:
            proc.print(f"Zeroing chain `{name}'")


def delete_chains(proc: Process, tables: Tables, command: Command) -> None:
    told: list[str] = []
    if command.chain is not None:
        tables.delete_chain(command.table, command.chain)
        told = [command.chain]
    else:
        tables.delete_all_chains(command.table, told)
    if "v" in command.options:
        for name in told:
            proc.print(f"Deleting chain `{name}'")
