"""Fields in the making, and the parameters that the shell computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


Chunk = tuple[str, bool]


class Field:
    """One field in the making; `real` once something quoted made it exist even if empty."""

    __slots__ = ("chunks", "real")

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.real = False

    def text(self) -> str:
        return "".join(text for text, _ in self.chunks)
