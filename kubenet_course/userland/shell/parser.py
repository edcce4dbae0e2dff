"""Text to nodes: the LALR parser, driven token by token; units cached per text.

A script is parsed line by line as bash reads it, so that commands before a syntax error run. The
result of parsing is a pure function of the text and therefore cached.
"""

from __future__ import annotations

from functools import lru_cache

from kubenet_course.userland import lalr
from kubenet_course.userland.shell.lexer import Lexer, Token, _SubstitutionEnd
from kubenet_course.userland.shell.nodes import Script, Unit
from kubenet_course.userland.shell.source import ShellSyntaxError, Source, Substitution

MAX_DEPTH = 40


@lru_cache(1)
def _grammar() -> lalr.Grammar:
    from kubenet_course.userland.shell.builder import Builder

    return lalr.load("kubenet_course.userland.shell", lalr.methods_of(Builder()))


def substitution_in(source: Source, depth: int = 0) -> Substitution:
    """How a scanner of `source` reads the commands after ``$(``."""

    def substitution(position: int) -> tuple[Script, int]:
        if depth > MAX_DEPTH:
            raise ShellSyntaxError("kubenet: substitutions are nested too deeply", source.line(position))
        lexer = Lexer(source, position, substitution_in(source, depth + 1), nested=True)
        script = _parse(lexer)
        return script, lexer.pos

    return substitution


def _parse(lexer: Lexer) -> Script:
    """One unit, or in a nested lexer everything up to the closing parenthesis."""
    parse = lalr.Parse(_grammar())
    token: Token | None = None
    try:
        while True:
            try:
                token = lexer.next(parse)
            except _SubstitutionEnd:
                lexer.end_heredocs()
                token = Token("RPAREN", None, ")", lexer.source.line(lexer.pos), lexer.pos)
                result = parse.feed(Token("$END", None, ")", token.line, lexer.pos))
                lexer.pos += 1
                return result
            if token is None:
                break
            parse.feed(token)
        end = Token("$END", None, "", lexer.source.last_line() + 1, lexer.pos)
        return parse.feed(end)
    except lalr.UnexpectedToken:
        raise _unexpected(lexer, token) from None


def _unexpected(lexer: Lexer, token: Token | None) -> ShellSyntaxError:
    if token is None:
        return ShellSyntaxError("syntax error: unexpected end of file", lexer.source.last_line() + 1)
    if lexer.in_cond or token.type == "COND_ERROR":
        before = lexer.before.type if lexer.before else ""
        if before == "WORD" and token.type == "WORD":
            return ShellSyntaxError("conditional binary operator expected", token.line, status=0)
        return ShellSyntaxError(
            f"unexpected token `{token.text}' in conditional command", token.line, status=0
        )
    return ShellSyntaxError(f"syntax error near unexpected token `{token.text}'", token.line, echo=True)


@lru_cache(512)
def parse_units(text: str, first_line: int = 1, extglob: bool = False) -> tuple[Unit, ...]:
    """A script's units in order; where the syntax is wrong the last one holds the error."""
    text = text.replace("\0", "")
    source = Source(text.removesuffix("\n"), first_line, extglob)
    units: list[Unit] = []
    lexer = Lexer(source, 0, substitution_in(source))
    while lexer.pos < len(source.text):
        line = source.line(lexer.pos)
        lexer.previous = lexer.before = None
        lexer.prefix, lexer.declaration, lexer.in_cond = True, False, False
        lexer.warnings = []
        try:
            script = _parse(lexer)
            if lexer.pos < len(source.text):
                lexer.pos += 1
                lexer._read_heredocs()
        except ShellSyntaxError as error:
            units.append(Unit(None, error.line, _error_lines(error, source), error.status, lexer.warnings))
            break
        except RecursionError:
            units.append(Unit(None, line, ["kubenet: the script is nested too deeply"]))
            break
        if script.items:
            units.append(Unit(script, line, warnings=lexer.warnings))
    return tuple(units)


def _error_lines(error: ShellSyntaxError, source: Source) -> list[str]:
    lines = [error.message]
    if error.echo:
        lines.append(f"`{source.line_text(error.line)}'")
    return lines


@lru_cache(512)
def parse_nested_text(text: str, first_line: int = 1) -> Script:
    """What stands between backquotes."""
    units = parse_units(text, first_line)
    items = []
    for unit in units:
        if unit.script is None:
            raise ShellSyntaxError(unit.error[0], unit.line, echo=len(unit.error) > 1)
        items.extend(unit.script.items)
    return Script(items)
