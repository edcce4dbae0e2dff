"""The progress meter on standard error (lib/progress.c)."""

from __future__ import annotations

from signal import SIGPIPE
from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MICROSECOND, MILLISECOND, SECOND
from kubenet_course.userland.streams import BrokenPipe

if TYPE_CHECKING:
    from kubenet_course.sim.loop import Timer
    from kubenet_course.userland.process import Process

HEADER = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
)


def five(amount: int) -> str:
    """max5data(): a number of bytes in five characters."""
    kilo, mega = 1024, 1024 * 1024
    if amount < 100000:
        return f"{amount:5d}"
    if amount < 10000 * kilo:
        return f"{amount // kilo:4d}k"
    if amount < 100 * mega:
        return f"{amount // mega:2d}.{amount % mega // (mega // 10):d}M"
    if amount < 10000 * mega:
        return f"{amount // mega:4d}M"
    if amount < 100 * 1024 * mega:
        return f"{amount // (1024 * mega):2d}.{amount % (1024 * mega) // (1024 * mega // 10):d}G"
    return f"{amount // (1024 * mega):4d}G"


def clock(seconds: int) -> str:
    """time2str()."""
    if seconds <= 0:
        return "--:--:--"
    hours, rest = divmod(seconds, 3600)
    if hours <= 99:
        return f"{hours:2d}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{seconds // 86400:3d}d {seconds % 86400 // 3600:02d}h"


def speed(amount: int, ns: int) -> int:
    """trspeed(): bytes per second."""
    micro = max(1, ns // MICROSECOND)
    return amount * 1_000_000 // micro


class Meter:
    """One transfer's numbers; prints while `shown`, as the bar of -# while `bar`."""

    def __init__(self, proc: Process, shown: bool, bar: bool = False):
        self.proc, self.shown, self.bar = proc, shown, bar
        self.start = proc.loop.now
        self.downloaded = self.uploaded = 0
        self.total_down: int | None = None
        self.total_up: int | None = None
        self._timer: Timer | None = None
        self._first: tuple[int, int] | None = None

    def begin(self) -> None:
        self.start = self.proc.loop.now
        self._first = (self.start, 0)
        if self.shown and not self.bar:
            self.proc.error(HEADER, end="")
            self._line()
        if self.shown:
            self._timer = self.proc.loop.call_later(SECOND, self._tick)

    def _tick(self) -> None:
        self._timer = self.proc.loop.call_later(SECOND, self._tick)
        if not self.bar:
            try:
                self._line()
            except BrokenPipe:  # nobody reads standard error any more
                self.stop()
                self.proc.kill(SIGPIPE)

    def end(self) -> None:
        """Curl_pgrsDone(): the last line and its newline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.shown and self.bar:
            if self.downloaded:
                self.proc.error("\r" + "#" * 72 + " 100.0%")
        elif self.shown:
            self._line()
            self.proc.error("")

    def stop(self) -> None:
        """No last line (the name was not found)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self.stop()

    def _line(self) -> None:
        spent = self.proc.loop.now - self.start
        down, up = speed(self.downloaded, spent), speed(self.uploaded, spent)
        total_down = self.total_down or 0
        total_up = self.total_up or 0
        expected = (total_up or self.uploaded) + (total_down or self.downloaded)
        moved = self.downloaded + self.uploaded
        estimate = max(total_down // down if down else 0, total_up // up if up else 0)
        left = estimate - spent // SECOND if estimate > 0 else 0
        since = max(1, spent // MILLISECOND)
        current = moved * 1000 // since
        self.proc.error(
            f"\r{_percent(moved, expected):3d} {five(expected)}  {_percent(self.downloaded, total_down):3d} {five(self.downloaded)}"
            f"  {_percent(self.uploaded, total_up):3d} {five(self.uploaded)}  {five(down)}  {five(up)}"
            f" {clock(estimate)} {clock(spent // SECOND)} {clock(left)} {five(current)}",
            end="",
        )


def _percent(part: int, whole: int) -> int:
    return part * 100 // whole if whole > 0 else 0
