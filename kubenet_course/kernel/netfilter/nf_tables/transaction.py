"""Changes to the ruleset, all or nothing (nf_tables_api.c): each change notes how to take it back.

A change that is not possible raises `Refusal` with the errno and what it is about ("table", "chain",
"name", "handle", "policy" or "" for the message as a whole).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables import validate
from kubenet_course.kernel.netfilter.nf_tables.expressions import Element, SetExpr, Verdict
from kubenet_course.kernel.netfilter.nf_tables.objects import NamedObject, state_of
from kubenet_course.kernel.netfilter.nf_tables.rule import NftRule, anonymous_sets, walk
from kubenet_course.kernel.netfilter.nf_tables.sets import MILLISECOND, Member, NftSet, key_of
from kubenet_course.kernel.netfilter.tables import ACCEPT, Base, Chain, Rule, Ruleset, Table


class Refusal(KubenetError):
    def __init__(self, code: int, about: str = "", subject: Any = None):
        super().__init__(errno.strerror(code))
        self.code = code
        self.about = about
        self.subject = subject


class Transaction:
    """`events` are (verb, kind, object, chain or table) in order, for nft monitor."""

    def __init__(self, ruleset: Ruleset):
        self.ruleset = ruleset
        self.undo: list[Callable[[], object]] = []
        self.events: list[tuple[Any, ...]] = []
        self.changed = False
        self.invalid: list[Table] = []

    def commit(self) -> None:
        if self.changed:
            self.ruleset.notify("transaction", self.events)

    def abort(self) -> None:
        for step in reversed(self.undo):
            step()
        self.undo.clear()
        self.events.clear()

    def _did(self, undo: Callable[[], object], *event: Any) -> None:
        self.changed = True
        self.undo.append(undo)
        if event:
            self.events.append(event)

    # -- tables -----------------------------------------------------------------------------
    def table(self, family: str, name: str) -> Table:
        found = self.ruleset.table(family, name)
        if found is None:
            raise Refusal(errno.ENOENT, "table")
        return found

    def add_table(self, family: str, name: str, *, exclusive: bool = False, comment: str = "", dormant: bool = False) -> Table:
        found = self.ruleset.table(family, name)
        if found is not None:
            if exclusive:
                raise Refusal(errno.EEXIST, "table")
            if found.dormant != dormant:
                before = found.dormant
                found.set_dormant(dormant)
                self._did(lambda: found.set_dormant(before))
            return found
        table = self.ruleset.add_table(family, name)
        table.comment = comment
        table.dormant = dormant
        self._did(lambda: self.ruleset.tables.pop((family, name), None), "create" if exclusive else "add", "table", table)
        return table

    def delete_table(self, table: Table) -> None:
        for chain in list(table.chains.values()):
            self.flush_chain(chain)
        self.events += [("delete", "set", found) for found in table.sets.values()]
        self.events += [("delete", found.kind, found, table) for found in table.objects.values()]
        self.events += [("delete", "chain", chain) for chain in table.chains.values()]
        chains, sets, objects = dict(table.chains), dict(table.sets), dict(table.objects)
        for chain in chains.values():
            if chain.base is not None and not table.dormant:
                self.ruleset.hook_out(chain)
        order = dict(self.ruleset.tables)
        del self.ruleset.tables[(table.family, table.name)]

        def back() -> None:
            self.ruleset.tables.clear()
            self.ruleset.tables.update(order)
            table.chains, table.sets, table.objects = chains, sets, objects
            for chain in chains.values():
                if chain.base is not None and not table.dormant:
                    self.ruleset.hook_in(chain)

        self._did(back, "delete", "table", table)

    # -- chains -----------------------------------------------------------------------------
    def chain(self, table: Table, name: str) -> Chain:
        found = table.chains.get(name)
        if found is None:
            raise Refusal(errno.ENOENT, "chain")
        return found

    def add_chain(
        self, table: Table, name: str, base: Base | None, *, policy: int | None = None, exclusive: bool = False, comment: str = "",
    ) -> Chain:  # fmt: skip
        found = table.chains.get(name)
        if found is not None:
            if exclusive:
                raise Refusal(errno.EEXIST, "chain")
            self._update_chain(found, base, policy)
            return found
        if base is None and policy is not None:
            raise Refusal(errno.EOPNOTSUPP, "policy")
        if base is not None:
            validate.base_chain(table.family, base)
            base.policy = policy if policy is not None else ACCEPT
        chain = Chain(table, name, base)
        chain.comment = comment
        table.add_chain(chain)

        def back() -> None:
            if chain.base is not None and not table.dormant:
                self.ruleset.hook_out(chain)
            table.chains.pop(chain.name, None)

        self._did(back, "create" if exclusive else "add", "chain", chain)
        return chain

    def _update_chain(self, chain: Chain, base: Base | None, policy: int | None) -> None:
        if base is not None:
            have = chain.base
            if have is None:
                raise Refusal(errno.EEXIST, "")
            if (have.type, have.hook, have.priority) != (base.type, base.hook, base.priority):
                raise Refusal(errno.EOPNOTSUPP, "")
        if policy is None:
            return
        if chain.base is None:
            raise Refusal(errno.EOPNOTSUPP, "policy")
        own, before = chain.base, chain.base.policy
        own.policy = policy
        self._did(lambda: setattr(own, "policy", before), "add", "chain", chain)

    def delete_chain(self, chain: Chain) -> None:
        self.flush_chain(chain)
        if chain.references():
            raise Refusal(errno.EBUSY, "chain")
        table = chain.table
        order = dict(table.chains)
        if chain.base is not None and not table.dormant:
            self.ruleset.hook_out(chain)
        del table.chains[chain.name]

        def back() -> None:
            table.chains = order
            if chain.base is not None and not table.dormant:
                self.ruleset.hook_in(chain)

        self._did(back, "delete", "chain", chain)

    def rename_chain(self, chain: Chain, name: str) -> None:
        table, before = chain.table, chain.name
        if name in table.chains:
            raise Refusal(errno.EEXIST, "")
        table.rename_chain(chain, name)
        self._rename_in_maps(table, before, name)

        def back() -> None:
            table.rename_chain(chain, before)
            self._rename_in_maps(table, name, before)

        self._did(back, "add", "chain", chain)

    def _rename_in_maps(self, table: Table, old: str, new: str) -> None:
        import dataclasses

        for owner in table.sets.values():
            for member in owner.members.values():
                if isinstance(member.data, Verdict) and member.data.chain == old:
                    member.data = dataclasses.replace(member.data, chain=new)

    def flush_chain(self, chain: Chain) -> None:
        rules = list(chain.rules)
        if not rules:
            return
        chain.flush()

        def back() -> None:
            for rule in rules:
                chain.insert(len(chain.rules), rule)

        self._did(back)
        self.events += [("delete", "rule", rule, chain) for rule in rules]

    # -- rules ------------------------------------------------------------------------------
    def find_rule(self, chain: Chain, handle: int) -> int:
        for place, rule in enumerate(chain.rules):
            if rule.handle == handle:
                return place
        raise Refusal(errno.ENOENT, "handle")

    def add_rule(self, chain: Chain, place: int, rule: NftRule, *, replaces: bool = False, verb: str = "add") -> None:
        table = chain.table
        for _ in range(anonymous_sets(rule)):
            handle = table.next_handle()
            rule.meter_handles.update((one.name, handle) for one in rule.statements if isinstance(one, st.Meter))
        rule.handle = chain.rules[place].handle if replaces else table.next_handle()
        validate.references(table, rule)
        if replaces:
            self._replace(chain, place, rule)
        else:
            chain.insert(place, rule)
            self._did(lambda: chain.remove(chain.rules.index(rule)), verb, "rule", rule, chain)
        self._validate(table, rule)

    def _validate(self, table: Table, rule: NftRule) -> None:
        """Once a table is not valid, everything that comes after in the transaction is refused too."""
        try:
            validate.table(table)
        except validate.Invalid as invalid:
            if table in self.invalid:
                invalid.before = tuple(expr.loc for statement in rule.statements for expr in walk(statement) if isinstance(expr, SetExpr))
            self.invalid.append(table)
            raise

    def _replace(self, chain: Chain, place: int, rule: NftRule) -> None:
        old = chain.rules[place]
        chain.replace(place, rule)
        self._did(lambda: chain.replace(chain.rules.index(rule), old), "delete", "rule", old, chain)
        self.events.append(("add", "rule", rule, chain))

    def delete_rule(self, chain: Chain, place: int) -> Rule:
        rule = chain.remove(place)
        self._did(lambda: chain.insert(place, rule), "delete", "rule", rule, chain)
        return rule

    # -- sets -------------------------------------------------------------------------------
    def set(self, table: Table, name: str) -> NftSet:
        found = table.sets.get(name)
        if found is None:
            raise Refusal(errno.ENOENT, "name")
        return found

    def add_set(self, made: NftSet, *, exclusive: bool = False) -> NftSet:
        table = made.table
        found = table.sets.get(made.name)
        if found is not None:
            same = (found.types, found.data_kind, found.data_types) == (made.types, made.data_kind, made.data_types)
            if exclusive or not same or found.flags != made.flags:
                raise Refusal(errno.EEXIST, "name")
            return found
        made.handle = table.next_handle()
        table.sets[made.name] = made
        self._did(lambda: table.sets.pop(made.name, None), "add", "set", made)
        return made

    def delete_set(self, found: NftSet) -> None:
        if found.references:
            raise Refusal(errno.EBUSY, "name")
        table, order = found.table, dict(found.table.sets)
        del table.sets[found.name]
        self._did(lambda: setattr(table, "sets", order), "delete", "set", found)

    def _keep_members(self, owner: NftSet) -> None:
        before = owner.copy_members()
        self._did(lambda: owner.restore(before))

    def add_elements(self, owner: NftSet, elements: list[Element], *, exclusive: bool = False) -> None:
        self._keep_members(owner)
        owner.alive()
        for element in elements:
            self._add_element(owner, element, exclusive)
            self.events.append(("add", "element", replace(element, expires=element.timeout), owner))
        if any(isinstance(element.data, Verdict) and element.data.chain for element in elements):
            validate.table(owner.table)

    def _add_element(self, owner: NftSet, element: Element, exclusive: bool) -> None:
        if owner.is_map != (element.data is not None):
            raise Refusal(errno.EINVAL, "element", element)
        if (element.timeout is not None or element.expires is not None) and "timeout" not in owner.flags:
            raise Refusal(errno.EINVAL, "element", element)
        if element.statements and owner.statements and type(element.statements[0]) is not type(owner.statements[0]):
            raise Refusal(errno.EOPNOTSUPP, "element", element)
        data = element.data
        if isinstance(data, Verdict) and data.chain:
            target = owner.table.chains.get(data.chain)
            if target is None:
                raise Refusal(errno.ENOENT, "element", element)
            if target.base is not None:
                raise Refusal(errno.EOPNOTSUPP, "element", element)
        named = (owner.data_kind, str(getattr(data, "value", "")))
        if owner.data_kind in ("counter", "quota", "limit", "secmark", "synproxy") and named not in owner.table.objects:
            raise Refusal(errno.ENOENT, "element", element)
        key = key_of(element.key)
        found = owner.members.get(key)
        if found is not None:
            if exclusive or data is not None and found.data != data:
                raise Refusal(errno.EEXIST, "element", element)
            return
        if owner.size and len(owner.members) >= owner.size:
            raise Refusal(errno.ENFILE, "element", element)
        owner.put(key, member(owner, element))

    def delete_elements(self, owner: NftSet, elements: list[Element]) -> None:
        self._keep_members(owner)
        owner.alive()
        for element in elements:
            if owner.take(key_of(element.key)) is None:
                raise Refusal(errno.ENOENT, "element", element)
            self.events.append(("delete", "element", element, owner))

    def flush_set(self, owner: NftSet) -> None:
        self._keep_members(owner)
        self.events += [("delete", "element", element, owner) for element in owner.listed()]
        owner.restore({})

    # -- objects ----------------------------------------------------------------------------
    def add_object(self, table: Table, made: NamedObject, *, exclusive: bool = False) -> NamedObject:
        key = (made.kind, made.name)
        found = table.objects.get(key)
        if found is not None:
            if exclusive:
                raise Refusal(errno.EEXIST, "name")
            return found
        made.handle = table.next_handle()
        table.objects[key] = made
        self._did(lambda: table.objects.pop(key, None), "add", made.kind, made, table)
        return made

    def delete_object(self, table: Table, kind: str, name: str) -> None:
        found = table.objects.get((kind, name))
        if found is None:
            raise Refusal(errno.ENOENT, "name")
        if found.references:
            raise Refusal(errno.EBUSY, "name")
        order = dict(table.objects)
        del table.objects[(kind, name)]
        self._did(lambda: setattr(table, "objects", order), "delete", kind, found, table)


def member(owner: NftSet, element: Element) -> Member:
    """The element as the set keeps it."""
    net = owner.table.ruleset.net
    timeout = element.timeout
    life = element.expires or timeout or (owner.timeout if "timeout" in owner.flags else 0)
    expires = owner.now + life * MILLISECOND if life else 0
    statements = element.statements or owner.statements
    states = tuple(state_of(statement, net) for statement in statements)
    return Member(element.key, element.data, timeout, expires, element.comment, tuple(statements), states)
