"""find: walk directories and act on what matches (the parts of GNU findutils that labs use)."""

from __future__ import annotations

import re
import stat as _stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory, Node
from kubenet_course.userland.files.pattern import compile_pattern
from kubenet_course.userland.owners import user_number
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

KINDS = {"f": _stat.S_IFREG, "d": _stat.S_IFDIR, "l": _stat.S_IFLNK, "c": _stat.S_IFCHR, "b": _stat.S_IFBLK,
         "p": _stat.S_IFIFO, "s": _stat.S_IFSOCK}  # fmt: skip


@dataclass
class Visit:
    """One file on the way."""

    path: str
    name: str
    node: Node
    depth: int
    root: str
    prune: bool = False


Test = Callable[[Visit], Awaitable[bool]]


class FindError(Exception):
    """The expression is wrong."""


class _Quit(Exception):
    pass


@dataclass
class _Finder:
    proc: Process
    program: str
    follow: bool = False
    least: int = 0
    most: int = 10**9
    depth_first: bool = False
    acts: bool = False
    status: int = 0
    batches: list[tuple[list[str], list[str]]] = field(default_factory=list)

    # -- walking ----------------------------------------------------------------------------
    async def walk(self, root: str, test: Test) -> None:
        try:
            node = self.proc.files.node(root, None, self.proc, follow=self.follow)
        except KernelError as error:
            self.proc.error(f"{self.program}: {quote(root)}: {error.strerror}")
            self.status = 1
            return
        name = root.rstrip("/").rpartition("/")[2] or root
        await self._visit(Visit(root, name, node, 0, root), test)

    async def _visit(self, visit: Visit, test: Test) -> None:
        if not self.depth_first and visit.depth >= self.least:
            await test(visit)
        if isinstance(visit.node, Directory) and visit.depth < self.most and not visit.prune:
            for name in visit.node.names(self.proc):
                path = f"{visit.path}{'' if visit.path.endswith('/') else '/'}{name}"
                try:
                    node = self.proc.files.node(path, None, self.proc, follow=False)
                    if self.follow:
                        node = self.proc.files.node(path, None, self.proc)
                except KernelError:
                    continue
                await self._visit(Visit(path, name, node, visit.depth + 1, visit.root), test)
        if self.depth_first and visit.depth >= self.least:
            await test(visit)


class _Parser:
    """``( a -o b ) ! c -print``: or binds weakest, then and."""

    def __init__(self, finder: _Finder, words: list[str]):
        self.finder = finder
        self.words = words
        self.at = 0

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def argument(self, name: str) -> str:
        if self.at >= len(self.words):
            raise FindError(f"missing argument to `{name}'")
        self.at += 1
        return self.words[self.at - 1]

    def expression(self) -> Test:
        left = self.conjunction()
        while self.peek() in ("-o", "-or"):
            self.at += 1
            left = _either(left, self.conjunction())
        return left

    def conjunction(self) -> Test:
        left = self.negation()
        while True:
            word = self.peek()
            if word in ("-a", "-and"):
                self.at += 1
            elif word is None or word in ("-o", "-or", ")"):
                return left
            left = _both(left, self.negation())

    def negation(self) -> Test:
        if self.peek() in ("!", "-not"):
            self.at += 1
            return _negate(self.negation())
        if self.peek() == "(":
            self.at += 1
            inner = self.expression()
            if self.peek() != ")":
                raise FindError(
                    "invalid expression; I was expecting to find a ')' somewhere but did not see one."
                )
            self.at += 1
            return inner
        return self.primary()

    def primary(self) -> Test:
        word = self.peek()
        if word is None:
            raise FindError("invalid expression; you have used a binary operator with nothing after it.")
        self.at += 1
        if word == ")":
            raise FindError("invalid expression; you have too many ')'")
        if not word.startswith("-"):
            raise FindError(f"paths must precede expression: `{word}'")
        test = _simple(self, word)
        if test is not None:
            return test
        action = _action(self, word)
        if action is not None:
            return action
        raise FindError(f"unknown predicate `{word}'")


def _either(left: Test, right: Test) -> Test:
    async def test(visit: Visit) -> bool:
        return await left(visit) or await right(visit)

    return test


def _both(left: Test, right: Test) -> Test:
    async def test(visit: Visit) -> bool:
        return await left(visit) and await right(visit)

    return test


def _negate(inner: Test) -> Test:
    async def test(visit: Visit) -> bool:
        return not await inner(visit)

    return test


def _check(check: Callable[[Visit], object]) -> Test:
    async def test(visit: Visit) -> bool:
        return bool(check(visit))

    return test


def _always(action: Callable[[Visit], object]) -> Test:
    """An action that succeeds."""

    async def test(visit: Visit) -> bool:
        action(visit)
        return True

    return test


