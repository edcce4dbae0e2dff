"""touch: make files, or change their time."""

from __future__ import annotations

import calendar
import re
import time

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

LONG = {"no-create": "c", "date=": "d", "reference=": "r", "no-dereference": "h", "time=": "time"}


def _stamp(text: str, now: int) -> int | None:
    """``[[CC]YY]MMDDhhmm[.ss]`` in ns since 1970."""
    match = re.fullmatch(r"(\d\d)?(\d\d)?(\d{8})(?:\.(\d\d))?", text)
    if match is None:
        return None
    century, year, rest, seconds = match.groups()
    if century and not year:
        century, year = ("20" if int(century) < 69 else "19"), century
    full = f"{century}{year}" if century else str(time.gmtime(now // 10**9).tm_year)
    try:
        when = time.strptime(f"{full}{rest}{seconds or '00'}", "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return calendar.timegm(when) * 10**9


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "acd:hmr:t:f", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    now = when = proc.system.files.now()
    for name, text in options:
        if name == "t":
            stamp = _stamp(text, now)
            if stamp is None:
                proc.error(f"{argv[0]}: invalid date format {quote(text)}")
                return 1
            when = stamp
        elif name == "d":
            from kubenet_course.userland.dates import parse_date

            stamp = parse_date(text, now)
            if stamp is None:
                proc.error(f"{argv[0]}: invalid date format {quote(text)}")
                return 1
            when = stamp
    reference = value(options, "r")
    if reference is not None:
        try:
            when = proc.files.stat(reference, proc).mtime
        except KernelError as error:
            proc.error(f"{argv[0]}: failed to get attributes of {quoteaf(reference)}: {error.strerror}")
            return 1
    if not names:
        return missing_operand(proc, argv[0], kind="file operand")
    status = 0
    for name in names:
        try:
            if not proc.files.exists(name, proc):
                if "c" in letters(options):
                    continue
                proc.files.write(name, b"", proc)
            proc.files.utime(name, when, proc)
        except KernelError as error:
            what = "cannot touch" if error.strerror != "Is a directory" else "setting times of"
            text = "No such file or directory" if what.startswith("setting") else error.strerror
            proc.error(f"{argv[0]}: {what} {quoteaf(name)}: {text}")
            status = 1
    return status
