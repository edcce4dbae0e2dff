"""What nft says of mistakes: a sentence, the line it is in, and marks under the place (erec_print())."""

from __future__ import annotations

import bisect
from typing import NamedTuple

from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.nf_tables.expressions import Loc


class Problem(NamedTuple):
    """One error. `kernel`: the transaction was refused, not the text. `places`: the first gets ^, others ~."""

    sentence: str
    places: tuple[Loc, ...] = ()
    kernel: bool = False
    #: Found while reading: said before what is found when the commands are looked at.
    reading: bool = False


class NftError(KubenetError):
    """A command that cannot be done; carries what to say."""

    def __init__(self, sentence: str, *places: Loc | None, kernel: bool = False, also: tuple[Problem, ...] = ()):
        super().__init__(sentence)
        #: What follows from it, said after it.
        self.also = also
        self.problem = Problem(sentence, tuple(place for place in places if place is not None), kernel)


class Unsupported(KubenetError):
    """What this kernel does not emulate; one line that begins with kubenet:."""


def misread(sentence: str, place: Loc | None) -> NftError:
    """A mistake that nft finds while it reads."""
    error = NftError(sentence, place)
    error.problem = error.problem._replace(reading=True)
    return error


def no_such(*places: Loc | None) -> NftError:
    return NftError("No such file or directory", *places)


def refused(reason: str, *places: Loc | None) -> NftError:
    """The kernel's answer to a message of the transaction."""
    return NftError(f"Could not process rule: {reason}", *places, kernel=True)


class Source(NamedTuple):
    """One text: its name ("" for the command line) and where its positions begin."""

    name: str
    text: str
    base: int


class Sources:
    """All texts of one run, in one space of positions."""

    def __init__(self) -> None:
        self.all: list[Source] = []

    def add(self, name: str, text: str) -> Source:
        last = self.all[-1] if self.all else None
        source = Source(name, text, last.base + len(last.text) + 1 if last is not None else 0)
        self.all.append(source)
        return source

    def of(self, position: int) -> Source:
        at = bisect.bisect_right([source.base for source in self.all], position) - 1
        return self.all[max(at, 0)]

    def shown(self, problem: Problem) -> str:
        """The lines that nft prints for it."""
        if not problem.places:
            return problem.sentence if problem.sentence.startswith("netlink: ") else f"Error: {problem.sentence}"
        start, end = problem.places[0]
        source = self.of(start)
        text = source.text
        at = start - source.base
        if at >= len(text):
            line, number, left = _last_line(text), text.count("\n") + 1, at
            first = last = 1 if text.endswith("\n") or not text else len(line) + 1
        else:
            left = text.rfind("\n", 0, at) + 1
            line = text[left:].partition("\n")[0]
            number = text.count("\n", 0, at) + 1
            first, last = at - left + 1, max(end - source.base - left, at - left + 1)
        prefix = f"{source.name}:{number}:{first}-{last}: " if source.name else ""
        if at >= len(text):
            marks = " " * (first - 1) + "^"
        else:
            marks = _marks(line, [(s - source.base - left, e - source.base - left) for s, e in problem.places])
        return f"{prefix}Error: {problem.sentence}\n{line}\n{marks}"


def _last_line(text: str) -> str:
    return text.rstrip("\n").rpartition("\n")[2]


def _marks(line: str, spans: list[tuple[int, int]]) -> str:
    width = max(max(end for _, end in spans), 1)
    row = ["\t" if letter == "\t" else " " for letter in line[:width].ljust(width)]
    for number, (start, end) in reversed(list(enumerate(spans))):
        for at in range(max(start, 0), max(end, start + 1)):
            if at < len(row):
                row[at] = "^" if number == 0 else "~"
    return "".join(row).rstrip() or "^"
