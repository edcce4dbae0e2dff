"""AWK's tokens: where a newline ends a statement, ``/`` begins a regular expression, ``>`` is output."""

from __future__ import annotations

import re
from typing import Any

KEYWORDS = {
    "BEGIN": "BEGIN", "END": "END", "function": "FUNCTION", "func": "FUNCTION", "if": "IF", "else": "ELSE",
    "while": "WHILE", "do": "DO", "for": "FOR", "in": "IN", "print": "PRINT", "printf": "PRINTF",
    "delete": "DELETE", "next": "NEXT", "exit": "EXIT", "return": "RETURN", "break": "BREAK",
    "continue": "CONTINUE", "getline": "GETLINE",
}  # fmt: skip
BUILTINS = frozenset(
    """length substr index split sub gsub match sprintf sin cos atan2 exp log sqrt int rand srand tolower
    toupper system close fflush strftime systime mktime""".split()
)
_TOKEN = re.compile(
    r"(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<op>\*\*=|&&|\|\||\+\+|--|[-+*/%^]=|==|<=|>=|!=|!~|>>|\*\*|[-+*/%^!<>=~?:,;{}()\[\]$|])"
)
_OPERATORS = {
    "&&": "AND", "||": "OR", "++": "STEP", "--": "STEP", "==": "COMPARE", "<=": "COMPARE", ">=": "COMPARE",
    "!=": "COMPARE", "<": "LESS", ">": "COMPARE", "~": "MATCH", "!~": "MATCH", "?": "QUESTION", ":": "COLON",
    ",": "COMMA", ";": "TERM", "{": "LBRACE", "}": "RBRACE", "(": "LPAREN", ")": "RPAREN", "[": "LBRACKET",
    "]": "RBRACKET", "$": "DOLLAR", "|": "PIPE", "+": "PLUS", "-": "MINUS", "*": "MULTIPLY", "/": "MULTIPLY",
    "%": "MULTIPLY", "^": "POWER", "!": "NOT", "=": "ASSIGN", "+=": "ASSIGN", "-=": "ASSIGN", "*=": "ASSIGN",
    "/=": "ASSIGN", "%=": "ASSIGN", "^=": "ASSIGN", ">>": "OUT",
}  # fmt: skip
#: After these a newline means nothing.
_CONTINUES = frozenset({"LBRACE", "COMMA", "AND", "OR", "DO", "ELSE", "TERM", ""})
#: After these ``/`` divides.
_OPERANDS = frozenset(
    {"NUMBER", "STRING", "REGEX", "NAME", "RPAREN", "RBRACKET", "BUILTIN", "DOLLAR", "STEP"}
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class AwkError(Exception):
    """The program is wrong; the message is what mawk says after its name."""


class Token:
    """`type` is the grammar's terminal."""

    __slots__ = ("type", "value", "text", "line")

    def __init__(self, type_: str, value: Any, text: str, line: int):
        self.type = type_
        self.value = value
        self.text = text
        self.line = line


class Lexer:
    """Makes the list of tokens of a program."""

    def __init__(self, text: str):
        self.text = text
        self.pos = 0
        self.line = 1
        self.tokens: list[Token] = []
        self.depth = 0
        self.headers: list[int] = []
        self.printing: int | None = None
        self.braces = 0

    def all(self) -> list[Token]:
        while True:
            self._blanks()
            if self.pos >= len(self.text):
                break
            self._one()
        if self.braces > 0:
            raise AwkError(f"line {self.line + 1}: missing }} near end of file")
        self._add("TERM", ";", "")
        return self.tokens

    def _previous(self) -> str:
        return self.tokens[-1].type if self.tokens else ""

    def _add(self, type_: str, value: Any, text: str) -> None:
        if type_ == "RBRACE" and self._previous() not in ("TERM", "LBRACE"):
            self._add("TERM", ";", "")
        if type_ == "ELSE":
            while (
                self._previous() == "TERM" and len(self.tokens) > 1 and self.tokens[-2].type != "RPAREN_HEAD"
            ):
                self.tokens.pop()
        if type_ == "TERM":
            self.printing = None
        self.tokens.append(Token(type_, value, text, self.line))

    def _blanks(self) -> None:
        text = self.text
        while self.pos < len(text):
            char = text[self.pos]
            if char in " \t\r":
                self.pos += 1
            elif text.startswith("\\\n", self.pos):
                self.pos += 2
                self.line += 1
            elif char == "#":
                end = text.find("\n", self.pos)
                self.pos = end if end >= 0 else len(text)
            elif char == "\n":
                if self._previous() not in _CONTINUES and not self._after_header():
                    self._add("TERM", "\n", "\n")
                self.pos += 1
                self.line += 1
            else:
                return

    def _after_header(self) -> bool:
        """The last token closed the parentheses of if, while or for."""
        return bool(self.tokens) and self.tokens[-1].value == "header"

    def _one(self) -> None:
        char = self.text[self.pos]
        if char == '"':
            self._string()
            return
        if char == "/" and self._previous() not in _OPERANDS:
            self._regex()
            return
        match = _TOKEN.match(self.text, self.pos)
        if match is None:
            raise AwkError(f"line {self.line}: unexpected character '{char}'")
        self.pos = match.end()
        if match["number"]:
            text = match["number"]
            number = float(int(text, 16)) if text[:2] in ("0x", "0X") else float(text)
            self._add("NUMBER", number, text)
        elif match["name"]:
            self._name(match["name"])
        else:
            self._symbol(match["op"])

    def _name(self, name: str) -> None:
        if name in KEYWORDS:
            type_ = KEYWORDS[name]
            self._add(type_, name, name)
            if type_ in ("IF", "WHILE", "FOR"):
                self.headers.append(self.depth)
            elif type_ in ("PRINT", "PRINTF"):
                self.printing = self.depth
        elif name in BUILTINS:
            self._add("BUILTIN", name, name)
        elif self.text[self.pos : self.pos + 1] == "(":
            self._add("FUNC_NAME", name, name)
        else:
            self._add("NAME", name, name)

    def _symbol(self, text: str) -> None:
        type_ = _OPERATORS["^=" if text == "**=" else "^" if text == "**" else text]
        value: Any = "^=" if text == "**=" else "^" if text == "**" else text
        if text in (">", ">>", "|") and self.printing == self.depth:
            following = self.text[self.pos :].lstrip()
            if text != "|" or not following.startswith("getline"):
                type_ = "OUT"
                self.printing = None
        if text in "([":
            self.depth += 1
        elif text in ")]":
            self.depth -= 1
            if self.depth < 0:
                raise AwkError(f"line {self.line}: extra '{text}'")
            if self.headers and self.headers[-1] == self.depth and text == ")":
                self.headers.pop()
                value = "header"
        elif text == "{":
            self.braces += 1
        elif text == "}":
            self.braces -= 1
            if self.braces < 0:
                raise AwkError(f"line {self.line}: extra '}}'")
        self._add(type_, value, text)

    def _string(self) -> None:
        start = self.pos
        self.pos += 1
        out: list[str] = []
        while True:
            char = self.text[self.pos : self.pos + 1]
            if char in ("", "\n"):
                shown = self.text[start + 1 : start + 11]
                raise AwkError(f'line {self.line}: runaway string constant "{shown} ...')
            self.pos += 1
            if char == '"':
                break
            if char == "\\":
                out.append(self._escape())
            else:
                out.append(char)
        self._add("STRING", "".join(out), self.text[start : self.pos])

    def _escape(self) -> str:
        octal = re.compile(r"[0-7]{1,3}").match(self.text, self.pos)
        if octal:
            self.pos = octal.end()
            return chr(int(octal[0], 8) & 255)
        char = self.text[self.pos : self.pos + 1]
        self.pos += 1
        if char == "\n":
            self.line += 1
            return ""
        return _ESCAPES.get(char, "\\" + char)

    def _regex(self) -> None:
        start = self.pos
        self.pos += 1
        bracket = False
        while True:
            char = self.text[self.pos : self.pos + 1]
            if char in ("", "\n"):
                shown = self.text[start + 1 : start + 11]
                raise AwkError(f"line {self.line}: runaway regular expression /{shown} ...")
            self.pos += 1
            if char == "\\":
                self.pos += 1
            elif char == "[" and not bracket:
                bracket = True
                for extra in ("^", "]"):
                    if self.text[self.pos : self.pos + 1] == extra:
                        self.pos += 1
            elif char == "]":
                bracket = False
            elif char == "/" and not bracket:
                break
        body = self.text[start + 1 : self.pos - 1].replace("\\/", "/")
        self._add("REGEX", body, self.text[start : self.pos])
