"""Doing what the commands of one run say, in one transaction: all or nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style
from kubenet_course.kernel.netfilter.nf_tables.objects import CounterState, NamedObject, QuotaState, state_of
from kubenet_course.kernel.netfilter.nf_tables.rule import ANONYMOUS, NftRule
from kubenet_course.kernel.netfilter.nf_tables.statements import Reject
from kubenet_course.kernel.netfilter.nf_tables.transaction import Refusal, Transaction
from kubenet_course.kernel.netfilter.nf_tables.validate import Invalid
from kubenet_course.kernel.netfilter.tables import Chain, Ruleset, Table
from kubenet_course.userland.commands.nft.commands import Command, Definition, ObjectData, RuleData, Spec
from kubenet_course.userland.commands.nft.errors import NftError, Problem, Unsupported, no_such, refused
from kubenet_course.userland.commands.nft.evaluate import RuleEvaluator
from kubenet_course.userland.commands.nft.execute_chains import chain_arguments
from kubenet_course.userland.commands.nft.execute_objects import details
from kubenet_course.userland.commands.nft.execute_sets import SetCommands
from kubenet_course.userland.commands.nft.rhs import Constants
from kubenet_course.userland.commands.nft.show import Show
from kubenet_course.userland.commands.nft.suggest import SetCache, suggestion, table_not_found

if TYPE_CHECKING:
    from kubenet_course.userland.commands.nft.values import Names

FLAT = ("limit", "quota", "counter", "ct helper", "ct timeout", "ct expectation", "synproxy", "secmark", "flowtable")


class Executor(SetCommands):
    """Runs commands; `output` is what was listed, `problems` what was wrong."""

    def __init__(self, ruleset: Ruleset, names: Names, variables: dict[str, Any], style: Style, json: bool = False):
        self.ruleset = ruleset
        self.constants = Constants(names, variables)
        self.show = Show(ruleset, style, json)
        self.transaction = Transaction(ruleset)
        self.problems: list[Problem] = []
        #: What is printed for -e and JSON's echo: commands that added something.
        self.echo: list[tuple[Any, ...]] = []

    @property
    def output(self) -> str:
        return self.show.output

    def run(self, commands: list[Any], *, check: bool = False, misread: tuple[Problem, ...] = ()) -> bool:
        """True where all could be done; else nothing has been. `misread`: mistakes of reading that were found
        already, so nothing may be done, but the rest is looked at too."""
        handles: list[tuple[Any, int]] = [(self.ruleset, self.ruleset.last_handle)]
        handles += [(table, table.last_handle) for table in self.ruleset.tables.values()]
        try:
            for command in commands:
                self._try(self.one, command)
        except BaseException:
            self.transaction.abort()
            raise
        if self.problems or misread:
            text = [problem for problem in self.problems if not problem.kernel]
            if text or misread:
                early = [*misread, *(problem for problem in text if problem.reading)]
                early.sort(key=lambda problem: problem.places[:1])
                self.problems = early + [problem for problem in text if not problem.reading]
                for holder, handle in handles:  # the kernel has seen nothing of it
                    holder.restore_handles(handle)
            self.transaction.abort()
            return False
        if check:
            self.transaction.abort()
        else:
            self.echo = list(self.transaction.events)
            self.transaction.commit()
        return True

    def _try(self, action: Any, command: Command, *more: Any) -> None:
        try:
            action(command, *more)
        except NftError as error:
            self.problems += [error.problem, *error.also]
        except Refusal as refusal:
            self.problems.append(self._refused(command, refusal).problem)
        except Invalid as invalid:
            for place in (*invalid.before, invalid.place or command.loc):
                self.problems.append(refused(errno.strerror(invalid.code), place).problem)

    def _refused(self, command: Command, refusal: Refusal) -> NftError:
        spec = command.spec
        places = {"table": spec.table_loc, "chain": spec.name_loc, "name": spec.name_loc, "handle": spec.handle_loc, "": command.loc}
        place = places.get(refusal.about, command.loc)
        if refusal.about == "element" and refusal.subject is not None:
            place = refusal.subject.loc
        if refusal.about == "policy":
            place = command.data.policy_loc
        if refusal.code == errno.ENOENT and command.obj != "element" and command.op != "flush":
            found = suggestion(self.ruleset, command)
            if found:
                return NftError(f"No such file or directory; did you mean {found}?", place, kernel=True)
        return refused(errno.strerror(refusal.code), place)

    # -- dispatch ---------------------------------------------------------------------------
    def one(self, command: Any) -> None:
        if isinstance(command, Definition):
            self.define(command)
            return
        kind = command.obj if command.obj not in FLAT else "object"
        action = getattr(self, f"{command.op}_{kind.replace(' ', '_')}", None)
        if action is None:
            raise Unsupported(f"nft: {command.op} {command.obj} is not emulated")
        action(command)

    def define(self, definition: Definition) -> None:
        variables = self.constants.variables
        if definition.kind == "define" and definition.name in variables:
            raise NftError(f"redefinition of symbol '{definition.name}'", definition.loc)
        if definition.kind == "undefine":
            variables.pop(definition.name, None)
            return
        variables[definition.name] = definition.value

    # -- tables -----------------------------------------------------------------------------
    def add_table(self, command: Command) -> None:
        spec, data = command.spec, command.data
        table = self.transaction.add_table(
            spec.af, spec.table, exclusive=command.op == "create", comment=data.comment if data else "",
            dormant=bool(data and "dormant" in data.flags),
        )  # fmt: skip
        if data and data.items:
            self._contents(table, spec, data.items)

    create_table = add_table

    def _contents(self, table: Table, spec: Spec, items: list[Any]) -> None:
        """nft_cmd_expand(): chains first, then objects, sets, elements, rules."""

        def commands(kind_wanted: Any) -> Any:
            for kind, name, name_loc, data, loc in items:
                if kind == "define" and kind_wanted == ("define",):
                    yield Command("add", "define", Spec(), data, loc)
                if kind in kind_wanted:
                    inner = Spec(spec.family, table.name, name, table_loc=spec.table_loc, name_loc=name_loc)
                    yield Command("add", kind, inner, data, loc)

        for command in commands(("define",)):
            self._try(lambda command: self.define(command.data), command)
        for command in commands(("chain",)):
            self._try(lambda command: self._chain_only(command, nested=True), command)
        for command in commands(FLAT):
            self._try(self.one, command)
        for command in commands(("set", "map")):
            self._try(self.add_set, command)
        for command in commands(("chain",)):
            self._rules(command)

    def _rules(self, command: Command) -> None:
        for data in command.data.rules:
            if isinstance(data, Definition):
                self._try(lambda one: self.define(one.data), Command("add", "define", Spec(), data, data.loc))
                continue
            self._try(self.add_rule, Command("add", "rule", command.spec, data, data.loc))

    def delete_table(self, command: Command) -> None:
        spec = command.spec
        if spec.handle is not None:
            for table in self.ruleset.tables.values():
                if table.family == spec.af and table.handle == spec.handle:
                    self.transaction.delete_table(table)
                    return
            raise Refusal(errno.ENOENT, "handle")
        self.transaction.delete_table(self.transaction.table(spec.af, spec.table))

    def flush_table(self, command: Command) -> None:
        table = self.transaction.table(command.spec.af, command.spec.table)
        for chain in table.chains.values():
            self.transaction.flush_chain(chain)

    def flush_ruleset(self, command: Command) -> None:
        for table in list(self.ruleset.tables.values()):
            if command.spec.family in (None, table.family):
                self.transaction.delete_table(table)

    # -- chains -----------------------------------------------------------------------------
    def _table_there(self, spec: Spec, *, listing: bool = False) -> Table:
        """The table, as nft itself looks for it before it asks the kernel; only a listing suggests no other."""
        table = self.ruleset.table(spec.af, spec.table)
        if table is None:
            raise no_such(spec.table_loc) if listing else table_not_found(self.ruleset, spec)
        return table

    def _chain_only(self, command: Command, nested: bool = False) -> None:
        table = self._table_there(command.spec)
        base, policy = chain_arguments(table.family, command.data, self.constants)
        if base is not None and base.type != "filter" and table.family in ("arp", "bridge", "netdev"):
            # nft has the new chain in its cache by now and takes it for what was meant.
            meant = f"No such file or directory; did you mean chain ‘{command.spec.name}’ in table {table.family} ‘{table.name}’?"
            place = command.data.hook.type_loc
            raise refused(errno.strerror(errno.ENOENT), place) if nested else NftError(meant, place, kernel=True)
        self.transaction.add_chain(
            table, command.spec.name, base, policy=policy, exclusive=command.op == "create", comment=command.data.comment
        )

    def add_chain(self, command: Command) -> None:
        self._chain_only(command)
        self._rules(command)

    create_chain = add_chain

    def _chain(self, command: Command) -> Chain:
        table = self.transaction.table(command.spec.af, command.spec.table)
        if command.spec.handle is not None and command.obj == "chain":
            for chain in table.chains.values():
                if chain.handle == command.spec.handle:
                    return chain
            raise Refusal(errno.ENOENT, "handle")
        return self.transaction.chain(table, command.spec.name)

    def delete_chain(self, command: Command) -> None:
        self.transaction.delete_chain(self._chain(command))

    def flush_chain(self, command: Command) -> None:
        self.transaction.flush_chain(self._chain(command))

    def rename_chain(self, command: Command) -> None:
        table = self._table_there(command.spec)
        if command.spec.name not in table.chains:
            near = suggestion(self.ruleset, command)
            raise NftError("No such file or directory" + (f"; did you mean {near}?" if near else ""), command.spec.name_loc)
        self.transaction.rename_chain(self._chain(command), command.data)

    # -- rules ------------------------------------------------------------------------------
    def _evaluated(self, command: Command) -> NftRule:
        data: RuleData = command.data
        spec = command.spec
        table = self.ruleset.table(spec.af, spec.table)
        evaluator = RuleEvaluator(spec.af, SetCache(self.ruleset, spec), self.constants)
        if table is not None:
            data = self._inner_chains(command, table, data)
        statements = evaluator.rule(data)
        if spec.af in ("bridge", "netdev") and any(isinstance(statement, Reject) for statement in statements):
            raise Unsupported(f"nft: reject is not emulated in family {spec.af}")
        if table is not None:
            self._grow_sets(table, statements)
        return NftRule(statements, data.comment)

    def _inner_chains(self, command: Command, table: Table, data: RuleData) -> RuleData:
        """Chains in braces after jump or goto: made with their rules, under names that nobody sees."""
        found = []
        for statement in data.statements:
            if getattr(statement, "kind", "") == "chain":
                verb, rules = statement.value
                name = next(name for number in range(1 << 16) if (name := f"{ANONYMOUS}{number}") not in table.chains)
                self.transaction.add_chain(table, name, None)
                spec = dataclasses.replace(command.spec, name=name, position=None, index=None, handle=None)
                for rule in rules:
                    self.add_rule(Command("add", "rule", spec, rule, rule.loc))
                statement = statement._replace(value=(verb, name))
            found.append(statement)
        return dataclasses.replace(data, statements=found)

    def _place(self, command: Command, chain: Chain) -> int:
        """Where a rule goes: behind (add) or before (insert) another, else at the end or the front."""
        spec, inserts = command.spec, command.op == "insert"
        if spec.index is not None:
            if not 0 <= spec.index < len(chain.rules):
                raise refused(errno.strerror(errno.ENOENT), self._position_loc(command, "index"))
            return spec.index if inserts else spec.index + 1
        if spec.position is not None:
            for place, rule in enumerate(chain.rules):
                if rule.handle == spec.position:
                    return place if inserts else place + 1
            raise refused(errno.strerror(errno.ENOENT), self._position_loc(command, "position"))
        return 0 if inserts else len(chain.rules)

    def _position_loc(self, command: Command, word: str) -> Any:
        return command.spec.handle_loc

    def add_rule(self, command: Command) -> None:
        rule = self._evaluated(command)
        chain = self._chain(command)
        self.transaction.add_rule(chain, self._place(command, chain), rule, verb="insert" if command.op == "insert" else "add")

    insert_rule = add_rule

    def replace_rule(self, command: Command) -> None:
        rule = self._evaluated(command)
        chain = self._chain(command)
        place = self.transaction.find_rule(chain, command.spec.handle or 0)
        self.transaction.add_rule(chain, place, rule, replaces=True)

    def delete_rule(self, command: Command) -> None:
        chain = self._chain(command)
        self.transaction.delete_rule(chain, self.transaction.find_rule(chain, command.spec.handle or 0))

    # -- objects ----------------------------------------------------------------------------
    def add_object(self, command: Command) -> None:
        spec = command.spec
        table = self.ruleset.table(spec.af, spec.table)
        if table is None:
            raise Refusal(errno.ENOENT, "table")
        data: ObjectData = command.data
        statement = data.statement if data is not None else None
        if command.obj not in ("counter", "quota", "limit"):
            made = NamedObject(command.obj, spec.name, None, comment=data.comment if data is not None else "")
            made.details = details(command, statement or {}, table.family, self.constants)
        else:
            if statement is None or getattr(statement, "rate", 1) == 0:
                if command.obj != "counter":
                    raise refused(errno.strerror(errno.EINVAL), command.loc)
                state: Any = CounterState()
            else:
                state = state_of(statement, self.ruleset.net)
            made = NamedObject(command.obj, spec.name, state, comment=data.comment)
        self.transaction.add_object(table, made, exclusive=command.op == "create")

    create_object = add_object

    def delete_object(self, command: Command) -> None:
        table = self.transaction.table(command.spec.af, command.spec.table)
        self.transaction.delete_object(table, command.obj, command.spec.name)

    def reset_object(self, command: Command) -> None:
        """Show it, then set it back."""
        self.list_object(command)
        table = self.ruleset.table(command.spec.af, command.spec.table)
        found = table.objects.get((command.obj, command.spec.name)) if table is not None else None
        if found is not None and isinstance(found.state, (CounterState, QuotaState)):
            found.state.reset()

    def reset_counters(self, command: Command) -> None:
        self._reset_all(command, "counter")

    def reset_quotas(self, command: Command) -> None:
        self._reset_all(command, "quota")

    def _reset_all(self, command: Command, kind: str) -> None:
        self.show.objects(command.spec, kind, only_with=True)
        for table in self.ruleset.tables.values():
            if command.spec.family in (None, table.family) and command.spec.table in ("", table.name):
                for (of_kind, _), found in table.objects.items():
                    if of_kind == kind and isinstance(found.state, (CounterState, QuotaState)):
                        found.state.reset()

    # -- listing ----------------------------------------------------------------------------
    def list_ruleset(self, command: Command) -> None:
        self.show.ruleset(command.spec.family)

    def list_tables(self, command: Command) -> None:
        self.show.tables(command.spec.family)

    def list_chains(self, command: Command) -> None:
        self.show.chains(command.spec.family)

    def list_table(self, command: Command) -> None:
        self.show.table(self._table_there(command.spec, listing=True))

    def list_chain(self, command: Command) -> None:
        table = self._table_there(command.spec, listing=True)
        chain = table.chains.get(command.spec.name)
        if chain is None:
            raise self._missing(command)
        self.show.chain(chain)

    def _missing(self, command: Command) -> NftError:
        return no_such(command.spec.name_loc)

    def list_set(self, command: Command) -> None:
        table = self._table_there(command.spec, listing=True)
        found = table.sets.get(command.spec.name)
        if found is None or found.meter or (command.obj == "map") != found.is_map:
            raise self._missing(command)
        self.show.set(found)

    list_map = list_set

    def list_meter(self, command: Command) -> None:
        table = self._table_there(command.spec, listing=True)
        found = table.sets.get(command.spec.name)
        if found is None or not found.meter:
            raise self._missing(command)
        self.show.set(found)

    def flush_meter(self, command: Command) -> None:
        table = self._table_there(command.spec, listing=True)
        found = table.sets.get(command.spec.name)
        if found is None or not found.meter:
            raise self._missing(command)
        raise refused("Operation not supported", command.loc)

    def list_object(self, command: Command) -> None:
        table = self._table_there(command.spec, listing=True)
        found = table.objects.get((command.obj, command.spec.name))
        if found is None:
            raise self._missing(command)
        self.show.object(table, found)

    def list_sets(self, command: Command) -> None:
        self._filtered(command)
        self.show.sets(command.spec, "set")

    def list_maps(self, command: Command) -> None:
        self._filtered(command)
        self.show.sets(command.spec, "map")

    def list_meters(self, command: Command) -> None:
        self.show.sets(command.spec, "meter")

    def _filtered(self, command: Command) -> None:
        if command.spec.table:
            self._table_there(command.spec, listing=True)

    def list_counters(self, command: Command) -> None:
        self._filtered(command)
        self.show.objects(command.spec, "counter")

    def list_quotas(self, command: Command) -> None:
        self._filtered(command)
        self.show.objects(command.spec, "quota")

    def list_limits(self, command: Command) -> None:
        self._filtered(command)
        self.show.objects(command.spec, "limit")

    def list_flowtables(self, command: Command) -> None:
        self.show.objects(command.spec, "flowtable")

    def _list_ct(self, command: Command, kind: str) -> None:
        self._filtered(command)
        self.show.objects(command.spec, kind)

    def list_ct_helpers(self, command: Command) -> None:
        self._list_ct(command, "ct helper")

    def list_ct_timeouts(self, command: Command) -> None:
        self._list_ct(command, "ct timeout")

    def list_ct_expectations(self, command: Command) -> None:
        self._list_ct(command, "ct expectation")

    def list_secmarks(self, command: Command) -> None:
        self.show.objects(command.spec, "secmark")

    def list_synproxys(self, command: Command) -> None:
        self.show.objects(command.spec, "synproxy")
