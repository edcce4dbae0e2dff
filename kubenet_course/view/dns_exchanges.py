"""Which answer belongs to which query, out of sightings of both in every namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubenet_course.view.dns_sightings import Sighting
from kubenet_course.view.target import Target


class Exchange:
    """A query as it left whoever asked, and the answer as it came back there."""

    def __init__(self, query: Sighting):
        self.query = query
        self.answer: Sighting | None = None
        self.reached: list[Target] = []
        self.answered_by: Target | None = None


def _key(one: Sighting) -> tuple[bytes, bytes]:
    """What a query and its answer have in common: number and question."""
    return one.message[:2], question(one.message)


def question(message: bytes) -> bytes:
    at = 12
    while at < len(message) and message[at] and message[at] < 64:
        at += message[at] + 1
    return message[12 : at + 5].lower()


def exchanges(seen: Sequence[Sighting]) -> list[Exchange]:
    """Pairs of queries and answers, by when the query left. What only passes through a router is no query of its.

    A router keeps at least one of the two addresses, also where it translates the other. A server that forwards a
    question, often with the number it came with, changes both.
    """
    found: list[Exchange] = []
    passing: dict[tuple[Any, Target], list[Sighting]] = {}
    for one in seen:
        key = _key(one)
        if not one.is_answer:
            inside = passing.setdefault((key, one.space), [])
            through = next((o for o in inside if o.source == one.source or o.destination == one.destination), None)
            if not one.out:
                inside.append(one)
                for exchange in reversed(found):
                    if _key(exchange.query) == key and one.destination == exchange.query.destination:
                        exchange.reached.append(one.space)
                        break
            elif through is not None and not _own(found, one, key):
                inside.remove(through)
            elif one.port == 53:
                found.append(Exchange(one))
            continue
        waiting = [exchange for exchange in found if exchange.answer is None and _key(exchange.query) == key]
        # From the address that was asked, unless somebody on the way translates it.
        for exchange in [each for each in waiting if each.query.destination == one.source] or waiting:
            query = exchange.query
            if one.out and exchange.answered_by is None and one.space != query.space:
                exchange.answered_by = one.space
                break
            if (
                not one.out
                and one.space == query.space
                and one.port == query.source_port
                and one.tcp == query.tcp
            ):
                exchange.answer = one
                if exchange.answered_by is None:
                    exchange.answered_by = query.space if query.destination.startswith("127.") else None
                break
    return found


def given_up(exchange: Exchange, pairs: list[Exchange]) -> int:
    """When nobody waited for this answer any more: when the same was asked again, else at the end."""
    query = exchange.query
    again = [
        other.query.time
        for other in pairs
        if other.query.time > query.time
        and other.query.space == query.space
        and question(other.query.message) == question(query.message)
    ]
    last = max(one.time for other in pairs for one in (other.query, other.answer) if one is not None)
    return min(again, default=last + 1)


def _own(found: list[Exchange], one: Sighting, key: Any) -> bool:
    """Whether this machine has itself sent this very query before (over loopback it arrives there too)."""
    return any(_key(exchange.query) == key and exchange.query.space == one.space for exchange in found)
