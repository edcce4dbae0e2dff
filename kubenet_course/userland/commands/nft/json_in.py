"""nft -j -f: commands in libnftables' JSON (libnftables-json(5)), turned into nft's own words.

What is refused is told as the real one tells it of JSON, which has no lines: ``internal:0:0-0: Error: …``.
"""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.userland.commands.nft.json_text import BadJson, Missing, quoted, statement, value

VERBS = ("add", "create", "insert", "replace", "delete", "list", "reset", "flush", "rename", "destroy")
CHANGES = ("add", "create", "insert", "replace", "delete")
PLURALS = ("tables", "chains", "sets", "maps", "counters", "quotas", "limits")


def text_of(source: str) -> str | None:
    """The text that does what the document asks for; None where it is not JSON (nft reads it as text then)."""
    try:
        document = json.loads(source)
    except ValueError:
        return None
    if isinstance(document, list):
        array = Missing("", 1)
        array.args = ("Expected object, got array",)
        raise array
    if not isinstance(document, dict):
        return None
    if "nftables" not in document:
        raise Missing("nftables")
    commands = document["nftables"]
    if not isinstance(commands, list):
        raise BadJson('Value of property "nftables" must be an array.')
    lines: list[str] = []
    for index, command in enumerate(commands):
        try:
            lines += _command(command)
        except BadJson as bad:
            if not bad.alone:
                bad.within.append(f"Parsing command array at index {index} failed.")
            raise
        except KeyError as missing:
            absent = Missing(str(missing.args[0]))
            absent.within.append(f"Parsing command array at index {index} failed.")
            raise absent from None
        except (TypeError, AttributeError, IndexError):
            odd = BadJson("Invalid JSON in command object.")
            odd.within.append(f"Parsing command array at index {index} failed.")
            raise odd from None
    return "".join(line + "\n" for line in lines)


def shown(bad: BadJson, name: str, source: str) -> str:
    """As nft prints it: an item that is missing is shown at the document's first line, whatever it is of."""
    first = f"internal:0:0-0: Error: {bad}\n\n"
    if isinstance(bad, Missing):
        column = bad.column
        place = f"{source.splitlines()[0]}\n{' ' * (column - 1)}^" if name != "/dev/stdin" else ""
        first = f"{name or '<cmdline>'}:1:{column}-{column}: Error: {bad}\n{place}\n"
    return first + "".join(f"internal:0:0-0: Error: {line}\n\n" for line in bad.within)


def _type(thing: Any) -> str:
    """jansson's name for the type of a value."""
    if thing is None or isinstance(thing, bool):
        return {None: "null", True: "true", False: "false"}[thing]
    return {int: "integer", float: "real", str: "string", list: "array"}.get(type(thing), "object")


def _command(command: Any) -> list[str]:
    if not isinstance(command, dict):
        whole = BadJson(f"Unexpected command array element of type {_type(command)}, expected object.")
        whole.alone = True
        raise whole
    if len(command) != 1:
        raise BadJson("Command object must contain exactly one property.")
    ((verb, subject),) = command.items()
    if verb == "metainfo":
        return []
    if verb not in VERBS:  # what a listing has: it is added
        verb, subject = "add", {verb: subject}
    if not isinstance(subject, dict):
        raise BadJson(f"Value of {verb} command must be object (got {_type(subject)} instead).")
    if len(subject) != 1:
        raise BadJson("Invalid command object.")
    ((kind, data),) = subject.items()
    data = data or {}
    make = _MAKERS.get(kind)
    if make is None:
        if verb in ("list", "flush", "reset") and kind in PLURALS:
            return [f"{verb} {kind} {data.get('family', '')}"]
        raise BadJson(f"Unknown object passed to {'add' if verb in CHANGES else verb} command.")
    if kind == "ruleset":
        return [f"{verb} ruleset {data.get('family', '')}"]
    return make(verb, data)


#: Items that nft asks for together, behind the family: (object, item) → column.
TOGETHER = {"table": 9, "chain": 14}
FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")


def _spec(data: dict[str, Any], *names: str) -> str:
    """``family table name``."""
    if "family" not in data:
        raise Missing("family")
    for name in names:
        if name not in data:
            raise Missing(name, TOGETHER.get(name, 4))
    if data["family"] not in FAMILIES:
        raise BadJson(f"Unknown family '{data['family']}'.")
    return " ".join([data["family"], *(str(data[name]) for name in names)])


def _table(verb: str, data: dict[str, Any]) -> list[str]:
    if verb in ("delete", "list") and "name" not in data:
        return [f"{verb} table {data['family']} handle {data['handle']}"]
    flags = data.get("flags", ())
    words = [flags] if isinstance(flags, str) else list(flags)
    inside = (f"flags {','.join(words)}; " if words else "") + (f"comment {quoted(data['comment'])}; " if "comment" in data else "")
    return [f"{verb} table {_spec(data, 'name')}" + (f" {{ {inside}}}" if inside and verb in ("add", "create") else "")]


def _chain(verb: str, data: dict[str, Any]) -> list[str]:
    if verb == "delete" and "name" not in data:
        return [f"delete chain {_spec(data, 'table')} handle {data['handle']}"]
    line = f"{verb} chain {_spec(data, 'table', 'name')}"
    if verb == "rename":
        return [f"{line} {data['newname']}"]
    if verb not in ("add", "create"):
        return [line]
    inside = ""
    if "type" in data:
        device = data.get("dev")
        names = [device] if isinstance(device, str) else device or []
        on = f" devices = {{ {', '.join(names)} }}" if len(names) > 1 else f' device "{names[0]}"' if names else ""
        inside = f"type {data['type']} hook {data['hook']}{on} priority {data['prio']}; "
        if "policy" in data:
            inside += f"policy {data['policy']}; "
    if "comment" in data:
        inside += f"comment {quoted(data['comment'])}; "
    return [line + (f" {{ {inside}}}" if inside else "")]


