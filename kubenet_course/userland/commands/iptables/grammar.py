"""What a command line of iptables may hold: commands, options, which of them go together (iptables/xshared.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubenet_course.kernel.netfilter.rule import XtRule
from kubenet_course.kernel.netfilter.xt import problem

COMMANDS = "ADCRILSFZNXEPVh"
LETTERS_OF = {
    "append": "A", "delete": "D", "check": "C", "insert": "I", "replace": "R", "list": "L", "list-rules": "S",
    "flush": "F", "zero": "Z", "new-chain": "N", "delete-chain": "X", "rename-chain": "E", "policy": "P",
}  # fmt: skip
LONG_OF = {letter: name for name, letter in LETTERS_OF.items()}
SHORT = {
    "A": ":", "D": ":", "C": ":", "R": ":", "I": ":", "L": "::", "S": "::", "M": ":", "F": "::", "Z": "::", "N": ":",
    "X": "::", "E": ":", "P": ":", "V": "", "h": "::", "o": ":", "p": ":", "s": ":", "d": ":", "j": ":", "i": ":",
    "f": "", "b": "", "v": "", "w": "::", "W": "::", "n": "", "t": ":", "m": ":", "x": "", "c": ":", "g": ":", "4": "", "6": "",
}  # fmt: skip
LONG = {
    **{name: (letter, SHORT[letter]) for name, letter in LETTERS_OF.items()},
    "source": ("s", ":"), "destination": ("d", ":"), "src": ("s", ":"), "dst": ("d", ":"), "protocol": ("p", ":"),
    "in-interface": ("i", ":"), "jump": ("j", ":"), "table": ("t", ":"), "match": ("m", ":"), "numeric": ("n", ""),
    "out-interface": ("o", ":"), "verbose": ("v", ""), "wait": ("w", "::"), "wait-interval": ("W", "::"), "exact": ("x", ""),
    "fragments": ("f", ""), "version": ("V", ""), "help": ("h", "::"), "line-numbers": ("0", ""), "modprobe": ("M", ":"),
    "set-counters": ("c", ":"), "goto": ("g", ":"), "ipv4": ("4", ""), "ipv6": ("6", ""),
}  # fmt: skip
TABLES = ("filter", "nat", "mangle", "raw", "security")
#: Options in the order of their bits, and, per command, those it does not take.
OPTION_BITS = "nsdpjvxio0cf"
ILLEGAL = {
    "I": "nx0", "D": "nx0c", "D#": "nsdpjxio0cf", "R": "nx0", "A": "nx0", "L": "sdpjiocf", "F": "nsdpjxio0cf",
    "Z": "nsdpjxio0cf", "Z#": "nsdpjxio0cf", "N": "nsdpjxio0cf", "X": "nsdpjxio0cf", "P": "nsdpjxio0f",
    "E": "nsdpjxio0cf", "S": "nsdpjxio0cf", "C": "nx0c",
}  # fmt: skip
RULE_COMMANDS = ("A", "D", "C", "I", "R")
MAX_CHAIN = 29


@dataclass
class Command:
    """What a command line asks for. `letter` is ``D#`` or ``Z#`` for a rule by number."""

    letter: str = ""
    zero_too: bool = False
    table: str = "filter"
    chain: str | None = None
    number: int = 0
    new_name: str = ""
    policy: str = ""
    rules: list[XtRule] = field(default_factory=list)
    counters: tuple[int, int] = (0, 0)
    verbose: int = 0
    options: set[str] = field(default_factory=set)
    family: int = 4
    help: bool = False
    version: bool = False
    #: -4 given to ip6tables, or -6 to iptables: nothing is done.
    other_family: bool = False
    #: The name after -j or -g where no extension has it: a chain, to be found when it is done.
    chain_target: str = ""

    def add(self, letter: str) -> None:
        """add_command(): a second one goes only with -Z."""
        if not self.letter:
            self.letter = letter
            return
        if {self.letter, letter} <= {"L", "S", "Z"} and self.letter != letter and "Z" in (self.letter, letter):
            self.zero_too = True
            if self.letter == "Z":
                self.letter = letter
            return
        raise problem(f"Cannot use -{letter} with -{self.letter}")

    def check_devices(self) -> None:
        """A packet that comes in has no device it leaves by, and the other way round."""
        if self.chain in ("PREROUTING", "INPUT") and "o" in self.options:
            raise problem(f"Can't use -o with {self.chain}\n")
        if self.chain in ("POSTROUTING", "OUTPUT") and "i" in self.options:
            raise problem(f"Can't use -i with {self.chain}\n")
