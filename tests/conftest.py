"""What all tests share: which of them this computer can run, and packets that must not get lost.

A test that needs what is not here is skipped with a word; where CI is set, that is an error, so
that nothing goes untested unnoticed.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest


@lru_cache(1)
def _real_namespaces() -> str:
    """Why real namespaces cannot be had here; "" if they can."""
    from kubenet_course.lab.backends.real.probe import probe

    return "" if probe() is not None else "this computer does not let us make network namespaces"


@lru_cache(1)
def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return ""
    return "there is no Chromium (apt-get install chromium)"


_NEEDS = {"real": _real_namespaces, "browser": _browser}


def pytest_configure() -> None:
    """Signals as a terminal's: started with `&`, SIGINT and SIGQUIT would be ignored in every program run here."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A real kernel, a browser and their clocks are late now and then: what fails there is tried twice more."""
    if any(item.get_closest_marker(mark) is not None for mark in _NEEDS):
        item.add_marker(pytest.mark.flaky(reruns=2))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, missing in _NEEDS.items():
        if item.get_closest_marker(mark) is not None and missing():
            if os.environ.get("CI"):
                pytest.fail(f"skipped in CI: {missing()}", pytrace=False)
            pytest.skip(missing())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that two workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


class Ledger:
    """Counts packets in and out of the world: every one must have been dropped or consumed."""

    def __init__(self) -> None:
        self.open: dict[int, Any] = {}
        self.drops: list[str] = []

    def add(self, skb: Any) -> None:
        self.open[id(skb)] = skb

    def ended(self, skb: Any, reason: str | None) -> None:
        assert id(skb) in self.open, f"ended twice, or never born: {skb!r}"
        del self.open[id(skb)]
        if reason is not None:
            self.drops.append(reason)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """`loop.skb_ledger = ledger`; at the end of the test no packet may be on its way still."""
    book = Ledger()
    yield book
    assert not book.open, f"lost: {list(book.open.values())[:3]}"


#: Reasons that are no fault of the computer: material that is not part of the repository.
OPTIONAL = ("../shared", "shared")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that was skipped is a failure (but for what only exists beside some checkouts)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)}
    unexpected = sorted(reason for reason in reasons if not any(word in reason for word in OPTIONAL))
    if unexpected:
        reporter.write_line("skipped, which CI does not allow:\n" + "\n".join(unexpected), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
