"""What counts: counters, quotas, limits and connection counts, in rules, in elements or by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.kernel.netfilter.nf_tables.statements import (
    UNITS,
    ConnLimit,
    Counter,
    Limit,
    Quota,
    Statement,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

SECOND = 1_000_000_000


class State:
    """One that counts. `run(skb)`: True to go on with the rule, False to leave it."""

    __slots__ = ()

    def run(self, skb: Any) -> bool:
        raise NotImplementedError

    def shown(self) -> Statement:
        raise NotImplementedError


class CounterState(State):
    __slots__ = ("packets", "bytes")

    def __init__(self, packets: int = 0, size: int = 0):
        self.packets = packets
        self.bytes = size

    def run(self, skb: Any) -> bool:
        self.packets += 1
        self.bytes += skb.len
        return True

    def shown(self) -> Counter:
        return Counter(self.packets, self.bytes)

    def reset(self) -> None:
        self.packets = self.bytes = 0


class QuotaState(State):
    __slots__ = ("quota", "used")

    def __init__(self, quota: Quota):
        self.quota = quota
        self.used = quota.used

    def run(self, skb: Any) -> bool:
        """nft_quota_do_eval(): leave the rule while below (over) or above (until)."""
        self.used += skb.len
        return (self.used >= self.quota.bytes) == self.quota.over

    def shown(self) -> Quota:
        return Quota(self.quota.bytes, self.quota.over, min(self.used, self.quota.bytes))

    def reset(self) -> None:
        self.used = 0


class LimitState(State):
    """A bucket of tokens in nanoseconds (nft_limit.c)."""

    __slots__ = ("limit", "net", "tokens", "most", "last", "cost")

    def __init__(self, limit: Limit, net: NetNamespace):
        self.limit = limit
        self.net = net
        whole = UNITS[limit.unit] * SECOND
        if limit.in_bytes:
            self.cost = 0
            self.most = whole * (limit.rate + limit.burst) // limit.rate
        else:
            self.cost = whole // limit.rate
            self.most = self.cost * (limit.burst or 5)
        self.tokens = self.most
        self.last = net.loop.now

    def run(self, skb: Any) -> bool:
        now = self.net.loop.now
        tokens = min(self.tokens + now - self.last, self.most)
        self.last = now
        limit = self.limit
        cost = self.cost if not limit.in_bytes else UNITS[limit.unit] * SECOND * skb.len // limit.rate
        if tokens >= cost:
            self.tokens = tokens - cost
            return not limit.over
        self.tokens = tokens
        return limit.over

    def shown(self) -> Limit:
        return self.limit


class ConnLimitState(State):
    """Connections that passed here and are still there (nft_connlimit.c)."""

    __slots__ = ("limit", "seen", "net")

    def __init__(self, limit: ConnLimit, net: NetNamespace):
        self.limit = limit
        self.net = net
        self.seen: dict[int, Any] = {}

    def run(self, skb: Any) -> bool:
        ct = skb.nfct
        if ct is None:
            return False
        room = self.net.rooms["conntrack"]
        for ident, other in list(self.seen.items()):
            if other is not ct and room.find(other.family, other.orig, other.zone) is None:
                del self.seen[ident]
        self.seen[id(ct)] = ct
        return (len(self.seen) > self.limit.count) == self.limit.over

    def shown(self) -> ConnLimit:
        return self.limit


class NamedObject:
    """`kind` is counter, quota, limit, ct helper …; `state` what it counts with."""

    def __init__(self, kind: str, name: str, state: State | None, handle: int = 0, comment: str = ""):
        self.kind = kind
        self.name = name
        self.state = state
        self.handle = handle
        self.comment = comment
        self.references = 0
        #: What has no state: the helper, timeout, expectation, synproxy or context itself.
        self.details: Any = None


class CtHelper(NamedTuple):
    helper: str
    protocol: str
    l3: str


class CtTimeout(NamedTuple):
    """`policy` maps states to seconds, in the kernel's order."""

    protocol: str
    l3: str
    policy: tuple[tuple[str, int], ...]


class CtExpectation(NamedTuple):
    """`timeout` in milliseconds."""

    protocol: str
    dport: int
    timeout: int
    size: int
    l3: str


#: The states that may have a timeout of their own, in the order in which they are listed.
TIMEOUT_STATES = {
    "tcp": (
        "syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close", "syn_sent2", "retrans", "unack",
    ),
    "udp": ("unreplied", "replied"),
}  # fmt: skip


def state_of(statement: Statement, net: NetNamespace) -> State:
    """The counting side of a statement."""
    if isinstance(statement, Counter):
        return CounterState(statement.packets, statement.bytes)
    if isinstance(statement, Quota):
        return QuotaState(statement)
    if isinstance(statement, Limit):
        return LimitState(statement, net)
    assert isinstance(statement, ConnLimit)
    return ConnLimitState(statement, net)
