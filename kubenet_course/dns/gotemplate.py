"""Go's text/template, as far as CoreDNS' `template` plugin needs it.

    {{ .Name }} 60 IN A {{ .Group.a }}.{{ index .Match 2 }}{{ if eq .Type "A" }} … {{ end }}

Actions: pipelines, variables ($x := …), if, else, with, range, end, comments, trimming ({{- -}}).
Functions: Go's own (and or not eq ne lt le gt ge len index print printf println html urlquery)
and those that are handed in. A field that is missing makes `<no value>`, as a missing map key does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Render = Callable[["Scope"], str]
Value = Callable[["Scope"], Any]


class TemplateError(ValueError):
    """The template is wrong, or cannot be filled."""


class Scope:
    """Where a template is evaluated: `.` and the variables; `$` is the outermost `.`."""

    def __init__(self, dot: Any, variables: dict[str, Any]):
        self.dot = dot
        self.variables = variables

    def inner(self, dot: Any) -> Scope:
        return Scope(dot, dict(self.variables))


_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.S)
_WORD = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<char>'(?:\\.|[^'\\])')|(?P<number>-?(?:0x[0-9a-fA-F]+|\d+\.\d+|\d+))
    |(?P<assign>:=|=)|(?P<mark>[|(),])|(?P<field>\$?\w*(?:\.\w+)+|\.)|(?P<variable>\$\w*)|(?P<name>\w+))""",
    re.X,
)
NO_VALUE = "<no value>"


