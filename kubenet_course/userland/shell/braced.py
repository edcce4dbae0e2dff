"""``${…}``: parameters with operators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.shell import parameters
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.fields import Field
from kubenet_course.userland.shell.lookup import Lookup
from kubenet_course.userland.shell.nodes import (
    Lit,
    Param,
    Script,
)
from kubenet_course.userland.shell.specials import ARRAYS
from kubenet_course.userland.shell.state import attribute_letters

if TYPE_CHECKING:
    pass


class Braced(Lookup):
    """What of a shell expands parameters into fields."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Shell` has besides."""

    async def _parameter(self, part: Param, fields: list[Field], split: bool, assignment: bool) -> None:
        quoted = part.quoted
        if (
            not part.op
            and part.subscript is None
            and not part.length
            and not part.indirect
            and part.name not in "@*"
        ):
            value = self.value_of(part.name)
            if value is None:
                self._unset(part.name)
                value = ""
            self._value(fields, value, quoted, split)
            return
        name, index = part.name, None
        if part.subscript is not None:
            index = await self.expand_string(part.subscript)
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
                self._unset(name if part.subscript is None else f"{name}[{index}]")
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
                known = ARRAYS[name](self) if name in ARRAYS else []
                return [str(at) for at in range(len(known))] if part.indirect else known
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
            raise ExpansionError(f"{name}: {text}", self.fatal_status(), fatal=True)

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
            from kubenet_course.userland.shell.source import Source
            from kubenet_course.userland.shell.words import Scanner

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
