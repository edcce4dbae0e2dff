"""The dotted progress of a log, rates and sizes (src/progress.c, src/utils.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MICROSECOND, SECOND

if TYPE_CHECKING:
    from kubenet_course.userland.commands.wget.log import Log


class Dots:
    """The dotted progress of a log: a dot a kilobyte, fifty a line."""

    def __init__(self, log: Log, length: int | None):
        self.log, self.length = log, length
        self.silent = log.quiet or log.brief
        self.received = self.row = self.dots = self.rest = 0
        self.row_bytes = 0
        self.row_started = self.started = log.proc.loop.now
        self.line = ""

    def add(self, count: int) -> None:
        self.received += count
        self.rest += count
        while self.rest >= 1024:
            self.rest -= 1024
            if self.dots == 0:
                self.line = f"{self.row * 50:6d}K"
            self.line += (" " if self.dots % 10 == 0 else "") + "."
            self.dots += 1
            self.row_bytes += 1024
            if self.dots == 50:
                self._finish_row(None)

    def _finish_row(self, elapsed: int | None) -> None:
        now = self.log.proc.loop.now
        text = self.line or f"{self.row * 50:6d}K"
        for position in range(self.dots, 50):
            text += (" " if position % 10 == 0 else "") + " "
        done = self.received if elapsed is not None else (self.row + 1) * 51200
        percent = f"{min(100, done * 100 // self.length):3d}%" if self.length else ""
        text += percent
        size = self.row_bytes + (self.rest if elapsed is not None else 0)
        text += " " + _short_rate(size, now - self.row_started)
        if elapsed is not None:
            text += f"={_elapsed(elapsed)}"
        elif self.length:
            passed = max(now - self.started, 1)
            text += f" {(self.length - done) * passed // max(done, 1) // SECOND}s"
        if not self.silent:
            self.log.say(text + "\n")
        self.row += 1
        self.dots = self.row_bytes = 0
        self.line = ""
        self.row_started = now

    def end(self, elapsed: int) -> None:
        self._finish_row(elapsed)
        self.log.say("\n")


def _scaled(amount: int, ns: int) -> tuple[float, int]:
    rate = amount * 1e9 / max(ns, MICROSECOND)
    unit = 0
    while rate >= 1024 and unit < 3:
        rate /= 1024
        unit += 1
    return rate, unit


def _decimals(rate: float) -> int:
    return 0 if rate >= 99.95 else 1 if rate >= 9.995 else 2


def _short_rate(amount: int, ns: int) -> str:
    rate, unit = _scaled(amount, ns)
    return f"{rate:4.{_decimals(rate)}f}{'BKMG'[unit]}"


def rate_text(amount: int, ns: int) -> str:
    """`amount` bytes in `ns`, as the last line has it: ``1.23 MB/s``."""
    rate, unit = _scaled(amount, ns)
    return f"{rate:.{_decimals(rate)}f} {('B/s', 'KB/s', 'MB/s', 'GB/s')[unit]}"


def _elapsed(ns: int) -> str:
    seconds = ns / SECOND
    if seconds < 0.0005:
        return "0s"
    if seconds < 0.95:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 9.95 else f"{seconds:.0f}s"
    return f"{int(seconds) // 60}m {int(seconds) % 60}s"


def human_size(size: int) -> str:
    """Bytes in K, M, G or T: human_readable()."""
    value, unit = size / 1024, 0
    while value >= 1024 and unit < 3:
        value /= 1024
        unit += 1
    return f"{value:.1f}{'KMGT'[unit]}" if value < 10 else f"{value:.0f}{'KMGT'[unit]}"
