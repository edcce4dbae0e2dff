"""Routing tables and rules: the forwarding information base (net/ipv4/fib_*.c).

A `FibTable` finds the longest prefix by looking the address up in one dictionary per prefix
length, longest first; only lengths in use are tried. `FibRules` is the policy database
(`ip rule`): tables are asked in order of priority. Used by IPv4 and IPv6 alike (`bits`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course import errno
from kubenet_course.wire.addresses import IpAddress, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL = 253, 254, 255

# rtm_type, include/uapi/linux/rtnetlink.h
UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST = "unicast", "local", "broadcast", "anycast", "multicast"
BLACKHOLE, UNREACHABLE, PROHIBIT, THROW = "blackhole", "unreachable", "prohibit", "throw"

#: fib_props[]: the error a route of this type gives, and its widest allowed scope.
TYPE_ERRORS = {
    BLACKHOLE: errno.EINVAL,
    UNREACHABLE: errno.EHOSTUNREACH,
    PROHIBIT: errno.EACCES,
    THROW: errno.EAGAIN,
}

# rtm_scope
RT_SCOPE_UNIVERSE, RT_SCOPE_SITE, RT_SCOPE_LINK, RT_SCOPE_HOST, RT_SCOPE_NOWHERE = 0, 200, 253, 254, 255

# rtm_protocol
RTPROT_UNSPEC, RTPROT_REDIRECT, RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC, RTPROT_RA = 0, 1, 2, 3, 4, 9


@dataclass(slots=True)
class NextHop:
    """One way out: by `dev`, to `gateway` (None where the destination is on the link)."""

    dev: NetDevice | None = None
    gateway: IpAddress | None = None
    weight: int = 1
    onlink: bool = False
    scope: int = RT_SCOPE_NOWHERE
    dead: bool = False
    linkdown: bool = False
    #: Realms of source and destination, high and low half (RTA_FLOW).
    realms: int = 0

    def same(self, other: NextHop) -> bool:
        return (self.dev, self.gateway, self.weight, self.onlink, self.realms) == (
            other.dev,
            other.gateway,
            other.weight,
            other.onlink,
            other.realms,
        )


@dataclass(slots=True, eq=False)
class FibRoute:
    """One line of `ip route`. `metrics` holds mtu, advmss, window, rtt, hoplimit, … by name."""

    prefix: Network
    type: str = UNICAST
    table: int = RT_TABLE_MAIN
    protocol: int = RTPROT_BOOT
    scope: int = RT_SCOPE_UNIVERSE
    tos: int = 0
    metric: int = 0
    prefsrc: IpAddress | None = None
    nexthops: list[NextHop] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    #: Metrics that the path must not change (``mtu lock 1300``).
    locks: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    expires: int | None = None
    pref: str = "medium"
    #: The object of `ip nexthop` that the next hops come from, and the type that was asked for where that is a blackhole.
    nhid: int = 0
    given_type: str = ""
    #: That object is a group, be it of one.
    grouped: bool = False
    #: Where the packet must come from (IPv6 only).
    source: Network | None = None

    @property
    def dev(self) -> NetDevice | None:
        return self.nexthops[0].dev if self.nexthops else None

    @property
    def gateway(self) -> IpAddress | None:
        return self.nexthops[0].gateway if self.nexthops else None

    @property
    def order(self) -> tuple[int, int, int]:
        """Among the routes of one prefix: narrower sources first, then TOS, then metric."""
        return (-self.source.prefixlen if self.source is not None else 0, -self.tos, self.metric)

    def copy(self, **changes: Any) -> FibRoute:
        return replace(self, **changes)


class FibTable:
    """One table. Routes of one prefix are ordered by descending TOS, then ascending metric."""

    def __init__(self, number: int, bits: int):
        self.number = number
        self.bits = bits
        self.by_length: dict[int, dict[int, list[FibRoute]]] = {}
        #: A table comes into being with its first use (fib_new_table()); until then there is none to delete from.
        self.created = False
        self._lengths: list[tuple[int, int, dict[int, list[FibRoute]]]] = []
        self._by_device: dict[NetDevice | None, list[FibRoute]] = {}

    def insert(self, route: FibRoute, position: int | None = None) -> None:
        """Add after those of equal TOS and metric, or at `position` of its prefix's list."""
        self.created = True
        length = route.prefix.prefixlen
        if length not in self.by_length:
            self.by_length[length] = {}
            self._reindex()
        routes = self.by_length[length].setdefault(int(route.prefix.address), [])
        if position is None:
            key = route.order
            position = len(routes)
            if routes and routes[-1].order > key:
                position = sum(1 for r in routes if r.order <= key)
        routes.insert(position, route)
        self.leads(route)

    def leads(self, route: FibRoute) -> None:
        """A route of this table has new next hops."""
        for hop in route.nexthops:
            known = self._by_device.setdefault(hop.dev, [])
            if route not in known:
                known.append(route)

    def of_device(self, dev: NetDevice) -> list[FibRoute]:
        """The routes that lead over a device."""
        return [route for route in self._by_device.get(dev, ()) if any(hop.dev is dev for hop in route.nexthops)]

    def remove(self, route: FibRoute) -> None:
        length = route.prefix.prefixlen
        bucket = self.by_length[length]
        routes = bucket[int(route.prefix.address)]
        routes.remove(route)
        for hop in route.nexthops:
            known = self._by_device.get(hop.dev, [])
            if route in known:
                known.remove(route)
                if not known:
                    del self._by_device[hop.dev]
        if not routes:
            del bucket[int(route.prefix.address)]
            if not bucket:
                del self.by_length[length]
                self._reindex()

    def at(self, prefix: Network) -> list[FibRoute]:
        return self.by_length.get(prefix.prefixlen, {}).get(int(prefix.address), [])

    def unordered(self) -> Iterator[FibRoute]:
        """All routes, for whom their order does not matter."""
        return (route for bucket in self.by_length.values() for routes in bucket.values() for route in routes)

    def __iter__(self) -> Iterator[FibRoute]:
        """Routes in the order the kernel dumps them: IPv4's trie by address, and where that is the same
        longer prefixes first; IPv6's tree from the leaves up, so a prefix comes after those within it."""
        found = [
            (address, length, route)
            for length, bucket in self.by_length.items()
            for address, routes in bucket.items()
            for route in routes
        ]
        if self.bits == 32:
            found.sort(key=lambda item: (item[0], -item[1]))
        else:
            found.sort(
                key=lambda item: (item[0] | (1 << (128 - item[1])) - 1, 1, -item[1])
                if item[2].source is None
                else (item[0], 0, item[1])  # a subtree by source comes before what is within the prefix
            )
        return iter(route for _, _, route in found)

    def __bool__(self) -> bool:
        return bool(self.by_length)

    def _reindex(self) -> None:
        full = (1 << self.bits) - 1
        self._lengths = [
            (length, full ^ ((1 << (self.bits - length)) - 1), self.by_length[length])
            for length in sorted(self.by_length, reverse=True)
        ]

    def lookup(
        self,
        address: int,
        *,
        oif: int = 0,
        scope: int = RT_SCOPE_UNIVERSE,
        tos: int = 0,
        ignore_linkdown: bool = False,
    ) -> tuple[FibRoute, list[NextHop]] | None:
        """fib_table_lookup(): the best route and its usable next hops, or None.

        A route that gives an error (unreachable, …) comes back with no next hops; `throw` too.
        """
        for _, mask, bucket in self._lengths:
            routes = bucket.get(address & mask)
            if not routes:
                continue
            for route in routes:
                if route.tos and route.tos != tos:
                    continue
                if route.scope < scope:
                    continue
                if route.type in TYPE_ERRORS:
                    return route, []
                if len(route.nexthops) == 1 and not oif and not ignore_linkdown:
                    if route.nexthops[0].dead:
                        continue
                    return route, [*route.nexthops]
                usable = [
                    hop
                    for hop in route.nexthops
                    if not hop.dead
                    and not (ignore_linkdown and hop.linkdown)
                    and (not oif or (hop.dev is not None and hop.dev.ifindex == oif))
                ]
                if usable:
                    return route, usable
        return None


