"""jq formats: ``@csv`` and its kin."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kubenet_course.userland.commands.jq.values import JqError, dump, kind, short, text_of

if TYPE_CHECKING:
    pass


def format_value(name: str, value: Any) -> str:
    """``@csv`` and its kin."""
    if name == "text":
        return text_of(value)
    if name == "json":
        return dump(value)
    if name in ("csv", "tsv"):
        if not isinstance(value, list):
            raise JqError(f"{kind(value)} ({short(value)}) cannot be {name}-formatted, only an array can be")
        return ("," if name == "csv" else "\t").join(_cell(name, one) for one in value)
    if name == "html":
        table = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&#39;", '"': "&quot;"}
        return "".join(table.get(char, char) for char in text_of(value))
    if name == "uri":
        return quote(text_of(value), safe="-_.~")
    if name == "sh":
        return " ".join(_shell(one) for one in (value if isinstance(value, list) else [value]))
    if name == "base64":
        return base64.b64encode(text_of(value).encode("utf-8", "surrogateescape")).decode()
    if name == "base64d":
        text = text_of(value).rstrip("=")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            raise JqError(f"{kind(value)} ({short(value)}) is not valid base64 data") from None
    raise JqError(f"{name} is not a valid format")


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        if name == "csv":
            return '"' + value.replace('"', '""') + '"'
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, list | dict):
        raise JqError(f"{kind(value)} ({short(value)}) is not valid in a csv row")
    return "" if value is None else dump(value)


def _shell(value: Any) -> str:
    if isinstance(value, list | dict):
        raise JqError(f"{kind(value)} ({short(value)}) can not be escaped for shell")
    return "'" + value.replace("'", "'\\''") + "'" if isinstance(value, str) else dump(value)
