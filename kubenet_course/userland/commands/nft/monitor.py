"""nft monitor, and -e: what changes in the ruleset, and the way of traced packets, as it happens."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import Style
from kubenet_course.kernel.netfilter.tables import Ruleset, ruleset
from kubenet_course.userland.commands.nft import json_expressions, json_out
from kubenet_course.userland.commands.nft.commands import Command
from kubenet_course.userland.commands.nft.listing import Listing
from kubenet_course.userland.commands.nft.trace import TraceText
from kubenet_course.userland.commands.nft.watch import Watcher
from kubenet_course.userland.commands.nft.xt_rules import native_text

if TYPE_CHECKING:
    from kubenet_course.userland.commands.nft.execute import Executor
    from kubenet_course.userland.process import Process

#: The word after `nft monitor [new|destroy]` → kinds of objects it tells of.
KINDS = {
    "": None, "ruleset": None, "tables": ("table",), "chains": ("chain",), "sets": ("set",), "rules": ("rule",), "elements": ("element",),
    "trace": (),
}  # fmt: skip


EMPTY = {"packets": 0, "bytes": 0, "used": 0, "inv": False}


class EventText:
    """Lines for events of the ruleset."""

    def __init__(self, style: Style, as_json: bool):
        self.style = style
        self.as_json = as_json

    def line(self, event: tuple[Any, ...]) -> str:
        verb, kind, subject, *more = event
        if self.as_json:
            return self._json(verb, kind, subject, more)
        return getattr(self, f"_{kind}", self._object)(verb, kind, subject, *more)

    def _handle(self, handle: int) -> str:
        return f" # handle {handle}" if self.style.handle else ""

    def _table(self, verb: str, kind: str, table: Any) -> str:
        return f"{verb} table {table.family} {table.name}{self._handle(table.handle)}"

    def _chain(self, verb: str, kind: str, chain: Any) -> str:
        where = f"{verb} chain {chain.table.family} {chain.table.name} {chain.name}"
        if verb == "delete":
            return where
        hook = f" {{ {Listing(self.style).hook(chain, chain.base)} }}" if chain.base is not None else ""
        return where + hook + self._handle(chain.handle)

    def _rule(self, verb: str, kind: str, rule: Any, chain: Any) -> str:
        where = f"{verb} rule {chain.table.family} {chain.table.name} {chain.name}"
        if verb == "delete":
            return f"{where} handle {rule.handle}"
        return f"{where} {native_text(rule, self.style)}{self._handle(rule.handle)}"

    def _set(self, verb: str, kind: str, found: Any) -> str:
        word = "map" if found.is_map and verb != "delete" else "set"
        where = f"{verb} {word} {found.table.family} {found.table.name} {found.name}"
        if verb == "delete":
            return where
        listing = Listing(self.style)
        listing.set_declaration(found)
        parts = "".join(f"{line.strip()}; " for line in listing.lines[1:])
        return f"{where} {{{self._handle(found.handle)} {parts}}} "

    def _element(self, verb: str, kind: str, element: Any, owner: Any) -> str:
        return f"{verb} element {owner.table.family} {owner.table.name} {owner.name} {{ {element.text(self.style)} }}"

    def _object(self, verb: str, kind: str, item: Any, table: Any) -> str:
        where = f"{verb} {kind} {table.family} {table.name} {item.name}"
        if verb == "delete":
            return where
        listing = Listing(self.style._replace(handle=False))
        listing.object(item, "")
        inner = " ".join(line.strip() for line in listing.lines[1:-1])
        return f"{where} {{{self._handle(item.handle)} {inner} }} "

    def _json(self, verb: str, kind: str, subject: Any, more: list[Any]) -> str:
        return json.dumps(json_out.named({verb: self.json_object(verb, kind, subject, more)}, self.style.names), ensure_ascii=False)

    def json_object(self, verb: str, kind: str, subject: Any, more: list[Any]) -> Any:
        out: list[dict[str, Any]] = []
        writer = json_out.Writer(out, self.style)
        if kind == "table":
            writer.table_head(subject)
        elif kind == "chain":
            writer.chain(subject)
            if verb == "delete":
                for field in ("type", "hook", "prio", "policy"):
                    out[0]["chain"].pop(field, None)
        elif kind == "rule":
            writer.rule(subject, more[0])
        elif kind == "set":
            writer.set(subject, [])
            if verb == "delete":
                fields = next(iter(out[0].values()))
                return {"set": {key: fields[key] for key in ("family", "name", "table")} | {"type": "invalid", "handle": subject.handle}}
        elif kind == "element":
            owner = more[0]
            elements = {"set": [json_expressions.element_json(subject)]}
            return {"element": {"family": owner.table.family, "table": owner.table.name, "name": owner.name, "elem": elements}}
        else:
            writer.object(subject, more[0])
            if verb == "delete":  # the kernel says no more than which it was
                fields = out[0][kind]
                out[0][kind] = {key: EMPTY.get(key, value) for key, value in fields.items()}
        return out[0]


def generation_line(rules: Ruleset) -> str:
    pid, name = rules.actor
    return f"# new generation {rules.generation} by process {pid} ({name})"


def echo(proc: Process, executor: Executor, style: Style, as_json: bool) -> None:
    """-e: what was added, with its handles where -a asks for them."""
    text = EventText(style, as_json)
    told = [event for event in executor.echo if event[0] != "delete"]
    if as_json:
        objects = [{event[0]: text.json_object(event[0], event[1], event[2], list(event[3:]))} for event in told]
        proc.print(json.dumps(json_out.named({"nftables": objects}, style.names), ensure_ascii=False))
        return
    for event in told:
        proc.print(text.line(event))
    if executor.echo:
        proc.print(generation_line(executor.ruleset))


async def monitor(proc: Process, command: Command, style: Style, as_json: bool) -> int:
    """Until a signal comes."""
    event_word, subject, form = command.data
    as_json = as_json or form == "json"
    if event_word == "trace":
        event_word, subject = "", "trace"
    rules = ruleset(proc.net)
    text = EventText(style, as_json)
    kinds = KINDS[subject]

    def told(event: tuple[Any, ...]) -> None:
        verb, kind = event[:2]
        if event_word == "new" and verb == "delete" or event_word == "destroy" and verb != "delete":
            return
        known = kind if kind in ("table", "chain", "set", "rule", "element") else "object"
        if kinds is not None and known not in kinds or event_word and known == "object":
            return
        proc.print(text.line(event))

    def changed(events: list[tuple[Any, ...]]) -> None:
        for event in events:
            told(event)
        if events and kinds is None and not event_word and not as_json:
            proc.print(generation_line(rules))

    watcher = Watcher(rules, changed)
    tracer = TraceText(rules, style, lambda line: proc.print(line))
    finished = proc.loop.future()
    proc.handlers[signal.SIGINT] = lambda: finished.set_result(None)
    if subject != "trace":
        rules.listeners.append(watcher)
    if subject in ("", "ruleset", "trace") and not event_word:
        rules.tracers.append(tracer)
    try:
        await finished
    finally:
        if watcher in rules.listeners:
            rules.listeners.remove(watcher)
        if tracer in rules.tracers:
            rules.tracers.remove(tracer)
    return 0
