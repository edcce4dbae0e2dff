"""Currency labels: which of the things that the notebooks show are old, from one dated file.

`currency.toml` beside this file holds the entries; its head says what a notebook must carry.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from kubenet_course.errors import LabError

LABEL = re.compile(
    r"^(current|superseded|historical|(deprecated|retired|archived) since \S.*|removed in \S.*)$"
)


@dataclass(frozen=True)
class Entry:
    """One label. `used` matches typed lines that need it, "" where none does."""

    name: str
    label: str
    note: str
    used: str
    source: str

    @property
    def line(self) -> str:
        """The line as a notebook carries it."""
        return f"> **{self.label}** · {self.note}"

    def is_used_by(self, typed: str) -> bool:
        return bool(self.used) and re.search(self.used, typed) is not None


@dataclass(frozen=True)
class Currency:
    """All entries, and the day on which they were checked."""

    checked: datetime.date
    entries: dict[str, Entry]


def load() -> Currency:
    """The file's contents; LabError where an entry is malformed."""
    file = resources.files("kubenet_course.course").joinpath("currency.toml")
    data = tomllib.loads(file.read_text("utf-8"))
    checked = data.pop("checked", None)
    if not isinstance(checked, datetime.date):
        raise LabError("currency.toml: `checked` must be a date")
    entries = {}
    for name, fields in data.items():
        try:
            entry = Entry(name, fields["label"], fields["note"], fields.get("used", ""), fields["source"])
        except KeyError as missing:
            raise LabError(f"currency.toml: {name} lacks {missing}") from None
        if not LABEL.match(entry.label):
            raise LabError(f"currency.toml: {name}: {entry.label!r} is no label")
        entries[name] = entry
    return Currency(checked, entries)
