"""-m time: by the clock and the calendar (libxt_time, xt_time.c)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
END_OF_DAY = 23 * 3600 + 59 * 60 + 59
LAST = 0x7FFFFFFF


def parse_time(text: str) -> int:
    """time_parse_minutes(): it complains of what it has not read yet."""
    total, rest = 0, text
    for place, (most, seconds) in enumerate(((23, 3600), (59, 60), (59, 1))):
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        after = rest[len(digits) :]
        if int(digits or 0) > most or (after and (place == 2 or after[0] != ":")) or (not after and place == 0):
            raise problem(f'invalid time "{rest}" specified, should be hh:mm[:ss] format and within the boundaries')
        total += int(digits or 0) * seconds
        if not after:
            break
        rest = after[1:]
    return total


def parse_date(text: str) -> int:
    found = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{0,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?)?", text)
    if found is not None:
        year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups())
        valid = 1970 <= (year or 1970) < 2039 and 1 <= (month or 1) <= 12 and 1 <= (day or 1) <= 31
        if valid and (hour or 0) < 24 and (minute or 0) < 60 and (second or 0) < 60:
            first = datetime.datetime(year or 1970, month or 1, 1, hour or 0, minute or 0, second or 0, tzinfo=datetime.UTC)
            moment = first + datetime.timedelta(days=(day or 1) - 1)  # mktime(): 30 February is in March
            return int(moment.timestamp())
    raise problem(f'Invalid date "{text}" specified. Should be YYYY[-MM[-DD[Thh[:mm[:ss]]]]]')


class Time(Extension):
    name = "time"
    options = (
        Opt("datestart", "string"), Opt("datestop", "string"), Opt("timestart", "string"), Opt("timestop", "string"),
        Opt("contiguous"), Opt("monthdays", "string", invert=True), Opt("weekdays", "string", invert=True),
        Opt("kerneltz"), Opt("localtz", key="kerneltz"), Opt("utc"),
    )  # fmt: skip
    start_date, stop_date = 0, LAST
    start_time, stop_time = 0, END_OF_DAY
    weekdays = frozenset(range(1, 8))
    #: A day of the month was left empty: the kernel keeps a day 0.
    nothing = False
    monthdays = frozenset(range(1, 32))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "datestart":
            self.start_date = parse_date(text)
        elif opt.id == "datestop":
            self.stop_date = parse_date(text)
        elif opt.id == "timestart":
            self.start_time = parse_time(text)
        elif opt.id == "timestop":
            self.stop_time = parse_time(text)
        elif opt.id == "monthdays":
            days = self._month_days(text)
            self.monthdays = frozenset(range(1, 32)) - days if invert else days
        elif opt.id == "weekdays":
            days = self._week_days(text)
            self.weekdays = frozenset(range(1, 8)) - days if invert else days
        elif opt.name == "localtz":
            names.warn(
                'WARNING: --localtz is being replaced by --kerneltz, since "local" is ambiguous. '
                "Note the kernel timezone has caveats - see manpage for details."
            )

    def hidden(self) -> Any:
        return self.nothing

    def _month_days(self, text: str) -> frozenset[int]:
        days = set()
        for word in (word[:2] for word in text.split(",")):
            if not word:
                self.nothing = True
                continue
            if not word.isdigit():
                raise problem(f"{word} is not a valid day for --monthdays")
            if int(word) > 31:
                raise problem(f"{int(word)} is not a valid day for --monthdays")
            days.add(int(word))
        return frozenset(days - {0})

    def _week_days(self, text: str) -> frozenset[int]:
        """time_parse_weekdays(): three letters are read, two are looked at."""
        days = set()
        while text:
            word, _, text = text.partition(",")
            if word.isdigit() or not word:
                if int(word or 0) == 0:
                    raise problem("No, the week does NOT begin with Sunday.")
                days.add(int(word))
                continue
            day = next((day for day in DAYS if len(word) >= 2 and day[:2] == word[:2]), None)
            if day is None:
                raise problem(f"{word[:3]} is not a valid day specifier")
            days.add(DAYS.index(day) + 1)
        return frozenset(days & set(range(1, 8)))

    def check(self, names: Names) -> None:
        if "contiguous" in self.values and self.start_time < self.stop_time:
            raise problem("time: --contiguous only makes sense when stoptime is smaller than starttime")

    def _hours(self) -> bool:
        return (self.start_time, self.stop_time) != (0, END_OF_DAY)

    def save(self) -> str:
        words = []
        if self._hours():
            words += [f"--timestart {_clock(self.start_time)}", f"--timestop {_clock(self.stop_time)}"]
        if len(self.monthdays) != 31:
            words.append(f"--monthdays {','.join(map(str, sorted(self.monthdays)))}")
        if len(self.weekdays) != 7:
            words.append(f"--weekdays {self._day_words()}")
        if self.start_date:
            words.append(f"--datestart {_date(self.start_date, 'T')}")
        words.append(f"--datestop {_date(self.stop_date, 'T')}")
        words += ["--kerneltz"] if "kerneltz" in self.values else []
        words += ["--contiguous"] if "contiguous" in self.values else []
        return " ".join(words)

    def _day_words(self) -> str:
        return ",".join(DAYS[day - 1] for day in sorted(self.weekdays))

    def listing(self, names: Names | None) -> str:
        words = ["TIME"]
        if self._hours():
            words.append(f"from {_clock(self.start_time)} to {_clock(self.stop_time)}")
        if len(self.weekdays) != 7:
            words.append(f"on {self._day_words()}")
        if len(self.monthdays) != 31:
            words.append("on " + ",".join(f"{day}{_ordinal(day)}" for day in sorted(self.monthdays)))
        if self.start_date:
            words.append(f"starting from {_date(self.start_date, ' ')}")
        if self.stop_date != LAST:
            words.append(f"until date {_date(self.stop_date, ' ')}")
        words += [] if "kerneltz" in self.values else ["UTC"]
        words += ["contiguous"] if "contiguous" in self.values else []
        return " ".join(words)

    def nft(self, rule: XtRule) -> str | None:
        if len(self.monthdays) != 31:
            return None
        words = []
        if self.start_date or self.stop_date != LAST:
            words.append(f'meta time "{_date(self.start_date, " ")}"-"{_date(self.stop_date, " ")}"')
        if self._hours():
            words.append(f'meta hour "{_clock(self.start_time)}"-"{_clock(self.stop_time)}"')
        if len(self.weekdays) != 7:
            words.append(f"meta day {{ {', '.join(str(day % 7) for day in sorted(self.weekdays))} }}")
        return " ".join(words)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        host = net.host

        def test(skb: Any, state: Any) -> bool:
            seconds = host.wall_clock() // 1_000_000_000
            if not self.start_date <= seconds <= self.stop_date:
                return False
            of_day = seconds % 86400
            if self.start_time <= self.stop_time:
                if not self.start_time <= of_day <= self.stop_time:
                    return False
            elif self.stop_time < of_day < self.start_time:
                return False
            elif "contiguous" in self.values and of_day <= self.stop_time:
                seconds -= 86400
            moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
            return moment.isoweekday() in self.weekdays and moment.day in self.monthdays

        return test


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _date(seconds: int, separator: str) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d{separator}%H:%M:%S}"


def _ordinal(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


EXTENSION = Time
