"""The grammar's reductions: each method makes the node of one rule."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.shell.nodes import (
    AndOr,
    ArithCommand,
    ArithFor,
    Assign,
    Case,
    Command,
    Cond,
    CondNode,
    CondTest,
    Coproc,
    For,
    Function,
    Group,
    If,
    Lit,
    Pipeline,
    Redirect,
    Redirected,
    Script,
    Simple,
    Subshell,
    While,
    Word,
)

Items = list[Any]


def _words(word: Word) -> list[Word]:
    """A word after brace expansion."""
    if "{" not in word.raw or not ("," in word.raw or ".." in word.raw):
        return [word]
    from kubenet_course.userland.shell.braces import expand_braces
    from kubenet_course.userland.shell.parser import substitution_in
    from kubenet_course.userland.shell.source import Source
    from kubenet_course.userland.shell.words import Scanner

    raws = expand_braces(word.raw)
    if raws == [word.raw]:
        return [word]
    found = []
    for raw in raws:
        source = Source(raw)
        scanner = Scanner(source, 0, substitution_in(source))
        found.append(scanner.word(frozenset()))
    return [made for made in found if made.raw or made.parts]


def _split_arith(pair: tuple[Word, str]) -> list[Word]:
    """The three expressions of ``for ((a; b; c))``."""
    from kubenet_course.userland.shell.parser import substitution_in
    from kubenet_course.userland.shell.source import Source
    from kubenet_course.userland.shell.words import Scanner

    texts = (pair[1].split(";") + ["", "", ""])[:3]
    made = []
    for text in texts:
        source = Source(text)
        scanner = Scanner(source, 0, substitution_in(source))
        made.append(scanner.sub_word(0, len(text)))
    return made


class Builder:
    """One method a rule; the argument is the list of the rule's children."""

    # -- lists ------------------------------------------------------------------------------
    def script(self, items: Items) -> Script:
        if len(items) == 1:
            return Script([])
        return self._list(items[1], items[2] if len(items) > 2 else "")

    compound_list = script

    def _list(self, commands: list[tuple[Command, str]], last: str) -> Script:
        found = commands[:-1] + [(commands[-1][0], last)]
        return Script([(command, separator == "&") for command, separator in found])

    def clist_first(self, items: Items) -> list:
        return [(items[0], "")]

    def clist_more(self, items: Items) -> list:
        commands, separator, command = items
        commands[-1] = (commands[-1][0], separator)
        commands.append((command, ""))
        return commands

    def seps(self, items: Items) -> str:
        return items[0]

    def sep(self, items: Items) -> str:
        return items[0].value or "\n"

    def linebreak(self, items: Items) -> None:
        return None

    # -- pipelines --------------------------------------------------------------------------
    def and_or_first(self, items: Items) -> Command:
        return items[0]

    def and_or_more(self, items: Items) -> Command:
        left, operator, _, right = items
        if isinstance(left, AndOr):
            left.rest.append((operator.value, right))
            return left
        return AndOr(left, [(operator.value, right)])

    def pipeline_plain(self, items: Items) -> Command:
        commands, merge = items[0]
        return commands[0] if len(commands) == 1 else Pipeline(commands, merge)

    def pipeline_not(self, items: Items) -> Command:
        inner = items[1]
        if isinstance(inner, Pipeline):
            inner.negate = not inner.negate
            return inner
        return Pipeline([inner], [], negate=True)

    def pipeline_bare_not(self, items: Items) -> Command:
        return Pipeline([], [], negate=True)

    def pipeline_time(self, items: Items) -> Command:
        inner, posix = items[1], items[0].value == "-p"
        if isinstance(inner, Pipeline):
            inner.timed, inner.posix = True, posix
            return inner
        return Pipeline([inner], [], timed=True, posix=posix)

    def pipeline_bare_time(self, items: Items) -> Command:
        return Pipeline([], [], timed=True, posix=items[0].value == "-p")

    def pipe_first(self, items: Items) -> tuple:
        return [items[0]], []

    def pipe_more(self, items: Items) -> tuple:
        (commands, merge), operator, _, command = items
        commands.append(command)
        merge.append(operator.type == "PIPEAND")
        return commands, merge

    # -- commands ---------------------------------------------------------------------------
    def command_plain(self, items: Items) -> Command:
        return items[0]

    command_simple = compound = function_plain = command_plain

    def command_redirected(self, items: Items) -> Command:
        return Redirected(items[0], items[1])

    def coproc(self, items: Items) -> Coproc:
        name = items[1].text if len(items) > 2 else "COPROC"
        return Coproc(name, items[-1])

    def simple_first(self, items: Items) -> Simple:
        return self._add(Simple([], [], [], 0), items[0])

    def simple_more(self, items: Items) -> Simple:
        return self._add(items[0], items[1])

    def _add(self, simple: Simple, element: Any) -> Simple:
        value, line = element
        simple.line = simple.line or line
        if isinstance(value, Redirect):
            simple.redirects.append(value)
        elif isinstance(value, Assign):
            (simple.words if simple.words else simple.assigns).append(value)
        else:
            simple.words.extend(_words(value))
        return simple

    def element(self, items: Items) -> tuple:
        item = items[0]
        if isinstance(item, tuple):
            return item
        return item.value, item.line

    def redirect(self, items: Items) -> tuple:
        return items[1].value, items[0].line

    def redirects_first(self, items: Items) -> list[Redirect]:
        return [items[0][0]]

    def redirects_more(self, items: Items) -> list[Redirect]:
        return [*items[0], items[1][0]]

    def subshell(self, items: Items) -> Subshell:
        return Subshell(items[1])

    def group(self, items: Items) -> Group:
        return Group(items[1])

    # -- if, loops, case --------------------------------------------------------------------
    def if_clause(self, items: Items) -> If:
        _, test, _, body, (clauses, otherwise), _ = items
        return If([(test, body), *clauses], otherwise)

    def else_none(self, items: Items) -> tuple:
        return [], None

    def else_plain(self, items: Items) -> tuple:
        return [], items[1]

    def else_if(self, items: Items) -> tuple:
        _, test, _, body, (clauses, otherwise) = items
        return [(test, body), *clauses], otherwise

    def do_group(self, items: Items) -> Script:
        return items[1]

    def while_clause(self, items: Items) -> While:
        return While(items[1], items[2], False)

    def until_clause(self, items: Items) -> While:
        return While(items[1], items[2], True)

    def for_args(self, items: Items) -> For:
        return For(items[1].text, None, items[-1], items[0].line, items[0].text == "select")

    def for_words(self, items: Items) -> For:
        words = [made for token in items[4] for made in _words(token.value)]
        return For(items[1].text, words, items[-1], items[0].line, items[0].text == "select")

    def for_arith(self, items: Items) -> ArithFor:
        init, test, step = _split_arith(items[1].value)
        return ArithFor(init, test, step, items[-1], items[0].line)

    def for_end(self, items: Items) -> None:
        return None

    def list_empty(self, items: Items) -> list:
        return []

    def list_first(self, items: Items) -> list:
        return [items[0]]

    def list_more(self, items: Items) -> list:
        return [*items[0], items[-1]]

    list_more_sep = list_more

    def case_pass(self, items: Items) -> Any:
        return items[0]

    def case_clause(self, items: Items) -> Case:
        return Case(items[1].value, items[5], items[0].line)

    def case_item(self, items: Items) -> tuple:
        return items[0], items[1], items[2]

    def case_last(self, items: Items) -> tuple:
        return items[0], items[1], ";;"

    def case_stop(self, items: Items) -> str:
        return items[0].text

    def pattern_head(self, items: Items) -> list[Word]:
        return [token.value for token in (items[0] if isinstance(items[0], list) else items[1])]

    # -- functions, tests -------------------------------------------------------------------
    def function(self, items: Items) -> Function:
        name = items[1] if items[0].type == "FUNCTION" else items[0]
        return Function(name.text, items[-1], "", name.line)

    def function_body(self, items: Items) -> Command:
        return Redirected(items[0], items[1]) if len(items) > 1 else items[0]

    plain_body = function_body

    def arith_command(self, items: Items) -> ArithCommand:
        return ArithCommand(items[0].value[0], items[0].line)

    def cond_command(self, items: Items) -> Cond:
        return Cond(items[1], items[0].line)

    def cond_pass(self, items: Items) -> Any:
        return items[0]

    def cond_parens(self, items: Items) -> Any:
        return CondNode("()", [items[1]])

    def cond_binary(self, items: Items) -> CondNode:
        return CondNode(items[1].text, [items[0], items[2]])

    def cond_negate(self, items: Items) -> CondNode:
        return CondNode("!", [items[1]])

    def cond_unary(self, items: Items) -> CondTest:
        return CondTest(items[0].value, items[1].value)

    def cond_test(self, items: Items) -> CondTest:
        return CondTest(items[1].value, items[0].value, items[2].value)

    def cond_word(self, items: Items) -> CondTest:
        return CondTest("", items[0].value)


def constant(text: str) -> Word:
    """A word that is just `text`."""
    return Word((Lit(text, True),), text, text)
