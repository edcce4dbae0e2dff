"""Go's regular expressions (RE2's syntax) as Python's: `compile_regexp(text)`; RegexpError has Go's words.

What RE2 has and Python has not is translated (``\\Q…\\E``, ``\\pL``, ``[[:alpha:]]``, ``\\z``, flags in the
middle); what Python has and RE2 has not is refused (look-around, back-references, possessive repeats).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: The longest pattern that CoreDNS takes (maxRegexpLen).
LONGEST = 10000
POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_NEGATED_POSIX = {"digit": "\\D", "space": "\\S", "word": "\\W"}
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
MOST_REPEATS = 1000


class RegexpError(ValueError):
    """A pattern that Go refuses; the text is ``error parsing regexp: …``."""

    def __init__(self, what: str, where: str = ""):
        super().__init__(f"error parsing regexp: {what}: `{where}`" if where else f"error parsing regexp: {what}")


@lru_cache(64)
def _category(name: str) -> str:
    """The inside of a class for a general category (``L``, ``Lu``, …) of Unicode's first plane."""
    found: list[str] = []
    start = -1
    for code in range(0x10001):
        inside = code < 0x10000 and unicodedata.category(chr(code)).startswith(name)
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            found.append(f"\\u{start:04x}-\\u{code - 1:04x}")
            start = -1
    return "".join(found)


