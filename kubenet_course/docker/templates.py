"""Go templates with the functions that Docker's client adds (docker/cli, templates/templates.go)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from kubenet_course import gotemplate
from kubenet_course.gotemplate import TemplateError

__all__ = ["HEADER_FUNCTIONS", "Template", "TemplateError", "render"]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _join(values: list[str], separator: str) -> str:
    return separator.join(gotemplate.show(one) for one in values)


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


def _title(text: str) -> str:
    return text.title()


def _pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else text


def _truncate(text: str, length: int) -> str:
    return text[:length]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": _json,
    "join": _join,
    "split": _split,
    "lower": _lower,
    "upper": _upper,
    "title": _title,
    "pad": _pad,
    "truncate": _truncate,
}
#: What they do in the titles of a table: nothing.
HEADER_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("json", "title", "lower", "upper"), lambda text: text),
    "truncate": lambda text, length: text,
}


class Template(gotemplate.Template):
    """`text` with Docker's functions, and `functions` in their place. TemplateError."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]] | None = None):
        super().__init__(text, {**FUNCTIONS, **(functions or {})})


def render(text: str, data: Any) -> str:
    """The template applied to `data`. TemplateError."""
    return Template(text).render(data)
