"""Tokens of the shell's grammar, one at a time, with the parser's state in view.

Whether ``if`` is a reserved word depends on where it stands, whether ``)`` ends a command
substitution on what is open; so the lexer asks the LALR parser what it would accept. Bodies of
here-documents are read when their line ends and put into the redirection that waits for them.
"""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.userland.lalr import Parse
from kubenet_course.userland.shell.nodes import ArrayValue, Assign, Lit, Redirect, Word
from kubenet_course.userland.shell.source import META, ShellSyntaxError, Source, Substitution, make_word
from kubenet_course.userland.shell.words import Scanner

RESERVED = {
    "if": "IF", "then": "THEN", "else": "ELSE", "elif": "ELIF", "fi": "FI", "while": "WHILE",
    "until": "UNTIL", "do": "DO", "done": "DONE", "for": "FOR", "select": "FOR", "case": "CASE",
    "esac": "ESAC",
    "function": "FUNCTION", "{": "LBRACE", "}": "RBRACE", "!": "BANG", "time": "TIME", "coproc": "COPROC", "[[": "DLBRACK",
}  # fmt: skip
OPERATORS = (
    ("&&", "AND_IF"), ("||", "OR_IF"), (";;&", "DSEMIAMP"), (";;", "DSEMI"), (";&", "SEMIAMP"),
    ("|&", "PIPEAND"), ("|", "PIPE"), (";", "SEMI"), ("&", "AMP"), ("(", "LPAREN"), (")", "RPAREN"),
)  # fmt: skip
#: After these a command may begin, so a reserved word is one.
STARTERS = frozenset(
    {"NEWLINE", "SEMI", "AMP", "AND_IF", "OR_IF", "PIPE", "PIPEAND", "DSEMI", "SEMIAMP", "DSEMIAMP", "LPAREN",
     "RPAREN", "BANG", "TIME", "COPROC", "LBRACE", "RBRACE", "IF", "THEN", "ELSE", "ELIF", "FI", "WHILE", "UNTIL", "DO",
     "DONE", "ESAC", "ARITH", "DRBRACK"}
)  # fmt: skip
DECLARATIONS = frozenset({"declare", "typeset", "export", "readonly", "local", "alias"})
UNARY = frozenset("-" + letter for letter in "abcdefghknoprstuvwxzGLNORS")
BINARY = frozenset(
    {"==", "=", "!=", "=~", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"}
)
_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
_REDIRECT = re.compile(r"(\d*|\{[A-Za-z_]\w*(?:\[[^]\s]*\])?\})(&>>|&>|<<<|<<-|<<|<&|<>|>>|>&|>\||<|>)")
_POSIX = re.compile(r"[ \t]+-p(?=[\s;&|)]|$)")
_COND_STOP = frozenset(" \t\n;&|<>()")


class Token:
    """What the parser is fed: `type` is the terminal, `text` what an error message quotes."""

    __slots__ = ("type", "value", "text", "line", "position")

    def __init__(self, type_: str, value: Any, text: str, line: int, position: int):
        self.type = type_
        self.value = value
        self.text = text
        self.line = line
        self.position = position


class Lexer(Scanner):
    """A scanner that makes tokens. `nested`: inside ``$(``, an unmatched ``)`` ends it."""

    def __init__(self, source: Source, position: int, substitution: Substitution, nested: bool = False):
        super().__init__(source, position, substitution)
        self.nested = nested
        self.previous: Token | None = None
        self.before: Token | None = None
        self.prefix = True
        self.declaration = False
        self.in_cond = False
        self.ended = False
        self.heredocs: list[tuple[Redirect, Word, bool, int]] = []
        self.pending: tuple[str, int | str | None] | None = None
        self.warnings: list[tuple[int, str]] = []

    # -- tokens -----------------------------------------------------------------------------
    def next(self, parse: Parse) -> Token | None:
        """The next token, or None at the end of the unit."""
        self._skip_blanks()
        if self.pos >= len(self.text):
            self._read_heredocs()
            if self.nested:
                raise ShellSyntaxError(
                    "unexpected EOF while looking for matching `)'", self.source.last_line() + 1
                )
            if not self.in_cond and not self.ended and not parse.takes("$END"):
                self.ended = True
                return self._token("NEWLINE", None, "newline", self.pos)
            return None
        start = self.pos
        char = self.text[start]
        if char == "\n":
            if not self.nested and not self.in_cond and parse.takes("$END"):
                return None
            self.pos += 1
            token = self._token("NEWLINE", None, "newline", start)
            self._read_heredocs()
            if self.in_cond:
                return self.next(parse)
            return token
        if self.in_cond:
            return self._cond_token(parse)
        token_ = self._redirection()
        if token_ is not None:
            return token_
        if char in ";&|()":
            return self._operator(parse)
        return self._word_token(parse)

    def _token(self, type_: str, value: Any, text: str, start: int) -> Token:
        token = Token(type_, value, text, self.source.line(start), start)
        if type_ in ("NEWLINE",) and self.previous is not None and self.previous.type == "IN":
            return token
        if type_ != "REDIR" and not (type_ == "WORD" and self.previous and self.previous.type == "REDIR"):
            if type_ in STARTERS:
                self.prefix = True
                self.declaration = False
            elif type_ != "ASSIGN":
                self.prefix = False
        self.before, self.previous = self.previous, token
        return token

    def _skip_blanks(self) -> None:
        text = self.text
        while self.pos < len(text):
            char = text[self.pos]
            if char in " \t":
                self.pos += 1
            elif char == "\\" and text[self.pos + 1 : self.pos + 2] == "\n":
                self.pos += 2
            elif char == "#" and (self.pos == 0 or text[self.pos - 1] in " \t\n;&|()<>`"):
                end = text.find("\n", self.pos)
                self.pos = end if end >= 0 else len(text)
            else:
                break

    def _operator(self, parse: Parse) -> Token:
        start = self.pos
        if self.text.startswith("((", start) and self._command_position():
            end = self.arithmetic_end(start + 2)
            if end is not None:
                expression = self.sub_word(start + 2, end)
                self.pos = end + 2
                return self._token("ARITH", (expression, self.text[start + 2 : end]), "((", start)
        for text, type_ in OPERATORS:
            if self.text.startswith(text, start):
                if type_ == "RPAREN" and self.nested and not parse.takes("RPAREN"):
                    raise _SubstitutionEnd
                self.pos += len(text)
                return self._token(type_, text, text, start)
        raise AssertionError(self.text[start])

    def _redirection(self) -> Token | None:
        match = _REDIRECT.match(self.text, self.pos)
        if match is None:
            return None
        if match[2] in ("<", ">") and self.text[match.end() : match.end() + 1] == "(":
            return None
        start = self.pos
        self.pos = match.end()
        fd = match[1]
        self.pending = (match[2], None if not fd else int(fd) if fd.isdigit() else fd[1:-1])
        return self._token("REDIR", self.pending, match[2], start)

    def _command_position(self) -> bool:
        previous = self.previous
        if previous is None or previous.type in STARTERS or previous.type == "FOR":
            return True
        return bool(self.before and self.before.type in ("FUNCTION", "COPROC"))

    # -- words ------------------------------------------------------------------------------
    def _word_token(self, parse: Parse) -> Token:
        start = self.pos
        if self.previous is not None and self.previous.type == "REDIR":
            return self._redirect_target(start)
        if self.prefix or self.declaration:
            assign = self._assignment()
            if assign is not None:
                return self._token("ASSIGN", assign, assign.raw, start)
        word = self.word(META)
        raw = word.raw
        if self.pos == start:
            raise AssertionError(self.text[start : start + 1])
        type_ = self._reserved(raw, parse)
        if type_ == "WORD" and self.prefix and raw in DECLARATIONS:
            self.declaration = True
            token = self._token(type_, word, raw, start)
            self.declaration = True
            return token
        if type_ == "DLBRACK":
            self.in_cond = True
        if type_ == "TIME" and (posix := _POSIX.match(self.text, self.pos)):
            self.pos = posix.end()
            return self._token(type_, "-p", raw, start)
        return self._token(type_, word, raw, start)

    def _reserved(self, raw: str, parse: Parse) -> str:
        """The terminal of a word: WORD, or a reserved word where one may stand."""
        if raw == "in" and parse.takes("IN"):
            return "IN"
        type_ = RESERVED.get(raw)
        if type_ is None:
            return "WORD"
        if type_ in ("ESAC", "DO") and parse.takes(type_) and self._after_list(type_):
            return type_
        if not self._command_position():
            return "WORD"
        allowed = parse.row
        if type_ not in allowed and "WORD" in allowed and "IF" not in allowed:
            return "WORD"
        return type_

    def _after_list(self, type_: str) -> bool:
        """``do`` after ``for x``, ``esac`` right after ``in``."""
        previous = self.previous
        if previous is None:
            return False
        if type_ == "DO":
            return bool(previous.type == "WORD" and self.before and self.before.type == "FOR")
        return previous.type == "IN"

    def _redirect_target(self, start: int) -> Token:
        assert self.pending is not None
        op, fd = self.pending
        word = self.word(META)
        target = Redirect(op, fd, word)
        if op in ("<<", "<<-"):
            quoted = any(char in word.raw for char in "\\'\"")
            delimiter = make_word([Lit(_unquote(word.raw), True)], word.raw)
            self.heredocs.append((target, delimiter, quoted, self.source.line(start)))
        return self._token("WORD", target, word.raw, start)

    def _assignment(self) -> Assign | None:
        start = self.pos
        match = _ASSIGN.match(self.text, start)
        if match is None:
            return None
        index: Word | None = None
        self.pos = match.end()
        operator = match[2]
        if operator == "[":
            close = self._subscript_end(self.pos)
            follow = re.compile(r"\]\+?=").match(self.text, close) if close else None
            if close is None or follow is None:
                self.pos = start
                return None
            index = self.sub_word(self.pos, close)
            self.pos = follow.end()
            operator = follow[0][1:]
        value: Word | ArrayValue
        if self.peek() == "(" and index is None:
            value = self._array(start)
        else:
            value = self.word(META)
        raw = self.text[start : self.pos]
        return Assign(match[1], index, operator == "+=", value, raw)

    def _subscript_end(self, position: int) -> int | None:
        depth, i = 0, position
        while i < len(self.text) and self.text[i] != "\n":
            char = self.text[i]
            if char == "[":
                depth += 1
            elif char == "]":
                if depth == 0:
                    return i
                depth -= 1
            elif char in "'\"":
                end = self.text.find(char, i + 1)
                i = end if end > 0 else len(self.text)
            i += 1
        return None

    def _array(self, start: int) -> ArrayValue:
        begin = self.pos
        self.pos += 1
        elements: list[tuple[Word | None, Word]] = []
        while True:
            self._skip_blanks()
            if self.pos >= len(self.text):
                raise self.eof(")", start)
            char = self.text[self.pos]
            if char == "\n":
                self.pos += 1
            elif char == ")":
                self.pos += 1
                return ArrayValue(elements, self.text[begin : self.pos])
            elif char in ";&|<>(":
                if char in "<>" and self.text[self.pos + 1 : self.pos + 2] == "(":
                    elements.append((None, self.word(META)))
                    continue
                raise ShellSyntaxError(
                    f"syntax error near unexpected token `{char}'", self.source.line(self.pos), echo=True
                )
            elif (
                char == "["
                and (close := self._subscript_end(self.pos + 1))
                and self.text[close + 1 : close + 2] == "="
            ):
                index = self.sub_word(self.pos + 1, close)
                self.pos = close + 2
                elements.append((index, self.word(META)))
            else:
                elements.append((None, self.word(META)))

    # -- [[ ]] ------------------------------------------------------------------------------
    def _cond_token(self, parse: Parse) -> Token:
        start = self.pos
        text = self.text
        previous = self.previous.type if self.previous else ""
        if previous == "BINOP" and self.previous is not None and self.previous.value == "=~":
            return self._token("WORD", self._regex_word(), text[start : self.pos], start)
        for operator, type_ in (("&&", "AND_IF"), ("||", "OR_IF"), ("(", "LPAREN"), (")", "RPAREN")):
            if text.startswith(operator, start) and previous != "BINOP":
                self.pos += len(operator)
                return self._token(type_, operator, operator, start)
        if text[start] in "<>" and previous == "WORD":
            self.pos += 1
            return self._token("BINOP", text[start], text[start], start)
        word = self.word(_COND_STOP, extended=previous == "BINOP")
        if self.pos == start:
            self.pos += 1
            return self._token("COND_ERROR", word, text[start], start)
        raw = word.raw
        if raw == "]]" and previous not in ("BINOP", "UNOP"):
            self.in_cond = False
            return self._token("DRBRACK", None, raw, start)
        primary = previous in ("DLBRACK", "AND_IF", "OR_IF", "BANG", "LPAREN")
        if raw == "!" and primary:
            return self._token("BANG", None, raw, start)
        if raw in UNARY and primary:
            return self._token("UNOP", raw, raw, start)
        if raw in BINARY and previous == "WORD" and parse.takes("BINOP"):
            return self._token("BINOP", raw, raw, start)
        return self._token("WORD", word, raw, start)

    def _regex_word(self) -> Word:
        """The right side of ``=~``: parentheses and bars belong to it."""
        start = self.pos
        parts: list = []
        depth = 0
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char in " \t\n" and depth == 0:
                break
            if char == "\n":
                break
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char in " \t;&|<>()":
                parts.append(Lit(char, False))
                self.pos += 1
            else:
                self._one(char, parts)
        return make_word(parts, self.text[start : self.pos])

    # -- here-documents ---------------------------------------------------------------------
    def _read_heredocs(self) -> None:
        """The lines after this one belong to the here-documents of this line."""
        waiting, self.heredocs = self.heredocs, []
        for redirect, delimiter, quoted, line in waiting:
            wanted = delimiter.literal or ""
            lines: list[str] = []
            begin = self.pos
            while True:
                if self.pos >= len(self.text):
                    message = f"here-document at line {line} delimited by end-of-file (wanted `{wanted}')"
                    self.warnings.append((self.source.last_line() if self.text else line, message))
                    break
                end = self.text.find("\n", self.pos)
                stop = end if end >= 0 else len(self.text)
                row = self.text[self.pos : stop]
                if redirect.op == "<<-":
                    row = row.lstrip("\t")
                self.pos = min(stop + 1, len(self.text))
                if row == wanted:
                    break
                lines.append(row + "\n")
            body = "".join(lines)
            if quoted:
                redirect.body = make_word([Lit(body, True)], body)
            else:
                inner = Source(body, self.source.line(begin))
                from kubenet_course.userland.shell.parser import substitution_in

                redirect.body = Scanner(inner, 0, substitution_in(inner)).quoted_until_end()

    def end_heredocs(self) -> None:
        """A substitution ends before the bodies of its here-documents: they are empty."""
        for redirect, delimiter, _, line in self.heredocs:
            message = f"here-document at line {line} delimited by end-of-file (wanted `{delimiter.literal}')"
            self.warnings.append((line, message))
            redirect.body = make_word([Lit("", True)], "")
        self.heredocs.clear()


class _SubstitutionEnd(Exception):
    """The ``)`` that closes a command substitution."""


def _unquote(raw: str) -> str:
    return re.sub(r"\\(.)|['\"]", lambda match: match[1] or "", raw)