class Template:
    """`Template(text, functions).render(data)`; data is a mapping, or an object with attributes."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]] | None = None, name: str = ""):
        self.text = text
        self.name = name
        self.functions = {**_FUNCTIONS, **(functions or {})}
        self.parts = _split(text)
        self.at = 0
        self.body = self._block(())

    def render(self, data: Any) -> str:
        """TemplateError where a function fails or a value cannot be used so."""
        try:
            return self.body(Scope(data, {"$": data}))
        except TemplateError:
            raise
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, ZeroDivisionError) as problem:
            raise TemplateError(f"template: {problem}") from None

    # -- parsing ----------------------------------------------------------------------------
    def _block(self, ends: tuple[str, ...]) -> Render:
        """Up to an action that is one of `ends`, which is left to be looked at."""
        found: list[Render] = []
        while self.at < len(self.parts):
            is_action, text = self.parts[self.at]
            if not is_action:
                found.append(lambda _, text=text: text)  # type: ignore[misc]
                self.at += 1
                continue
            word = text.split(None, 1)[0] if text.split() else ""
            if word in ends:
                return _together(found)
            self.at += 1
            if word in ("if", "with", "range"):
                found.append(self._control(word, text[len(word) :]))
            elif word in ("end", "else"):
                raise TemplateError(f"template: unexpected {{{{{word}}}}}")
            elif not text.startswith("/*"):
                found.append(self._action(text))
        if ends:
            raise TemplateError("template: unexpected EOF")
        return _together(found)

    def _control(self, word: str, text: str) -> Render:
        value = _Pipeline(text, self.functions).parse()[0]
        body = self._block(("else", "end"))
        other: Render = lambda _: ""  # noqa: E731
        clause = self.parts[self.at][1]
        self.at += 1
        if clause.startswith("else"):
            rest = clause[4:].strip()
            if rest.startswith("if"):
                other = self._control("if", rest[2:])
            else:
                other = self._block(("end",))
                self.at += 1

        def run(scope: Scope) -> str:
            found = value(scope)
            if word == "if":
                return body(scope.inner(scope.dot)) if found else other(scope.inner(scope.dot))
            if word == "with":
                return body(scope.inner(found)) if found else other(scope.inner(scope.dot))
            items = list(found.values() if isinstance(found, Mapping) else found or ())
            return "".join(body(scope.inner(item)) for item in items) if items else other(scope.inner(scope.dot))

        return run

    def _action(self, text: str) -> Render:
        value, name = _Pipeline(text, self.functions).parse()
        function = text.split(None, 1)[0] if text else ""

        def run(scope: Scope) -> str:
            try:
                found = value(scope)
            except (TypeError, ValueError, IndexError, KeyError) as problem:
                if function not in self.functions or isinstance(problem, TemplateError):
                    raise
                before = self.text[: self.text.index(text)]
                place = f"{self.name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10)) - 1}"
                where = f'executing "{self.name}" at <{text}>'
                raise TemplateError(f"template: {place}: {where}: error calling {function}: {problem}") from None
            if name:
                scope.variables[name] = found
                return ""
            return _text(found)

        return run


def _split(text: str) -> list[tuple[bool, str]]:
    parts: list[tuple[bool, str]] = []
    at, trim = 0, False
    for match in _ACTION.finditer(text):
        literal = text[at : match.start()]
        literal = literal.lstrip() if trim else literal
        parts += [(False, literal.rstrip() if match[1] else literal), (True, match[2].strip())]
        at, trim = match.end(), bool(match[3])
    rest = text[at:]
    if "{{" in rest:
        raise TemplateError("template: unclosed action")
    return [*parts, (False, rest.lstrip() if trim else rest)]


def _together(parts: list[Render]) -> Render:
    return lambda scope: "".join(part(scope) for part in parts)


class _Pipeline:
    """`value | function argument | …`, perhaps with `$name :=` in front."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]]):
        self.functions = functions
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _WORD.match(text, at)
            if match is None:
                raise TemplateError(f"template: unexpected {text[at:].strip()[:1]!r} in action")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind]))
            at = match.end()
        self.at = 0

    def parse(self) -> tuple[Value, str]:
        name = ""
        if len(self.tokens) > 1 and self.tokens[0][0] == "variable" and self.tokens[1][0] == "assign":
            name = self.tokens[0][1]
            self.at = 2
        value = self._pipe()
        if self.at < len(self.tokens):
            raise TemplateError(f"template: unexpected {self.tokens[self.at][1]!r} in action")
        return value, name

    def _pipe(self) -> Value:
        value = self._command(None)
        while self.at < len(self.tokens) and self.tokens[self.at] == ("mark", "|"):
            self.at += 1
            value = self._command(value)
        return value

    def _command(self, last: Value | None) -> Value:
        terms: list[Value] = []
        function: Callable[..., Any] | None = None
        while self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind == "mark" and text in ("|", ")"):
                break
            self.at += 1
            if kind == "name" and text in self.functions and not terms and function is None:
                function = self.functions[text]
            else:
                terms.append(self._term(kind, text))
        if last is not None:
            terms.append(last)
        if function is not None:
            called = function
            return lambda scope: called(*(term(scope) for term in terms))
        if not terms:
            raise TemplateError("template: missing value for command")
        if len(terms) == 1:
            return lambda scope: value() if callable(value := terms[0](scope)) else value
        first, rest = terms[0], terms[1:]
        return lambda scope: first(scope)(*(term(scope) for term in rest))

    def _term(self, kind: str, text: str) -> Value:
        if kind == "string":
            plain = text[1:-1] if text[0] == "`" else text[1:-1].encode().decode("unicode_escape")
            return lambda _: plain
        if kind == "number":
            number = float(text) if "." in text else int(text, 0)
            return lambda _: number
        if kind == "char":
            return lambda _: ord(text[1:-1].encode().decode("unicode_escape"))
        if kind == "variable":
            return lambda scope: scope.variables[text]
        if kind == "field":
            head, *names = text.split(".")
            return lambda scope: _walk(scope.variables[head] if head else scope.dot, [name for name in names if name])
        if kind == "name" and text in self.functions:
            function = self.functions[text]
            return lambda _: function()
        if kind == "name" and text in ("true", "false", "nil"):
            return lambda _: {"true": True, "false": False, "nil": None}[text]
        if kind == "mark" and text == "(":
            inner = self._pipe()
            if self.at >= len(self.tokens) or self.tokens[self.at] != ("mark", ")"):
                raise TemplateError("template: unclosed left paren")
            self.at += 1
            return inner
        if kind == "name":
            raise TemplateError(f'template: function "{text}" not defined')
        raise TemplateError(f"template: unexpected {text!r} in operand")


def _walk(value: Any, names: list[str]) -> Any:
    for name in names:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif hasattr(value, name) and not name.startswith("_"):
            value = getattr(value, name)
        else:
            raise TemplateError(f"template: can't evaluate field {name}")
    return value


def _text(value: Any) -> str:
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_text(item) for item in value)}]"
    return str(value)


def _compare(check: Callable[[int], bool]) -> Callable[..., bool]:
    return lambda a, b: check((a > b) - (a < b))


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(key, int) and not 0 <= key < len(value):
            raise IndexError(f"index out of range: {key}")
        else:
            value = value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    return re.sub(r"%v", "%s", form) % tuple(_text(value) if isinstance(value, (bool, list)) else value for value in values)


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not value,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda a, b: a != b,
    "lt": _compare(lambda sign: sign < 0),
    "le": _compare(lambda sign: sign <= 0),
    "gt": _compare(lambda sign: sign > 0),
    "ge": _compare(lambda sign: sign >= 0),
    "len": len,
    "index": _index,
    "print": lambda *values: " ".join(_text(value) for value in values),
    "println": lambda *values: " ".join(_text(value) for value in values) + "\n",
    "printf": _printf,
}
