"""One run of nft: options, text, commands, what is printed."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style
from kubenet_course.kernel.netfilter.tables import ruleset
from kubenet_course.userland.commands.iptables.names import MachineNames
from kubenet_course.userland.commands.nft._help import EXTENDED, TEXT, VERSION
from kubenet_course.userland.commands.nft.commands import Command
from kubenet_course.userland.commands.nft.errors import NftError, Problem, Sources, Unsupported
from kubenet_course.userland.commands.nft.execute import Executor
from kubenet_course.userland.commands.nft.json_text import BadJson
from kubenet_course.userland.commands.nft.options import BadOption, Options, parse
from kubenet_course.userland.commands.nft.parse import Parser
from kubenet_course.userland.resolver import ResolverError, getaddrinfo

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


DEBUG = ("scanner", "parser", "eval", "netlink", "mnl", "proto-ctx", "segtree", "all")


class NftNames(MachineNames):
    """As iptables' names, and the devices of the namespace.

    A host's name that is not known yet counts as unknown and is noted in `wanted`: the transaction
    fails, the name is looked up, and all is done again.
    """

    def __init__(self, proc: Process):
        super().__init__(proc)
        self.wanted: list[tuple[str, int]] = []
        self.failures: dict[tuple[str, int], str] = {}

    def host_addresses(self, name: str, family: int) -> list[Any]:
        key = (name, family)
        if key not in self.hosts and key not in self.wanted:
            self.wanted.append(key)
        return self.hosts.get(key, [])

    def host_failure(self, name: str, family: int) -> str:
        """getaddrinfo's words for why a name has no address."""
        return self.failures.get((name, family), "")

    async def resolve_wanted(self) -> bool:
        """Whether there was anything to look up."""
        wanted, self.wanted = self.wanted, []
        for name, family in wanted:
            found: list[Any] = []
            try:
                found = [info.address for info in await getaddrinfo(self.proc, name, family)]
            except ResolverError as problem:
                self.failures[name, family] = str(problem)
            self.hosts[name, family] = found
        return bool(wanted)

    def device_index(self, name: str) -> int | None:
        dev = self.proc.net.devices.get(name)
        return dev.ifindex if dev is not None else None

    def device_name(self, index: int) -> str | None:
        dev = self.proc.net.by_index.get(index)
        return dev.name if dev is not None else None


async def run(proc: Process, argv: list[str]) -> int:
    try:
        options = parse(argv)
    except BadOption as bad:
        sentence, _, marks = str(bad).partition("\0")
        proc.error(sentence, end="" if marks else "\n")
        proc.print(marks, end="")
        return 1
    for letter, text in (("h", TEXT.format(program=argv[0])), ("v", VERSION + "\n"), ("V", EXTENDED + "\n")):
        if letter in options:
            proc.print(text, end="")
            return 0
    for letter, word in (("o", "optimize"), ("N", "reversedns")):
        if letter in options:
            proc.error(f"kubenet: nft: --{word} is not emulated")
            return 1
    if "d" in options and options.debug not in DEBUG:
        proc.error(f"invalid debug parameter `{options.debug}'")
        return 1
    if "d" in options:
        proc.error("kubenet: nft: --debug is not emulated")
        return 1
    if "i" in options:
        if (await proc.stdin.read()).strip():
            proc.error("kubenet: nft: --interactive is not emulated")
            return 1
        return 0
    if options.defines and options.file is None:
        proc.error("Error: -D/--define can only be used with -f/--filename")
        return 1
    if options.file is None and not options.rest:
        proc.error("nft: no command specified")
        return 1
    try:
        name, text = await _input(proc, options)
    except KernelError as error:
        proc.error(f'internal:0:0-0: Error: Could not open file "{options.file}": {error.strerror}\n\n')
        return 1
    try:
        return await _commands(proc, options, name, text, NftNames(proc))
    except Unsupported as unsupported:
        proc.error(f"kubenet: {unsupported}")
        return 1


