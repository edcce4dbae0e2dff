"""add, update and delete of elements by packets, and meters (nft_dynset.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import Concat, Element, Expr, Value
from kubenet_course.kernel.netfilter.nf_tables.objects import state_of
from kubenet_course.kernel.netfilter.nf_tables.readers import reader_function
from kubenet_course.kernel.netfilter.nf_tables.sets import MILLISECOND, Member, NftSet
from kubenet_course.kernel.netfilter.tables import BREAK, CONTINUE, Table

Action = Callable[[Any, Any], Any]


def update(statement: st.SetUpdate, table: Table) -> Action:
    owner = table.sets[statement.set]
    return _action(owner, statement.op, statement.element, statement.statements or owner.statements, table)


def meter(statement: st.Meter, table: Table) -> Action:
    """The meter's set is made with the rule; each key has a state of its own."""
    op = "update" if statement.element.timeout is not None else "add"
    return _action(table.sets[statement.name], op, statement.element, (statement.statement,), table)


def _action(owner: NftSet, op: str, element: Element, counting: tuple[Any, ...], table: Table) -> Action:
    """nft_dynset_eval(): make or refresh the element, then run what it counts with."""
    read = reader_function(element.key, table)
    read_data = reader_function(element.data, table) if element.data is not None else None
    parts = element.key.parts if isinstance(element.key, Concat) else (element.key,)
    types = owner.types
    net = table.ruleset.net

    def key_expr(value: Any) -> Expr:
        values = value if isinstance(value, tuple) else (value,)
        made = tuple(Value(kind, one if isinstance(one, str) else int(one), part.bits) for kind, one, part in zip(types, values, parts))
        return Concat(made) if len(made) > 1 else made[0]

    def action(skb: Any, state: Any) -> int:
        value = read(skb, state)
        if value is None:
            return BREAK
        if op == "delete":
            return CONTINUE if owner.take(value) is not None else BREAK
        found = owner.find(value)
        timeout = element.timeout or (owner.timeout if "timeout" in owner.flags else 0)
        if found is None:
            if owner.size and len(owner.members) >= owner.size:
                return BREAK
            data = Value(owner.data_types[0], read_data(skb, state)) if read_data is not None else None
            states = tuple(state_of(one, net) for one in counting)
            shown = element.timeout if element.timeout is not None and element.timeout != owner.timeout else None
            expires = net.loop.now + timeout * MILLISECOND if timeout else 0
            found = Member(key_expr(value), data, shown, expires, "", tuple(counting), states)
            owner.put(value, found)
        elif op == "update" and timeout:
            found.expires = net.loop.now + timeout * MILLISECOND
        for one in found.states:
            if not one.run(skb):
                return BREAK
        return CONTINUE

    return action