@dataclass(slots=True, eq=False)
class FibRule:
    """One line of `ip rule`; None matches anything."""

    priority: int
    table: int = 0
    action: str = "lookup"
    source: Network | None = None
    destination: Network | None = None
    iif: str = ""
    oif: str = ""
    fwmark: int | None = None
    fwmask: int = 0xFFFFFFFF
    tos: int = 0
    invert: bool = False
    goto: int = 0
    protocol: int = RTPROT_UNSPEC
    suppress_prefixlength: int = -1
    ipproto: int = 0
    sport: tuple[int, int] | None = None
    dport: tuple[int, int] | None = None
    uidrange: tuple[int, int] | None = None
    #: `source` and `destination` as they were written, host bits and all.
    src: IpAddress | None = None
    dst: IpAddress | None = None
    realms: int = 0
    suppress_ifgroup: int = -1
    tun_id: int = 0

    def suppresses(self, route: FibRoute, hops: list[NextHop]) -> bool:
        """fib4_rule_suppress(): what was found is not to be taken."""
        if route.prefix.prefixlen <= self.suppress_prefixlength:
            return True
        dev = hops[0].dev if hops else None
        return self.suppress_ifgroup != -1 and dev is not None and dev.group == self.suppress_ifgroup

    def matches(self, key: FlowKey) -> bool:
        return self._matches(key) != self.invert

    def _matches(self, key: FlowKey) -> bool:
        if self.source is not None and key.source not in self.source:
            return False
        if self.destination is not None and key.destination not in self.destination:
            return False
        if self.iif and self.iif != key.iif:
            return False
        if self.oif and self.oif != key.oif:
            return False
        if self.fwmark is not None and (key.mark ^ self.fwmark) & self.fwmask:
            return False
        if self.tos and self.tos != key.tos:
            return False
        if self.tun_id:
            return False  # no packet here comes with the metadata of a tunnel
        if self.uidrange and not self.uidrange[0] <= key.uid <= self.uidrange[1]:
            return False
        if self.ipproto and self.ipproto != key.protocol:
            return False
        if self.sport and not self.sport[0] <= key.source_port <= self.sport[1]:
            return False
        return not (self.dport and not self.dport[0] <= key.destination_port <= self.dport[1])


