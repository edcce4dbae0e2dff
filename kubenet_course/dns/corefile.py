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

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kubenet_course.errors import KubenetError

MAX_IMPORTS = 10000


class CorefileError(KubenetError):
    """A Corefile cannot be understood; the text is what CoreDNS prints."""


class Token(NamedTuple):
    file: str
    line: int
    text: str
    quoted: bool = False
    #: Which import brought it; tokens of two imports are never on one line.
    origin: int = 0


@dataclass
class ServerBlock:
    """`keys` as written; `directives` maps a plugin's name to its tokens, name first, all uses in a row."""

    keys: list[str] = field(default_factory=list)
    directives: dict[str, list[Token]] = field(default_factory=dict)


class Files:
    """How imports are read: `read(path)` gives text or None, `glob(pattern)` paths."""

    def __init__(
        self, read: Callable[[str], str | None], glob: Callable[[str], list[str]], warn: Callable[[str], None] | None = None
    ):
        self.read = read
        self.glob = glob
        self.warn = warn


def same_line(here: Token, after: Token) -> bool:
    """Whether `after` continues the line of `here`."""
    return (here.file, here.origin, here.line + here.text.count("\n")) == (after.file, after.origin, after.line)


def tokenize(text: str, file: str = "Corefile") -> list[Token]:
    """Words, quoted strings and braces, with their lines; `#` begins a comment at a word's start."""
    tokens: list[Token] = []
    word = ""
    line = start = 1
    quoted = escaped = comment = False

    def finish(was_quoted: bool = False) -> None:
        nonlocal word
        if word or was_quoted:
            tokens.append(Token(file, start, word, was_quoted))
        word = ""

    for letter in text.removeprefix("\ufeff").replace("\r\n", "\n"):
        if quoted:
            if escaped:
                word += letter if letter == '"' else "\\" + letter
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                quoted = False
                finish(True)
            else:
                word += letter
            line += letter == "\n"
            continue
        if letter.isspace():
            finish()
            if letter == "\n":
                line += 1
                comment = False
            continue
        if comment:
            continue
        if not word:
            start = line
            if letter == "#":
                comment = True
                continue
            if letter == '"':
                quoted = True
                continue
        word += letter
    finish(quoted)
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
        self.imports = 0
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
        """Whether the current token is the first of its line."""
        if self.position < 1:
            return self.position == 0
        return not same_line(self.tokens[self.position - 1], self.token)

    def next_argument(self) -> bool:
        if self.position + 1 >= len(self.tokens):
            return False
        if self.position >= 0 and not same_line(self.token, self.tokens[self.position + 1]):
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
            self.snippets[name] = self._snippet_tokens()
            self.block.keys = []
            return
        self._contents()

    def _addresses(self) -> None:
        expecting = False
        while True:
            text = replace_environment(self.text, self.environment)
            if text == "import" and self._new_line():
                self._import()
                if self.at_end:
                    return
                if self.position < 0 or self.position >= len(self.tokens):
                    self.at_end = True
                    return
                continue
            if text == "{":
                if expecting:
                    raise self.error(f"Expected another address but had '{text}' - check for extra comma")
                return
            if text:
                if text.endswith(","):
                    text, expecting = text[:-1], True
                else:
                    expecting = False
                if text:
                    self.block.keys.append(text)
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
        found.append(self.token._replace(text=name))
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
        raise self.error("Unexpected EOF")

    def _import(self) -> None:
        """Put the imported tokens in the place of `import PATTERN`; the cursor is on the first of them."""
        self.imports += 1
        if self.imports > MAX_IMPORTS:
            raise self.error(f"Maximum number of imports ({MAX_IMPORTS}) exceeded")
        at = self.position
        if not self.next_argument():
            raise self.error("Wrong argument count or unexpected line ending after 'import'")
        pattern = replace_environment(self.text, self.environment)
        if not pattern:
            raise self.error("Import requires a non-empty filepath")
        if self.next_argument():
            raise self.error("Import takes only one argument (glob pattern or file)")
        if pattern in self.snippets:
            if self._reaches(pattern, pattern, set()):
                raise self.error(f"Snippet '{pattern}' imports itself")
            new = self.snippets[pattern]
        else:
            new = self._imported_files(pattern)
        new = [token._replace(origin=self.imports) for token in new]
        self.tokens[at : self.position + 1] = new
        self.position = at
        if at >= len(self.tokens):
            self.at_end = True

    def _reaches(self, name: str, wanted: str, seen: set[str]) -> bool:
        """Whether a snippet imports, perhaps by way of others, the one that is wanted."""
        if name in seen:
            return False
        seen.add(name)
        tokens = self.snippets.get(name, [])
        imported = [after.text for here, after in zip(tokens, tokens[1:]) if here.text == "import" and same_line(here, after)]
        return wanted in imported or any(self._reaches(one, wanted, seen) for one in imported)

    def _imported_files(self, pattern: str) -> list[Token]:
        if pattern.count("*") > 1 or pattern.count("?") > 1 or (("[" in pattern) and ("]" in pattern)):
            raise self.error(f"Glob pattern may only contain one wildcard (*), but has others: {pattern}")
        base = self.token.file.rpartition("/")[0]
        path = pattern if pattern.startswith("/") or not base else f"{base}/{pattern}"
        matches = self.files.glob(path) if any(mark in path for mark in "*?[") else [path]
        if not matches and self.files.warn is not None:
            self.files.warn(f"[WARNING] No files matching import glob pattern: {pattern}")
        tokens: list[Token] = []
        for match in matches:
            text = self.files.read(match)
            if text is None:
                raise self.error(f"File to import not found: {pattern}")
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
    """{$NAME} and {%NAME%} become the variable's value, "" where it is not set."""
    text = re.sub(r"\{\$([^}]+)\}", lambda match: environment.get(match.group(1), ""), text)
    return re.sub(r"\{%([^}]+)%\}", lambda match: environment.get(match.group(1), ""), text)
