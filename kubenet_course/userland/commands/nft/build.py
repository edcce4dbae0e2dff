"""From the parser's rules to commands: one method for each rule of grammar.lark that makes something."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.nft.build_blocks import (
    ENDS,
    BlockBuilder,
    chain_data,
    head,
    object_data,
    set_data,
    span,
    table_data,
)
from kubenet_course.userland.commands.nft.commands import Command, Definition, Spec
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.userland.commands.nft.pieces import Tail, Token, loc_of, real


class Builder(BlockBuilder):
    # -- top --------------------------------------------------------------------------------
    def start(self, children: list[Any]) -> list[Any]:
        found: list[Any] = []
        for child in children:
            if isinstance(child, (Command, Definition)):
                found.append(child)
            elif isinstance(child, Token) and child.type in ENDS and found and isinstance(found[-1], Command):
                command = found[-1]
                if command.loc and not command.ended:  # its place takes in what ends it
                    command.loc, command.ended = (command.loc[0], child.end_pos or 0), True
        return found

    def include(self, children: list[Any]) -> None:
        return None

    def nothing(self, children: list[Any]) -> Tail:
        return Tail("nothing", None, head(children))

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
        return self._object("set", children, set_data(children[3:-1], head(children[2:-1])))

    def add_map(self, children: list[Any]) -> Command:
        return self._object("map", children, set_data(children[3:-1], head(children[2:-1])))

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

    def add_synproxy(self, children: list[Any]) -> Command:
        return self._object("synproxy", children, object_data(children[2:]))

    def add_secmark(self, children: list[Any]) -> Command:
        data = object_data(children[2:])
        if data.statement is None and isinstance(children[-1], Token):
            data.statement = {"context": str(children[-1])}
        return self._object("secmark", children, data)

    def ct_kind(self, children: list[Any]) -> Token:
        return children[0]

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
        return self._object(f"ct {str(children[1]).removesuffix('s')}s", children)

    def _plural(self, children: list[Any]) -> Command:
        command = self._object(str(children[0]), children)
        last = children[-1]
        if isinstance(last, Token) and len(children) == 2:
            command.spec = Spec(family=str(last), family_loc=loc_of(last))
        return command

    def list_meters(self, children: list[Any]) -> Command:
        command = self._object("meters", children)
        last = children[-1]
        if isinstance(last, Token) and len(children) == 3:
            command.spec = Spec(family=str(last), family_loc=loc_of(last))
        return command

    list_tables = list_chains = list_ruleset = list_plural = list_hooks = reset_plural = flush_ruleset = _plural


def _named(obj: str) -> Any:
    return lambda self, children: self._object(obj, children)


for _op, _kinds in {
    "delete": ("table", "chain", "set", "map", "counter", "quota", "limit", "flowtable", "synproxy", "secmark"),
    "list": ("table", "chain", "set", "map", "meter"),
    "flush": ("table", "chain", "set", "map", "meter"),
}.items():
    for _kind in _kinds:
        setattr(Builder, f"{_op}_{_kind}", _named(_kind))