class FlowKey(NamedTuple):
    """What a route look-up asks with (struct flowi4/6); `iif` and `oif` are device names."""

    destination: int
    source: int = 0
    iif: str = ""
    oif: str = ""
    mark: int = 0
    tos: int = 0
    protocol: int = 0
    source_port: int = 0
    destination_port: int = 0
    uid: int = 0


class FibRules:
    """The policy database of one family, in order of priority."""

    def __init__(self, bits: int):
        self.bits = bits
        self.rules = [FibRule(0, RT_TABLE_LOCAL, protocol=RTPROT_KERNEL)]
        self.rules.append(FibRule(32766, RT_TABLE_MAIN, protocol=RTPROT_KERNEL))
        if bits == 32:
            self.rules.append(FibRule(32767, RT_TABLE_DEFAULT, protocol=RTPROT_KERNEL))
        self.custom = False

    def add(self, rule: FibRule) -> None:
        """After those of equal priority."""
        position = sum(1 for other in self.rules if other.priority <= rule.priority)
        self.rules.insert(position, rule)
        self.custom = True

    def remove(self, rule: FibRule) -> None:
        self.rules.remove(rule)
        self.custom = True

    def has(self, priority: int) -> bool:
        """Whether there is a rule to go to."""
        return any(rule.priority == priority for rule in self.rules)

    def default_priority(self) -> int:
        """fib_default_rule_pref(): one less than the second rule's."""
        if len(self.rules) > 1 and self.rules[1].priority:
            return self.rules[1].priority - 1
        return 0

    def walk(self, key: FlowKey) -> Iterator[FibRule]:
        """The rules that match, following `goto`."""
        if not self.custom:
            return iter(self.rules)  # those that every namespace begins with match anything
        return self._walk(key)

    def _walk(self, key: FlowKey) -> Iterator[FibRule]:
        jump = None
        for rule in self.rules:
            if jump is not None:
                if rule.priority < jump:
                    continue
                jump = None
            if not rule.matches(key):
                continue
            if rule.action == "goto":
                # A target that does not exist: the rule does nothing.
                jump = rule.goto if self.has(rule.goto) else None
            elif rule.action != "nop":
                yield rule
