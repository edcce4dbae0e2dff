"""Sets and maps: elements, look-ups, timeouts (net/netfilter/nft_set_*.c).

Keys are ints or strs, of a concatenation tuples of them. A set without intervals is a dictionary; one
with intervals a sorted list of starts, or for concatenations a list that is looked through.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Concat,
    Element,
    Expr,
    Prefix,
    Range,
    Value,
    Wildcard,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.tables import Table

MILLISECOND = 1_000_000


class Member:
    """An element as the kernel keeps it. `expires` is a time of the loop in ns, 0 for never."""

    __slots__ = ("key", "data", "timeout", "expires", "comment", "states", "statements")

    def __init__(self, key: Expr, data: Any, timeout: int | None, expires: int, comment: str, statements: tuple, states: tuple):
        self.key = key
        self.data = data
        self.timeout = timeout
        self.expires = expires
        self.comment = comment
        self.statements = statements
        self.states = states

    def shown(self, now: int) -> Element:
        """As it is listed."""
        expires = max(0, self.expires - now) // MILLISECOND if self.expires else None
        statements = tuple(state.shown() for state in self.states)
        return Element(self.key, self.data, self.timeout, expires, self.comment, statements)


class NftSet:
    """A named set, or a map where `data_type` is. Times in milliseconds."""

    def __init__(self, table: Table, name: str, types: tuple[DataType, ...]):
        self.table = table
        self.name = name
        self.types = types
        self.widths: tuple[int, ...] = tuple(kind.bits for kind in types)
        self.data_widths: tuple[int, ...] = ()
        #: "" for a set; "verdict", a data type's name, "counter" … for a map.
        self.data_kind = ""
        self.data_types: tuple[DataType, ...] = ()
        self.data_interval = False
        self.typeof: tuple[str, str] | None = None
        self.typeof_exprs: tuple[Any, Any] | None = None
        self.flags: set[str] = set()
        self.timeout = 0
        self.gc_interval = 0
        self.size = 0
        self.policy = ""
        self.auto_merge = False
        self.comment = ""
        self.statements: tuple[Any, ...] = ()
        self.handle = 0
        self.members: dict[Any, Member] = {}
        self.references = 0
        self.meter = False
        self._index: Any = None

    @property
    def is_map(self) -> bool:
        return bool(self.data_kind)

    @property
    def interval(self) -> bool:
        return "interval" in self.flags

    @property
    def now(self) -> int:
        return self.table.ruleset.net.loop.now

    # -- elements ---------------------------------------------------------------------------
    def alive(self) -> list[Member]:
        """Those whose time is not up; the others are dropped."""
        now = self.now
        over = [key for key, member in self.members.items() if member.expires and member.expires <= now]
        for key in over:
            del self.members[key]
        if over:
            self._index = None
        return list(self.members.values())

    def put(self, key: Any, member: Member) -> None:
        self.members[key] = member
        self._index = None

    def take(self, key: Any) -> Member | None:
        self._index = None
        return self.members.pop(key, None)

    def copy_members(self) -> dict[Any, Member]:
        return dict(self.members)

    def restore(self, members: dict[Any, Member]) -> None:
        self.members, self._index = members, None

    def listed(self) -> list[Element]:
        now = self.now
        members = self.alive()
        if not self.interval:
            members.sort(key=lambda member: sort_key(member.key))
        elif len(self.types) == 1:
            members.sort(key=lambda member: interval_key(member.key))
        return [member.shown(now) for member in members]

    def match(self, key: Any, skb: Any) -> Member | None:
        """nft_lookup_eval(): find the element, and let it count the packet."""
        member = self.find(key)
        if member is not None and member.states:
            for state in member.states:
                if not state.run(skb):
                    return None
        return member

    # -- look-up ----------------------------------------------------------------------------
    def find(self, key: Any) -> Member | None:
        """The element that a packet's key is in."""
        if not self.interval:
            member = self.members.get(key)
            if member is not None and member.expires and member.expires <= self.now:
                del self.members[key]
                return None
            return member
        if self._index is None:
            self._index = _tuple_index(self) if len(self.types) > 1 else _interval_index(self)
        member = self._index(key)
        if member is not None and member.expires and member.expires <= self.now:
            self.alive()
            return None
        return member


def _interval_index(owner: NftSet) -> Any:
    """A function from a key to the member, over sorted intervals."""
    if owner.types[0].base == "string":
        exact = {member.key.value: member for member in owner.members.values() if not member.key.value.endswith("*")}  # type: ignore[attr-defined]
        wild = sorted(
            ((member.key.value[:-1], member) for member in owner.members.values() if member.key.value.endswith("*")),  # type: ignore[attr-defined]
            key=lambda pair: -len(pair[0]),
        )
        return lambda name: exact.get(name) or next((member for start, member in wild if name.startswith(start)), None)
    rows = sorted((bounds(member.key)[0], bounds(member.key)[1], member) for member in _bounded(owner))
    starts = [row[0] for row in rows]
    rest = next((member for member in owner.members.values() if isinstance(member.key, Wildcard)), None)

    def find(key: int) -> Member | None:
        at = bisect_right(starts, key) - 1
        if at >= 0 and key <= rows[at][1]:
            return rows[at][2]
        return rest

    return find


def _bounded(owner: NftSet) -> list[Member]:
    return [member for member in owner.members.values() if not isinstance(member.key, Wildcard)]


def _tuple_index(owner: NftSet) -> Any:
    exact: dict[tuple, Member] = {}
    rows: list[tuple[tuple, Member]] = []
    for member in owner.members.values():
        parts = member.key.parts if isinstance(member.key, Concat) else (member.key,)
        limits = tuple(bounds(part) for part in parts)
        if all(low == high for low, high in limits):
            exact[tuple(low for low, _ in limits)] = member
        else:
            rows.append((limits, member))

    def find(key: tuple) -> Member | None:
        found = exact.get(key)
        if found is not None:
            return found
        for limits, member in rows:
            if all(low <= value <= high for value, (low, high) in zip(key, limits)):
                return member
        return None

    return find


def bounds(key: Expr) -> tuple[Any, Any]:
    """The lowest and highest value of a value, prefix or range."""
    if isinstance(key, (Prefix, Range)):
        return key.low, key.high
    if isinstance(key, Value):
        return key.value, key.value
    raise TypeError(key)


def key_of(key: Expr) -> Any:
    """What the element is found by in `members`: equal keys are the same element."""
    if isinstance(key, Concat):
        return tuple(key_of(part) for part in key.parts)
    if isinstance(key, Value):
        return key.value
    if isinstance(key, Wildcard):
        return "*", "*"
    low, high = bounds(key)
    return low if low == high else (low, high)


def sort_key(key: Expr) -> int:
    """expr_msort_value(): the order in which elements are listed."""
    if isinstance(key, Concat):
        data = b"".join(part_bytes(part) for part in key.parts)
        return int.from_bytes(data, "little")
    if isinstance(key, Wildcard):
        return 1 << 256
    low = bounds(key)[0]
    return int.from_bytes(low.encode(), "little") if isinstance(low, str) else low


def interval_key(key: Expr) -> tuple[int, Any]:
    """Sets with intervals come in the order of their values, `*` last; concatenations as they were made."""
    if isinstance(key, Wildcard):
        return 1, 0
    return 0, bounds(key)[0]


def part_bytes(part: Expr) -> bytes:
    low = bounds(part)[0]
    if isinstance(low, str):
        return part.type.bytes_of(low, 128)
    return part.type.bytes_of(low, part.bits)