def _compare(text: str, name: str) -> Callable[[int], bool]:
    match = re.fullmatch(r"([+-]?)(\d+)", text)
    if match is None:
        raise FindError(f"invalid argument `{text}' to `{name}'")
    number = int(match[2])
    return {"+": lambda n: n > number, "-": lambda n: n < number, "": lambda n: n == number}[match[1]]


def _simple(parser: _Parser, word: str) -> Test | None:
    """A test that looks at the file only."""
    finder, proc = parser.finder, parser.finder.proc
    if word in ("-name", "-iname", "-path", "-ipath", "-wholename"):
        pattern = compile_pattern(parser.argument(word), False, word.startswith("-i"))
        if word.endswith("name") and "whole" not in word:
            return _check(lambda visit: pattern.fullmatch(visit.name))
        return _check(lambda visit: pattern.fullmatch(visit.path))
    if word in ("-type", "-xtype"):
        kinds = parser.argument(word)
        for kind in kinds.split(","):
            if kind not in KINDS:
                raise FindError(f"Unknown argument to {word}: {kind}")
        wanted = {KINDS[kind] for kind in kinds.split(",")}
        return _check(lambda visit: visit.node.kind in wanted)
    if word in ("-maxdepth", "-mindepth"):
        text = parser.argument(word)
        if not text.isdecimal():
            raise FindError(f"Expected a positive decimal integer argument to {word}, but got {quote(text)}")
        if word == "-maxdepth":
            finder.most = int(text)
        else:
            finder.least = int(text)
        return _check(lambda visit: True)
    if word in ("-true", "-false"):
        return _check(lambda visit: word == "-true")
    if word in ("-depth", "-xdev", "-mount", "-noleaf"):
        finder.depth_first = finder.depth_first or word == "-depth"
        return _check(lambda visit: True)
    if word == "-empty":
        return _check(
            lambda visit: (
                not (visit.node.names(proc) if isinstance(visit.node, Directory) else visit.node.size(proc))
            )
        )
    if word in ("-executable", "-readable", "-writable"):
        return _check(
            lambda visit: (
                word != "-executable" or visit.node.mode & 0o111 or isinstance(visit.node, Directory)
            )
        )
    return _measured(parser, word)


