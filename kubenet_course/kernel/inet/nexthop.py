"""Next hops as objects of their own (net/ipv4/nexthop.c): `ip nexthop add`, which routes name by number.

A route with `nhid` has no next hops of its own: `bind()` gives it those of the object, and again whenever the
object changes. An object whose device goes down or loses its carrier is deleted, and with the last of its
members a group; routes over what was deleted go too. Left out: encapsulations, and resilient groups' tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.wire.addresses import IpAddress, IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

#: res_nh_default: seconds, as `ip nexthop` prints them, of a resilient group that says nothing else.
IDLE_TIMER, UNBALANCED_TIMER = 120, 0


@dataclass(slots=True, eq=False)
class NexthopObject:
    """One line of `ip nexthop`: one way out (`hop`), a blackhole, or a `group` of (object, weight).

    `family` is 4, 6 or 0 (a group). `resilient` holds buckets and timers in seconds of a resilient group.
    """

    id: int
    family: int = 0
    hop: fib.NextHop | None = None
    blackhole: bool = False
    fdb: bool = False
    group: list[tuple[NexthopObject, int]] = field(default_factory=list)
    resilient: dict[str, int] | None = None
    protocol: int = 0

    @property
    def scope(self) -> int:
        if self.hop is None:
            return fib.RT_SCOPE_UNIVERSE
        if self.family == 4 and self.hop.gateway is None:
            return fib.RT_SCOPE_HOST
        return fib.RT_SCOPE_LINK

    def hops(self) -> list[fib.NextHop]:
        """The ways out, one, or a group's each with its weight."""
        if self.group:
            return [replace(member.hop, weight=weight) for member, weight in self.group if member.hop is not None]
        return [self.hop] if self.hop is not None else []


@dataclass
class NexthopRequest:
    """What RTM_NEWNEXTHOP says. `group` is None or [(id, weight)]."""

    id: int = 0
    family: int = 0
    gateway: IpAddress | None = None
    dev: NetDevice | None = None
    onlink: bool = False
    blackhole: bool = False
    fdb: bool = False
    group: list[tuple[int, int]] | None = None
    resilient: dict[str, int] | None = None
    protocol: int = 0


