"""The switches of nft, before its commands (main.c)."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubenet_course.errors import KubenetError

#: letter → (long name, takes an argument)
OPTIONS = {
    "h": ("help", False), "v": ("version", False), "V": ("", False), "f": ("file", True), "D": ("define", True),
    "i": ("interactive", False), "I": ("includepath", True), "c": ("check", False), "o": ("optimize", False),
    "a": ("handle", False), "s": ("stateless", False), "t": ("terse", False), "S": ("service", False),
    "N": ("reversedns", False), "u": ("guid", False), "n": ("numeric", False), "y": ("numeric-priority", False),
    "p": ("numeric-protocol", False), "T": ("numeric-time", False), "e": ("echo", False), "j": ("json", False),
    "d": ("debug", True),
}  # fmt: skip


class BadOption(KubenetError):
    """What nft prints on standard error before it ends with 1."""


@dataclass
class Options:
    letters: set[str] = field(default_factory=set)
    file: str | None = None
    defines: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    debug: str = ""

    def __contains__(self, letter: str) -> bool:
        return letter in self.letters


def parse(argv: list[str]) -> Options:
    """The options of a command line; BadOption with nft's own sentence."""
    _in_front(argv)
    found = Options()
    at = 1
    while at < len(argv):
        word = argv[at]
        if word == "--":
            found.rest = argv[at + 1 :]
            break
        if not word.startswith("-") or word == "-":
            found.rest = argv[at:]
            break
        at = _long(argv, at, found) if word.startswith("--") else _short(argv, at, found)
    return found


def _long(argv: list[str], at: int, found: Options) -> int:
    name, equals, value = argv[at][2:].partition("=")
    matches = [letter for letter, (long, _) in OPTIONS.items() if long and long.startswith(name)]
    exact = [letter for letter, (long, _) in OPTIONS.items() if long == name]
    matches = exact or matches
    if not matches:
        raise BadOption(f"nft: unrecognized option '--{name}'")
    if len(matches) > 1:
        words = " ".join(f"'--{OPTIONS[letter][0]}'" for letter in matches)
        raise BadOption(f"nft: option '--{name}' is ambiguous; possibilities: {words}")
    letter = matches[0]
    if not OPTIONS[letter][1]:
        if equals:
            raise BadOption(f"nft: option '--{OPTIONS[letter][0]}' doesn't allow an argument")
        _set(found, letter, "")
        return at + 1
    if equals:
        _set(found, letter, value)
        return at + 1
    if at + 1 >= len(argv):
        raise BadOption(f"nft: option '--{OPTIONS[letter][0]}' requires an argument")
    _set(found, letter, argv[at + 1])
    return at + 2


def _short(argv: list[str], at: int, found: Options) -> int:
    word = argv[at]
    for place, letter in enumerate(word[1:], 1):
        if letter not in OPTIONS:
            raise BadOption(f"nft: invalid option -- '{letter}'")
        if not OPTIONS[letter][1]:
            _set(found, letter, "")
            continue
        if word[place + 1 :]:
            _set(found, letter, word[place + 1 :])
            return at + 1
        if at + 1 >= len(argv):
            raise BadOption(f"nft: option requires an argument -- '{letter}'")
        _set(found, letter, argv[at + 1])
        return at + 2
    return at + 1


def _set(found: Options, letter: str, value: str) -> None:
    found.letters.add(letter)
    if letter == "f":
        found.file = value
    elif letter == "D":
        found.defines.append(value)
    elif letter == "d":
        found.debug = value
    elif letter == "I":
        found.paths.append(value)


def _in_front(argv: list[str]) -> None:
    """Options behind the commands are a mistake of their own."""
    skip = False
    nonoption = 0
    for place, word in enumerate(argv[1:], 1):
        if skip:
            skip = False
            continue
        if word.startswith("-") and len(word) > 1 and (word[1].isalpha() or word.startswith("--")) and " " not in word:
            if nonoption:
                raise BadOption(_misplaced(argv, nonoption, place))
            if word == "--":
                return
            letter = word[-1] if not word.startswith("--") else ""
            skip = OPTIONS.get(letter, ("", False))[1] if letter else False
            if word.startswith("--") and "=" not in word:
                skip = any(takes for long, takes in OPTIONS.values() if long and long == word[2:])
            continue
        nonoption = nonoption or place


def _misplaced(argv: list[str], nonoption: int, place: int) -> str:
    line = " ".join(argv) + " "
    marks = ""
    for number, word in enumerate(argv):
        mark = "~" * len(word) if number == place else " " * len(word)
        if number == 0:
            mark = " " * len(word)
        marks += mark + " "
    before = len(argv[0])
    marks = " " * before + "^" + marks[before + 1 :]
    return f"Error: syntax error, options must be specified before commands\n{line}\0\n{marks.rstrip()}\n"
