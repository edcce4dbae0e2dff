"""sleep: let virtual time pass."""

from __future__ import annotations

import re

from kubenet_course.userland.options import OptionError, missing_operand, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_INTERVAL = re.compile(
    r"\s*\+?(\d+\.?\d*(?:[eE][-+]?\d{1,3})?|\.\d+(?:[eE][-+]?\d{1,3})?|inf(?:inity)?)([smhd]?)"
)


def interval(text: str) -> float | None:
    """Seconds of ``1.5``, ``2m``; None where it is no interval."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return None
    return min(float(match[1]) * UNITS[match[2]], 1e9)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        _, words = parse(argv, "")
    except OptionError as error:
        return error.report(proc, argv[0])
    if not words:
        return missing_operand(proc, argv[0])
    total, bad = 0.0, False
    for word in words:
        seconds = interval(word)
        if seconds is None:
            proc.error(f"{argv[0]}: invalid time interval {quote(word)}")
            bad = True
        else:
            total += seconds
    if bad:
        proc.error(f"Try '{argv[0]} --help' for more information.")
        return 1
    await proc.sleep(total)
    return 0
