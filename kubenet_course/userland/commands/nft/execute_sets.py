"""Commands on sets, maps and their elements."""

from __future__ import annotations

from functools import partial
from typing import Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import OBJECT_NAME, TYPES, DataType, data_type
from kubenet_course.kernel.netfilter.nf_tables.expressions import Concat, Element, MapExpr, SetRef, Wildcard
from kubenet_course.kernel.netfilter.nf_tables.rule import walk
from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet, bounds, key_of
from kubenet_course.kernel.netfilter.nf_tables.transaction import Refusal, Transaction
from kubenet_course.kernel.netfilter.tables import Ruleset, Table
from kubenet_course.userland.commands.nft.commands import Command, SetData, Spec
from kubenet_course.userland.commands.nft.errors import NftError, misread, refused
from kubenet_course.userland.commands.nft.lhs import LeftSides, types_of
from kubenet_course.userland.commands.nft.pieces import milliseconds
from kubenet_course.userland.commands.nft.rhs import Constants, conflict, is_interval, merged, unique
from kubenet_course.userland.commands.nft.suggest import SetCache

OBJECT_KINDS = ("counter", "quota", "limit")


class SetCommands:
    ruleset: Ruleset
    constants: Constants
    transaction: Transaction
    show: Any

    def _table_there(self, spec: Spec) -> Table:
        raise NotImplementedError

    # -- declaring --------------------------------------------------------------------------
    def add_set(self, command: Command) -> None:
        table = self._table_there(command.spec)
        data: SetData = command.data
        made = self._made(table, command, data)
        found = self.transaction.add_set(made, exclusive=command.op == "create")
        if data.elements is not None:
            self._add(found, data.elements, exclusive=False)

    add_map = create_set = create_map = add_set

    def _made(self, table: Table, command: Command, data: SetData) -> NftSet:
        no_key = NftError("set definition does not specify key", data.loc)
        try:
            types, widths, words = self._types(table, data.key_types, data.key_expr, data.loc)
        except NftError as error:
            error.also = (no_key.problem,) if error.problem.reading else ()
            raise
        if not types:
            raise no_key
        made = NftSet(table, command.spec.name, types)
        made.widths = widths
        if command.obj == "map":
            self._map_data(table, made, data, words)
        elif words:
            made.typeof = (words, "")
        if data.key_expr is not None:
            made.typeof_exprs = (data.key_expr, data.data_expr)
        made.flags = set(data.flags)
        made.data_interval = data.data_interval
        made.timeout = self._time(data.timeout)
        made.gc_interval = self._time(data.gc_interval)
        if made.timeout:
            made.flags.add("timeout")
        if made.gc_interval and "timeout" not in made.flags:
            raise refused(errno.strerror(errno.EINVAL), command.loc)
        made.size = self._number(data.size)
        made.policy, made.auto_merge, made.comment = data.policy, data.auto_merge, data.comment
        made.statements = tuple(data.statements)
        return made

    def _map_data(self, table: Table, made: NftSet, data: SetData, words: str) -> None:
        if data.object_kind:
            made.data_kind = data.object_kind
            made.data_types = (TYPES["verdict"],) if data.object_kind == "verdict" else (OBJECT_NAME,)
            made.data_widths = (0,)
            if words:
                made.typeof = (words, data.object_kind)
            return
        value_types, value_widths, value_words = self._types(table, data.data_types, data.data_expr, data.loc)
        if not value_types:
            raise NftError("map definition does not specify mapping data type", data.loc)
        made.data_types, made.data_widths = value_types, value_widths
        made.data_kind = " . ".join(kind.name for kind in value_types)
        if words:
            made.typeof = (words, value_words)

    def _types(self, table: Table, words: Any, expr: Any, whole: Any) -> tuple[tuple[DataType, ...], tuple[int, ...], str]:
        if expr is not None:
            sides = LeftSides(table.family, table.sets, self.constants)
            sides.context.l4_any = True
            typed = sides.lhs(expr)
            parts = typed.parts if isinstance(typed, Concat) else (typed,)
            return types_of(typed), tuple(part.bits for part in parts), typed.text()
        found, widths = [], []
        for word, loc in words:
            kind = data_type(word)
            if kind is None:
                raise misread(f"unknown datatype {word}", loc)
            if kind.bits == 0 and word != "verdict":
                raise NftError(
                    f'unqualified type {word} specified in set definition. Try "typeof expression" instead of "type datatype".', whole
                )
            found.append(kind)
            widths.append(kind.bits)
        return tuple(found), tuple(widths), ""

    def _time(self, word: Any) -> int:
        if word is None:
            return 0
        found = self.constants.resolve(word)
        return milliseconds(getattr(found, "word", found))

    def _number(self, word: Any) -> int:
        if word is None:
            return 0
        found = self.constants.resolve(word)
        return int(str(getattr(found, "value", found)), 0)

    def _grow_sets(self, table: Table, statements: tuple[Any, ...]) -> None:
        """A set that rules add to gets a size, as nft sees to it."""
        for statement in statements:
            if isinstance(statement, st.SetUpdate):
                found = table.sets.get(statement.set)
                if found is not None and not found.size and statement.op != "delete":
                    self.transaction.undo.append(partial(setattr, found, "size", 0))
                    found.size = 65535

    # -- elements ---------------------------------------------------------------------------
    def _set(self, command: Command) -> NftSet:
        found: NftSet = SetCache(self.ruleset, command.spec).find(command.spec.name, command.spec.name_loc)
        return found

    def _typed(self, owner: NftSet, expr: Any) -> list[Element]:
        return self.constants.elements(
            expr, owner.types, owner.widths, data=owner.data_types, data_widths=owner.data_widths, is_map=owner.is_map
        )

    def add_element(self, command: Command) -> None:
        self._add(self._set(command), command.data, exclusive=command.op == "create")

    create_element = add_element

    def _add(self, owner: NftSet, expr: Any, *, exclusive: bool) -> None:
        opened = self.constants.resolve(expr)
        if not owner.is_map and any(element.data is not None for element in getattr(opened, "elements", ())):
            raise NftError("netlink: Error: set is not a map", kernel=True)
        elements = self._typed(owner, expr)
        for element in elements:
            if is_interval(element) and not owner.interval:
                part = next(p for p in _parts(element.key) if not hasattr(p, "value") or hasattr(p, "length"))
                kind = "prefix" if hasattr(part, "length") else "range"
                what = "map" if owner.is_map else "set"
                raise NftError(
                    f"You must add 'flags interval' to your {what} declaration if you want to add {kind} elements",
                    element.key.loc or element.loc,
                )  # fmt: skip
        if owner.interval and len(owner.types) == 1 and owner.types[0].base != "string":
            elements = self._intervals(owner, elements)
        self.transaction.add_elements(owner, elements, exclusive=exclusive)

    def _intervals(self, owner: NftSet, elements: list[Element]) -> list[Element]:
        """Overlaps: merged where the set says so, else a mistake."""
        if owner.auto_merge and not owner.is_map:
            before = [member.shown(owner.now) for member in owner.alive()]
            together = merged([*before, *elements])
            self.transaction._keep_members(owner)
            kept = {key_of(element.key) for element in together}
            owner.restore({key: member for key, member in owner.members.items() if key in kept})
            return [element for element in together if key_of(element.key) not in owner.members]
        elements = unique(elements)
        pair = conflict(elements)
        if pair is not None:
            raise NftError("conflicting intervals specified", pair[1].loc, pair[0].loc)
        existing = [member.key for member in owner.alive() if not isinstance(member.key, Wildcard)]
        spans = {bounds(key) for key in existing}
        for element in elements:
            if isinstance(element.key, Wildcard) or bounds(element.key) in spans:
                continue
            low, high = bounds(element.key)
            if any(low <= other_high and other_low <= high for other_low, other_high in spans):
                raise NftError("interval overlaps with an existing one", element.loc)
        return elements

    def delete_element(self, command: Command) -> None:
        owner = self._set(command)
        elements = self._typed(owner, command.data)
        if owner.interval and len(owner.types) == 1:
            for element in elements:
                if key_of(element.key) not in owner.members:
                    raise NftError("element does not exist", element.loc)
        self.transaction.delete_elements(owner, elements)

    def get_element(self, command: Command) -> None:
        owner = self._set(command)
        found = []
        for element in self._typed(owner, command.data):
            key = key_of(element.key)
            member = owner.members.get(key)
            if member is None and owner.interval and not isinstance(element.key, Wildcard):
                low, high = (bounds(element.key) if not isinstance(element.key, Concat) else (None, None))
                if low is not None:
                    first, last = owner.find(low), owner.find(high)
                    member = first if first is last else None
                elif isinstance(element.key, Concat):
                    member = owner.find(tuple(bounds(part)[0] for part in element.key.parts))
            if member is None:
                raise Refusal(errno.ENOENT, "")
            found.append(member.shown(owner.now))
        self.show.set(owner, found)

    def delete_set(self, command: Command) -> None:
        table = self.transaction.table(command.spec.af, command.spec.table)
        if command.spec.handle is not None:
            for found in table.sets.values():
                if found.handle == command.spec.handle:
                    self.transaction.delete_set(found)
                    return
            raise Refusal(errno.ENOENT, "handle")
        self.transaction.delete_set(self.transaction.set(table, command.spec.name))

    delete_map = delete_set

    def flush_set(self, command: Command) -> None:
        self.transaction.flush_set(self._set(command))

    flush_map = flush_set


def _parts(key: Any) -> tuple[Any, ...]:
    return key.parts if isinstance(key, Concat) else (key,)


def used_maps(statements: tuple[Any, ...]) -> list[str]:
    """Names of the sets that map in a rule."""
    return [
        expr.mappings.name
        for statement in statements
        for expr in walk(statement)
        if isinstance(expr, MapExpr) and isinstance(expr.mappings, SetRef)
    ]
