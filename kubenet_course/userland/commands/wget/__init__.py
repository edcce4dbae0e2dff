"""wget 1.21: files over HTTP, with its log lines and dots. No FTP or recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.wget.options import read_options
from kubenet_course.userland.commands.wget.retrieve import Session

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


async def main(proc: Process, argv: list[str]) -> int:
    found = read_options(proc, argv)
    if isinstance(found, int):
        return found
    settings, urls = found
    return await Session(proc, settings).run(urls)
