"""From the parser's rules to commands: one method for each rule of grammar.lark that makes something."""

from __future__ import annotations

from typing import Any

from lark import Token, Transformer

from kubenet_course.kernel.netfilter.nf_tables.expressions import Loc, Verdict
from kubenet_course.userland.commands.nft.build_rules import RuleBuilder, Tail, loc_of, real
from kubenet_course.userland.commands.nft.commands import (
    ChainData,
    Command,
    Definition,
    HookData,
    ObjectData,
    RuleData,
    SetData,
    Spec,
    TableData,
)
from kubenet_course.userland.commands.nft.errors import NftError


def _text(children: list[Any]) -> str:
    """The string of `KEYWORD string`."""
    return str(children[1])


class Builder(RuleBuilder, Transformer):
    # -- top --------------------------------------------------------------------------------
    def start(self, children: list[Any]) -> list[Any]:
        found: list[Any] = []
        for child in children:
            if isinstance(child, (Command, Definition)):
                found.append(child)
            elif isinstance(child, Token) and child.type in ENDS and found and isinstance(found[-1], Command):
                command = found[-1]
                if command.loc and not command.ended:  # its place takes in what ends it
                    command.loc, command.ended = (command.loc[0], child.end_pos), True
        return found

    def include(self, children: list[Any]) -> None:
        return None

    def nothing(self, children: list[Any]) -> Tail:
        return Tail("nothing", None, _head(children))

    def define(self, children: list[Any]) -> Definition:
        name, value = children[1], children[3]
        return Definition(str(name), value, loc_of(name), str(children[0]))

    def undefine(self, children: list[Any]) -> Definition:
        return Definition(str(children[1]), None, loc_of(children[1]), "undefine")

    def identifier(self, children: list[Any]) -> Token:
        return children[0]

    def family_opt(self, children: list[Any]) -> Token | None:
        return children[0] if children else None

    string = identifier
    type_word = identifier
    family = identifier
    set_flag = identifier

    # -- which object -----------------------------------------------------------------------
    def table_spec(self, children: list[Any]) -> Spec:
        family, table = children
        return Spec(
            str(family) if family is not None else None, str(table), family_loc=loc_of(family), table_loc=loc_of(table)
        )

    def chain_spec(self, children: list[Any]) -> Spec:
        spec, name = children
        spec.name, spec.name_loc = str(name), loc_of(name)
        return spec

    set_spec = chain_spec

    def rule_position(self, children: list[Any]) -> Spec:
        spec = children[0]
        if len(children) > 1:
            number = int(children[2], 0)
            spec.handle_loc = loc_of(children[2]) if children[1].type == "HANDLE" else span(children[1:])
            if children[1].type == "INDEX":
                spec.index = number
            else:
                spec.position = number
        return spec

    # -- commands ---------------------------------------------------------------------------
    def _command(self, children: list[Any], op: str) -> Command:
        command = children[-1]
        command.op = op
        first = real(children)[0]
        start = loc_of(first) if isinstance(first, Token) else command.loc
        command.loc = (start[0], command.loc[1]) if start and command.loc else command.loc
        return command

    def cmd_add(self, children: list[Any]) -> Command:
        return self._command(children, "add")

    def cmd_create(self, children: list[Any]) -> Command:
        return self._command(children, "create")

    def cmd_insert(self, children: list[Any]) -> Command:
        return self._command(children, "insert")

    def cmd_replace(self, children: list[Any]) -> Command:
        return self._command(children, "replace")

    def cmd_delete(self, children: list[Any]) -> Command:
        return self._command(children, "delete")

    def cmd_list(self, children: list[Any]) -> Command:
        return self._command(children, "list")

    def cmd_reset(self, children: list[Any]) -> Command:
        return self._command(children, "reset")

    def cmd_flush(self, children: list[Any]) -> Command:
        return self._command(children, "flush")

    def cmd_get(self, children: list[Any]) -> Command:
        return Command("get", "element", children[2], children[3], span(children))

    def cmd_rename(self, children: list[Any]) -> Command:
        return Command("rename", "chain", children[2], str(children[3]), span(children))

    def cmd_monitor(self, children: list[Any]) -> Command:
        event, subject, form = (child.children[0] if child.children else None for child in children[1:])
        if event is not None and str(event) not in ("new", "destroy", "trace"):
            raise NftError(f"invalid event {event}", loc_of(event))
        words = tuple(str(part) if part is not None else "" for part in (event, subject, form))
        return Command("monitor", "ruleset", Spec(), words, span(children))

    def cmd_import(self, children: list[Any]) -> Command:
        return Command("import", "ruleset", Spec(), str(children[2]), span(children))

    def cmd_export(self, children: list[Any]) -> Command:
        return Command("export", "ruleset", Spec(), str(children[2]), span(children))

    def cmd_describe(self, children: list[Any]) -> Command:
        return Command("describe", "expression", Spec(), children[1].children[0], span(children))

    def _object(self, obj: str, children: list[Any], data: Any = None) -> Command:
        spec = next((child for child in children if isinstance(child, Spec)), Spec())
        return Command("", obj, spec, data, span(children))

    def add_table(self, children: list[Any]) -> Command:
        items = children[3:-1] if len(children) > 2 else []
        return self._object("table", children, table_data(items))

    def add_chain(self, children: list[Any]) -> Command:
        braced = len(children) > 2
        data = chain_data(children[3:-1] if braced else [])
        return self._object("chain", children, data)

    def add_rule(self, children: list[Any]) -> Command:
        command = self._object("rule", children, children[-1])
        command.loc = (command.loc[0], children[-1].loc[1]) if command.loc else children[-1].loc
        return command

    insert_rule = add_rule

    def replace_rule(self, children: list[Any]) -> Command:
        command = self._object("rule", children, children[-1])
        command.spec.handle, command.spec.handle_loc = int(children[3], 0), loc_of(children[3])
        return command

    def add_set(self, children: list[Any]) -> Command:
        return self._object("set", children, set_data(children[3:-1], _head(children[2:-1])))

    def add_map(self, children: list[Any]) -> Command:
        return self._object("map", children, set_data(children[3:-1], _head(children[2:-1])))

    def add_element(self, children: list[Any]) -> Command:
        return self._object("element", children, children[-1])

    def delete_element(self, children: list[Any]) -> Command:
        return self._object("element", children, children[-1])

    def add_counter(self, children: list[Any]) -> Command:
        return self._object("counter", children, object_data(children[2:]))

    def add_quota(self, children: list[Any]) -> Command:
        return self._object("quota", children, object_data(children[2:]))

    def add_limit(self, children: list[Any]) -> Command:
        return self._object("limit", children, object_data(children[2:]))

    def add_flowtable(self, children: list[Any]) -> Command:
        return self._object("flowtable", children)

    def add_ct_object(self, children: list[Any]) -> Command:
        return self._object(f"ct {children[1]}", children, object_data(children[3:]))

    def add_unsupported(self, children: list[Any]) -> Command:
        return self._object(str(children[0]), children)

    def _with_handle(self, obj: str, children: list[Any]) -> Command:
        command = self._object(obj, children)
        number = next(child for child in children if isinstance(child, Token) and child.type == "NUM")
        command.spec.handle, command.spec.handle_loc = int(number, 0), loc_of(number)
        return command

    def delete_table_handle(self, children: list[Any]) -> Command:
        command = self._with_handle("table", children)
        command.spec.family = str(children[1]) if children[1] is not None else None
        return command

    def delete_chain_handle(self, children: list[Any]) -> Command:
        return self._with_handle("chain", children)

    def delete_rule(self, children: list[Any]) -> Command:
        return self._with_handle("rule", children)

    def delete_set_handle(self, children: list[Any]) -> Command:
        return self._with_handle("set", children)

    def delete_object_handle(self, children: list[Any]) -> Command:
        return self._with_handle(str(children[0]), children)

    def delete_ct_object(self, children: list[Any]) -> Command:
        return self._object(f"ct {children[1]}", children)

    def list_object(self, children: list[Any]) -> Command:
        return self._object(str(children[0]), children)

    reset_object = list_object

    def list_ct_object(self, children: list[Any]) -> Command:
        return self._object(f"ct {children[1]}", children)

    def list_ct_objects(self, children: list[Any]) -> Command:
        return self._object(f"ct {children[1]}s", children)

    def _plural(self, children: list[Any]) -> Command:
        command = self._object(str(children[0]), children)
        last = children[-1]
        if isinstance(last, Token) and len(children) == 2:
            command.spec = Spec(family=str(last), family_loc=loc_of(last))
        return command

    list_tables = list_chains = list_ruleset = list_plural = list_hooks = reset_plural = flush_ruleset = _plural

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

    def block_unsupported(self, children: list[Any]) -> Tail:
        return self._block(str(children[0]), children, None)

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
        return Tail("type", [child for child in children if isinstance(child, tuple)], _head(children))

    def set_type_interval(self, children: list[Any]) -> Tail:
        return Tail("type interval", [child for child in children if isinstance(child, tuple)], _head(children))

    def set_type_object(self, children: list[Any]) -> Tail:
        return Tail("type object", (children[1], str(children[3])), _head(children))

    def typeof(self, children: list[Any]) -> Any:
        return children[0]

    def _of(self, children: list[Any]) -> list[Any]:
        return [child for child in children[1:] if not isinstance(child, Token)]

    def set_typeof(self, children: list[Any]) -> Tail:
        return Tail("typeof", self._of(children), _head(children))

    def set_typeof_interval(self, children: list[Any]) -> Tail:
        return Tail("typeof interval", self._of(children), _head(children))

    def set_typeof_object(self, children: list[Any]) -> Tail:
        return Tail("typeof object", (children[1], str(children[3])), _head(children))

    def set_flags(self, children: list[Any]) -> Tail:
        return Tail("flags", {str(child) for child in children[1:] if child.type not in ("COMMA", *ENDS)}, _head(children))

    def time(self, children: list[Any]) -> Any:
        return children[0]

    def set_timeout(self, children: list[Any]) -> Tail:
        return Tail("timeout", children[1], _head(children))

    def set_gc(self, children: list[Any]) -> Tail:
        return Tail("gc", children[1], _head(children))

    def set_stateful(self, children: list[Any]) -> Tail:
        return Tail("stateful", children[0], _head(children))

    def set_elements(self, children: list[Any]) -> Tail:
        return Tail("elements", children[2], span(children))

    def set_auto_merge(self, children: list[Any]) -> Tail:
        return Tail("auto-merge", True, _head(children))

    def set_policy(self, children: list[Any]) -> Tail:
        return Tail("policy", str(children[1]), _head(children))

    def set_size(self, children: list[Any]) -> Tail:
        return Tail("size", children[1], _head(children))

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


def _head(children: list[Any]) -> Loc | None:
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


def _named(obj: str) -> Any:
    return lambda self, children: self._object(obj, children)


for _op, _kinds in {
    "delete": ("table", "chain", "set", "map", "counter", "quota", "limit", "flowtable"),
    "list": ("table", "chain", "set", "map", "meter"),
    "flush": ("table", "chain", "set", "map"),
}.items():
    for _kind in _kinds:
        setattr(Builder, f"{_op}_{_kind}", _named(_kind))

__all__ = ["Builder", "Verdict"]