def _measured(parser: _Parser, word: str) -> Test | None:
    proc = parser.finder.proc
    now = proc.system.files.now()
    if word == "-size":
        text = parser.argument(word)
        unit = text[-1:] if text[-1:] in "cwbkMG" and text else "b"
        size = {"c": 1, "w": 2, "b": 512, "k": 1024, "M": 1 << 20, "G": 1 << 30}[unit]
        compare = _compare(text.rstrip("cwbkMG"), word)
        return _check(lambda visit: compare(-(-visit.node.size(proc) // size)))
    if word in ("-mtime", "-mmin", "-atime", "-ctime"):
        compare = _compare(parser.argument(word), word)
        span = (60 if word == "-mmin" else 86400) * 10**9
        return _check(lambda visit: compare((now - visit.node.mtime) // span))
    if word == "-newer":
        reference = parser.argument(word)
        try:
            mtime = proc.files.stat(reference, proc).mtime
        except KernelError as error:
            raise FindError(f"{quote(reference)}: {error.strerror}") from None
        return _check(lambda visit: visit.node.mtime > mtime)
    if word == "-perm":
        text = parser.argument(word)
        digits = text.lstrip("-/")
        if not re.fullmatch(r"[0-7]{1,4}", digits):
            raise FindError(f"invalid mode {quote(text)}")
        bits = int(digits, 8)
        if text[0] == "-":
            return _check(lambda visit: visit.node.mode & bits == bits)
        if text[0] == "/":
            return _check(lambda visit: visit.node.mode & bits or not bits)
        return _check(lambda visit: visit.node.mode == bits)
    if word == "-user":
        name = parser.argument(word)
        uid = user_number(proc, name)
        if uid is None:
            raise FindError(f"{quote(name)} is not the name of a known user")
        return _check(lambda visit: visit.node.uid == uid)
    if word in ("-regex", "-iregex"):
        from kubenet_course.userland.regex import basic

        try:
            regex = re.compile(basic(parser.argument(word)), re.I if word == "-iregex" else 0)
        except (ValueError, re.error) as error:
            raise FindError(str(error)) from None
        return _check(lambda visit: regex.fullmatch(visit.path))
    return None


def _action(parser: _Parser, word: str) -> Test | None:
    finder, proc = parser.finder, parser.finder.proc
    finder.acts = finder.acts or word != "-prune"
    if word in ("-print", "-print0"):
        end = "\n" if word == "-print" else "\0"
        return _always(lambda visit: proc.print(visit.path, end=end))
    if word == "-prune":

        def prune(visit: Visit) -> bool:
            visit.prune = True
            return True

        return _check(prune)
    if word == "-quit":

        async def quit_(visit: Visit) -> bool:
            raise _Quit

        return quit_
    if word == "-delete":
        finder.depth_first = True
        return _check(lambda visit: _delete(finder, visit))
    if word == "-ls":
        raise FindError("kubenet: -ls is not emulated")
    if word == "-printf":
        form = parser.argument(word)
        return _always(lambda visit: proc.print(_format(proc, visit, form), end=""))
    if word in ("-exec", "-execdir", "-ok"):
        return _exec(parser, word)
    finder.acts = False
    return None


def _delete(finder: _Finder, visit: Visit) -> bool:
    proc = finder.proc
    if visit.path == ".":
        return True
    try:
        if isinstance(visit.node, Directory):
            proc.files.rmdir(visit.path, proc)
        else:
            proc.files.remove(visit.path, proc)
    except KernelError as error:
        proc.error(f"{finder.program}: cannot delete {quote(visit.path)}: {error.strerror}")
        finder.status = 1
        return False
    return True


def _format(proc: Process, visit: Visit, form: str) -> str:
    from kubenet_course.userland.owners import group_name, user_name

    node = visit.node
    relative = visit.path[len(visit.root) :].lstrip("/")
    head = visit.path.rpartition("/")[0] if "/" in visit.path else "."
    letter = next((key for key, kind in KINDS.items() if kind == node.kind), "f")
    values = {
        "p": visit.path, "f": visit.name, "h": head, "P": relative, "s": str(node.size(proc)), "y": letter,
        "d": str(visit.depth), "m": f"{node.mode:o}", "M": _stat.filemode(node.kind | node.mode),
        "i": str(node.ino),
        "u": user_name(proc, node.uid), "g": group_name(proc, node.gid), "%": "%", "H": visit.root,
        "l": node.readlink(proc) if node.kind == _stat.S_IFLNK else "", "n": str(node.nlink),  # type: ignore[attr-defined]
    }  # fmt: skip
    escapes = {
        "n": "\n",
        "t": "\t",
        "\\": "\\",
        "0": "\0",
        "a": "\a",
        "b": "\b",
        "f": "\f",
        "r": "\r",
        "v": "\v",
    }

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return escapes.get(match[1], "\\" + match[1])
        text = values.get(match[3], match[0])
        return (
            f"{text:{match[2].replace('-', '<') if '-' in match[2] else '>' + match[2]}}"
            if match[2]
            else text
        )

    return re.sub(r"\\(.)|%(-?\d{0,4})(.)", one, form)


def _exec(parser: _Parser, word: str) -> Test:
    finder = parser.finder
    command: list[str] = []
    while True:
        piece = parser.argument(word)
        if piece == ";" or (piece == "+" and command[-1:] == ["{}"]):
            break
        command.append(piece)
    if not command:
        raise FindError(f"missing argument to `{word}'")
    if piece == "+":
        batch: list[str] = []
        finder.batches.append((command[:-1], batch))
        return _always(lambda visit: batch.append(visit.path))

    async def test(visit: Visit) -> bool:
        name = visit.path if word != "-execdir" else f"./{visit.name}"
        argv = [piece.replace("{}", name) for piece in command]
        return await _run(finder, argv) == 0

    return test


async def _run(finder: _Finder, argv: list[str]) -> int:
    try:
        child = finder.proc.spawn(argv)
    except KernelError as error:
        finder.proc.error(f"{finder.program}: {quote(argv[0])}: {error.strerror}")
        return 1
    return await child.exited


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    finder = _Finder(proc, argv[0])
    while words and words[0] in ("-H", "-L", "-P"):
        finder.follow = words.pop(0) == "-L"
    paths: list[str] = []
    while words and not words[0].startswith("-") and words[0] not in ("(", "!", ")"):
        paths.append(words.pop(0))
    try:
        test: Test = _check(lambda visit: True)
        if words:
            parser = _Parser(finder, words)
            test = parser.expression()
            if parser.peek() is not None:
                raise FindError("invalid expression; you have too many ')'")
    except FindError as error:
        message = str(error)
        prefix = "" if message.startswith("kubenet:") else f"{argv[0]}: "
        proc.error(prefix + message)
        return 1
    except RecursionError:
        proc.error(f"kubenet: {argv[0]}: the expression is nested too deeply")
        return 1
    if not finder.acts:
        test = _both(test, _always(lambda visit: proc.print(visit.path)))
    try:
        for path in paths or ["."]:
            await finder.walk(path, test)
    except _Quit:
        await proc.sleep(0)
    for command, batch in finder.batches:
        if batch and await _run(finder, command + batch):
            finder.status = 1
    return finder.status
