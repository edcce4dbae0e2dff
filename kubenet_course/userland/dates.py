"""Dates as people write them (`date -d`, `touch -d`): the common forms of GNU's grammar."""

from __future__ import annotations

import calendar
import re
import time

SECOND = 1_000_000_000
_UNITS = {
    "sec": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
    "fortnight": 1209600,
}
_FORMS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d", "%Y%m%d %H:%M:%S", "%Y%m%d", "%d %b %Y %H:%M:%S", "%d %b %Y", "%b %d %Y", "%b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%a, %d %b %Y %H:%M:%S", "%d %B %Y", "%B %d %Y", "%m/%d/%Y",
)  # fmt: skip


def parse_date(text: str, now: int) -> int | None:
    """ns since 1970 of a date, or None where it is none; `now` is what relative words count from."""
    words = text.strip()
    match = re.fullmatch(r"@(-?\d{1,12})(?:\.(\d{1,9}))?", words)
    if match:
        return int(match[1]) * SECOND + int((match[2] or "0").ljust(9, "0"))
    offset = 0
    zone = re.search(r"(?:(?<=\d)Z|\s*(?:UTC|GMT)|(?<=\d)\s*([+-])(\d\d):?(\d\d))$", words)
    if zone and not re.fullmatch(r"\d{4}-\d\d-\d\d", words):
        if zone[1]:
            offset = (int(zone[2]) * 3600 + int(zone[3]) * 60) * (-1 if zone[1] == "+" else 1)
        words = words[: zone.start()].strip()
    for form in _FORMS:
        try:
            when = time.strptime(words, form)
        except ValueError:
            continue
        return (calendar.timegm(when) + offset) * SECOND
    match = re.match(r"(\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?|\d{8}|@\d+) +(.+)", words)
    if match:
        base = parse_date(match[1], now)
        return _relative(match[2], base) if base is not None else None
    return _relative(words, now)


def _relative(words: str, now: int) -> int | None:
    """``now``, ``tomorrow``, ``2 hours ago``, ``+1 day``, ``12:30``."""
    base = now // SECOND
    rest = words.lower()
    clock = re.search(r"\b(\d{1,2}):(\d\d)(?::(\d\d))?\b", rest)
    if clock:
        if int(clock[1]) > 23 or int(clock[2]) > 59:
            return None
        base = base // 86400 * 86400 + int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
        rest = rest[: clock.start()] + rest[clock.end() :]
        now = base * SECOND
    for word, days in (("now", 0), ("today", 0), ("yesterday", -1), ("tomorrow", 1)):
        if re.search(rf"\b{word}\b", rest):
            base += days * 86400
            rest = re.sub(rf"\b{word}\b", "", rest)

    def shift(match: re.Match[str]) -> str:
        nonlocal base
        word = match[1] or "1"
        count = {"next": 1, "last": -1}.get(word) or int(word.replace(" ", ""))
        base += count * _UNITS[match[2]] * (-1 if match[3] else 1)
        return ""

    units = "|".join(_UNITS)
    rest = re.sub(rf"([+-]?\s*\d{{1,9}}|next|last)?\s*\b({units})s?\b(\s+ago)?", shift, rest)
    if rest.strip():
        return None
    if base == now // SECOND:
        return now
    return base * SECOND
