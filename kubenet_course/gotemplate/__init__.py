"""Go's text/template: what `docker --format`, CoreDNS' `template` plugin and their like are written in.

    Template("{{range .Networks}}{{.IPAddress}} {{end}}").render(record)

Actions: pipelines, variables, if, with, range, break, continue, define, template, block, comments, trimming.
Data are mappings, lists, strings, numbers, booleans, None, and callables (Go's methods). What a template may not
say, and what cannot be done with the data, is a `TemplateError` in Go's words (text/template of Go 1.24).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubenet_course.gotemplate.execute import Execution
from kubenet_course.gotemplate.functions import FUNCTIONS
from kubenet_course.gotemplate.parser import Parser
from kubenet_course.gotemplate.values import MISSING, TemplateError, field, show, truth

__all__ = ["MISSING", "Template", "TemplateError", "field", "render", "show", "truth"]


class Template:
    """A parsed template; `functions` are there besides Go's own, `name` stands in what errors say.

    Raises:
        TemplateError: the text is not a template.
    """

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]] | None = None, name: str = ""):
        self.text = text
        self.name = name
        self.functions: Mapping[str, Callable[..., Any]] = {**FUNCTIONS, **(functions or {})}
        parser = Parser(text, self.functions, name)
        try:
            self.body = parser.parse()
        except RecursionError:
            raise TemplateError("max expression depth exceeded", f"{name}:1") from None
        self.defined = parser.defined

    def render(self, data: Any) -> str:
        """The text that the template makes of `data`.

        Raises:
            TemplateError: the data have not what the template asks for.
        """
        try:
            return Execution(self.text, self.name, self.functions, self.defined).run(self.body, data)
        except RecursionError:
            raise TemplateError("exceeded maximum template depth", f"{self.name}:1") from None


def render(text: str, data: Any, functions: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """The template `text` applied to `data`. TemplateError."""
    return Template(text, functions).render(data)
