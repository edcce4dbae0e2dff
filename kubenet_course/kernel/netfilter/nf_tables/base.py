"""What all of nft's expressions are."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, PLAIN, DataType, Style

Loc = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """Base: `loc` is (first, behind the last) position in the text."""

    loc: Loc | None = field(default=None, compare=False, repr=False)

    @property
    def type(self) -> DataType:
        return INTEGER

    @property
    def bits(self) -> int:
        return self.type.bits

    def text(self, style: Style = PLAIN) -> str:
        raise NotImplementedError
