"""A Go template applied to data (text/template/exec.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubenet_course.gotemplate.functions import signature, suit
from kubenet_course.gotemplate.nodes import (
    Call,
    Command,
    Constant,
    Control,
    Jump,
    Node,
    Path,
    Pipeline,
    Term,
    Text,
    Word,
)
from kubenet_course.gotemplate.values import MISSING, TemplateError, field, show, truth

#: maxExecDepth of exec.go is 100,000; Python's own stack is smaller.
_DEEPEST = 100
_NOTHING = object()


class _Left(Exception):
    """{{break}} (`kind` "break") or {{continue}}."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.kind = kind


class Execution:
    """One application of a template; `run` gives the text."""

    def __init__(
        self,
        text: str,
        name: str,
        functions: Mapping[str, Callable[..., Any]],
        defined: Mapping[str, tuple[Node, ...]],
    ):
        self.text = text
        self.name = name
        self.functions = functions
        self.defined = defined
        self.names: list[tuple[str, Any]] = []
        self.out: list[str] = []
        self.depth = 0
        self.current = name

    def run(self, nodes: tuple[Node, ...], data: Any) -> str:
        self.names = [("$", data)]
        self._walk(nodes, data)
        return "".join(self.out)

    def _error(self, at: int, words: object, problem: str) -> TemplateError:
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1)
        return TemplateError(problem, f'{self.name}:{line}:{column}: executing "{self.current}" at <{words}>')

    # -- nodes ------------------------------------------------------------------------------
    def _walk(self, nodes: tuple[Node, ...], dot: Any) -> None:
        known = len(self.names)
        for node in nodes:
            if isinstance(node, Text):
                self.out.append(node.text)
            elif isinstance(node, Pipeline):
                value = self._pipeline(dot, node)
                if not node.names:
                    self.out.append(show(value))
            elif isinstance(node, Control):
                mark = len(self.names)
                (self._range if node.kind == "range" else self._choose)(node, dot)
                del self.names[mark:]
            elif isinstance(node, Jump):
                raise _Left(node.kind)
            else:
                self._template(node, dot)
        del self.names[known:]

    def _choose(self, node: Control, dot: Any) -> None:
        value = self._pipeline(dot, node.pipeline)
        if truth(value):
            self._walk(node.body, value if node.kind == "with" else dot)
        else:
            self._walk(node.other, dot)

    def _range(self, node: Control, dot: Any) -> None:
        names = node.pipeline.names
        value = self._pipeline(dot, node.pipeline, keep=False)
        pairs: list[tuple[Any, Any]]
        if isinstance(value, Mapping):
            pairs = sorted(value.items())
        elif isinstance(value, (list, tuple)):
            pairs = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            if len(names) > 1:
                words = node.pipeline.commands[-1]
                raise self._error(words.at, words, f"can't use {value} to iterate over more than one variable")
            pairs = [(number, number) for number in range(value)]
        elif value is None or value is MISSING:
            pairs = []
        else:
            words = node.pipeline.commands[-1]
            raise self._error(words.at, words, f"range can't iterate over {show(value)}")
        for pair in pairs:
            mark = len(self.names)
            for name, one in zip(names, pair if len(names) == 2 else pair[1:]):
                self._set(name, one, node.pipeline)
            try:
                self._walk(node.body, pair[1])
            except _Left as left:
                if left.kind == "break":
                    break
            finally:
                del self.names[mark:]
        if not pairs:
            self._walk(node.other, dot)

    def _template(self, node: Call, dot: Any) -> None:
        if node.name not in self.defined:
            raise self._error(node.at, node, f'template "{node.name}" not defined')
        if self.depth == _DEEPEST:
            raise self._error(node.at, node, f"exceeded maximum template depth ({_DEEPEST})")
        value = self._pipeline(dot, node.pipeline) if node.pipeline else None
        kept = self.names, self.current, self.depth
        self.names, self.current, self.depth = [("$", value)], node.name, self.depth + 1
        self._walk(self.defined[node.name], value)
        self.names, self.current, self.depth = kept

    # -- pipelines --------------------------------------------------------------------------
    def _pipeline(self, dot: Any, pipeline: Pipeline, keep: bool = True) -> Any:
        value: Any = _NOTHING
        for command in pipeline.commands:
            value = self._command(dot, command, value)
        if keep:
            for name in pipeline.names:
                self._set(name, value, pipeline)
        return value

    def _set(self, name: str, value: Any, pipeline: Pipeline) -> None:
        if pipeline.declares:
            self.names.append((name, value))
            return
        for number in range(len(self.names) - 1, -1, -1):
            if self.names[number][0] == name:
                self.names[number] = (name, value)
                return
        last = pipeline.commands[-1]
        raise self._error(last.at, last, f"undefined variable: {name}")

    def _command(self, dot: Any, command: Command, last: Any) -> Any:
        first, more = command.terms[0], command.terms[1:]
        if isinstance(first, Word):
            return self._call(dot, command, first.text, first, more, last)
        if isinstance(first, Path):
            value = self._path(dot, first)
            if callable(value):
                return self._invoke(dot, command, first, value, more, last)
            if (more or last is not _NOTHING) and first.fields:
                raise self._error(
                    first.at, first, f"{first.fields[-1]} has arguments but cannot be invoked as function"
                )
        else:
            value = None if isinstance(first, Constant) else self._term(dot, first)
        if more or last is not _NOTHING:
            raise self._error(command.at, first, f"can't give argument to non-function {first}")
        if isinstance(first, Constant):
            if first.text == "nil":
                raise self._error(first.at, first, "nil is not a command")
            return first.value
        return value

    def _invoke(
        self,
        dot: Any,
        command: Command,
        path: Path,
        method: Callable[..., Any],
        more: tuple[Term, ...],
        last: Any,
    ) -> Any:
        given = [self._term(dot, one) for one in more] + ([] if last is _NOTHING else [last])
        try:
            return method(*given)
        except TypeError:
            raise self._error(
                path.at, path, f"wrong number of args for {path.fields[-1]}: got {len(given)}"
            ) from None

    def _call(
        self, dot: Any, command: Command, name: str, word: Word, more: tuple[Term, ...], last: Any
    ) -> Any:
        function = self.functions[name]
        least, most, kinds = signature(name, function)
        count = len(more) + (last is not _NOTHING)
        if not least <= count <= most:
            want = f"at least {least}" if most == float("inf") else str(least)
            raise self._error(word.at, word, f"wrong number of args for {name}: want {want} got {count}")
        if name in ("and", "or"):
            return self._shortest(dot, name, more, last)
        given = [self._term(dot, one) for one in more]
        for term, value, kind in zip(more, given, kinds):
            problem = suit(value, kind, term)
            if problem:
                raise self._error(term.at, term, problem)
        if last is not _NOTHING:
            problem = suit(last, kinds[len(more)] if len(more) < len(kinds) else "", None)
            if problem:
                raise self._error(word.at, word, problem)
            given.append(last)
        try:
            return function(*given)
        except TemplateError as problem:
            raise self._error(command.at, command, f"error calling {name}: {problem.problem}") from None
        except (
            TypeError,
            ValueError,
            IndexError,
            KeyError,
            AttributeError,
            ZeroDivisionError,
            OverflowError,
        ) as problem:
            raise self._error(command.at, command, f"error calling {name}: {problem}") from None

    def _shortest(self, dot: Any, name: str, more: tuple[Term, ...], last: Any) -> Any:
        """and, or: the first that decides; what comes after it is not looked at."""
        value: Any = None
        for term in more:
            value = self._term(dot, term)
            if truth(value) == (name == "or"):
                return value
        return value if last is _NOTHING else last

    # -- terms ------------------------------------------------------------------------------
    def _term(self, dot: Any, term: Term) -> Any:
        if isinstance(term, Constant):
            return term.value
        if isinstance(term, Path):
            value = self._path(dot, term)
            return value() if callable(value) else value
        if isinstance(term, Word):
            return self._call(dot, Command(term.at, (term,)), term.text, term, (), _NOTHING)
        if isinstance(term, Pipeline):
            return self._pipeline(dot, term)
        return self._fields(self._pipeline(dot, term.inner), term.fields, term.inner.commands[-1].terms[-1])

    def _path(self, dot: Any, path: Path) -> Any:
        value = dot
        if path.variable:
            value = next(value for name, value in reversed(self.names) if name == path.variable)
        return self._fields(value, path.fields, path)

    def _fields(self, value: Any, names: tuple[str, ...], term: Term) -> Any:
        try:
            return field(value, ".".join(names)) if names else value
        except TemplateError as problem:
            raise self._error(term.at, term, problem.problem) from None
