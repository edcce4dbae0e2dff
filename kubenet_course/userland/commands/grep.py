"""grep, egrep, fgrep: print lines that match (GNU grep 3.8)."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory
from kubenet_course.userland.files.pattern import matches
from kubenet_course.userland.files_io import decode, encode, open_input
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.regex import basic, extended
from kubenet_course.userland.streams import Reader

NAMES = ("grep", "egrep", "fgrep")
LONG = {
    "after-context=": "A", "before-context=": "B", "context=": "C", "count": "c", "color=?": "color",
    "colour=?": "color", "extended-regexp": "E", "regexp=": "e", "fixed-strings": "F", "file=": "f",
    "basic-regexp": "G", "with-filename": "H", "no-filename": "h", "ignore-case": "i", "no-ignore-case": "ni",
    "files-without-match": "L", "files-with-matches": "l", "max-count=": "m", "line-number": "n",
    "only-matching": "o", "perl-regexp": "P", "quiet": "q", "silent": "q", "recursive": "r",
    "dereference-recursive": "R", "no-messages": "s", "invert-match": "v", "word-regexp": "w",
    "line-regexp": "x", "include=": "include", "exclude=": "exclude", "exclude-dir=": "exclude-dir",
    "line-buffered": "lb", "text": "a", "byte-offset": "b", "null": "Z", "no-group-separator": "ngs",
    "binary-files=": "bf", "initial-tab": "T", "label=": "label",
}  # fmt: skip
USAGE = "Usage: {0} [OPTION]... PATTERNS [FILE]...\nTry '{0} --help' for more information."


@dataclass
class _Search:
    proc: Process
    program: str
    flags: set[str]
    pattern: re.Pattern[str]
    word: bool
    before: int = 0
    after: int = 0
    most: int | None = None
    names: bool = False
    label: str = "(standard input)"
    found: bool = False
    failed: bool = False
    separated: bool = False
    dotted: bool = True
    offset: int = 0
    start: int = 0
    patterns: dict[str, list[str]] = field(default_factory=dict)

    def complain(self, message: str) -> None:
        self.failed = True
        if "s" not in self.flags:
            self.proc.error(f"{self.program}: {message}")

    # -- matching ---------------------------------------------------------------------------
    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the line matches."""
        found = []
        for match in self.pattern.finditer(text):
            if not self.word or _is_word(text, match.start(), match.end()):
                found.append(match.span())
        return found

    def matches(self, text: str) -> bool:
        if not self.word:
            return self.pattern.search(text) is not None
        at = 0
        while at <= len(text):
            match = self.pattern.search(text, at)
            if match is None:
                return False
            if _is_word(text, match.start(), match.end()):
                return True
            end = match.end() - 1
            while end > match.start():
                shorter = self.pattern.fullmatch(text, match.start(), end)
                if shorter and _is_word(text, match.start(), end):
                    return True
                end -= 1
            at = match.start() + 1
        return False

    # -- files ------------------------------------------------------------------------------
    async def path(self, name: str, top: bool) -> None:
        """Search an operand; with -r a whole tree."""
        files, proc = self.proc.files, self.proc
        if name != "-":
            try:
                node = files.node(name, None, proc)
            except KernelError as error:
                self.complain(f"{name}: {error.strerror}")
                return
            if isinstance(node, Directory):
                if self.flags & {"r", "R"}:
                    await self._tree(name, node)
                elif "d" not in self.flags:
                    if "s" not in self.flags:
                        self.proc.error(f"{self.program}: {name}: Is a directory")
                return
            if not self._wanted(name, top):
                return
        try:
            await self.file(name, open_input(proc, name))
        except KernelError as error:
            self.complain(f"{name}: {error.strerror}")

    async def _tree(self, name: str, node: Directory) -> None:
        for child in node.names(self.proc):
            path = f"{name.rstrip('/')}/{child}" if name != "." or self.dotted else child
            link = self.proc.files.islink(path, self.proc)
            if link and "R" not in self.flags:
                continue
            if any(matches(child, one) for one in self.patterns.get("exclude-dir", ())):
                if self.proc.files.isdir(path, self.proc):
                    continue
            if not self.proc.files.isdir(path, self.proc) and not self.proc.files.isfile(path, self.proc):
                continue
            await self.path(path, False)

    def _wanted(self, name: str, top: bool) -> bool:
        base = name.rpartition("/")[2]
        include, exclude = self.patterns.get("include", []), self.patterns.get("exclude", [])
        if any(matches(base, one) for one in exclude):
            return False
        return not include or top or any(matches(base, one) for one in include)

    async def file(self, name: str, reader: Reader) -> None:
        flags = self.flags
        shown = self.label if name == "-" else name
        count = number = 0
        self.offset = 0
        waiting: deque[tuple[int, bytes]] = deque(maxlen=self.before or 1)
        tail = 0
        last = 0
        invert = "v" in flags
        quiet = flags & {"q", "l", "L", "c"}
        while line := await reader.readline():
            number += 1
            body = line[:-1] if line.endswith(b"\n") else line
            text = decode(body)
            self.offset, start = self.offset + len(line), self.offset
            self.start = start
            if self.matches(text) == invert:
                if tail:
                    tail -= 1
                    self.show(shown, number, body, "-")
                    last = number
                elif self.before:
                    waiting.append((number, body))
                continue
            if self.most is not None and count >= self.most:
                break
            count += 1
            self.found = True
            if "q" in flags:
                return
            if flags & {"l", "L"}:
                break
            if not quiet:
                if b"\0" in body and "a" not in flags and "bf" not in flags:
                    self.proc.error(f"{self.program}: {shown}: binary file matches")
                    return
                self._context(shown, number, waiting, last)
                self._hit(shown, number, body, text)
                last = number
                tail = self.after
            if self.most is not None and count >= self.most and not tail:
                break
        self._summary(shown, count)

    def _context(self, shown: str, number: int, waiting: deque[tuple[int, bytes]], last: int) -> None:
        kept = list(waiting) if self.before else []
        waiting.clear()
        if self.before or self.after:
            first = kept[0][0] if kept else number
            if (self.separated or last) and first > last + 1 and "ngs" not in self.flags:
                self.proc.print("--")
            self.separated = True
        for at, body in kept:
            self.show(shown, at, body, "-")

    def _hit(self, shown: str, number: int, body: bytes, text: str) -> None:
        if "o" not in self.flags:
            self.show(shown, number, body, ":")
            return
        if "v" in self.flags:
            return
        for start, end in self.spans(text):
            if end > start:
                self.show(shown, number, encode(text[start:end]), ":", len(encode(text[:start])))

    def show(self, shown: str, number: int, body: bytes, mark: str, within: int = 0) -> None:
        if "o" in self.flags and mark == "-":
            return
        head = f"{shown}{mark}" if self.names else ""
        head += f"{number}{mark}" if "n" in self.flags else ""
        head += f"{self.start + within}{mark}" if "b" in self.flags else ""
        self.proc.stdout.write(encode(head) + body + b"\n")

    def _summary(self, shown: str, count: int) -> None:
        flags = self.flags
        end = "\0" if "Z" in flags else "\n"
        if "l" in flags:
            if count:
                self.proc.print(shown, end=end)
        elif "L" in flags:
            if not count:
                self.proc.print(shown, end=end)
        elif "c" in flags and "q" not in flags:
            self.proc.print(f"{shown + ':' if self.names else ''}{count}")


