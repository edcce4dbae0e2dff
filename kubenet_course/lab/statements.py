"""Cut a script into complete statements, as a person would enter them line by line.

A line that is not finished (an open quote, a backslash at its end, a here-document, `for … done`,
`if … fi`, `{ … }`, `( … )`, `$( … )`, a trailing `|`, `&&` or `||`) takes the next lines with it.
Blank lines and comment lines are left out. Nothing is interpreted: the shell of the machine does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_OPENING = {"if": "fi", "case": "esac", "{": "}", "[[": "]]"}
#: After these words (or at the start) a reserved word is one; elsewhere it is an argument.
_COMMAND_FOLLOWS = {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"}
_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:'([^'\n]*)'|\"([^\"\n]*)\"|([^\s'\"|&;()<>]+))")
_PROMPT = re.compile(r"^(?:([A-Za-z0-9][\w.-]*)\$|@([A-Za-z0-9][\w.-]*))(?:\s+(.*))?$", re.S)


class Statement(NamedTuple):
    """One complete statement; `machine` is None where the script does not say (`red$ …`, `@red …`)."""

    machine: str | None
    text: str


def statements(lines: Iterable[str]) -> Iterator[Statement]:
    """The statements of a script, in order. An unfinished last one is given as it is."""
    pending = ""
    machine: str | None = None
    for raw in lines:
        line = raw.rstrip("\r\n")
        if not pending:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            named, line = split_prompt(line)
            machine = named or machine  # a prompt alone is about the next statement
            if not line.strip():
                continue
            pending = line
        else:
            pending += "\n" + line
        if is_complete(pending):
            yield Statement(machine, pending)
            pending, machine = "", None
    if pending:
        yield Statement(machine, pending)


def split_prompt(line: str) -> tuple[str | None, str]:
    """("red", "ip addr") of `red$ ip addr` or `@red ip addr`; (None, line) of any other line."""
    match = _PROMPT.match(line)
    if match is None:
        return None, line
    return match[1] or match[2], match[3] or ""


def is_complete(text: str) -> bool:
    """Whether bash would run this now rather than ask for more (PS2)."""
    return _Scanner(text).complete()


class _Scanner:
    """One pass over a statement; `stack` holds what has to be closed yet."""

    def __init__(self, text: str, position: int = 0, closing: str = ""):
        self.text = text
        self.position = position
        #: A scanner of what is inside of `$(` ends where its `closing` is.
        self.inner = bool(closing)
        self.stack: list[str] = [closing] if closing else []
        self.heredocs: list[tuple[str, bool]] = []
        self.command_position = True
        self.joined = False  # the last thing was | && ||
        self.function = False  # the last word was `function`

    def complete(self) -> bool:
        text, length = self.text, len(self.text)
        while self.position < length and (self.stack or not self.inner):
            char = text[self.position]
            if char == "\\":
                if self.position + 1 >= length or (
                    self.position + 2 >= length and text[self.position + 1] == "\n"
                ):
                    return False
                if text[self.position + 1] == "\n":  # a blank, as it were
                    self.position += 2
                elif not self._word():
                    return False
            elif char == "\n":
                self.position += 1
                if self.heredocs and not self._skip_heredocs():
                    return False
                self.command_position = True
            elif char in " \t":
                self.position += 1
            elif char == "#":
                end = text.find("\n", self.position)
                self.position = length if end < 0 else end
            elif char in "();|&<>":
                self._operator()
            elif not self._word():
                return False
        return not self.stack and not self.heredocs and not self.joined

    def _operator(self) -> None:
        rest = self.text[self.position :]
        if rest.startswith("<<<"):
            self.position += 3
        elif rest.startswith("<<"):
            match = _HEREDOC.match(rest)
            if match is None:
                self.position += 2
            else:
                self.heredocs.append(
                    (match[2] or match[3] or (match[4] or "").replace("\\", ""), bool(match[1]))
                )
                self.position += match.end()
                self.joined = False
        elif rest.startswith(("&&", "||")):
            self.position += 2
            self.joined = self.command_position = True
        elif rest[0] == "|":
            self.position += 1
            self.joined = self.command_position = True
        elif rest.startswith("((") and (self.command_position or self.stack[-1:] == ["do"]):
            if not self._until(")", "(("):  # arithmetic: `<<` and `#` mean something else in it
                self.stack.append("))")
                self.position = len(self.text)
            self.command_position, self.joined = False, False
        elif rest[0] == "(":
            self.position += 1
            self.stack.append(")")
            self.command_position, self.joined = True, False
        elif rest[0] == ")":
            self.position += 1
            if self.stack and self.stack[-1] == ")":
                self.stack.pop()
            self.command_position, self.joined = True, False
        elif rest[0] in ";&":
            redirect = rest.startswith("&>")
            self.position += 2 if rest.startswith((";;", "&>")) else 1
            self.command_position, self.joined = not redirect, False
        else:
            self.position += 2 if rest[:2] in (">&", "<&", ">>", ">|", "<>") else 1

    def _word(self) -> bool:
        """Skip one word; False if a quote or `$(` in it is open at the end."""
        text, start = self.text, self.position
        while self.position < len(text) and text[self.position] not in " \t\n;|&<>()":
            char = text[self.position]
            if char == "\\":
                self.position += 2
            elif char in "'\"`" or text.startswith(("$(", "${", "$'"), self.position):
                if not self._quoted():
                    return False
            else:
                self.position += 1
        if self.position > len(text):
            return False
        self._reserved(text[start : self.position])
        self.joined = False
        return True

    def _reserved(self, word: str) -> None:
        stack = self.stack
        if self.function:
            self.function, self.command_position = False, True
            return
        if word == "]]" and stack and stack[-1] == word:
            stack.pop()
        if not self.command_position:
            return
        if word == "do" and stack and stack[-1] == "do":
            stack[-1] = "done"  # the loop's head is over
        elif word in _OPENING:
            stack.append(_OPENING[word])
        elif word in ("for", "while", "until", "select"):
            stack.append("do")
        elif stack and stack[-1] == word:
            stack.pop()
        self.function = word == "function"
        self.command_position = word in _COMMAND_FOLLOWS

    def _quoted(self) -> bool:
        """Skip a quotation or substitution that begins here; False if it does not end."""
        text = self.text
        if text.startswith("$((", self.position):
            return self._until(")", "$(")
        if text.startswith("$(", self.position):
            inside = _Scanner(text, self.position + 2, ")")
            if not inside.complete():
                return False
            self.position = inside.position
            return True
        if text.startswith("${", self.position):
            return self._until("}", "${")
        ansi = text.startswith("$'", self.position)
        self.position += ansi
        quote = text[self.position]
        self.position += 1
        while self.position < len(text):
            char = text[self.position]
            if char == quote:
                self.position += 1
                return True
            if char == "\\" and (ansi or quote != "'"):
                self.position += 2
            elif quote == '"' and text.startswith(("$(", "${"), self.position):
                if not self._quoted():
                    return False
            else:
                self.position += 1
        return False

    def _until(self, close: str, opener: str) -> bool:
        """Skip to the matching `close` of a substitution, minding quotes and nesting."""
        text, depth = self.text, len(opener) if opener == "((" else 1
        self.position += len(opener)
        while self.position < len(text):
            char = text[self.position]
            if char == "\\":
                self.position += 2
            elif char in "'\"`" or text.startswith(("$(", "${", "$'"), self.position):
                if not self._quoted():
                    return False
            else:
                depth += (char == opener[1]) - (char == close)
                self.position += 1
                if depth == 0:
                    return True
        return False

    def _skip_heredocs(self) -> bool:
        """Skip the bodies that begin on this line; False if one is not finished."""
        for word, tabs in self.heredocs:
            while True:
                if self.position >= len(self.text):
                    return False
                end = self.text.find("\n", self.position)
                line = self.text[self.position : end if end >= 0 else len(self.text)]
                self.position = len(self.text) if end < 0 else end + 1
                if (line.lstrip("\t") if tabs else line) == word:
                    break
        self.heredocs.clear()
        return True
