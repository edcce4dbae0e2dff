"""Rules that name addresses, behind a dictionary.

Rules that follow each other and each name one address (or one network of the same size) need not be tried one
by one: a dictionary gives those that name the packet's, in their order. What comes of it is the same, for a rule
asks for its addresses before anything else, and one whose address is another's has no say. So a chain of ten
thousand rules costs as much as one of ten. A packet that is traced still meets each rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.tables import Step

#: The kind of such a step. Its argument gives the steps to try for a header, or None.
LOOKUP = 7
#: So many rules in a row are worth a dictionary.
LEAST_RUN = 8

#: What a rule may ask for: (0 for source or 1 for destination, mask).
Field = tuple[int, int]


def with_lookups(steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps, with a LOOKUP in the place of each long run of rules that ask for the same field."""
    run: list[Step] = []
    common: set[Field] = set()
    for step in steps:
        fields = set(step[3].addresses())
        if run and not common & fields:
            yield from _run(run, common)
            run = []
        if not fields:
            yield step
            continue
        common = common & fields if run else fields
        run.append(step)
    yield from _run(run, common)


def _run(run: list[Step], fields: set[Field]) -> Iterator[Step]:
    if len(run) < LEAST_RUN:
        yield from run
        return
    named = [(step, step[3].addresses()) for step in run]
    where, mask = field = max(sorted(fields), key=lambda field: len({addresses[field] for _, addresses in named}))
    table: dict[int, list[Step]] = {}
    for step, addresses in named:
        table.setdefault(addresses[field], []).append(step)
    get = table.get
    yield None, LOOKUP, lambda network: get(network[where] & mask), run[0][3]
