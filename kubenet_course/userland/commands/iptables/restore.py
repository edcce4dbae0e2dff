"""iptables-restore (iptables/xtables-restore.c): many changes, table by table, each all or nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.iptables import BUILT_IN, Refused, Tables
from kubenet_course.kernel.netfilter.tables import DROP, Chain
from kubenet_course.kernel.netfilter.xt import XtablesError, problem
from kubenet_course.userland.commands.iptables import run
from kubenet_course.userland.commands.iptables.names import MachineNames
from kubenet_course.userland.commands.iptables.parse import CommandParser
from kubenet_course.userland.commands.iptables.words import Stop, parse_chain

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

SHORT = {
    "b": "", "c": "", "v": "", "V": "", "t": "", "h": "", "n": "", "4": "", "6": "", "w": "::", "W": ":", "T": ":", "M": ":",
}  # fmt: skip
LONG = {
    "counters": "c", "verbose": "v", "version": "V", "test": "t", "help": "h", "noflush": "n", "modprobe": "M",
    "table": "T", "wait": "w", "wait-interval": "W", "ipv4": "4", "ipv6": "6",
}  # fmt: skip
USAGE = """\
Usage: {program} [-c] [-v] [-V] [-t] [-h] [-n] [-T table] [-M command] [-4] [-6] [file]
\t   [ --counters ]
\t   [ --verbose ]
\t   [ --version]
\t   [ --test ]
\t   [ --help ]
\t   [ --noflush ]
\t   [ --table=<TABLE> ]
\t   [ --modprobe=<command> ]
\t   [ --ipv4 ]
\t   [ --ipv6 ]
"""


class Failed(Exception):
    """A line that ends the run; the text goes to standard error."""

    def __init__(self, text: str, code: int):
        super().__init__(text)
        self.code = code


def parse_options(words: list[str], program: str) -> dict[str, str]:
    found: dict[str, str] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("--") and word != "--":
            name, equals, value = word[2:].partition("=")
            matches = [name] if name in LONG else [long for long in LONG if long.startswith(name)]
            if len(matches) != 1:
                raise Failed(f"{program}: unrecognized option '{word}'\nTry `{program} -h' for more information.", 1)
            letter = LONG[matches[0]]
            if SHORT[letter] == ":" and not equals:
                value = words.pop(0) if words else ""
            found[letter] = value
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                if letter not in SHORT:
                    raise Failed(f"{program}: invalid option -- '{letter}'\nTry `{program} -h' for more information.", 1)
                if SHORT[letter] == ":":
                    found[letter] = letters or (words.pop(0) if words else "")
                    break
                found[letter] = ""
                if letter == "w":
                    if not letters and words and words[0].isdigit():
                        words.pop(0)
                    break
        else:
            found["_"] = word
    return found


async def main(proc: Process, argv: list[str], family: int, legacy: bool) -> int:
    program = argv[0].rpartition("/")[2]
    shown = f"{run.program_name(family)}-restore"
    try:
        options = parse_options(argv[1:], program)
        if "h" in options:
            proc.error(USAGE.format(program=shown), end="")
            return 0
        if "V" in options:
            proc.print(f"{shown} {run.version(legacy)}")
            return 0
        if "_" in options:
            try:
                data = proc.files.read(options["_"], proc, proc.cwd)
            except KernelError as failure:
                raise Failed(f"Can't open {options['_']}: {failure.strerror}", 1) from None
        else:
            data = await proc.stdin.read()
    except Failed as failed:
        proc.error(str(failed))
        return failed.code
    restore = Restore(proc, family, legacy, options)
    try:
        return restore.run(data.decode(errors="replace"))
    except Failed as failed:
        proc.error(str(failed))
        return failed.code


class Restore:
    """One run. A table's changes are kept as a list and done at its COMMIT; a failure undoes them."""

    def __init__(self, proc: Process, family: int, legacy: bool, options: dict[str, str]):
        self.proc = proc
        self.family = family
        self.legacy = legacy
        self.program = f"{run.program_name(family)}-restore"
        self.names = MachineNames(proc)
        self.tables = Tables(proc.net, family, legacy)
        self.tables.ruleset.actor = (proc.pid, proc.comm)
        self.noflush = "n" in options
        self.counters = "c" in options
        self.verbose = "v" in options
        self.testing = "t" in options
        self.only = options.get("T")
        self.table: str | None = None
        self.skipping = False
        self.line = 0
        self.saved: dict[str, Any] | None = None
        self.jumps: list[tuple[int, str]] = []
        #: The first rule that the kernel refuses (line, why): told at COMMIT, when it would see it.
        self.batch_error: tuple[int, Refused] | None = None

    # -- lines ------------------------------------------------------------------------------
    def run(self, text: str) -> int:
        lines = text.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        for number, line in enumerate(lines, 1):
            self.line = number
            try:
                self._line(line)
            except XtablesError as failure:
                self._undo()
                return run.complain(self.proc, self.program, self.legacy, failure, self.line)
            except Refused as refused:
                self._undo()
                return self._refused(refused)
        if self.table is not None and not self.skipping:
            self._undo()
            self.proc.error(f"{self.program}: COMMIT expected at line {self.line + 1}")
            return 1
        return 0

    def _refused(self, refused: Refused) -> int:
        if refused.batch:
            line = f"{self.program} {run.version(self.legacy)}: \nline {self.line}: {refused.message}"
            self.proc.error(line)
            return refused.code
        tail = "" if self.legacy else f": {refused.message.split(' Run `dmesg')[0]}"
        self.proc.error(f"{self.program}: line {self.line} failed{tail}")
        return 1

    def _line(self, line: str) -> None:
        if line == "" or line.startswith("#"):
            if self.verbose and line.startswith("#"):
                self.proc.print(line)
            return
        if line == "COMMIT" and self.table is not None:
            self._commit()
        elif line.startswith("*") and self.table is None:
            self._begin(line[1:].split()[0] if line[1:].split() else "")
        elif self.skipping:
            return
        elif line.startswith(":") and self.table is not None:
            self._chain(line[1:])
        elif self.table is not None:
            self._rule(line)
        else:
            raise Failed(f"{self.program}: line {self.line} failed", 1)

    def _begin(self, name: str) -> None:
        if name not in BUILT_IN:
            raise problem(f"{self.program}: line {self.line} table name '{name}' invalid")
        self.table = name
        self.skipping = self.only is not None and self.only != name
        if self.skipping:
            return
        self.jumps = []
        self.batch_error = None
        self._remember()
        if self.noflush:
            if self.legacy:
                self.tables.table(name)
            return
        for chain in self.tables.flush(name, None, self.verbose or self.legacy):
            if self.verbose:
                self.proc.print(f"Flushing chain `{chain}'")
        for chain_object in self.tables.user_chains(name):
            if self.verbose:
                self.proc.print(f"Deleting chain `{chain_object.name}'")
            chain_object.table.delete_chain(chain_object)
        table = self.tables.make(name)
        if not self.legacy:
            # The table is made anew; its built-in chains come back as they are named.
            for base in [chain for chain in table.chains.values() if chain.base is not None]:
                table.delete_chain(base)

    def _chain(self, text: str) -> None:
        words = text.split()
        name = words[0] if words else ""
        if not name:
            raise problem(f"{self.program}: line {self.line} chain name invalid")
        parse_chain(name)
        if len(words) < 2:
            raise problem(f"{self.program}: line {self.line} policy invalid")
        policy = words[1]
        counters = None
        if self.counters and len(words) > 2:
            counters = parse_counters(words[2])
            if counters is None:
                raise problem(f"invalid policy counters for chain '{name}'")
        assert self.table is not None
        if self.tables.is_built_in(self.table, name) is not None:
            if policy not in ("ACCEPT", "DROP", "-") or (policy == "-" and self.legacy):
                raise Refused("Bad policy name.")
            old = self.tables.chain(self.table, name)
            kept = "DROP" if old is not None and old.base is not None and old.base.policy == DROP else "ACCEPT"
            self.tables.set_policy(self.table, name, kept if policy == "-" else policy, counters or (0, 0))
            return
        if policy != "-" and self.legacy:
            self.tables.set_policy(self.table, name, policy)
        existing = self.tables.chain(self.table, name)
        if existing is not None:
            existing.flush()
            for rule in existing.rules:
                rule.packets = rule.bytes = 0
        else:
            self.tables.new_chain(self.table, name)

    def _rule(self, line: str) -> None:
        counters = None
        if line.startswith("["):
            bracket, closed, rest = line.partition("]")
            counters = parse_counters(bracket + "]") if closed else None
            if counters is None:
                raise problem("invalid packet counters")
            line = rest.strip()
        words = split_words(line)
        if counters is not None and self.counters:
            words += ["--set-counters", str(counters[0]), str(counters[1])]
        parser = CommandParser(words, self.family, self.names, legacy=self.legacy, restore=True)
        assert self.table is not None
        parser.command.table = self.table
        try:
            command = parser.parse()
        except Stop:
            return
        if command.other_family:
            return
        if self.verbose:
            command.options.add("v")
        if command.chain_target and not self.legacy:
            # Looked for when the table is committed: the chain may be declared further down.
            name = command.chain_target
            known = self.tables.chain(self.table, name) is not None
            if not known and self.tables.is_built_in(self.table, name) is None:
                self.jumps.append((self.line, name))
                self._need_chain(command.chain)
                return
        try:
            run.execute(self.proc, self.tables, command, self.names)
        except Refused as refused:
            if not refused.batch:
                raise
            self.batch_error = self.batch_error or (self.line, refused)

    def _need_chain(self, chain: str | None) -> None:
        assert self.table is not None
        if not self.tables.exists(self.table, chain or ""):
            raise Refused("No chain/target/match by that name.")

    # -- all or nothing ---------------------------------------------------------------------
    def _commit(self) -> None:
        if not self.skipping:
            if self.jumps:
                raise problem(f"Chain '{self.jumps[0][1]}' does not exist")
            if self.batch_error:
                self.line, refused = self.batch_error
                raise refused
            if self.testing:
                self._undo()
        self.saved = None
        self.table = None
        self.skipping = False

    def _remember(self) -> None:
        """Keep the table as it is, to go back to where a line fails."""
        assert self.table is not None
        table = self.tables.ruleset.table(self.tables.word, self.table)
        self.saved = {"name": self.table, "table": table is not None, "chains": []}
        if table is not None:
            for chain in table.chains.values():
                policy = chain.base.policy if chain.base is not None else None
                counts = [(rule.packets, rule.bytes) for rule in chain.rules]
                counters = list(chain.counters) if chain.counters is not None else None
                self.saved["chains"].append((chain.name, chain.base is not None, policy, counters, list(chain.rules), counts))

    def _undo(self) -> None:
        """Put the table back as it was when its line ``*name`` was read."""
        saved, self.saved = self.saved, None
        if saved is None:
            return
        name = saved["name"]
        table = self.tables.ruleset.table(self.tables.word, name)
        if table is not None:
            self.tables.ruleset.delete_table(table)
        if not saved["table"]:
            return
        table = self.tables.ruleset.add_table(self.tables.word, name)
        for chain_name, is_base, policy, counters, _, _ in saved["chains"]:
            if is_base:
                chain = self.tables.base_chain(name, chain_name)
                assert chain.base is not None
                chain.base.policy = policy
            else:
                chain = Chain(table, chain_name)
                table.add_chain(chain)
            chain.counters = counters
        for chain_name, _, _, _, rules, counts in saved["chains"]:
            chain = table.chains[chain_name]
            for rule, (packets, size) in zip(rules, counts, strict=True):
                chain.insert(len(chain.rules), rule)
                rule.packets, rule.bytes = packets, size


def parse_counters(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"\[(\d+):(\d+)\]", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def split_words(line: str) -> list[str]:
    """add_param_to_argv(): words at blanks, double quotes keep them together, ``\\`` escapes in quotes."""
    words: list[str] = []
    word, quoted, escaped, begun = "", False, False, False
    for char in line:
        if quoted:
            if escaped:
                word, escaped = word + char, False
                continue
            if char == "\\":
                escaped = True
                continue
            if char == '"':
                quoted = False
                begun = True
                continue
        elif char == '"':
            quoted = begun = True
            continue
        elif char in " \t\n":
            if word or begun:
                words.append(word)
                word, begun = "", False
            continue
        word += char
    if word or begun:
        words.append(word)
    return words

