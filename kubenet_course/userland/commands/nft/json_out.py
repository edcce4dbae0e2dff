"""nft -j: the ruleset in libnftables' JSON (libnftables-json(5))."""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.objects import (
    CtExpectation,
    CtHelper,
    CtTimeout,
    NamedObject,
)
from kubenet_course.kernel.netfilter.nf_tables.rule import ANONYMOUS, NftRule
from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet
from kubenet_course.kernel.netfilter.tables import DROP, Chain, Rule, Table
from kubenet_course.userland.commands.nft.json_expressions import Interface, element_json
from kubenet_course.userland.commands.nft.json_statements import sized, statement_json
from kubenet_course.userland.commands.nft.listing import hook_name

METAINFO = {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}
def document(objects: list[dict[str, Any]], names: Any = None) -> str:
    return json.dumps(named({"nftables": [METAINFO, *objects]}, names), ensure_ascii=False) + "\n"


def named(thing: Any, names: Any) -> Any:
    if isinstance(thing, Interface):
        return (names.device_name(thing.number) if names is not None else None) or str(thing)
    if isinstance(thing, dict):
        return {key: named(value, names) for key, value in thing.items()}
    if isinstance(thing, list):
        return [named(value, names) for value in thing]
    return thing


class Writer:
    """Appends objects to `out` in nft's order."""

    def __init__(self, out: list[dict[str, Any]], style: Style = PLAIN, warnings: list[str] | None = None):
        self.out = out
        self.style = style
        self.warnings: list[str] = [] if warnings is None else warnings

    def add(self, kind: str, **fields: Any) -> None:
        self.out.append({kind: fields})

    # -- objects ----------------------------------------------------------------------------
    def table(self, table: Table) -> None:
        self.table_head(table)
        self.contents(table)

    def ruleset(self, tables: list[Table]) -> None:
        for table in tables:
            self.table(table)

    def contents(self, table: Table) -> None:
        for item in table.objects.values():
            self.object(item, table)
        for found in table.sets.values():
            if not found.meter:
                self.set(found)
        chains = [chain for chain in table.chains.values() if not chain.name.startswith(ANONYMOUS)]
        for chain in chains:
            self.chain(chain)
        for chain in chains:
            for rule in chain.rules:
                self.rule(rule, chain)

    def table_head(self, table: Table) -> None:
        fields: dict[str, Any] = {"family": table.family, "name": table.name, "handle": table.handle}
        if table.dormant:
            fields["flags"] = "dormant"
        self.out.append({"table": fields})

    def chain(self, chain: Chain) -> None:
        fields: dict[str, Any] = {"family": chain.table.family, "table": chain.table.name, "name": chain.name, "handle": chain.handle}
        base = chain.base
        if base is not None:
            fields |= {
                "type": base.type, "hook": hook_name(chain.table.family, base.hook), "prio": base.priority,
                "policy": "drop" if base.policy == DROP else "accept",
            }  # fmt: skip
        self.out.append({"chain": fields})

    def rule(self, rule: Rule, chain: Chain) -> None:
        fields: dict[str, Any] = {
            "family": chain.table.family, "table": chain.table.name, "chain": chain.name, "handle": rule.handle,
        }  # fmt: skip
        if isinstance(rule, NftRule):
            if rule.comment:
                fields["comment"] = rule.comment
            fields["expr"] = [self._statement(rule, statement) for statement in rule.shown()]
        else:
            from kubenet_course.userland.commands.nft.xt_rules import json_of

            fields["expr"] = json_of(rule)
        self.out.append({"rule": fields})

    def _statement(self, rule: NftRule, statement: Any) -> Any:
        """Two kinds of statement come in nft's words, and nft says that it has no better."""
        chain = isinstance(statement, st.VerdictStatement) and statement.verdict.chain.startswith(ANONYMOUS)
        if chain or isinstance(statement, st.SetUpdate) and statement.element.data is not None:
            self.warnings.append(f"warning: stmt ops {'chain' if chain else 'map'} have no json callback")
            return rule.words(statement, self.style)
        return statement_json(statement)

    def object(self, item: NamedObject, table: Table) -> None:
        fields: dict[str, Any] = {"family": table.family, "name": item.name, "table": table.name, "handle": item.handle}
        if item.comment:
            fields["comment"] = item.comment
        shown = item.state.shown() if item.state is not None else None
        if isinstance(shown, st.Counter):
            fields |= {"packets": shown.packets, "bytes": shown.bytes}
        elif isinstance(shown, st.Quota):
            fields |= {"bytes": shown.bytes, "used": shown.used, "inv": shown.over}
        elif isinstance(shown, st.Limit):
            fields |= limit_object(shown)
        elif item.details is not None:
            fields |= details_json(item.details)
        self.out.append({item.kind: fields})

    def set(self, found: NftSet, elements: list[Any] | None = None) -> None:
        names = [kind.name for kind in found.types]
        fields: dict[str, Any] = {
            "family": found.table.family, "name": found.name, "table": found.table.name,
            "type": names if len(names) > 1 else names[0], "handle": found.handle,
        }  # fmt: skip
        if found.comment:
            fields["comment"] = found.comment
        if found.is_map:
            fields["map"] = found.data_kind
        if found.policy == "memory":
            fields["policy"] = "memory"
        if found.size:
            fields["size"] = found.size
        flags = [flag for flag in ("constant", "interval", "timeout") if flag in found.flags]
        if flags:
            fields["flags"] = flags
        if found.timeout:
            fields["timeout"] = found.timeout // 1000
        if found.gc_interval:
            fields["gc-interval"] = found.gc_interval // 1000
        listed = found.listed() if elements is None else elements
        if listed and not self.style.terse:
            fields["elem"] = [element_json(element, self.style.stateless) for element in listed]
        if found.statements:
            fields["stmt"] = [statement_json(statement, stateless=True) for statement in found.statements]
        self.out.append({"map" if found.is_map else "meter" if found.meter else "set": fields})


def details_json(details: Any) -> dict[str, Any]:
    """Objects that count nothing."""
    if isinstance(details, CtHelper):
        return {"type": details.helper, "protocol": details.protocol, "l3proto": details.l3}
    if isinstance(details, CtTimeout):
        return {"protocol": details.protocol, "l3proto": details.l3, "policy": dict(details.policy) or None}
    if isinstance(details, CtExpectation):
        return {
            "protocol": details.protocol, "dport": details.dport, "timeout": details.timeout, "size": details.size,
            "l3proto": details.l3,
        }  # fmt: skip
    words = details.flag_words()
    return {"mss": details.mss, "wscale": details.wscale, **({"flags": words} if words else {})}


def limit_object(limit: st.Limit) -> dict[str, Any]:
    rate, unit = sized(limit.rate) if limit.in_bytes else (limit.rate, "")
    fields: dict[str, Any] = {"rate": rate, "per": limit.unit}
    if limit.over:
        fields["inv"] = True
    if unit:
        fields["rate_unit"] = unit
    if limit.burst:
        burst, unit = sized(limit.burst) if limit.in_bytes else (limit.burst, "")
        fields["burst"] = burst
        if unit:
            fields["burst_unit"] = unit
    return fields
