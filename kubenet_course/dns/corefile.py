"""The Corefile's language: server blocks, directives, snippets, imports, environment variables.

    (logging) {
        errors
        log
    }
    example.org:1053 {
        import logging
        file /etc/zones/example.org
        forward . {$UPSTREAM} {
            policy sequential
        }
    }

The grammar is Caddy's (version 1), as CoreDNS uses it: `parse()` gives the blocks in order, each
with its keys and, per directive, its tokens. Errors are CorefileError with CoreDNS' words, file and
line.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kubenet_course.errors import KubenetError

#: How many imports of snippets, and of files, one Corefile may need.
MAX_EXPANSIONS = 1000


class CorefileError(KubenetError):
    """A Corefile cannot be understood; the text is what CoreDNS prints."""


class Token(NamedTuple):
    file: str
    line: int
    text: str

    @property
    def last_line(self) -> int:
        """Where it ends: a quoted string may go over several lines."""
        return self.line + self.text.count("\n")


@dataclass
class ServerBlock:
    """`keys` as written; `directives` maps a plugin's name to its tokens, name first, all uses in a row."""

    keys: list[str] = field(default_factory=list)
    directives: dict[str, list[Token]] = field(default_factory=dict)


class Files:
    """How imports are read: `read(path)` gives text or None, `glob(pattern)` paths; `cwd` is where names begin."""

    def __init__(
        self,
        read: Callable[[str], str | None],
        glob: Callable[[str], list[str]],
        warn: Callable[[str], None] | None = None,
        cwd: str = "",
        problem: Callable[[str], str] = lambda _: "no such file or directory",
    ):
        self.read = read
        self.glob = glob
        self.warn = warn
        self.cwd = cwd
        self.problem = problem


def same_line(here: Token, after: Token) -> bool:
    """Whether `after` continues the line of `here` (Dispenser.NextArg)."""
    return (here.file, here.last_line) == (after.file, after.line)


def tokenize(text: str, file: str = "Corefile") -> list[Token]:
    """Words and quoted strings with their lines (lexer.next).

    A `#` begins a comment, also inside of a word; one that follows a word at once ends with the next white space,
    any other with the line.
    """
    tokens: list[Token] = []
    word = ""
    line = start = 1
    quoted = escaped = comment = False
    for letter in text.removeprefix("\ufeff"):
        if quoted:
            line += letter == "\n"
            if not escaped and letter == "\\":
                escaped = True
            elif not escaped and letter == '"':
                quoted = False
                tokens.append(Token(file, start, word))
                word = ""
            else:
                word += "\\" + letter if escaped and letter != '"' else letter
                escaped = False
        elif letter.isspace():
            if letter == "\r":
                continue
            if letter == "\n":
                line += 1
                comment = False
            if word:
                tokens.append(Token(file, start, word))
                word, comment = "", False
        elif letter == "#" or comment:
            comment = True
        elif letter == '"' and not word:
            quoted, start = True, line
        else:
            start = start if word else line
            word += letter
    if word:
        tokens.append(Token(file, start, word))
    return tokens


