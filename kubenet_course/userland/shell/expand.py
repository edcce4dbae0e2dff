"""Words to strings: tilde, parameters, substitutions, arithmetic, splitting, file names.

A word becomes fields; a field is a list of (text, quoted) chunks, so that splitting and file name
patterns see what was quoted. `Expander` is the part of the shell that knows how.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.files.pattern import escape, has_magic
from kubenet_course.userland.shell import parameters
from kubenet_course.userland.shell.arith import ArithError, evaluate
from kubenet_course.userland.shell.errors import ExpansionError
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
from kubenet_course.userland.shell.state import VERSION, ShellState, Variable

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

Chunk = tuple[str, bool]
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


class Field:
    """One field in the making; `real` once something quoted made it exist even if empty."""

    __slots__ = ("chunks", "real")

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.real = False

    def text(self) -> str:
        return "".join(text for text, _ in self.chunks)


class Expander:
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
            "".join(re.sub(r"([.\[\]^$*+?{}()|\\])", r"\\\1", text) if quoted else text for text, quoted in one.chunks)
            for one in fields
        )

    def _file_names(self, one: Field) -> list[str]:
        text = one.text()
        if "f" in self.state.options or not any(
            not quoted and any(char in chunk for char in "*?[") for chunk, quoted in one.chunks
        ):
            return [text]
        pattern = "".join(escape(chunk) if quoted else chunk for chunk, quoted in one.chunks)
        if not has_magic(pattern):
            return [text]
        dots = "dotglob" in self.state.shopts
        found = self.proc.files.glob(pattern, self.proc.cwd, self.proc, dots)
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
            for line in self.proc.files.read_text("/etc/passwd").splitlines():
                entry = line.split(":")
                if entry[0] == name and len(entry) > 5:
                    return match[1] + entry[5]
            return match[0]

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
    async def _parameter(self, part: Param, fields: list[Field], split: bool, assignment: bool) -> None:
        quoted = part.quoted
        if not part.op and part.index is None and not part.length and not part.indirect and part.name not in "@*":
            value = self.value_of(part.name)
            if value is None:
                self._unset(part.name)
                value = ""
            self._value(fields, value, quoted, split)
            return
        name, index = part.name, None
        if part.index is not None:
            index = await self.expand_string(part.index)
        if part.indirect and part.op != "names" and index not in ("@", "*"):
            name, index = self._indirect(name, index)
        listed = self._listed(part, name, index)
        if part.op[:1] == ":" and len(part.op) == 2 or part.op in ("-", "=", "?", "+"):
            await self._default(part, name, index, listed, fields, split, assignment)
            return
        if listed is None:
            value = self.value_of(name, index)
            if part.length:
                self._value(fields, str(len(value or "")), quoted, split)
                return
            if value is None:
                self._unset(name if part.index is None else f"{name}[{index}]")
                if part.op[:1] == "@" and part.op not in ("@A", "@a"):
                    return
            self._value(fields, await self._operate(part, value or "", name), quoted, split)
            return
        star = name == "*" or index == "*"
        if part.length:
            self._value(fields, str(len(listed)), quoted, split)
            return
        if part.op == ":":
            listed = await self._slice_list(part, listed, name)
        elif part.op and part.op != "names":
            listed = [await self._operate(part, value, name) for value in listed]
        self._list(fields, listed, star, quoted, split)

    def _list(self, fields: list[Field], values: list[str], star: bool, quoted: bool, split: bool) -> None:
        """``$@``, ``$*``, ``${a[@]}``."""
        if (star and quoted) or not split:
            ifs = self.state.get("IFS")
            joiner = " " if ifs is None or not star else ifs[:1]
            self._value(fields, joiner.join(values), quoted, split)
            return
        for at, value in enumerate(values):
            if at:
                fields.append(Field())
            self._value(fields, value, quoted, split)

    def _listed(self, part: Param, name: str, index: str | None) -> list[str] | None:
        """The values of a parameter that stands for several, else None."""
        if part.op == "names":
            return sorted(known for known in self.state.variables if known.startswith(name))
        if name in ("@", "*") and index is None:
            return list(self.state.positional)
        if index in ("@", "*"):
            variable = self.state.variables.get(name)
            if variable is None or variable.value is None:
                return list(self.state.pipestatus_text()) if name == "PIPESTATUS" else []
            if part.indirect:
                value = variable.value
                return [str(key) for key in value] if isinstance(value, dict) else ["0"]
            return list(variable.value.values()) if isinstance(variable.value, dict) else [variable.value]
        return None

    def _indirect(self, name: str, index: str | None) -> tuple[str, str | None]:
        target = self.value_of(name, index)
        if not target:
            raise ExpansionError(f"{name}: invalid indirect expansion")
        match = re.fullmatch(r"([A-Za-z_]\w*)\[(.*)\]", target, re.S)
        if match:
            return match[1], match[2]
        if not re.fullmatch(r"[A-Za-z_]\w*|[0-9]+|[@*#?$!-]", target):
            raise ExpansionError(f"{target}: invalid variable name")
        return target, None

    async def _default(
        self,
        part: Param,
        name: str,
        index: str | None,
        listed: list[str] | None,
        fields: list[Field],
        split: bool,
        assignment: bool,
    ) -> None:
        """``:-``, ``:=``, ``:?``, ``:+`` and the same without the colon."""
        value = " ".join(listed) if listed is not None else self.value_of(name, index)
        if listed is not None and not listed:
            value = None
        missing = value is None or (part.op[0] == ":" and not value)
        kind = part.op[-1]
        assert part.arg is not None
        if kind == "+":
            if not missing:
                await self._parts(part.arg.parts, fields, split, assignment, part.quoted)
            return
        if not missing:
            if listed is not None:
                star = name == "*" or index == "*"
                self._list(fields, listed, star, part.quoted, split)
            else:
                self._value(fields, value or "", part.quoted, split)
            return
        if kind == "-":
            await self._default_word(part, fields, split, assignment)
        elif kind == "=":
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise ExpansionError(f"${name}: cannot assign in this way")
            text = await self.expand_string(part.arg)
            self.assign(name, text, index)
            self._value(fields, text, part.quoted, split)
        else:
            text = await self.expand_string(part.arg)
            if not part.arg.parts:
                text = "parameter null or not set" if part.op[0] == ":" else "parameter not set"
            raise ExpansionError(f"{name}: {text}", 127, fatal=True)

    async def _default_word(self, part: Param, fields: list[Field], split: bool, assignment: bool) -> None:
        """The word of ``${x:-word}``: its unquoted literals are split too."""
        assert part.arg is not None
        for at, piece in enumerate(part.arg.parts):
            if isinstance(piece, Lit) and not piece.quoted and split and not part.quoted:
                text = self._tildes(piece.text, at == 0, assignment, at + 1 < len(part.arg.parts))
                self._value(fields, text, False, True)
            else:
                await self._parts((piece,), fields, split, assignment, part.quoted)

    async def _operate(self, part: Param, value: str, name: str) -> str:
        op = part.op
        if not op:
            return value
        if op[0] == "@":
            return self._transform(op[1], value, name)
        assert part.arg is not None
        if op == ":":
            return await self._slice(part, value)
        pattern = await self.expand_pattern(part.arg)
        if op[0] == "#":
            return parameters.remove_prefix(value, pattern, op == "##")
        if op[0] == "%":
            return parameters.remove_suffix(value, pattern, op == "%%")
        if op[0] == "/":
            replacement = await self.expand_string(part.arg2) if part.arg2 else ""
            return parameters.replace(value, op, pattern, replacement)
        return parameters.change_case(value, op, pattern)

    def _transform(self, kind: str, value: str, name: str) -> str:
        if kind == "Q":
            return parameters.quote(value)
        if kind == "U":
            return value.upper()
        if kind == "L":
            return value.lower()
        if kind == "u":
            return value[:1].upper() + value[1:]
        if kind == "a":
            variable = self.state.variables.get(name)
            return attribute_letters(variable) if variable else ""
        if kind == "A":
            return f"{name}={parameters.quote(value)}"
        if kind == "E":
            from kubenet_course.userland.shell.words import Scanner, Source

            scanner = Scanner(Source("$'" + value.replace("'", "\\'") + "'"), 0, lambda at: (Script([]), at))
            return scanner._ansi_quoted()
        return parameters.quote(value)

    async def _slice(self, part: Param, value: str) -> str:
        assert part.arg is not None
        offset = self.arith(await self.expand_string(part.arg))
        if offset < 0:
            offset += len(value)
            if offset < 0:
                return ""
        if part.arg2 is None:
            return value[offset:]
        length = self.arith(await self.expand_string(part.arg2))
        if length < 0:
            end = len(value) + length
            if end < offset:
                raise ExpansionError(f"{length}: substring expression < 0")
            return value[offset:end]
        return value[offset : offset + length]

    async def _slice_list(self, part: Param, values: list[str], name: str) -> list[str]:
        assert part.arg is not None
        offset = self.arith(await self.expand_string(part.arg))
        if name in ("@", "*"):
            values = [self.state.name, *values]
        if offset < 0:
            offset += len(values)
            if offset < 0:
                return []
        if part.arg2 is None:
            return values[offset:]
        length = self.arith(await self.expand_string(part.arg2))
        if length < 0:
            raise ExpansionError(f"{length}: substring expression < 0")
        return values[offset : offset + length]

    def _unset(self, name: str) -> None:
        if "u" in self.state.options and name not in ("@", "*"):
            raise ExpansionError(f"{name}: unbound variable", 127, fatal=True)

    # -- variables --------------------------------------------------------------------------
    def value_of(self, name: str, index: str | None = None) -> str | None:
        """A parameter's value, None where it is unset."""
        if index is not None:
            return self._element(name, index)
        variable = self.state.variables.get(name)
        if variable is not None:
            if variable.value is None and name in _DYNAMIC:
                return self._special(name)
            return variable.text
        return self._special(name)

    def _element(self, name: str, index: str) -> str | None:
        if name == "PIPESTATUS":
            known = self.state.pipestatus_text()
            at = self.arith(index)
            return known[at] if 0 <= at < len(known) else None
        if name in ("FUNCNAME", "BASH_SOURCE"):
            stack = self.state.call_stack[::-1]
            at = self.arith(index)
            return stack[at] if 0 <= at < len(stack) else None
        variable = self.state.variables.get(name)
        if variable is None or variable.value is None:
            return None
        if variable.kind == "A":
            return variable.value.get(index)  # type: ignore[union-attr, call-overload]
        at = self.arith(index)
        if isinstance(variable.value, str):
            return variable.value if at == 0 else None
        if at < 0:
            at += max(variable.value, default=-1) + 1  # type: ignore[type-var]
            if at < 0:
                raise ExpansionError(f"{name}: bad array subscript")
        return variable.value.get(at)  # type: ignore[call-overload]

    def _special(self, name: str) -> str | None:
        state = self.state
        if name.isdecimal():
            number = int(name)
            if number == 0:
                return state.name
            return state.positional[number - 1] if number <= len(state.positional) else None
        make = _SPECIALS.get(name)
        return make(self) if make else None

    def arith(self, text: str) -> int:
        try:
            return evaluate(text, self)
        except ArithError as error:
            raise ExpansionError(str(error)) from None

    def arith_get(self, name: str, index: str | None) -> str | None:
        value = self.value_of(name, index)
        if value is None:
            self._unset(name)
        return value

    def arith_set(self, name: str, index: str | None, value: int) -> None:
        self.assign(name, str(value), index)

    def assign(self, name: str, value: str, index: str | None = None, append: bool = False) -> None:
        """``name=value``; ExpansionError where the variable is read-only."""
        old = self.state.variables.get(name)
        if old is None:
            old = Variable(None, exported="a" in self.state.options)
        if old.readonly:
            raise ExpansionError(f"{name}: readonly variable", 1)
        if index is not None or isinstance(old.value, dict):
            self._assign_element(name, old, "0" if index is None else index, value, append)
            return
        if old.integer:
            number = self.arith(value)
            value = str(number + self.arith(old.text or "0") if append else number)
        elif append:
            value = (old.text or "") + value
        if old.case:
            value = value.upper() if old.case == "u" else value.lower()
        self.state.variables[name] = old._replace(value=value)
        if name == "OPTIND":
            self.state.getopts_at = 1

    def _assign_element(self, name: str, old: Variable, index: str, value: str, append: bool) -> None:
        kind = old.kind or "a"
        items: dict = dict(old.value) if isinstance(old.value, dict) else {}
        if isinstance(old.value, str):
            items[0] = old.value
        key: int | str = index
        if kind == "a":
            key = self.arith(index)
            if key < 0:
                key += max(items, default=-1) + 1
            if key < 0:
                raise ExpansionError(f"{name}[{index}]: bad array subscript")
        if old.integer:
            value = str(self.arith(value))
        items[key] = items.get(key, "") + value if append else value
        if kind == "a":
            items = dict(sorted(items.items()))
        self.state.variables[name] = old._replace(value=items, kind=kind)


