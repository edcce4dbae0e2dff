"""nft: the program in front of nf_tables (nftables 1.0.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("nft",)


async def main(proc: Process, argv: list[str]) -> int:
    from kubenet_course.userland.commands.nft.run import run

    return await run(proc, argv)
