"""dmesg: the kernel's log (util-linux)."""

from __future__ import annotations

import time

from kubenet_course.sim.loop import EPOCH, SECOND
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process

LONG = {
    "ctime": "T", "clear": "C", "read-clear": "c", "notime": "t", "follow": "w", "human": "H", "kernel": "k",
    "level=": "l", "facility=": "f", "color=?": "L", "nopager": "P", "decode": "x", "raw": "r",
    "follow-new": "W",
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, _ = parse(argv, "TCctwHkl:f:L::PxrWn:", LONG, unsupported="dDeEFJpqsSuz")
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    log = proc.system.host.dmesg
    if "C" not in flags:
        for when, text in list(log):
            proc.print(_line(when, text, flags))
    if flags & {"C", "c"}:
        log.clear()
    if flags & {"w", "W"}:
        seen = len(log)
        while True:
            await proc.sleep(0.2)
            for when, text in log[seen:]:
                proc.print(_line(when, text, flags))
            seen = len(log)
    return 0


def _line(when: int, text: str, flags: set[str]) -> str:
    if "t" in flags:
        return text
    if "T" in flags:
        return time.strftime("[%a %b %e %H:%M:%S %Y] ", time.gmtime((EPOCH + when) // SECOND)) + text
    return f"[{when / SECOND:12.6f}] {text}"
