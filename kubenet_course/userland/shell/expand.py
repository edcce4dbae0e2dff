"""Words to strings: tilde, parameters, substitutions, arithmetic, splitting, file names.

A word becomes fields; a field is a list of (text, quoted) chunks, so that splitting and file name
patterns see what was quoted. `Expander` is the part of the shell that knows how.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.files.pattern import escape, has_magic
from kubenet_course.userland.owners import home_directory
from kubenet_course.userland.shell.braced import Braced
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.fields import Field
from kubenet_course.userland.shell.nodes import (
    ArithSub,
    BadSubst,
    CmdSub,
    Lit,
    Param,
    Part,
    ProcSub,
    Script,
    Word,
)
from kubenet_course.userland.shell.state import ShellState

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


class Expander(Braced):
    """Expansion in the state of one shell; `Shell` adds how to run commands."""

    proc: Process
    state: ShellState
    line: int

    async def substitute(self, body: Script) -> str:
        raise NotImplementedError

    async def process_substitution(self, part: ProcSub) -> str:
        raise NotImplementedError

    # -- whole words ------------------------------------------------------------------------
    async def expand_words(self, words: list[Word]) -> list[str]:
        """Fields of command arguments: everything, splitting and file names included."""
        out: list[str] = []
        for word in words:
            if word.literal is not None:
                out.append(word.literal)
            else:
                for one in await self.fields(word):
                    out.extend(self._file_names(one))
        return out

    async def expand_string(self, word: Word, assignment: bool = False) -> str:
        """One string: no splitting, no file names (assignments, here-strings, `case`)."""
        if word.literal is not None and not (assignment and "~" in word.literal):
            return word.literal
        fields = await self.fields(word, split=False, assignment=assignment)
        return " ".join(one.text() for one in fields)

    async def expand_pattern(self, word: Word) -> str:
        """A pattern in which what was quoted is escaped."""
        fields = await self.fields(word, split=False)
        return " ".join(
            "".join(escape(text) if quoted else text for text, quoted in one.chunks) for one in fields
        )

    async def expand_regex(self, word: Word) -> str:
        """A regular expression in which what was quoted is literal."""
        fields = await self.fields(word, split=False)
        return " ".join(
            "".join(
                re.sub(r"([.\[\]^$*+?{}()|\\])", r"\\\1", text) if quoted else text
                for text, quoted in one.chunks
            )
            for one in fields
        )

    def _file_names(self, one: Field) -> list[str]:
        text = one.text()
        extended = "extglob" in self.state.shopts
        magic = "*?[+@!" if extended else "*?["
        if "f" in self.state.options or not any(
            not quoted and any(char in chunk for char in magic) for chunk, quoted in one.chunks
        ):
            return [text]
        pattern = "".join(escape(chunk) if quoted else chunk for chunk, quoted in one.chunks)
        if not has_magic(pattern, extended):
            return [text]
        found = self.proc.files.glob(pattern, self.proc.cwd, self.proc, self.state.shopts)
        if found:
            return found
        if "failglob" in self.state.shopts:
            raise ExpansionError(f"no match: {text}")
        return [] if "nullglob" in self.state.shopts else [text]

    # -- fields -----------------------------------------------------------------------------
    async def fields(self, word: Word, split: bool = True, assignment: bool = False) -> list[Field]:
        fields = [Field()]
        first = word.parts[0] if word.parts else None
        if isinstance(first, Lit) and not first.quoted and "~" in word.raw and _ASSIGNMENT.match(first.text):
            assignment = True
        await self._parts(word.parts, fields, split, assignment, False)
        return [one for one in fields if one.real or any(text for text, _ in one.chunks)] or (
            [] if split else [Field()]
        )

    async def _parts(
        self, parts: tuple[Part, ...], fields: list[Field], split: bool, assignment: bool, quoted: bool
    ) -> None:
        for at, part in enumerate(parts):
            if isinstance(part, Lit):
                text = part.text
                if not part.quoted and not quoted and "~" in text:
                    followed = at + 1 < len(parts)
                    text = self._tildes(text, at == 0, assignment, followed)
                self._literal(fields, text, part.quoted or quoted)
            elif isinstance(part, Param):
                await self._parameter(part, fields, split, assignment)
            elif isinstance(part, CmdSub):
                self._value(fields, await self.substitute(part.body), part.quoted, split)
            elif isinstance(part, ArithSub):
                value = self.arith(await self.expand_string(part.expression))
                self._value(fields, str(value), part.quoted, split)
            elif isinstance(part, ProcSub):
                self._literal(fields, await self.process_substitution(part), True)
            else:
                assert isinstance(part, BadSubst)
                raise ExpansionError(f"{part.raw}: bad substitution")

    def _literal(self, fields: list[Field], text: str, quoted: bool) -> None:
        fields[-1].chunks.append((text, quoted))
        fields[-1].real = fields[-1].real or quoted

    def _tildes(self, text: str, first: bool, assignment: bool, followed: bool) -> str:
        """``~`` and ``~name`` at the beginning, in assignments also after ``=`` and ``:``."""

        def home(match: re.Match[str]) -> str:
            if followed and match.end() == len(text) and "/" not in match[0]:
                return match[0]
            name = match[2]
            if name == "":
                known = self.state.get("HOME")
                return match[1] + ("/root" if known is None else known)
            if name == "+":
                return match[1] + self.proc.cwd
            if name == "-":
                return match[1] + (self.state.get("OLDPWD") or "~-")
            place = home_directory(self.proc, name)
            return match[0] if place is None else match[1] + place

        pattern = r"(^|[:=])~([A-Za-z0-9_.+-]*)(?=/|:|$)" if assignment else r"(^)~([A-Za-z0-9_.+-]*)(?=/|$)"
        if not first and not assignment:
            return text
        return re.sub(pattern, home, text)

    def _value(self, fields: list[Field], value: str, quoted: bool, split: bool) -> None:
        """Append an expansion's result, split at IFS unless quoted or not `split`."""
        if quoted or not split:
            fields[-1].chunks.append((value, quoted))
            fields[-1].real = True
            return
        if not value:
            return
        ifs = self.state.get("IFS")
        if ifs is None:
            ifs = " \t\n"
        if not ifs or not any(char in value for char in ifs):
            fields[-1].chunks.append((value, False))
            return
        self._split(fields, value, ifs)

    def _split(self, fields: list[Field], value: str, ifs: str) -> None:
        white = "".join(char for char in ifs if char in " \t\n")
        i, length = 0, len(value)
        while i < length and value[i] in white:
            i += 1
        if i and (fields[-1].chunks or fields[-1].real):
            fields.append(Field())
        while i < length:
            start = i
            while i < length and value[i] not in ifs:
                i += 1
            fields[-1].chunks.append((value[start:i], False))
            if i >= length:
                return
            while i < length and value[i] in white:
                i += 1
            if i < length and value[i] in ifs:
                fields[-1].real = True
                i += 1
                while i < length and value[i] in white:
                    i += 1
            fields.append(Field())

    # -- parameters -------------------------------------------------------------------------

    # -- variables --------------------------------------------------------------------------
