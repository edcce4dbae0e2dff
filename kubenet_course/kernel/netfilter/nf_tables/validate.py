"""What the kernel checks of chains and rules: hooks, loops, targets that are not there (nft_table_validate())."""

from __future__ import annotations

from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KubenetError
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Fib,
    Ipsec,
    Meta,
    Osf,
    Rt,
    SetExpr,
    SetRef,
    Socket,
    Verdict,
)
from kubenet_course.kernel.netfilter.nf_tables.rule import NftRule, walk
from kubenet_course.kernel.netfilter.tables import Base, Chain, Rule, Table

#: Statement → (chain type it needs, hooks it may be in).
NAT_HOOKS = {"snat": (1, 4), "dnat": (0, 3), "masquerade": (4,), "redirect": (0, 3)}
REJECT_HOOKS = (0, 1, 2, 3)
MAXIMUM_DEPTH = 16


class Invalid(KubenetError):
    """Refused by a check; `place` is where in what was typed, or None for the whole."""

    def __init__(self, code: int, place: Any = None, before: tuple[Any, ...] = ()):
        super().__init__(code)
        self.code = code
        self.place = place
        #: Places that are refused for the same reason, said first: sets without a name.
        self.before = before


def base_chain(family: str, base: Base) -> None:
    """nf_tables_chain_type_lookup() and the type's hooks."""
    allowed: dict[str, tuple[int, ...]] = {
        "filter": (0, 1, 2, 3, 4, 5), "nat": (0, 1, 3, 4), "route": (3,),
    }  # fmt: skip
    if family in ("bridge", "arp", "netdev") and base.type != "filter":
        raise Invalid(errno.ENOENT)
    if base.hook not in allowed[base.type]:
        raise Invalid(errno.EOPNOTSUPP)
    if base.type == "nat" and base.priority <= -200:
        raise Invalid(errno.EOPNOTSUPP)


def references(table: Table, rule: NftRule) -> None:
    """Chains and objects that the rule names must be there."""
    for statement in rule.statements:
        if isinstance(statement, st.VerdictStatement) and statement.verdict.chain:
            _chain(table, statement.verdict, statement.verdict.chain_loc)
        elif isinstance(statement, st.VerdictMap) and isinstance(statement.mappings, SetExpr):
            for element in statement.mappings.elements:
                if isinstance(element.data, Verdict) and element.data.chain:
                    _chain(table, element.data, element.loc)
        elif isinstance(statement, st.ObjectRef) and hasattr(statement.name, "value"):
            if (statement.kind, str(statement.name.value)) not in table.objects:
                raise Invalid(errno.ENOENT, statement.name.loc)
        elif isinstance(statement, st.ObjectRef) and isinstance(getattr(statement.name, "mappings", None), SetExpr):
            for element in statement.name.mappings.elements:  # type: ignore[attr-defined]
                if (statement.kind, str(getattr(element.data, "value", ""))) not in table.objects:
                    raise Invalid(errno.ENOENT, element.loc)


def _chain(table: Table, verdict: Verdict, place: Any) -> None:
    found = table.chains.get(verdict.chain)
    if found is None:
        raise Invalid(errno.ENOENT, place)
    if found.base is not None:
        raise Invalid(errno.EOPNOTSUPP, place)


def table(table: Table) -> None:
    """From each base chain on: no loops, no more than 16 jumps deep, every rule fit for the hook."""
    for chain in table.chains.values():
        if chain.base is not None:
            _walk(chain, chain.base, [], set())


def _walk(chain: Chain, base: Base, way: list[Chain], seen: set[tuple[int, int]]) -> None:
    if chain in way or len(way) >= MAXIMUM_DEPTH:
        raise Invalid(errno.EMLINK)
    key = (id(chain), len(way))
    if key in seen:
        return
    seen.add(key)
    way.append(chain)
    for rule in chain.rules:
        _fits(rule, base)
        for name in _targets(chain.table, rule):
            found = chain.table.chains.get(name)
            if found is not None:
                _walk(found, base, way, seen)
    way.pop()


def _targets(table: Table, rule: Rule) -> set[str]:
    names = set(rule.targets())
    if isinstance(rule, NftRule):
        for statement in rule.statements:
            if isinstance(statement, st.VerdictMap) and isinstance(statement.mappings, SetRef):
                owner = table.sets.get(statement.mappings.name)
                for member in owner.members.values() if owner is not None else ():
                    if isinstance(member.data, Verdict) and member.data.chain:
                        names.add(member.data.chain)
    return names


def _fib_hooks(expr: Fib) -> tuple[int, ...]:
    """nft_fib_validate()"""
    if expr.result != "type" or "iif" in expr.flags:
        return (0, 1, 2)
    return (2, 3, 4) if "oif" in expr.flags else (0, 1, 2, 3, 4)


def _fits(rule: Rule, base: Base) -> None:
    if not isinstance(rule, NftRule):
        return
    family = rule.chain.table.family if rule.chain is not None else ""
    for statement in rule.statements:
        if isinstance(statement, st.Nat):
            if base.type != "nat" or base.hook not in NAT_HOOKS[statement.kind]:
                raise Invalid(errno.EOPNOTSUPP)
        elif (
            isinstance(statement, st.Reject) and base.hook not in REJECT_HOOKS
            or any(isinstance(expr, Fib) and base.hook not in _fib_hooks(expr) for expr in walk(statement))
        ) or any(not _expression_fits(expr, base, family) for expr in walk(statement)) or not _statement_fits(statement, base, family):
            raise Invalid(errno.EOPNOTSUPP)


IP_FAMILIES = ("ip", "ip6", "inet")


def _expression_fits(expr: Any, base: Base, family: str) -> bool:
    """The validate() of the expressions that are not for every hook."""
    ip = family in IP_FAMILIES
    if isinstance(expr, Rt):
        return ip and (expr.key != "mtu" or base.hook in (2, 3, 4))
    if isinstance(expr, Meta) and expr.key in ("sdif", "sdifname"):
        return ip and base.hook in (1, 2)
    if isinstance(expr, Meta) and expr.key == "ipsec":
        return base.hook in (0, 1, 2) if ip else family == "netdev" and base.hook == 0
    if isinstance(expr, Socket):
        return ip and base.hook in (0, 1, 3)
    if isinstance(expr, Osf):
        return ip and base.hook in (0, 1, 2)
    if isinstance(expr, Ipsec):
        return base.hook in ((0, 1, 2) if expr.direction == "in" else (2, 3, 4))
    return True


def _statement_fits(statement: Any, base: Base, family: str) -> bool:
    if isinstance(statement, st.Synproxy) or isinstance(statement, st.ObjectRef) and statement.kind == "synproxy":
        return family in IP_FAMILIES and base.hook in (1, 2)
    if isinstance(statement, st.Tproxy):
        return base.hook == 0
    if isinstance(statement, st.Fwd):
        return family == "netdev"
    return True
