"""The command line of iptables (xtables' do_parse(): iptables/xshared.c).

What may stand there is in grammar.py, what single words mean in words.py.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.extensions import find_match, find_target
from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.xt import (
    Extension,
    Names,
    Opt,
    number,
    problem,
    protocol_number,
)
from kubenet_course.userland.commands.iptables.addresses import host_networks
from kubenet_course.userland.commands.iptables.getopt import Getopt, Word
from kubenet_course.userland.commands.iptables.grammar import (
    COMMANDS,
    ILLEGAL,
    LONG,
    LONG_OF,
    MAX_CHAIN,
    OPTION_BITS,
    RULE_COMMANDS,
    SHORT,
    TABLES,
    Command,
)
from kubenet_course.userland.commands.iptables.words import (
    BadArgument,
    Stop,
    check_chain_name,
    copy_rule,
    no_table,
    parse_counter,
    parse_interface,
    parse_new_chain,
    parse_rule_number,
    parse_target,
)


class CommandParser:
    """One command line; `legacy` and `restore` change a few sentences. `tables` None: any name is a table's."""

    def __init__(
        self,
        words: list[str],
        family: int,
        names: Names,
        *,
        legacy: bool = False,
        restore: bool = False,
        tables: tuple[str, ...] | None = TABLES,
    ):
        self.tables = tables
        self.opts = Getopt(words, SHORT, LONG)
        self.names = names
        self.legacy = legacy
        self.restore = restore
        self.command = Command(family=family)
        self.rule = XtRule(family)
        self.rule.legacy = legacy
        self.family = family
        self.invert = False
        self.protocol_word = ""
        self.protocol_loaded = False
        self.source_text: str | None = None
        self.destination_text: str | None = None
        self.pending: list[tuple[Extension, Opt, str, bool]] = []
        self.table_given = False

    # -- the loop ---------------------------------------------------------------------------
    def parse(self) -> Command:
        while (word := self.opts.next()) is not None:
            again = self._word(word)
            if again:
                continue
            self.invert = False
        self._finish()
        return self.command

    def _word(self, word: Word) -> bool:
        """One option; True where the ``!`` before it (or it itself) still waits for its option."""
        name = word.name
        if name is None:
            if word.text == "!":
                if self.invert:
                    raise problem("multiple consecutive ! not allowed")
                self.invert = True
                return True
            if self.opts.ended:
                raise problem("unknown arguments found on commandline")
            raise BadArgument(word.text)
        if name == ":":
            raise problem(f'option "{word.text}" requires an argument')
        if name == "?":
            return self._unknown(word)
        if len(name) == 1 and name in SHORT or name == "0":
            self._standard(name, word)
        else:
            self._extension(name, word)
        return False

    def _unknown(self, word: Word) -> bool:
        """command_default(): load the protocol's match, and try again."""
        if self._load_protocol(word):
            return True
        spelled = self.opts.previous()
        raise problem(f'unknown option "{spelled}"')

    def _load_protocol(self, word: Word) -> bool:
        if not word.text.startswith("--") or not self.protocol_word or self.protocol_loaded:
            return False
        name = {"icmpv6": "icmp6", "ipv6-icmp": "icmp6"}.get(self.protocol_word, self.protocol_word)
        if number(name) is not None:
            from kubenet_course.kernel.netfilter.rule import protocol_word

            name = {"ipv6-icmp": "icmp6"}.get(protocol_word(self.rule.protocol), protocol_word(self.rule.protocol))
        match = find_match(name, self.family)
        self.protocol_loaded = True
        if match is None or any(loaded.name == match.name for loaded in self.rule.matches):
            return False
        self._add_match(match)
        self.opts.at -= 1
        return True

    # -- standard options -------------------------------------------------------------------
    def _standard(self, letter: str, word: Word) -> None:
        argument = word.argument or ""
        if letter in "sdioj":  # as with -p: the word before the next one, whatever it is
            argument = self.opts.previous()
        if letter in COMMANDS:
            self._command(letter, word)
        elif letter == "p":
            self._option("p")
            self._protocol()
        elif letter in ("s", "d"):
            self._option(letter)
            if letter == "s":
                self.source_text, self.rule.source_inverted = argument, self.invert
            else:
                self.destination_text, self.rule.destination_inverted = argument, self.invert
        elif letter in ("j", "g"):
            self._jump(letter, argument)
        elif letter in ("i", "o"):
            if argument == "":
                raise problem("Empty interface is likely to be undesired")
            self._option(letter)
            name = parse_interface(argument, self.names)
            if name == "+" and not self.invert and not self.legacy:
                name = ""
            if letter == "i":
                self.rule.indev, self.rule.indev_inverted = name, self.invert
            else:
                self.rule.outdev, self.rule.outdev_inverted = name, self.invert
        elif letter == "f":
            if self.family == 6:
                raise problem("`-f' is not supported in IPv6, use -m frag instead")
            self._option("f")
            self.rule.fragment, self.rule.fragment_inverted = True, self.invert
        elif letter == "m":
            self._match(argument)
        elif letter == "c":
            self._counters(argument)
        else:
            self._switch(letter, argument)

    def _switch(self, letter: str, argument: str) -> None:
        command = self.command
        if letter == "v":
            command.options.add("v")
            command.verbose += 1
        elif letter in ("n", "x", "0"):
            self._option(letter)
        elif letter == "t":
            if self.invert:
                raise problem("unexpected ! flag before --table")
            if self.restore:
                program = "iptables" if self.family == 4 else "ip6tables"
                raise problem(f"The -t option cannot be used in {program}-restore.\n")
            if self.tables is not None and argument not in self.tables:
                raise no_table(argument, self.legacy)
            command.table = argument
            self.table_given = True
        elif letter in ("w", "W"):
            if self.restore:
                raise problem(f"You cannot use `-{letter}' from iptables-restore")
            self._wait(letter, argument)
        elif letter in ("4", "6"):
            if int(letter) != self.family:
                command.other_family = True
        elif letter == "b":
            raise problem('Unknown arg "(null)"')

    def _wait(self, letter: str, argument: str) -> None:
        """-w [seconds]; -W microseconds, which is not heeded any more."""
        text = argument or self.opts.peek()
        what = "seconds" if letter == "w" else "interval"
        if letter == "W" and text is None:
            raise problem("wait interval value required")
        if text is not None:
            if number(text) is None:
                raise problem(f"wait {what} not numeric")
            if not argument:
                self.opts.take()
        if letter == "W":
            self.names.warn("Ignoring deprecated --wait-interval option.")
        self.command.options.add(letter)

    def _option(self, letter: str) -> None:
        """set_option(): each may be given once; some cannot be denied."""
        if letter in self.command.options:
            raise problem(f"multiple -{letter} flags not allowed")
        self.command.options.add(letter)
        if self.invert and letter in "njvx0c":
            raise problem(f"cannot have ! before -{letter}")

    def _protocol(self) -> None:
        """-p: iptables looks at the word as it stands there, so ``-ptcp`` is no protocol."""
        self.protocol_word = self.opts.previous().lower()
        rule = self.rule
        rule.protocol = protocol_number(self.protocol_word, self.names)
        rule.protocol_inverted = self.invert
        if rule.protocol == 0 and self.invert:
            raise problem("rule would never match protocol")
        if self.family == 6 and rule.protocol in (43, 44, 51, 60) and not self.invert:
            self.names.warn(f"Warning: never matched protocol: {self.protocol_word}. use extension match instead.")

    def _counters(self, argument: str) -> None:
        """-c packets bytes, or -c packets,bytes."""
        self._option("c")
        first, comma, second = argument.partition(",")
        if not comma and self.opts.peek() is not None:
            second = self.opts.take()
        elif not comma or not first:
            raise problem("-c requires packet and byte counter")
        self.command.counters = parse_counter(first, "packet"), parse_counter(second, "byte")

    # -- commands ---------------------------------------------------------------------------
    def _command(self, letter: str, word: Word) -> None:
        command = self.command
        if letter == "V":
            command.version = True
            raise Stop
        if letter == "h":
            command.help = True
            raise Stop
        if self.invert:
            raise problem(f"unexpected ! flag before --{LONG_OF[letter]}")
        command.add(letter)
        argument = word.argument
        if letter in "ADCRINEP" or argument is not None:
            command.chain = argument
        elif self.opts.peek() is not None:
            command.chain = self.opts.take()
        if letter == "A" or letter == "C":
            check_chain_name(command.chain or "")
        elif letter in ("D", "I", "R"):
            check_chain_name(command.chain or "")
            self._rule_number(letter)
        elif letter in ("L", "S", "Z"):
            self._list_number(letter)
        elif letter == "N":
            name = command.chain or ""
            parse_new_chain(name, self.family)
        elif letter == "E":
            following = self.opts.peek()
            if following is None:
                raise problem("-E requires old-chain-name and new-chain-name")
            command.new_name = self.opts.take()
        elif letter == "P":
            following = self.opts.peek()
            if following is None:
                raise problem("-P requires a chain and a policy")
            command.policy = self.opts.take()

    def _rule_number(self, letter: str) -> None:
        command = self.command
        following = self.opts.peek()
        if following is None:
            if letter == "R":
                raise problem("-R requires a rule number")
            command.number = 1
            return
        command.number = parse_rule_number(self.opts.take())
        if letter == "D":
            command.letter = "D#"

    def _list_number(self, letter: str) -> None:
        following = self.opts.peek() if self.command.chain is not None else None
        if following is not None:
            self.command.number = parse_rule_number(self.opts.take())
            if letter == "Z":
                self.command.letter = "Z#"

    # -- matches and targets ----------------------------------------------------------------
    def _loaded(self, extension: Extension) -> None:
        if extension.missing and self.tables is not None:
            self.names.warn(f"Warning: Extension {extension.name} revision 0 not supported, missing kernel module?")

    def _add_match(self, match: Extension) -> None:
        self._loaded(match)
        match.rule = self.rule
        self.rule.matches.append(match)
        self.opts.extra.update((opt.name, "" if opt.kind in ("none", "string?") else ":") for opt in match.options)

    def _match(self, name: str) -> None:
        if self.invert:
            raise problem("unexpected ! flag before --match")
        match = find_match(name, self.family)
        if match is None:
            raise problem(f"Couldn't load match `{name}':No such file or directory\n")
        self._add_match(match)

    def _jump(self, letter: str, name: str) -> None:
        self._option("j")
        rule = self.rule
        if letter == "g":
            rule.goto = True
            rule.jump = parse_target(name)
            self.command.chain_target = name
            return
        name = parse_target(name)
        if name in ("ACCEPT", "DROP", "RETURN"):
            rule.jump = name
            return
        target = find_target(name, self.family)
        if target is None:
            if name == "QUEUE":
                rule.jump = name
                return
            rule.jump = name
            self.command.chain_target = name
            return
        self._loaded(target)
        target.rule = rule
        rule.target = target
        self.opts.extra.update((opt.name, "" if opt.kind in ("none", "string?") else ":") for opt in target.options)

    def _extension(self, name: str, word: Word) -> None:
        """The option belongs to the target, or to the last match that has it."""
        rule = self.rule
        candidates = ([rule.target] if rule.target is not None else []) + rule.matches[::-1]
        for extension in candidates:
            opt = extension.option(name)
            if opt is not None:
                text = word.argument or ""
                if opt.words == 2:
                    following = self.opts.peek()
                    if following is None:
                        raise problem(f"--{name} requires two args{extension.full_stop}")
                    text = f"{text} {self.opts.take()}"
                elif opt.kind == "string?" and self.opts.peek() is not None:
                    text = self.opts.take()
                extension.parse(opt, text, self.invert, self.names)
                return
        raise problem(f'unknown option "{self.opts.previous()}"')

    # -- the end ----------------------------------------------------------------------------
    def _finish(self) -> None:
        command, rule = self.command, self.rule
        if command.table == "nat" and (command.policy == "DROP" or rule.jump == "DROP"):
            raise problem(
                f'\nThe "{command.table}" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n'
            )
        for extension in rule.extensions():
            extension.finish(self.names)
        if not self.legacy:
            rule.matches = [match for match in rule.matches if not match.vanishes()]
        if "W" in command.options and "w" not in command.options:
            raise problem("--wait-interval only makes sense with --wait\n")
        if not command.letter:
            raise problem("no command specified")
        if self.invert:
            raise problem("nothing appropriate following !")
        if command.letter in RULE_COMMANDS:
            self._addresses()
        for letter in OPTION_BITS:
            if letter in command.options and letter in ILLEGAL[command.letter]:
                raise problem(f"Illegal option `-{letter}' with this command")
        if command.chain is not None and len(command.chain) >= MAX_CHAIN:
            raise problem(f"chain name `{command.chain}' too long (must be under {MAX_CHAIN} chars)")
        if command.letter in (*RULE_COMMANDS, "D#"):
            command.check_devices()

    def _addresses(self) -> None:
        """One rule for each pair of source and destination."""
        rule, command = self.rule, self.command
        sources = self._networks(self.source_text)
        destinations = self._networks(self.destination_text)
        if (len(sources) > 1 or len(destinations) > 1) and (rule.source_inverted or rule.destination_inverted):
            raise problem("! not allowed with multiple source or destination IP addresses")
        if command.letter == "R" and (len(sources) != 1 or len(destinations) != 1):
            raise problem("Replacement rule does not specify a unique address")
        if self.family == 4 or self.legacy:  # ip6tables 1.8.9 (nf_tables) reads them and forgets them
            rule.packets, rule.bytes = command.counters
        for source in sources:
            for destination in destinations:
                one = rule if len(sources) * len(destinations) == 1 else copy_rule(rule)
                one.source, one.destination = source, destination
                command.rules.append(one)

    def _networks(self, text: str | None) -> list[tuple[Any, int]]:
        if text is None:
            return [(type(self.rule.source[0])(0), 0)]
        return host_networks(text, self.family, self.names)