def attribute_letters(variable: Variable) -> str:
    """The letters of ``declare -p``."""
    letters = variable.kind
    letters += "i" if variable.integer else ""
    letters += variable.case
    letters += "r" if variable.readonly else ""
    letters += "x" if variable.exported else ""
    return letters


def _seconds(shell: Expander) -> str:
    return str((shell.proc.loop.now - shell.state.started) // 1_000_000_000)


def _random(shell: Expander) -> str:
    state = shell.state
    if state.random_seed is None:
        state.random_seed = shell.proc.system.host.random.getrandbits(31)
    state.random_seed = (16807 * (state.random_seed or 1)) % 2147483647
    return str((state.random_seed >> 16 ^ state.random_seed & 0xFFFF) & 0x7FFF)


def _epoch(shell: Expander) -> int:
    return shell.proc.system.files.now()


_SPECIALS = {
    "?": lambda shell: str(shell.state.status),
    "#": lambda shell: str(len(shell.state.positional)),
    "$": lambda shell: str(shell.state.main_pid),
    "!": lambda shell: None if shell.state.background is None else str(shell.state.background),
    "-": lambda shell: shell.state.flags(),
    "_": lambda shell: shell.state.last_argument,
    "BASH": lambda shell: "/usr/bin/bash",
    "BASHPID": lambda shell: str(shell.proc.pid),
    "BASH_VERSION": lambda shell: VERSION,
    "BASH_SUBSHELL": lambda shell: str(shell.state.level),
    "EPOCHREALTIME": lambda shell: f"{_epoch(shell) / 1e9:.6f}",
    "EPOCHSECONDS": lambda shell: str(_epoch(shell) // 1_000_000_000),
    "EUID": lambda shell: "0",
    "FUNCNAME": lambda shell: shell.state.call_stack[-1] if shell.state.call_stack else None,
    "GROUPS": lambda shell: "0",
    "HOSTNAME": lambda shell: shell.proc.system.host.hostname,
    "HOSTTYPE": lambda shell: "x86_64",
    "LINENO": lambda shell: str(shell.line),
    "MACHTYPE": lambda shell: "x86_64-pc-linux-gnu",
    "OSTYPE": lambda shell: "linux-gnu",
    "PIPESTATUS": lambda shell: str(shell.state.pipestatus[0]) if shell.state.pipestatus else None,
    "PPID": lambda shell: str(shell.proc.ppid),
    "RANDOM": _random,
    "SECONDS": _seconds,
    "SHELLOPTS": lambda shell: "braceexpand:hashall:interactive-comments",
    "UID": lambda shell: "0",
}
_DYNAMIC = frozenset({"RANDOM", "SECONDS", "LINENO"})
