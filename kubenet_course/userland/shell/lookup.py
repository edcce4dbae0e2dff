"""Variables of a shell as expansions and assignments see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.userland.shell.arith import ArithError, evaluate
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.specials import ARRAYS, DYNAMIC, SPECIALS
from kubenet_course.userland.shell.state import Variable

if TYPE_CHECKING:
    pass


class Lookup:
    """Reading and setting variables in the state of one shell."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Shell` has besides."""

    def _unset(self, name: str) -> None:
        if "u" in self.state.options and name not in ("@", "*"):
            shown = f"${name}" if name.isdecimal() else name
            raise ExpansionError(f"{shown}: unbound variable", self.fatal_status(), fatal=True)

    def fatal_status(self) -> int:
        """What an expansion that ends the shell leaves: 127 of ``bash -c``; 1 with -e, of a script, of a subshell."""
        command = self.state.level == 0 and self.state.function_origin == "environment"
        return 127 if command and "e" not in self.state.options else 1

    def value_of(self, name: str, index: str | None = None) -> str | None:
        """A parameter's value, None where it is unset."""
        if index is not None:
            return self._element(name, index)
        variable = self.state.variables.get(name)
        if variable is not None:
            if variable.value is None and name in DYNAMIC:
                return self._special(name)
            return variable.text
        return self._special(name)

    def _element(self, name: str, index: str) -> str | None:
        if name in ARRAYS:
            known = ARRAYS[name](self)
            at = self.arith(index)
            return known[at] if 0 <= at < len(known) else None
        variable = self.state.variables.get(name)
        if variable is None or variable.value is None:
            return None
        if variable.kind == "A":
            return variable.value.get(index)  # type: ignore[union-attr, call-overload]
        at = self.arith(index)
        if isinstance(variable.value, str):
            return variable.value if at == 0 else None
        if at < 0:
            at += max(variable.value, default=-1) + 1  # type: ignore[type-var, operator]
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
        make = SPECIALS.get(name)
        if make is None:
            known = ARRAYS[name](self) if name in ARRAYS else None
            return known[0] if known else None
        return make(self)

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
