"""curl 7.88: HTTP/1.0 and 1.1 over the emulated network, in curl's own words.

No proxies, FTP and the rest of curl's thirty protocols; an option for them says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.commands.curl.options import HELP, VERSION, Configuration, CurlUsage, parse
from kubenet_course.userland.commands.curl.session import Session
from kubenet_course.userland.commands.curl.url import GlobError, expand

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

HINT = "curl: try 'curl --help' or 'curl --manual' for more information"


async def main(proc: Process, argv: list[str]) -> int:
    try:
        config = parse(proc, argv[1:])
    except CurlUsage as problem:
        if problem.unsupported:
            proc.error(f"kubenet: curl: {problem}")
        else:
            proc.error(f"curl: {problem}")
            proc.error(HINT)
        return 2
    if config.show == "help":
        proc.print(HELP)
        return 0
    if config.show == "version":
        proc.print(VERSION)
        return 0
    if not config.urls:
        proc.error(HINT)
        return 2
    return await _run(proc, config)


async def _run(proc: Process, config: Configuration) -> int:
    session = Session(proc, config)
    status = 0
    for number, pattern in enumerate(config.urls):
        if config.globbing:
            try:
                targets = expand(pattern)
            except GlobError as problem:
                if config.show_errors:
                    proc.error(f"curl: (3) {problem}\n{pattern}\n{' ' * (problem.position - 1)}^")
                return 3
        else:
            targets = [(pattern, [])]
        output = config.outputs[number] if number < len(config.outputs) else None
        for url, parts in targets:
            where = output
            if where is not None and where.path is not None:
                for index, part in enumerate(parts, 1):
                    where = where._replace(path=where.path.replace(f"#{index}", part))  # type: ignore[union-attr]
            status = await session.transfer(url, where, number)
            if status and config.fail_early:
                return status
    session.close()
    return status
