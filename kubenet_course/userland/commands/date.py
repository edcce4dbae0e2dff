"""date: the machine's (virtual) clock."""

from __future__ import annotations

import re
import time

from kubenet_course.errors import KernelError
from kubenet_course.userland.dates import parse_date
from kubenet_course.userland.options import OptionError, extra_operand, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quotef

LONG = {
    "date=": "d", "iso-8601=?": "I", "rfc-email": "R", "rfc-3339=": "rfc", "reference=": "r", "set=": "s",
    "utc": "u", "universal": "u", "uct": "u", "debug": "debug", "file=": "f",
}  # fmt: skip
_ISO = {"date": "%Y-%m-%d", "hours": "%Y-%m-%dT%H%:z", "minutes": "%Y-%m-%dT%H:%M%:z",
        "seconds": "%Y-%m-%dT%H:%M:%S%:z", "ns": "%Y-%m-%dT%H:%M:%S,%N%:z"}  # fmt: skip
_DIRECTIVE = re.compile(r"%([-_0^#+]*)(\d*)(:{0,3}z|[a-zA-Z%])")
_SAME = frozenset("aAbBcCdDeFgGhHIjklmMnprRStTuUVwWxXyY%")
_PADDED = {"e": ("d", 2), "k": ("H", 2), "l": ("I", 2)}


def format_date(form: str, when: int, utc_name: str = "UTC") -> str:
    """`form` for a moment in ns since 1970, with GNU's directives."""
    moment = time.gmtime(when // 10**9)

    def one(match: re.Match[str]) -> str:
        flags, width, letter = match.groups()
        if letter == "s":
            text = str(when // 10**9)
        elif letter == "N":
            text = f"{when % 10**9:09d}"
            if width:
                text, width = text[: int(width)], ""
        elif letter == "n":
            text = "\n"
        elif letter == "t":
            text = "\t"
        elif letter == "z":
            text = "+0000"
        elif letter.startswith(":"):
            text = {":z": "+00:00", "::z": "+00:00:00", ":::z": "+00"}[letter]
        elif letter == "Z":
            text = utc_name
        elif letter == "P":
            text = time.strftime("%p", moment).lower()
        elif letter == "q":
            text = str((moment.tm_mon + 2) // 3)
        elif letter in _PADDED:
            text = f"{int(time.strftime('%' + _PADDED[letter][0], moment)):>2}"
        elif letter == "c":
            text = (
                time.strftime("%a %b ", moment)
                + f"{moment.tm_mday:>2} "
                + time.strftime("%H:%M:%S %Y", moment)
            )
        elif letter in _SAME:
            text = time.strftime("%" + letter, moment)
        else:
            return match[0]
        if "-" in flags:
            text = text.lstrip("0 ") or "0" if text.strip().isdecimal() else text
        elif "_" in flags and text.strip().isdecimal():
            text = (text.lstrip("0") or "0").rjust(len(text))
        elif "0" in flags:
            text = text.replace(" ", "0")
        if "^" in flags:
            text = text.upper()
        elif "#" in flags:
            text = text.swapcase() if letter != "Z" else text.lower()
        return (
            text.rjust(int(width), "0" if text.isdecimal() and "_" not in flags else " ") if width else text
        )

    return _DIRECTIVE.sub(one, form)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, words = parse(argv, "d:I::Rr:s:uf:", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if len(words) > 1:
        return extra_operand(proc, argv[0], words[1])
    form = "%a %b %e %H:%M:%S %Z %Y"
    if letters(options) & {"s", "f"}:
        proc.error(f"kubenet: {argv[0]}: the clock belongs to the simulation and cannot be set")
        return 1
    if words:
        if not words[0].startswith("+"):
            if re.fullmatch(r"\d{8}(?:\d{2}){0,2}(?:\.\d\d)?", words[0]):
                proc.error(f"kubenet: {argv[0]}: the clock belongs to the simulation and cannot be set")
            else:
                proc.error(f"{argv[0]}: invalid date {quote(words[0])}")
            return 1
        form = words[0][1:]
    when = now = proc.system.files.now()
    for name, text in options:
        if name == "d":
            moment = parse_date(text, now) if text.strip() else now // (86400 * 10**9) * (86400 * 10**9)
            if moment is None:
                proc.error(f"{argv[0]}: invalid date {quote(text)}")
                return 1
            when = moment
        elif name == "r":
            try:
                when = proc.files.stat(text, proc).mtime
            except KernelError as error:
                proc.error(f"{argv[0]}: {quotef(text)}: {error.strerror}")
                return 1
        elif name == "R":
            form = "%a, %d %b %Y %H:%M:%S %z"
        elif name == "I":
            known = next((key for key in _ISO if key.startswith(text)), None) if text else "date"
            if known is None:
                proc.error(f"{argv[0]}: invalid argument {quote(text)} for {quote('--iso-8601')}")
                return 1
            form = _ISO[known]
    rfc = value(options, "rfc")
    if rfc is not None:
        form = {"date": "%Y-%m-%d", "seconds": "%Y-%m-%d %H:%M:%S%:z", "ns": "%Y-%m-%d %H:%M:%S.%N%:z"}.get(
            rfc, form
        )
    proc.print(format_date(form, when))
    return 0
