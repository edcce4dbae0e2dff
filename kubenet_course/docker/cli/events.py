"""docker events."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from kubenet_course.docker import events
from kubenet_course.docker.cli import Session
from kubenet_course.docker.cli.filters import grouped
from kubenet_course.docker.cli.flags import Command, UsageError, duration
from kubenet_course.docker.templates import Template, TemplateError

FILTERS = (
    "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret", "service",
    "type", "volume",
)  # fmt: skip
LOOK_SECONDS = 0.1
#: Keys of an event and what templates call them.
GO_NAMES = {
    "status": "Status",
    "id": "ID",
    "from": "From",
    "scope": "Scope",
    "time": "Time",
    "timeNano": "TimeNano",
}


class _Message(dict[str, Any]):
    """An event: what it does not have is an error."""

    go_type = "*events.Message"


class _Attributes(dict[str, Any]):
    """A map: what it does not have is `<no value>`."""

    open = True


async def show(session: Session, options: dict[str, Any], words: list[str]) -> int:
    """What is known since --since, then what comes, until --until."""
    store, here = session.engine.store, session.here
    now = here.time()
    since = moment(options["since"], now) if options.get("since") else None
    until = moment(options["until"], now) if options.get("until") else None
    filters = grouped(options.get("filter", []), FILTERS)
    layout = options.get("format", "")
    try:
        template = Template(layout) if layout and layout != "json" else None
    except TemplateError as problem:
        raise UsageError(f"Error parsing format: template: {problem}", 64) from None
    seen = 0 if since is not None else len(events.read(store))
    ended: list[int] = []
    for signum in (2, 15):
        here.on_signal(signum, lambda signum=signum: ended.append(signum))
    while True:
        fresh = events.read(store, seen)
        for event in fresh:
            seen += 1
            when = event["timeNano"] / 1e9
            if (since is not None and when < since) or (until is not None and when > until):
                continue
            if _passes(event, filters):
                session.line(_text(event, layout, template))
        if ended or (until is not None and here.time() >= until):
            return 130 if 2 in ended else 143 if ended else 0
        left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - here.time())
        await here.sleep(max(left, 0.001))


def moment(text: str, now: float) -> float:
    """Seconds since 1970 of a Unix time, an RFC 3339 time, or a duration before now (docker's GetTimestamp)."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    try:
        return now - duration(text) / 1e9
    except ValueError:
        pass
    for pattern in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"):
        base, _, fraction = text.rstrip("Z").partition(".")
        try:
            found = datetime.strptime(base, pattern).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        return found + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
    raise UsageError(f'failed to parse value as time or duration: "{text}"', 1)


def _passes(event: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    kind, actor = event["Type"], event["Actor"]
    attributes = actor["Attributes"]

    def named(wanted: str, value: str) -> bool:
        """The event is about this container, network, …, by id, beginning of an id, or name."""
        if kind == wanted:
            return actor["ID"].startswith(value) or attributes.get("name") == value
        return False

    tests: dict[str, Any] = {
        "type": lambda value: kind == value,
        "event": lambda value: event["Action"] == value or event["Action"].partition(":")[0] == value,
        "scope": lambda value: event["scope"] == value,
        "image": lambda value: value in (actor["ID"], attributes.get("name"), attributes.get("image"))
        or any(str(attributes.get(key, "")).partition(":")[0] == value for key in ("name", "image") if kind in ("image", "container")),
        "label": lambda value: value.partition("=")[0] in attributes
        and ("=" not in value or attributes[value.partition("=")[0]] == value.partition("=")[2]),
    }  # fmt: skip
    return all(
        any(tests[key](value) if key in tests else named(key, value) for value in values)
        for key, values in filters.items()
    )


def _text(event: dict[str, Any], layout: str, template: Template | None) -> str:
    if layout == "json":
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    if template is not None:
        actor = {**event["Actor"], "Attributes": _Attributes(event["Actor"]["Attributes"])}
        shown = _Message({"status": "", "id": "", "from": "", **event, "Actor": actor})
        shown |= {name: shown[key] for key, name in GO_NAMES.items()}
        try:
            return template.render(shown)
        except TemplateError as problem:
            raise UsageError(f"Error parsing format: template: {problem}", 64) from None
    whole, rest = divmod(event["timeNano"], 10**9)
    when = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(event["Actor"]["Attributes"].items()))
    tail = f" ({attributes})" if attributes else ""
    return f"{when}.{rest:09d}Z {event['Type']} {event['Action']} {event['Actor']['ID']}{tail}"


COMMANDS = [
    (Command("docker events", "[OPTIONS]", "Get real time events from the server", """
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template
      --since string    Show all events created since timestamp
      --until string    Stream events until this timestamp
""", 0, 0, aliases=("docker system events",)), show),
]  # fmt: skip
