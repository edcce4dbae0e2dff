"""``--filter KEY=VALUE``, as the commands that list something take it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kubenet_course.docker.errors import DaemonError


def grouped(texts: Iterable[str], known: Collection[str]) -> dict[str, list[str]]:
    """The values of each key; DaemonError for a key that is not known. What is listed matches one value of every key."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if key not in known:
            raise DaemonError(f"invalid filter '{key}'", 400)
        found.setdefault(key, []).append(value)
    return found
