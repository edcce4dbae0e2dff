"""Expressions that exist only as typed: numbers and pairs whose type is not known yet."""

from __future__ import annotations

from dataclasses import dataclass

from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.expressions import Expr


@dataclass(frozen=True, slots=True)
class Integer(Expr):
    value: int

    def text(self, style: Style = PLAIN) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class RangeExpr(Expr):
    """a-b"""

    left: Expr
    right: Expr

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.left.text(style)}-{self.right.text(style)}"


@dataclass(frozen=True, slots=True)
class SlashExpr(Expr):
    """a/b: a prefix, or flags and their mask."""

    left: Expr
    right: Expr

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.left.text(style)}/{self.right.text(style)}"
