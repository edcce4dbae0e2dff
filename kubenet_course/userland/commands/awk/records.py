"""Records and fields of an AWK program: reading, splitting, $0 and NF."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.awk.control import RuntimeFault
from kubenet_course.userland.commands.awk.lexer import AwkError
from kubenet_course.userland.commands.awk.values import (
    Value,
    from_input,
    to_number,
    to_string,
)
from kubenet_course.userland.files_io import decode, open_input
from kubenet_course.userland.regex import extended
from kubenet_course.userland.streams import Reader


class Records:
    """Input, fields and variables of one run."""

    fields: list[Value] | None
    reader: Reader | None
    next_operand: int

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Machine` has besides."""

    async def _open_next(self) -> bool:
        argv = self.variables["ARGV"]
        while self.next_operand < to_number(self.variables["ARGC"]):
            operand = to_string(argv.get(str(self.next_operand), ""))
            self.next_operand += 1
            match = re.fullmatch(r"([A-Za-z_]\w*)=(.*)", operand, re.S)
            if match:
                self.assign_text(match[1], match[2])
                continue
            if not operand:
                continue
            self.used_file = True
            await self._open(operand)
            return True
        if self.used_file:
            return False
        self.used_file = True
        await self._open("-")
        return True

    async def _open(self, name: str) -> None:
        try:
            self.reader = open_input(self.proc, name)
        except KernelError as error:
            raise AwkError(f"cannot open {name} ({error.strerror})") from None
        self.variables["FILENAME"] = name
        self.variables["FNR"] = 0.0
        self.buffer = b""

    def assign_text(self, name: str, text: str) -> None:
        """``-v name=value`` and operands: escapes are understood."""
        from kubenet_course.userland.commands.awk.lexer import Lexer

        try:
            raw = Lexer('"' + text.replace('"', '\\"').replace("\n", "\\n") + '"').all()[0].value
        except AwkError:
            raw = text
        self.set_variable(name, from_input(raw))

    async def next_record(self) -> bool:
        """Read the next record of the main input into $0."""
        while True:
            if self.reader is None and not await self._open_next():
                return False
            assert self.reader is not None
            try:
                line, self.buffer = await self.read_from(self.reader, self.buffer)
            except KernelError as error:
                raise AwkError(f"read error ({error.strerror})") from None
            if line is None:
                self.reader = None
                continue
            self.set_record(line)
            self.variables["NR"] = to_number(self.variables["NR"]) + 1
            self.variables["FNR"] = to_number(self.variables["FNR"]) + 1
            return True

    async def read_from(self, reader: Reader, buffer: bytes) -> tuple[str | None, bytes]:
        """(a record or None at the end, what was read ahead)."""
        separator = self.text("RS")
        if separator == "\n":
            line = await reader.readline()
            return (decode(line.removesuffix(b"\n")), b"") if line else (None, b"")
        data = buffer + await reader.read()
        if not separator:
            data = data.lstrip(b"\n")
            if not data:
                return None, b""
            match = re.search(rb"\n\n+", data)
        else:
            if not data:
                return None, b""
            regex = re.escape(separator) if len(separator) == 1 else extended(separator)
            match = re.search(regex.encode("utf-8", "surrogateescape"), data)
        if match is None:
            return decode(data.removesuffix(b"\n")), b""
        return decode(data[: match.start()]), data[match.end() :]

    def set_record(self, text: str) -> None:
        self.record = text
        self.fields = None
        self.variables["NF"] = None

    def split_fields(self) -> list[Value]:
        if self.fields is None:
            self.fields = list(map(from_input, self.split(self.record, self.text("FS"))))
            self.variables["NF"] = float(len(self.fields))
        return self.fields

    def split(self, text: str, separator: str) -> list[str]:
        """What FS or split()'s third argument makes of `text`."""
        if separator == " ":
            return text.split()
        if not text:
            return []
        if not separator:
            return list(text)
        if not self.text("RS") and separator != "\n":
            text = text.replace("\n", separator if len(separator) == 1 else "\n")
        if len(separator) == 1:
            return text.split(separator)
        out, at = [], 0
        for match in self.regex(separator).finditer(text):
            if match.end() > match.start():
                out.append(text[at : match.start()])
                at = match.end()
        return [*out, text[at:]]

    def get_field(self, number: int) -> Value | None:
        if number < 0:
            raise RuntimeFault(f"negative field index ${number}")
        if number == 0:
            return from_input(self.record)
        fields = self.split_fields()
        return fields[number - 1] if number <= len(fields) else None

    def set_field(self, number: int, value: Value) -> None:
        if number < 0 or number > 32767:
            raise RuntimeFault(
                f"field number {number} exceeds MAX_FIELD"
                if number > 0
                else f"negative field index ${number}"
            )
        if number == 0:
            self.set_record(to_string(value))
            return
        fields = self.split_fields()
        while len(fields) < number:
            fields.append("")
        fields[number - 1] = value
        self._rebuild()

    def _rebuild(self) -> None:
        assert self.fields is not None
        self.variables["NF"] = float(len(self.fields))
        self.record = self.text("OFS").join(to_string(one, self.text("CONVFMT")) for one in self.fields)

    def scope(self, name: str) -> dict[str, Any]:
        return self.locals[-1] if self.locals and name in self.locals[-1] else self.variables

    def text(self, name: str) -> str:
        return to_string(self.variables.get(name))

    def get_variable(self, name: str) -> Any:
        if name == "NF":
            self.split_fields()
        return self.scope(name).get(name)

    def set_variable(self, name: str, value: Any) -> None:
        scope = self.scope(name)
        if isinstance(scope.get(name), dict):
            raise RuntimeFault(f"can't assign to {name}; it's an array name.")
        scope[name] = value
        if name == "NF" and scope is self.variables:
            fields = self.split_fields()
            count = max(0, min(int(to_number(value)), 32767))
            del fields[count:]
            fields.extend([""] * (count - len(fields)))
            self._rebuild()

    def array(self, name: str) -> dict[str, Any]:
        scope = self.scope(name)
        found = scope.get(name)
        if found is None:
            found = scope[name] = {}
        if not isinstance(found, dict):
            raise RuntimeFault(f"attempt to use scalar {name} as array")
        return found

    def regex(self, text: str) -> re.Pattern[str]:
        found = self.regexes.get(text)
        if found is None:
            try:
                found = re.compile(extended(text))
            except (ValueError, re.error, OverflowError) as error:
                raise RuntimeFault(f"regular expression compile failed ({error})\n{text}") from None
            self.regexes[text] = found
        return found
