"""From the parser's rules to the contents of blocks: tables, chains, sets, objects."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import Loc
from kubenet_course.userland.commands.nft.build_rules import RuleBuilder
from kubenet_course.userland.commands.nft.commands import (
    ChainData,
    Definition,
    HookData,
    ObjectData,
    RuleData,
    SetData,
    TableData,
)
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.userland.commands.nft.pieces import Tail, Token, loc_of, number


def _text(children: list[Any]) -> str:
    """The string of `KEYWORD string`."""
    return str(children[1])


class BlockBuilder(RuleBuilder):
    """Methods named after the rules of the grammar."""

    # -- blocks -----------------------------------------------------------------------------
    def comment(self, children: list[Any]) -> Tail:
        return Tail("comment", _text(children), span(children))

    def table_flags(self, children: list[Any]) -> Tail:
        return Tail("flags", _text(children), loc_of(children[1]))

    def _block(self, kind: str, children: list[Any], data: Any) -> Tail:
        return Tail("item", (kind, str(children[1]), loc_of(children[1]), data, span(children)), span(children))

    def block_chain(self, children: list[Any]) -> Tail:
        return self._block("chain", children, chain_data(children[3:]))

    def block_set(self, children: list[Any]) -> Tail:
        return self._block("set", children, set_data(children[3:], loc_of(children[1])))

    def block_map(self, children: list[Any]) -> Tail:
        return self._block("map", children, set_data(children[3:], loc_of(children[1])))

    def block_counter(self, children: list[Any]) -> Tail:
        return self._block("counter", children, object_data(children[3:]))

    def block_quota(self, children: list[Any]) -> Tail:
        return self._block("quota", children, object_data(children[3:]))

    def block_limit(self, children: list[Any]) -> Tail:
        return self._block("limit", children, object_data(children[3:]))

    def block_flowtable(self, children: list[Any]) -> Tail:
        return self._block("flowtable", children, None)

    def block_ct_object(self, children: list[Any]) -> Tail:
        return self._block(f"ct {children[1]}", children[1:], object_data(children[4:]))

    def block_synproxy(self, children: list[Any]) -> Tail:
        return self._block("synproxy", children, object_data(children[3:]))

    def block_secmark(self, children: list[Any]) -> Tail:
        return self._block("secmark", children, object_data(children[3:]))

    def dev_spec(self, children: list[Any]) -> Tail:
        names = [child for child in children if not isinstance(child, Token) or child.type in STRINGS]
        return Tail("devices", tuple(names), span(children))

    def priority(self, children: list[Any]) -> Tail:
        return Tail("priority", tuple(children), span(children))

    def policy(self, children: list[Any]) -> Tail:
        if isinstance(children[0], Token) and children[0].type == "POLICY":
            return Tail("policy", children[1].value, span(children))
        return Tail("policy", children[0], span(children))

    def hook(self, children: list[Any]) -> Tail:
        kind, place, devices, priority = children[1], children[3], children[4], children[6]
        data = HookData(
            str(kind), str(place), priority.value, loc_of(kind), loc_of(place),
            (loc_of(children[5])[0], priority.loc[1]), devices.value, span(children),  # type: ignore[index]
        )  # fmt: skip
        return Tail("hook", data, data.loc)

    def chain_rule(self, children: list[Any]) -> Tail:
        return Tail("rule", children[0], span(children))

    def chain_flags(self, children: list[Any]) -> Tail:
        return Tail("offload", True, span(children))

    # -- sets -------------------------------------------------------------------------------
    def type_list(self, children: list[Any]) -> tuple[tuple[str, Loc | None], ...]:
        before = children[0] if isinstance(children[0], tuple) else ()
        return (*before, (str(children[-1]), loc_of(children[-1])))

    def set_type(self, children: list[Any]) -> Tail:
        return Tail("type", [child for child in children if isinstance(child, tuple)], head(children))

    def set_type_interval(self, children: list[Any]) -> Tail:
        return Tail("type interval", [child for child in children if isinstance(child, tuple)], head(children))

    def set_type_object(self, children: list[Any]) -> Tail:
        return Tail("type object", (children[1], str(children[3])), head(children))

    def typeof(self, children: list[Any]) -> Any:
        return children[0]

    def _of(self, children: list[Any]) -> list[Any]:
        return [child for child in children[1:] if not isinstance(child, Token)]

    def set_typeof(self, children: list[Any]) -> Tail:
        return Tail("typeof", self._of(children), head(children))

    def set_typeof_interval(self, children: list[Any]) -> Tail:
        return Tail("typeof interval", self._of(children), head(children))

    def set_typeof_object(self, children: list[Any]) -> Tail:
        return Tail("typeof object", (children[1], str(children[3])), head(children))

    def set_flags(self, children: list[Any]) -> Tail:
        return Tail("flags", {str(child) for child in children[1:] if child.type not in ("COMMA", *ENDS)}, head(children))

    def time(self, children: list[Any]) -> Any:
        return children[0]

    def set_timeout(self, children: list[Any]) -> Tail:
        return Tail("timeout", children[1], head(children))

    def set_gc(self, children: list[Any]) -> Tail:
        return Tail("gc", children[1], head(children))

    def set_stateful(self, children: list[Any]) -> Tail:
        return Tail("stateful", children[0], head(children))

    def set_elements(self, children: list[Any]) -> Tail:
        return Tail("elements", children[2], span(children))

    def set_auto_merge(self, children: list[Any]) -> Tail:
        return Tail("auto-merge", True, head(children))

    def set_policy(self, children: list[Any]) -> Tail:
        return Tail("policy", str(children[1]), head(children))

    def set_size(self, children: list[Any]) -> Tail:
        return Tail("size", children[1], head(children))

    def ct_l4proto(self, children: list[Any]) -> Tail:
        return Tail("protocol", str(children[1].children[0]), span(children))

    def ct_number(self, children: list[Any]) -> Tail:
        return Tail(str(children[0]), number(children[1]), span(children))

    def ct_timeout(self, children: list[Any]) -> Tail:
        return Tail("timeout", children[1], span(children))

    def timeout_state(self, children: list[Any]) -> Tail:
        return Tail("state", (str(children[0]), number(children[2])), loc_of(children[0]))

    def ct_policy(self, children: list[Any]) -> Tail:
        return Tail("policy", [child for child in children if isinstance(child, Tail)], span(children))

    def synproxy_config(self, children: list[Any]) -> Tail:
        numbers = [number(child) for child in children if isinstance(child, Token) and child.type == "NUM"]
        flags = st.SYN_MSS | st.SYN_WSCALE
        flags |= sum({"timestamp": st.SYN_TIMESTAMP, "sack-perm": st.SYN_SACK_PERM}[str(child)] for child in children[-1].children)
        return Tail("synproxy", st.Synproxy(numbers[0] & 0xFFFF, numbers[1] & 0xFF, flags), span(children))

    def secmark_context(self, children: list[Any]) -> Tail:
        return Tail("context", str(children[0]), span(children))

    def flow_hook(self, children: list[Any]) -> Tail:
        return Tail("flow hook", (str(children[1]), children[3].value), loc_of(children[1]))

    def flow_devices(self, children: list[Any]) -> Tail:
        names = tuple(child for child in children[2:] if not isinstance(child, Token) or child.type in STRINGS)
        return Tail("devices", names, span(children))

    def ct_helper_type(self, children: list[Any]) -> Tail:
        return Tail("helper", (str(children[1]), str(children[3].children[0])), span(children))

    def ct_l3proto(self, children: list[Any]) -> Tail:
        return Tail("l3proto", str(children[1]), span(children))


ENDS = ("NEWLINE", "SEMICOLON")
STRINGS = ("STRING", "QUOTED_STRING", "ASTERISK_STRING")


def span(children: list[Any]) -> Loc | None:
    """From the first to the last of them, without what ends the line."""
    places = [loc_of(child) for child in children if not (isinstance(child, Token) and child.type in ENDS)]
    known = [place for place in places if place is not None]
    return (known[0][0], known[-1][1]) if known else None


def head(children: list[Any]) -> Loc | None:
    """From the brace to the end of the last line in it."""
    places = [loc_of(child) for child in children]
    known = [place for place in places if place is not None]
    return (known[0][0], known[-1][1]) if known else None


def tails(items: list[Any]) -> list[Any]:
    """The contents of a block: items come as trees of one child, as Tails or as definitions."""
    found = []
    for item in items:
        found += _inside(item)
    return found


def _inside(item: Any) -> list[Any]:
    if isinstance(item, (Tail, Definition, RuleData)):
        return [item]
    return [found for child in getattr(item, "children", ()) for found in _inside(child)]


def table_data(items: list[Any]) -> TableData:
    data = TableData()
    for tail in tails(items):
        if isinstance(tail, Definition):
            data.items.append(("define", tail.name, tail.loc, tail, tail.loc))
        elif tail.kind == "comment":
            data.comment = tail.value
        elif tail.kind == "flags":
            if tail.value != "dormant":
                raise NftError("unknown table option " + tail.value, tail.loc)
            data.flags.append(tail.value)
        elif tail.kind == "item":
            data.items.append(tail.value)
    return data


def chain_data(items: list[Any]) -> ChainData:
    data = ChainData()
    for tail in tails(items):
        if isinstance(tail, Definition):
            data.rules.append(tail)  # type: ignore[arg-type]
        elif tail.kind == "hook":
            data.hook = tail.value
        elif tail.kind == "policy":
            data.policy, data.policy_loc = tail.value, tail.loc
        elif tail.kind == "comment":
            data.comment = tail.value
        elif tail.kind == "rule":
            data.rules.append(tail.value)
        elif tail.kind == "offload":
            data.offload = True
    return data


def set_data(items: list[Any], loc: Loc | None) -> SetData:
    data = SetData(loc=loc)
    for tail in tails(items):
        if isinstance(tail, Definition):
            continue
        kind, value = tail.kind, tail.value
        if kind in ("type", "type interval"):
            data.key_types = value[0]
            data.data_types = value[1] if len(value) > 1 else ()
        elif kind == "type object":
            data.key_types, data.object_kind = value
        elif kind in ("typeof", "typeof interval"):
            data.key_expr = value[0]
            data.data_expr = value[1] if len(value) > 1 else None
        elif kind == "typeof object":
            data.key_expr, data.object_kind = value
        elif kind == "flags":
            data.flags |= value
        elif kind in ("timeout", "size", "policy", "comment", "elements"):
            setattr(data, kind, value)
        elif kind == "gc":
            data.gc_interval = value
        elif kind == "stateful":
            data.statements.append(value)
        elif kind == "auto-merge":
            data.auto_merge = True
        data.data_interval = data.data_interval or kind.endswith(" interval")
    return data


def object_data(items: list[Any]) -> ObjectData:
    data = ObjectData()
    for item in items:
        for child in getattr(item, "children", (item,)):
            if isinstance(child, Tail) and child.kind == "comment":
                data.comment = child.value
            elif isinstance(child, Tail):
                data.statement = (data.statement or {}) | {child.kind: child.value}
            elif not isinstance(child, Token) and child is not None and not hasattr(child, "children"):
                data.statement = child
    return data
