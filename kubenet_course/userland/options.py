"""Command line options as GNU getopt_long reads them, with its error messages.

    options, operands = parse(argv, "an:", {"all": "a", "lines=": "n"})

A letter with ``:`` takes an argument, with ``::`` an optional one joined to it; a long name with
``=`` takes one, with ``=?`` an optional one. Options come back as (letter or long name, value).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

Options = list[tuple[str, str]]


class OptionError(Exception):
    """The command line is wrong; `message` begins after the program's name and colon."""

    def __init__(self, message: str, unsupported: bool = False):
        super().__init__(message)
        self.message = message
        self.unsupported = unsupported

    def report(self, proc: Process, name: str, status: int = 1, hint: str | None = None) -> int:
        """Say it as the program would; returns `status`."""
        if self.unsupported:
            proc.error(f"kubenet: {name}: {self.message}")
            return status or 1
        proc.error(f"{name}: {self.message}")
        proc.error(hint if hint is not None else f"Try '{name} --help' for more information.")
        return status


def parse(
    argv: list[str],
    short: str,
    long: dict[str, str] | None = None,
    *,
    permute: bool = True,
    unsupported: str = "",
) -> tuple[Options, list[str]]:
    """(options in order, operands); raises OptionError.

    `unsupported` are letters that the real program has and this one has not.
    """
    names = dict(long or {})
    names.setdefault("help", "help")
    names.setdefault("version", "version")
    words = argv[1:]
    options: Options = []
    operands: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            operands += words
            break
        if word.startswith("--"):
            _long(word, words, names, options)
        elif word.startswith("-") and len(word) > 1:
            _short(word, words, short, unsupported, options)
        else:
            operands.append(word)
            if not permute:
                operands += words
                break
    for name, _ in options:
        if name in ("help", "version") and names.get(name) == name:
            raise OptionError(f"--{name} is not emulated; `man {argv[0]}` has the real text", True)
    return options, operands


def _long(word: str, words: list[str], names: dict[str, str], options: Options) -> None:
    given, equals, value = word[2:].partition("=")
    bare = {name.rstrip("?").rstrip("="): name for name in names}
    found = [given] if given in bare else [name for name in bare if name.startswith(given)]
    targets = {names[bare[name]] for name in found}
    if not found or not given:
        raise OptionError(
            f"unrecognized option '--{given}{equals}{value}'" if not found else "unrecognized option '--'"
        )
    if len(targets) > 1:
        listed = " ".join(f"'--{name}'" for name in found)
        raise OptionError(f"option '--{given}' is ambiguous; possibilities: {listed}")
    name = bare[found[0]]
    if name.endswith("=?"):
        options.append((names[name], value))
    elif name.endswith("="):
        if not equals:
            if not words:
                raise OptionError(f"option '--{found[0]}' requires an argument")
            value = words.pop(0)
        options.append((names[name], value))
    elif equals:
        raise OptionError(f"option '--{found[0]}' doesn't allow an argument")
    else:
        options.append((names[name], ""))


def _short(word: str, words: list[str], short: str, unsupported: str, options: Options) -> None:
    at = 1
    while at < len(word):
        letter = word[at]
        at += 1
        where = short.find(letter) if letter != ":" else -1
        if where < 0:
            if letter in unsupported:
                raise OptionError(f"option -{letter} is not emulated", True)
            raise OptionError(f"invalid option -- '{letter}'")
        if short[where + 1 : where + 3] == "::":
            options.append((letter, word[at:]))
            return
        if short[where + 1 : where + 2] == ":":
            if at < len(word):
                options.append((letter, word[at:]))
            elif words:
                options.append((letter, words.pop(0)))
            else:
                raise OptionError(f"option requires an argument -- '{letter}'")
            return
        options.append((letter, ""))


def letters(options: Options) -> set[str]:
    """The options without their values."""
    return {name for name, _ in options}


def value(options: Options, name: str, default: str | None = None) -> str | None:
    """The last value given to an option."""
    found = default
    for known, text in options:
        if known == name:
            found = text
    return found


def missing_operand(
    proc: Process, name: str, after: str | None = None, status: int = 1, kind: str = "operand"
) -> int:
    """``missing operand``, with the hint."""
    from kubenet_course.userland.quoting import quote

    if after is None:
        proc.error(f"{name}: missing {kind}")
    else:
        proc.error(f"{name}: missing {kind} after {quote(after)}")
    proc.error(f"Try '{name} --help' for more information.")
    return status


def extra_operand(proc: Process, name: str, word: str, status: int = 1) -> int:
    """``extra operand ‘x’``, with the hint."""
    from kubenet_course.userland.quoting import quote

    proc.error(f"{name}: extra operand {quote(word)}")
    proc.error(f"Try '{name} --help' for more information.")
    return status