class Parser:
    """Recursive descent over the tokens, as caddyfile.parser does it."""

    def __init__(self, tokens: Sequence[Token], files: Files, environment: Mapping[str, str], known: Sequence[str] | None):
        self.tokens = list(tokens)
        self.position = -1
        self.files = files
        self.environment = environment
        self.known = known
        self.snippets: dict[str, list[Token]] = {}
        self.expansions = {"snippet": 0, "file": 0}
        self.block = ServerBlock()
        self.at_end = False

    # -- the cursor -------------------------------------------------------------------------
    @property
    def token(self) -> Token:
        if 0 <= self.position < len(self.tokens):
            return self.tokens[self.position]
        return Token(self.tokens[-1].file if self.tokens else "", 0, "")

    @property
    def text(self) -> str:
        return self.token.text

    def next(self) -> bool:
        if self.position < len(self.tokens) - 1:
            self.position += 1
            return True
        return False

    def _new_line(self) -> bool:
        """Whether the current token is on a later line than the one before, or in another file (Dispenser.isNewLine)."""
        if self.position < 1:
            return True
        before = self.tokens[self.position - 1]
        return before.file != self.token.file or before.last_line < self.token.line

    def next_argument(self) -> bool:
        if self.position + 1 >= len(self.tokens) or not same_line(self.token, self.tokens[self.position + 1]):
            return False
        self.position += 1
        return True

    def error(self, message: str) -> CorefileError:
        return CorefileError(f"{self.token.file}:{self.token.line} - Error during parsing: {message}")

    def syntax_error(self, expected: str) -> CorefileError:
        where = f"{self.token.file}:{self.token.line}"
        return CorefileError(f"{where} - Syntax error: Unexpected token '{self.text}', expecting '{expected}'")

    # -- the grammar ------------------------------------------------------------------------
    def parse(self) -> list[ServerBlock]:
        blocks = []
        while self.next():
            self.block = ServerBlock()
            self.at_end = False
            self._block()
            if self.block.keys:
                blocks.append(self.block)
        return blocks

    def _block(self) -> None:
        self._addresses()
        if self.at_end:
            return
        name = self._snippet_name()
        if name is not None:
            if name in self.snippets:
                raise self.error(f"redeclaration of previously declared snippet {name}")
            self._add_snippet(name)
            self.block.keys = []
            return
        self._contents()

    def _addresses(self) -> None:
        expecting = False
        while True:
            text = replace_environment(self.text, self.environment)
            if text == "import" and self._new_line():
                self._import()
                continue
            if text == "{":
                if expecting:
                    raise self.error(f"Expected another address but had '{text}' - check for extra comma")
                return
            if text:
                expecting = text.endswith(",")
                self.block.keys.append(text.removesuffix(","))
            more = self.next()
            if expecting and not more:
                raise self.error("Unexpected EOF")
            if not more:
                self.at_end = True
                return
            if not expecting and self._new_line():
                return

    def _contents(self) -> None:
        braces = self.text == "{"
        if not braces:
            self.position -= 1
        self._directives()
        if braces and self.text != "}":
            raise self.syntax_error("}")

    def _directives(self) -> None:
        while self.next():
            if self.text == "}":
                return
            if self.text == "import":
                self._import()
                self.position -= 1
                continue
            self._directive()

    def _directive(self) -> None:
        name = replace_environment(self.text, self.environment)
        if self.known is not None and name not in self.known:
            raise self.error(f"Unknown directive '{name}'")
        found = self.block.directives.setdefault(name, [])
        found.append(self.token)
        nesting = 0
        while self.next():
            text = self.text
            if text == "{":
                nesting += 1
            elif self._new_line() and nesting == 0:
                self.position -= 1
                break
            elif text == "}" and nesting > 0:
                nesting -= 1
            elif text == "}" and nesting == 0:
                raise self.error("Unexpected '}' because no matching opening brace")
            elif text == "import" and self._new_line():
                self._import()
                self.position -= 1
                continue
            found.append(self.token._replace(text=replace_environment(text, self.environment)))
        if nesting > 0:
            raise self.error("Unexpected EOF")

    def _snippet_name(self) -> str | None:
        keys = self.block.keys
        if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
            return keys[0][1:-1]
        return None

    def _add_snippet(self, name: str) -> None:
        tokens = self._snippet_tokens()
        for position, (token, after) in enumerate(zip(tokens, tokens[1:])):
            first = position == 0 or (tokens[position - 1].file, tokens[position - 1].line) != (token.file, token.line)
            if token.text == "import" and first and replace_environment(after.text, self.environment) == name:
                raise self.too_deep("snippet")
        self.snippets[name] = tokens

    def too_deep(self, kind: str) -> CorefileError:
        return self.error(f"maximum {kind} import depth ({MAX_EXPANSIONS}) exceeded")

    def _snippet_tokens(self) -> list[Token]:
        if self.text != "{":
            raise self.syntax_error("{")
        tokens: list[Token] = []
        nesting = 1
        while self.next():
            if self.text == "}":
                nesting -= 1
                if nesting == 0:
                    return tokens
            if self.text == "{":
                nesting += 1
            tokens.append(self.token)
        raise self.syntax_error("}")

    def _import(self) -> None:
        """Put the imported tokens in the place of `import PATTERN`; the cursor is on the first of them."""
        at = self.position
        if not self.next_argument():
            raise self.error(f"Wrong argument count or unexpected line ending after '{self.text}'")
        pattern = replace_environment(self.text, self.environment)
        if not pattern:
            raise self.error("Import requires a non-empty filepath")
        if self.next_argument():
            raise self.error("Import takes only one argument (glob pattern or file)")
        kind = "snippet" if self.snippets.get(pattern) else "file"
        if self.expansions[kind] >= MAX_EXPANSIONS:
            raise self.too_deep(kind)
        self.expansions[kind] += 1
        new = self.snippets[pattern] if kind == "snippet" else self._imported_files(pattern)
        self.tokens[at : self.position + 1] = new
        self.position = at

    def _imported_files(self, pattern: str) -> list[Token]:
        """The tokens of the files; a name is looked for beside the file that it stands in."""
        here = posixpath.join(self.files.cwd, self.token.file)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), pattern))
        if path.count("*") > 1 or path.count("?") > 1 or ("[" in path and "]" in path):
            raise self.error(f"Glob pattern may only contain one wildcard (*), but has others: {path}")
        if any(mark in path for mark in "*?[]"):
            matches = self.files.glob(path)
            if not matches and self.files.warn is not None:
                self.files.warn(f"[WARNING] No files matching import glob pattern: {pattern}")
        else:
            matches = [path]
        tokens: list[Token] = []
        for match in matches:
            text = self.files.read(match)
            if text is None:
                problem = self.files.problem(match)
                if problem == "no such file or directory":
                    raise self.error(f"File to import not found: {pattern}")
                words = problem if problem == "is a directory" else f"open {match}: {problem}"
                raise self.error(f"Could not import {match}: {words}")
            tokens += tokenize(text, match)
        return tokens


def parse(
    text: str,
    file: str = "Corefile",
    *,
    files: Files | None = None,
    environment: Mapping[str, str] | None = None,
    known: Sequence[str] | None = None,
) -> list[ServerBlock]:
    """The server blocks of a Corefile. `known` are the directives there are (None: any)."""
    return Parser(tokenize(text, file), files or Files(lambda _: None, lambda _: []), environment or {}, known).parse()


def replace_environment(text: str, environment: Mapping[str, str]) -> str:
    """{%NAME%}, then {$NAME}, become the variable's value, "" where it is not set (replaceEnvVars).

    What is put in is looked through again; an empty name ends the work.
    """
    for begin, end in (("{%", "%}"), ("{$", "}")):
        for _ in range(MAX_EXPANSIONS):
            start = text.find(begin)
            stop = text.find(end, start) if start >= 0 else -1
            if stop <= start + len(begin):
                break
            name = text[start + len(begin) : stop]
            text = text.replace(begin + name + end, environment.get(name, ""))
    return text