async def _input(proc: Process, options: Options) -> tuple[str, str]:
    """(name for errors, text) of the file, of standard input or of the command line."""
    if options.file is None:
        return "", " ".join(options.rest) + "\n"
    if options.file in ("-", "/dev/stdin"):
        data = await proc.stdin.read()
        return "/dev/stdin", data.decode("utf-8", "surrogateescape")
    return options.file, proc.files.read_text(options.file, proc)


def style_of(proc: Process, options: Options) -> Style:
    names = NftNames(proc)
    numeric = "n" in options
    return Style(
        handle="a" in options, stateless="s" in options, terse="t" in options,
        services=names.service_name if "S" in options else None, numeric_priority=numeric or "y" in options,
        numeric_protocol=numeric or "p" in options, numeric_symbols=numeric, numeric_time=numeric or "T" in options,
        names=names, guid="u" in options,
    )  # fmt: skip


async def _commands(proc: Process, options: Options, name: str, text: str, names: NftNames) -> int:
    sources = Sources()
    style = style_of(proc, options)
    table = ruleset(proc.net)
    table.actor = (proc.pid, proc.comm)
    json = "j" in options
    executor = Executor(table, names, {}, style, json)
    misread: tuple[Problem, ...] = ()
    document = json and text.lstrip().startswith(("{", "["))
    if document:
        from kubenet_course.userland.commands.nft import json_in

        try:
            words = json_in.text_of(text)
        except BadJson as bad:
            proc.error(json_in.shown(bad, name, text), end="")
            return 1
        document, text = words is not None, text if words is None else words
    parser = Parser(sources, lambda words: _included(proc, options, words))
    for line in options.defines:
        variable, _, value = line.partition("=")
        _define(parser, executor, variable, value)
    commands = parser.parse(name, text)
    misread = tuple(parser.problems)
    if not misread and commands and isinstance(commands[-1], Command) and commands[-1].op == "monitor":
        from kubenet_course.userland.commands.nft.monitor import monitor

        return await monitor(proc, commands[-1], style, json)
    if not misread and commands and isinstance(commands[-1], Command) and commands[-1].op == "describe":
        from kubenet_course.userland.commands.nft.describe import describe

        return describe(proc, commands[-1].data)
    done = executor.run(commands, check="c" in options, misread=misread)
    if not done and not misread and await names.resolve_wanted():
        return await _commands(proc, options, name, text, names)
    for problem in executor.problems:
        proc.error(f"internal:0:0-0: Error: {problem.sentence}\n" if document else sources.shown(problem))
    if not done:
        return 1
    for warning in executor.show.warnings:
        proc.error(warning)
    proc.print(executor.output, end="")
    if "e" in options:
        from kubenet_course.userland.commands.nft.monitor import echo

        echo(proc, executor, style, json)
    return 0


def _define(parser: Parser, executor: Executor, variable: str, value: str) -> None:
    found = Parser(Sources(), parser.read).parse("", f"define {variable} = {value}\n")
    for definition in found:
        executor.define(definition)


def _included(proc: Process, options: Options, words: str) -> list[tuple[str, str]]:
    """The files of an include: with wildcards all that match, in order."""
    paths = [words]
    if not words.startswith(("/", "./")):
        paths = [f"{folder}/{words}" for folder in ("/etc", *options.paths)]
    found: list[tuple[str, str]] = []
    for path in paths:
        if any(letter in path for letter in "*?["):
            found += _matching(proc, path)
            continue
        try:
            return [(path, proc.files.read_text(path, proc))]
        except KernelError:
            continue
    if not found and not any(letter in words for letter in "*?["):
        raise NftError(f"File not found: {words}")
    return found


def _matching(proc: Process, path: str) -> list[tuple[str, str]]:
    folder, _, pattern = path.rpartition("/")
    try:
        names: Any = proc.files.listdir(folder or "/", proc)
    except KernelError:
        return []
    return [
        (f"{folder}/{name}", proc.files.read_text(f"{folder}/{name}", proc))
        for name in sorted(names)
        if fnmatch.fnmatchcase(name, pattern) and not name.startswith(".")
    ]