class NexthopTable:
    """The objects of one namespace by number."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.objects: dict[int, NexthopObject] = {}
        self.last_id_allocated = 0

    def get(self, number: int) -> NexthopObject:
        """KernelError(ENOENT)."""
        try:
            return self.objects[number]
        except KeyError:
            raise KernelError(errno.ENOENT) from None

    def __iter__(self) -> Any:
        return iter([self.objects[number] for number in sorted(self.objects)])

    # -- changes ----------------------------------------------------------------------------
    def add(self, wanted: NexthopRequest, *, create: bool, excl: bool) -> NexthopObject:
        """rtm_new_nexthop(): add (create, excl) or replace (create)."""
        made = self._group(wanted) if wanted.group is not None else self._single(wanted)
        if not made.id:
            made.id = self._unused_id()
        old = self.objects.get(made.id)
        if old is None:
            if not create:
                raise KernelError(errno.ENOENT)
            self.objects[made.id] = made
            self.net.rtnl_notify("nexthop", made)
            return made
        if excl:
            raise KernelError(errno.EEXIST)
        self._replace(old, made)
        self.net.rtnl_notify("nexthop", old)
        return old

    def _single(self, wanted: NexthopRequest) -> NexthopObject:
        """rtm_to_nh_config() and nexthop_create()."""
        if wanted.blackhole:
            if wanted.gateway is not None or wanted.dev is not None or wanted.fdb:
                raise KernelError(
                    errno.EINVAL, "Blackhole attribute can not be used with gateway, oif, encap or fdb"
                )
            if not self.net.loopback.up:
                raise KernelError(errno.ENETDOWN, "Device for nexthop is not up")
            hop = fib.NextHop(self.net.loopback)
            return NexthopObject(
                wanted.id, wanted.family or 4, hop, True, protocol=wanted.protocol
            )
        if wanted.family not in (4, 6):
            raise KernelError(errno.EINVAL, "Invalid address family")
        if wanted.fdb:
            if wanted.dev is not None:
                raise KernelError(errno.EINVAL, "Fdb nexthop can not be used with oif, encap or blackhole")
            if wanted.gateway is None:
                raise KernelError(errno.EINVAL, "Nexthop attribute is missing a gateway")
            hop = fib.NextHop(None, wanted.gateway)
            return NexthopObject(wanted.id, wanted.family, hop, fdb=True, protocol=wanted.protocol)
        if wanted.dev is None:
            raise KernelError(errno.EINVAL, "Device attribute required for non-blackhole and non-fdb nexthops")
        if not wanted.dev.up:
            raise KernelError(errno.ENETDOWN, "Nexthop device is not up")
        if not wanted.dev.carrier:
            raise KernelError(errno.ENETDOWN, "Carrier for nexthop device is down")
        if wanted.onlink and wanted.gateway is None:
            raise KernelError(errno.EINVAL, "ONLINK flag can not be set for nexthop without a gateway")
        hop = fib.NextHop(wanted.dev, wanted.gateway, onlink=wanted.onlink)
        number = wanted.id or self._unused_id()  # spent before the gateway is looked at
        self._check(hop, wanted.family)
        return NexthopObject(number, wanted.family, hop, protocol=wanted.protocol)

    def _unused_id(self) -> int:
        """nh_find_unused_id(): the next one after that which was given last."""
        self.last_id_allocated += 1
        while self.last_id_allocated in self.objects:
            self.last_id_allocated += 1
        return self.last_id_allocated

    def _check(self, hop: fib.NextHop, family: int) -> None:
        """fib_check_nh() with the scope of a route that has one, or fib6_nh_init()."""
        from kubenet_course.kernel.inet import fib_semantics
        from kubenet_course.kernel.inet6 import fib_semantics as fib6_semantics

        if family == 6:
            fib6_semantics.check_nexthop(self.net, hop, fib.FibRoute(Network(IPv6Address(0), 0)))
            hop.scope = fib.RT_SCOPE_LINK  # its gateway counts in routes of IPv4 too
        else:
            fib_semantics._check_nexthop(self.net, hop, fib.RT_SCOPE_UNIVERSE, fib.RT_TABLE_MAIN)

    def _group(self, wanted: NexthopRequest) -> NexthopObject:
        """nh_check_attr_group()."""
        assert wanted.group is not None
        numbers = [number for number, _ in wanted.group]
        if len(set(numbers)) < len(numbers):
            raise KernelError(errno.EINVAL, "Nexthop id can not be used twice in a group")
        members = []
        for number, weight in wanted.group:
            member = self.objects.get(number)
            if member is None:
                raise KernelError(errno.EINVAL, "Invalid nexthop id")
            if member.group:
                kind = "Resilient" if member.resilient is not None else "Hash-threshold"
                raise KernelError(errno.EINVAL, f"{kind} group can not be a nexthop within a group")
            if member.blackhole and len(numbers) > 1:
                raise KernelError(
                    errno.EINVAL, "Blackhole nexthop can not be used in a group with more than 1 path"
                )
            if wanted.fdb and not member.fdb:
                raise KernelError(errno.EINVAL, "FDB nexthop group can only have fdb nexthops")
            if member.fdb and not wanted.fdb:
                raise KernelError(errno.EINVAL, "Non FDB nexthop group cannot have fdb nexthops")
            members.append((member, weight))
        return NexthopObject(
            wanted.id, 0, group=members, fdb=wanted.fdb, resilient=wanted.resilient, protocol=wanted.protocol
        )

    def _replace(self, old: NexthopObject, new: NexthopObject) -> None:
        """replace_nexthop(): the object stays, what it says changes, for routes and groups alike."""
        if bool(old.group) and not new.group:
            raise KernelError(errno.EINVAL, "Can not replace a nexthop group with a nexthop")
        if new.group and not old.group:
            raise KernelError(errno.EINVAL, "Can not replace a nexthop with a nexthop group")
        if new.group and (old.resilient is None) != (new.resilient is None):
            raise KernelError(errno.EINVAL, "Can not replace a nexthop group of a different type")
        for name in ("family", "hop", "blackhole", "fdb", "group", "resilient", "protocol"):
            setattr(old, name, getattr(new, name))
        self._changed(old)

    def _changed(self, changed: NexthopObject) -> None:
        users = [changed, *(other for other in self.objects.values() if any(m is changed for m, _ in other.group))]
        for user in users:
            for route, table in self._routes(user.id):
                self.bind(route)
                table.leads(route)
        self._flush_caches()

    def remove(self, gone: NexthopObject) -> None:
        """remove_nexthop(): routes go, groups shrink, and an empty group goes too."""
        self.objects.pop(gone.id, None)
        self.net.rtnl_notify("nexthop", gone, True)
        for route, table in self._routes(gone.id):
            table.remove(route)
        for other in list(self.objects.values()):
            if any(member is gone for member, _ in other.group):
                other.group = [(member, weight) for member, weight in other.group if member is not gone]
                if other.group:
                    self._changed(other)
                else:
                    self.remove(other)
        self._flush_caches()

    def device_gone(self, dev: NetDevice) -> None:
        """nexthop_flush_dev(): the device is down, without carrier, or goes away."""
        for known in list(self.objects.values()):
            if known.hop is not None and known.hop.dev is dev and not known.blackhole:
                self.remove(known)

    # -- routes -----------------------------------------------------------------------------
    def _routes(self, number: int) -> list[tuple[fib.FibRoute, fib.FibTable]]:
        tables = [*self.net.ipv4.tables.values(), *self.net.ipv6.tables.values()]
        return [(route, table) for table in tables for route in table.unordered() if route.nhid == number]

    def _flush_caches(self) -> None:
        self.net.ipv4.flush_cache()
        self.net.ipv6.flush_cache()

    def named(self, number: int) -> Any:
        """The object of that id, None for 0; KernelError(EINVAL) where there is none."""
        if number and number not in self.objects:
            raise KernelError(errno.EINVAL, "Nexthop id does not exist")
        return self.objects.get(number)

    def check(self, route: fib.FibRoute, family: int) -> None:
        """fib_check_nexthop() or fib6_check_nexthop(): whether a route may use the object it names."""
        found = self.named(route.nhid)
        if found.fdb:
            raise KernelError(errno.EINVAL, "Route cannot point to a fdb nexthop")
        members = [member for member, _ in found.group] or [found]
        if family == 6 and any(member.family == 4 for member in members):
            raise KernelError(errno.EINVAL, "IPv6 routes can not use an IPv4 nexthop")
        if family == 4 and route.scope == fib.RT_SCOPE_HOST:
            if len(members) > 1:
                raise KernelError(errno.EINVAL, "Route with host scope can not have multiple nexthops")
            if members[0].hop is not None and members[0].hop.gateway is not None:
                raise KernelError(errno.EINVAL, "Route with host scope can not have a gateway")
        elif family == 4 and route.scope >= members[0].scope:
            raise KernelError(errno.EINVAL, "Nexthop has invalid scope")

    def bind(self, route: fib.FibRoute) -> None:
        """Give the route the ways out of the object it names."""
        found = self.objects[route.nhid]
        route.nexthops = found.hops()
        route.grouped = bool(found.group)
        first = found.group[0][0] if found.group else found
        if first.blackhole:
            route.given_type, route.type = route.given_type or route.type, fib.BLACKHOLE
        elif route.given_type:
            route.type, route.given_type = route.given_type, ""
