"""Assignments: scalars, elements, whole arrays."""

from __future__ import annotations

from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.expand import Expander
from kubenet_course.userland.shell.nodes import ArrayValue, Assign
from kubenet_course.userland.shell.parameters import quote_trace
from kubenet_course.userland.shell.state import Variable


class Assigner(Expander):
    """What of the shell deals with `Assign` nodes."""

    def trace(self, text: str) -> None:
        raise NotImplementedError

    async def do_assign(self, assign: Assign, show: bool = False) -> None:
        """Make an assignment; `show` traces it under ``set -x``."""
        traced = show and "x" in self.state.options
        if isinstance(assign.value, ArrayValue):
            if traced:
                self.trace(f"{assign.name}{'+' if assign.append else ''}={assign.value.raw}")
            await self.assign_array(assign.name, assign.value, assign.append)
            return
        index = await self.expand_string(assign.index) if assign.index is not None else None
        value = await self.expand_string(assign.value, assignment=True)
        if traced:
            subscript = f"[{index}]" if index is not None else ""
            shown = quote_trace(value) if value else ""
            self.trace(f"{assign.name}{subscript}{'+' if assign.append else ''}={shown}")
        self.assign(assign.name, value, index, assign.append)

    async def assign_text(self, assign: Assign) -> str:
        """``name=value`` as an argument of `export` and its kin."""
        if isinstance(assign.value, ArrayValue):
            return f"{assign.name}{'+' if assign.append else ''}={assign.value.raw}"
        value = await self.expand_string(assign.value, assignment=True)
        subscript = f"[{await self.expand_string(assign.index)}]" if assign.index is not None else ""
        return f"{assign.name}{subscript}{'+' if assign.append else ''}={value}"

    async def assign_array(self, name: str, array: ArrayValue, append: bool, kind: str = "") -> None:
        """``name=(…)``."""
        old = self.state.variables.get(name) or Variable(None)
        if old.readonly:
            raise ExpansionError(f"{name}: readonly variable")
        kind = kind or old.kind or "a"
        items: dict = {}
        if append:
            items = dict(old.value) if isinstance(old.value, dict) else {}
            if isinstance(old.value, str):
                items[0] = old.value
        following = max(items, default=-1) + 1 if kind == "a" else 0
        for index, word in array.elements:
            if index is None:
                if kind == "A":
                    raise ExpansionError(
                        f"{name}: {word.raw}: must use subscript when assigning associative array"
                    )
                for value in await self.expand_words([word]):
                    items[following] = str(self.arith(value)) if old.integer else value
                    following += 1
                continue
            key: int | str = await self.expand_string(index)
            if kind == "a":
                key = self.arith(str(key))
                following = key + 1
            items[key] = await self.expand_string(word)
        if kind == "a":
            items = dict(sorted(items.items()))
        self.state.variables[name] = old._replace(value=items, kind=kind)