def _rule(verb: str, data: dict[str, Any]) -> list[str]:
    where = _spec(data, "table", "chain")
    if verb == "delete":
        return [f"delete rule {where} handle {data['handle']}"]
    place = ""
    if verb == "replace":
        place = f" handle {data['handle']}"
    elif "index" in data:
        place = f" index {data['index']}"
    elif "position" in data or verb == "insert" and "handle" in data:
        place = f" position {data.get('position', data.get('handle'))}"
    if "expr" not in data:
        raise Missing("expr")
    if not isinstance(data["expr"], list):
        raise BadJson('Value of property "expr" must be an array.')
    statements = []
    for index, each in enumerate(data["expr"]):
        if not isinstance(each, dict):
            raise BadJson(f"Unexpected expr array element of type {_type(each)}, expected object.")
        try:
            statements.append(statement(each))
        except BadJson as bad:
            bad.within.append(f"Parsing expr array at index {index} failed.")
            raise
    comment = f" comment {quoted(data['comment'])}" if "comment" in data else ""
    return [f"{verb} rule {where}{place} {' '.join(statements)}{comment}"]


def _set(kind: str, verb: str, data: dict[str, Any]) -> list[str]:
    if verb == "delete" and "name" not in data:
        return [f"delete {kind} {_spec(data, 'table')} handle {data['handle']}"]
    line = f"{verb} {kind} {_spec(data, 'table', 'name')}"
    if verb not in ("add", "create"):
        return [line]
    if "type" not in data:
        raise BadJson("Invalid set type.")
    keys = data["type"]
    if isinstance(keys, dict):
        words = f"typeof {value(keys.get('typeof', keys))}"
    else:
        words = "type " + (keys if isinstance(keys, str) else " . ".join(keys))
    if kind == "map":
        words += f" : {value(data['map']) if isinstance(data['map'], dict) else data['map']}"
    inside = [words]
    flags = data.get("flags", ())
    if flags:
        inside.append(f"flags {flags if isinstance(flags, str) else ','.join(flags)}")
    inside += [f"{word} {data[word]}{unit}" for word, unit in (("policy", ""), ("size", ""), ("timeout", "s"), ("gc-interval", "s"))
               if word in data]  # fmt: skip
    if data.get("auto-merge"):
        inside.append("auto-merge")
    inside += [statement(each) for each in data.get("stmt", ())]
    if data.get("elem"):
        inside.append(f"elements = {{ {_elements(data['elem'])} }}")
    if "comment" in data:
        inside.append(f"comment {quoted(data['comment'])}")
    return [f"{line} {{ {'; '.join(inside)}; }}"]


def _elements(found: Any) -> str:
    return value({"set": found if isinstance(found, list) else [found]})[2:-2]


def _element(verb: str, data: dict[str, Any]) -> list[str]:
    if "table" in data and "name" not in data:
        raise Missing("name", 14)
    if "name" in data and "elem" not in data:
        raise Missing("elem", 19)
    return [f"{verb} element {_spec(data, 'table', 'name')} {{ {_elements(data.get('elem', []))} }}"]


def _object(kind: str, verb: str, data: dict[str, Any]) -> list[str]:
    line = f"{verb} {kind} {_spec(data, 'table', 'name')}"
    if verb not in ("add", "create"):
        return [line]
    if kind == "counter":
        line += f" packets {data.get('packets', 0)} bytes {data.get('bytes', 0)}" if "packets" in data or "bytes" in data else ""
    elif kind == "quota":
        line += f" {'over ' if data.get('inv') else ''}{data.get('bytes', 0)} bytes"
        line += f" used {data['used']} bytes" if data.get("used") else ""
    elif kind == "limit":
        line += " " + statement({"limit": data}).removeprefix("limit ")
    else:
        line += f" {{ {_conntrack(kind, data)}}}"
    return [line]


def _conntrack(kind: str, data: dict[str, Any]) -> str:
    """The inside of an object of connection tracking. Of a timeout and an expectation, nft 1.0.6
    takes the protocol only: an expectation then lacks the rest."""
    if kind == "ct helper":
        words = f"type {quoted(data['type'])} protocol {data['protocol']}; "
        return words + (f"l3proto {data['l3proto']}; " if "l3proto" in data else "")
    return f"protocol {data['protocol']}; "


_MAKERS: dict[str, Any] = {
    "ruleset": lambda verb, data: [], "table": _table, "chain": _chain, "rule": _rule, "element": _element,
    "set": lambda verb, data: _set("set", verb, data), "map": lambda verb, data: _set("map", verb, data),
    "counter": lambda verb, data: _object("counter", verb, data), "quota": lambda verb, data: _object("quota", verb, data),
    "limit": lambda verb, data: _object("limit", verb, data), "ct helper": lambda verb, data: _object("ct helper", verb, data),
    "ct timeout": lambda verb, data: _object("ct timeout", verb, data),
    "ct expectation": lambda verb, data: _object("ct expectation", verb, data),
}  # fmt: skip