class _Translator:
    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.out: list[str] = []
        #: Groups that are open: the flags that hold in them, and how many groups of flags were opened inside.
        self.groups: list[tuple[frozenset[str], int]] = [(frozenset(), 0)]
        self.repeatable = False

    @property
    def flags(self) -> frozenset[str]:
        return self.groups[-1][0]

    def translate(self) -> str:
        while self.at < len(self.text):
            letter = self.text[self.at]
            handler = {"\\": self.escape, "[": self.bracket, "(": self.open, ")": self.close, "|": self.alternative}.get(letter)
            if handler is not None:
                handler()
            elif letter in "*+?" or letter == "{":
                self.repeat(letter)
            else:
                self.plain(letter)
        if len(self.groups) > 1:
            raise RegexpError("missing closing )", self.text)
        self.out.append(")" * self.groups[0][1])
        return "".join(self.out)

    def plain(self, letter: str) -> None:
        self.at += 1
        if letter == "$" and "m" not in self.flags:
            self.out.append("\\Z")
        else:
            self.out.append(letter if letter in "^$." else re.escape(letter))
        self.repeatable = True

    # -- groups -----------------------------------------------------------------------------
    def open(self) -> None:
        rest = self.text[self.at :]
        named = re.match(r"\(\?P?<(\w+)>", rest)
        flags = re.match(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])", rest)
        if named and not rest.startswith(("(?<=", "(?<!")):
            self.out.append(f"(?P<{named[1]}>")
            self.at += named.end()
            self.groups.append((self.flags, 0))
        elif rest.startswith("(?"):
            if flags is None or not (flags[1] or flags[2] or flags[3] == ":"):
                bad = re.match(r"\(\?(?:<[=!]|P=|P?<[^>]*>|.)?", rest)
                word = "invalid named capture" if rest.startswith(("(?P<", "(?<")) and not rest.startswith(("(?<=", "(?<!")) else None
                raise RegexpError(word or "invalid or unsupported Perl syntax", bad[0] if bad else rest)
            self._flags(flags)
        else:
            self.out.append("(")
            self.at += 1
            self.groups.append((self.flags, 0))
        self.repeatable = False

    def _flags(self, match: re.Match[str]) -> None:
        """(?i) holds to the end of the group it is in, (?i:…) inside of its own."""
        for letter in match[1] + (match[2] or ""):
            if letter not in "imsU":
                raise RegexpError("invalid or unsupported Perl syntax", match[0][: match[0].index(letter) + 1])
        if "U" in match[1]:
            raise RegexpError("kubenet: the flag U is not emulated", match[0])
        new = (self.flags | set(match[1])) - set(match[2] or "")
        self.at += match.end()
        if match[3] == ":":
            self.out.append(_flag_group(new))
            self.groups.append((new, 0))
        else:
            self.out.append(_flag_group(new))
            self.groups[-1] = (new, self.groups[-1][1] + 1)

    def close(self) -> None:
        if len(self.groups) == 1:
            raise RegexpError("unexpected )", self.text)
        self.out.append(")" * (self.groups.pop()[1] + 1))
        self.at += 1
        self.repeatable = True

    def alternative(self) -> None:
        flags, inner = self.groups[-1]
        self.out.append(")" * inner + "|" + (_flag_group(flags) if inner else ""))
        self.groups[-1] = (flags, min(inner, 1))
        self.at += 1
        self.repeatable = False

    def repeat(self, letter: str) -> None:
        match = _REPEAT.match(self.text, self.at) if letter == "{" else None
        if letter == "{" and match is None:
            self.plain(letter)
            return
        word = match[0] if match else letter
        if not self.repeatable:
            raise RegexpError("missing argument to repetition operator", word)
        if match and (int(match[1]) > MOST_REPEATS or (match[3] and not int(match[1]) <= int(match[3]) <= MOST_REPEATS)):
            raise RegexpError("invalid repeat count", word)
        self.at += len(word)
        if self.text[self.at : self.at + 1] == "?":
            word += "?"
            self.at += 1
        following = re.match(r"[*+?]|\{\d+(,\d*)?\}", self.text[self.at :])
        if following:
            raise RegexpError("invalid nested repetition operator", word + following[0])
        self.out.append(word)

    # -- characters -------------------------------------------------------------------------
    def escape(self) -> None:
        if self.text.startswith("\\Q", self.at):
            quoted, _, rest = self.text[self.at + 2 :].partition("\\E")
            self.out.append(re.escape(quoted))
            self.at = len(self.text) - len(rest)
        elif self.text[self.at + 1 : self.at + 2] in ("A", "b", "B"):
            self.out.append(self.text[self.at : self.at + 2])
            self.at += 2
        elif self.text.startswith("\\z", self.at):
            self.out.append("\\Z")
            self.at += 2
        else:
            self.out.append(self._one(inside=False))
        self.repeatable = True

    def _one(self, *, inside: bool) -> str:
        """One escaped character or class, after the backslash that `at` is on."""
        rest = self.text[self.at :]
        if rest == "\\":
            raise RegexpError("trailing backslash at end of expression", "")
        letter = rest[1]
        category = re.match(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))", rest)
        code = re.match(r"\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))|\\(0[0-7]{0,2}|[1-7][0-7]{1,2})", rest)
        if category:
            self.at += category.end()
            members = _category(category[3] or category[4])
            if not members:
                raise RegexpError("invalid character class range", category[0])
            negated = (category[1] == "P") != (category[2] == "^")
            if inside and negated:
                raise RegexpError("kubenet: a negated category in a class is not emulated", category[0])
            return members if inside else f"[{'^' if negated else ''}{members}]"
        if code:
            self.at += code.end()
            number = int(code[3], 8) if code[3] else int(code[1] or code[2], 16)
            if number > 0x10FFFF:
                raise RegexpError("invalid escape sequence", code[0])
            return re.escape(chr(number))
        if letter in "dDsSwWafnrtv" or not letter.isalnum() and letter.isascii():
            self.at += 2
            return rest[:2] if letter.isalnum() else re.escape(letter)
        raise RegexpError("invalid escape sequence", rest[:2])

    def bracket(self) -> None:
        begin = self.at
        self.at += 1
        self.out.append("[")
        if self.text.startswith("^", self.at):
            self.out.append("^")
            self.at += 1
        first = True
        while self.at < len(self.text) and (first or self.text[self.at] != "]"):
            first = False
            posix = re.match(r"\[:(\^?)(\w+):\]", self.text[self.at :])
            if posix:
                if posix[2] not in POSIX or (posix[1] and posix[2] not in _NEGATED_POSIX):
                    raise RegexpError("invalid character class range", posix[0])
                self.out.append(_NEGATED_POSIX[posix[2]] if posix[1] else POSIX[posix[2]])
                self.at += posix.end()
            elif self.text[self.at] == "\\":
                self.out.append(self._one(inside=True))
            else:
                letter = self.text[self.at]
                self.at += 1
                self.out.append(letter if letter == "-" else re.escape(letter))
        if self.at >= len(self.text):
            raise RegexpError("missing closing ]", self.text[begin:])
        self.at += 1
        self.out.append("]")
        self.repeatable = True


def _flag_group(flags: frozenset[str]) -> str:
    on, off = "".join(sorted(flags)), "".join(sorted({"i", "m", "s"} - flags))
    return f"(?{on}{f'-{off}' if off else ''}:"


def compile_regexp(text: str) -> re.Pattern[str]:
    """regexp.Compile(); RegexpError."""
    if any(0xDC80 <= ord(letter) <= 0xDCFF for letter in text):
        raise RegexpError("invalid UTF-8", text)
    try:
        return re.compile(_Translator(text).translate(), re.ASCII)
    except re.error as problem:
        if "bad character range" in str(problem):
            raise RegexpError("invalid character class range", str(problem).rpartition("range ")[2].partition(" at")[0]) from None
        if "redefinition of group name" in str(problem):
            raise RegexpError("duplicate capture group name", text) from None
        raise RegexpError(str(problem), text) from None