def _is_word(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")


def _compile(patterns: list[str], kind: str, flags: set[str]) -> re.Pattern[str]:
    """One regular expression of all patterns; ValueError with glibc's message."""
    if kind == "F":
        parts = [re.escape(one) for one in patterns]
    elif kind == "P":
        parts = patterns
    else:
        for one in patterns:
            if re.search(r"(?<!\[)\[:[a-z]+:\](?!\])", one):
                raise ValueError("character class syntax is [[:space:]], not [:space:]")
            if re.search(r"(?<!\\)\[$", one) and "]" not in one:
                raise ValueError("Invalid regular expression")
        parts = [(extended if kind == "E" else basic)(one) for one in patterns]
    if len(parts) > 1:
        parts = sorted(parts, key=len, reverse=True) if kind == "F" else parts
        whole = "|".join(f"(?:{part})" for part in parts)
    else:
        whole = parts[0] if parts else "(?!)"
    if "x" in flags:
        whole = rf"\A(?:{whole})\Z"
    try:
        return re.compile(whole, re.I if "i" in flags else 0)
    except (re.error, OverflowError) as error:
        raise ValueError(str(error)) from None


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    short = "A:B:C:cEe:Ff:GHhiLlm:noPqRrsvwxaybUZIzTD:d:"
    words = [argv[0]]
    for at, word in enumerate(argv[1:], 1):
        previous = argv[at - 1] if at > 1 else ""
        if re.fullmatch(r"-\d+", word) and previous not in ("-A", "-B", "-C", "-m", "-e"):
            words += ["-C", word[1:]]
        else:
            words.append(word)
    try:
        options, names = parse(words, short, LONG)
    except OptionError as error:
        return error.report(proc, argv[0], 2, USAGE.format(argv[0]))
    flags = letters(options)
    if "y" in flags:
        flags.add("i")
    for one in "zT":
        if one in flags:
            proc.error(f"kubenet: {argv[0]}: option -{one} is not emulated")
            return 2
    patterns = await _patterns(proc, argv[0], options, names)
    if patterns is None:
        return 2
    kind = {"egrep": "E", "fgrep": "F"}.get(program, "G")
    for name, _ in options:
        if name in "EFGP" and len(name) == 1:
            kind = name
    if kind == "E":
        for one in patterns:
            if one[:1] in ("*", "+", "?") and one:
                proc.error(f"{argv[0]}: warning: {one[0]} at start of expression")
    try:
        pattern = _compile(patterns, kind, flags)
    except ValueError as error:
        proc.error(f"{argv[0]}: {error}")
        return 2
    search = _Search(proc, argv[0], flags, pattern, "w" in flags and "x" not in flags)
    status = _numbers(search, options)
    if status:
        return status
    for name, text in options:
        if name in ("include", "exclude", "exclude-dir"):
            search.patterns.setdefault(name, []).append(text)
    search.label = value(options, "label") or search.label
    recursive = bool(flags & {"r", "R"})
    if not names and recursive:
        names = ["."]
        search.dotted = False
    search.names = (
        "H" in flags or len(names) > 1 or (recursive and any(proc.files.isdir(name, proc) for name in names))
    ) and "h" not in flags
    for name in names or ["-"]:
        await search.path(name, True)
        if search.found and "q" in flags:
            return 0
    if search.failed:
        return 2
    return int(not search.found)


def _numbers(search: _Search, options: list[tuple[str, str]]) -> int:
    for name, text in options:
        if name in ("A", "B", "C"):
            if not text.isdecimal():
                search.proc.error(f"{search.program}: {text}: invalid context length argument")
                return 2
            if name in ("A", "C"):
                search.after = int(text)
            if name in ("B", "C"):
                search.before = int(text)
        elif name == "m":
            if not re.fullmatch(r"-?\d+", text):
                search.proc.error(f"{search.program}: invalid max count")
                return 2
            search.most = int(text) if int(text) >= 0 else None
    return 0


async def _patterns(
    proc: Process, program: str, options: list[tuple[str, str]], names: list[str]
) -> list[str] | None:
    given: list[str] = []
    explicit = False
    for name, text in options:
        if name == "e":
            explicit = True
            given += text.split("\n")
        elif name == "f":
            explicit = True
            try:
                data = decode(await open_input(proc, text).read())
            except KernelError as error:
                proc.error(f"{program}: {text}: {error.strerror}")
                return None
            given += data.removesuffix("\n").split("\n") if data else []
    if explicit:
        return given
    if not names:
        proc.error(USAGE.format(program))
        return None
    return names.pop(0).split("\n")
