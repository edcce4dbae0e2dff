"""Connection tracking: which conversation a packet belongs to (net/netfilter/nf_conntrack_core.c).

Both tuples of an entry (conntrack_entry.py) are keys of one dictionary, so a packet's entry costs one
look-up in either direction. NAT changes only `reply`, before the entry is confirmed.

    PRE_ROUTING, LOCAL_OUT (-200)       conntrack_in(): find the entry or make one; set its state
    LOCAL_IN, POST_ROUTING (last)       conntrack_confirm(): the first packet got through: keep it

Tracking is off in a namespace until something needs it (a ct or state match, a NAT target), and off
again when the last such rule has gone; entries stay. Timeouts run on the virtual clock and are
checked when an entry is met, not by timers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter import conntrack_icmp, conntrack_proto, conntrack_tcp
from kubenet_course.kernel.netfilter.conntrack_entry import (
    ICMP,
    ICMPV6,
    IP_CT_ESTABLISHED,
    IP_CT_ESTABLISHED_REPLY,
    IP_CT_IS_REPLY,
    IP_CT_NEW,
    IP_CT_RELATED,
    IPS_ASSURED,
    IPS_CONFIRMED,
    IPS_DYING,
    IPS_EXPECTED,
    IPS_SEEN_REPLY,
    IPS_TEMPLATE,
    ORIGINAL,
    REPLY,
    TCP,
    UDP,
    UNTRACKED,
    ConntrackEntry,
    Tuple,
    describe,
    invert,
    refresh,
    source_key,
    tuple_of_packet,
)
from kubenet_course.kernel.netfilter.defrag import defrag4, defrag6
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    PRI_CONNTRACK,
    PRI_CONNTRACK_CONFIRM,
    PRI_DEFRAG,
)
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

TIMEOUT_FILES = {
    "generic": "generic_timeout", "icmp": "icmp_timeout", "icmpv6": "icmpv6_timeout", "udp": "udp_timeout",
    "udp_stream": "udp_timeout_stream", "gre": "gre_timeout", "gre_stream": "gre_timeout_stream",
    **{state: f"tcp_timeout_{state}" for state in conntrack_tcp.TIMEOUT_NAMES},
}  # fmt: skip


class Conntrack:
    """The connections of one namespace. `zones` maps a zone to its table of tuples."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.loop = net.loop
        self.tables: dict[tuple[int, int], dict[Tuple, tuple[ConntrackEntry, int]]] = {(4, 0): {}, (6, 0): {}}
        self.table4 = self.tables[(4, 0)]
        self.table6 = self.tables[(6, 0)]
        self.by_source: dict[tuple, list[ConntrackEntry]] = {}
        self.users = {4: 0, 6: 0}
        self.timeouts: dict[str, int] = {}
        self.tcp_timeouts: tuple[int, ...] = ()
        self.listeners: list[Callable[[str, ConntrackEntry], object]] = []
        self.stats = dict.fromkeys(("found", "invalid", "insert", "insert_failed", "drop", "early_drop", "error"), 0)
        self.loose = self.liberal = self.acct = self.timestamp = 0
        self.maximum = 0
        self._collect_at = 4096
        self._ident = net.inode & 0xFFFFFFFF
        self._watch()

    # -- settings ---------------------------------------------------------------------------
    def _watch(self) -> None:
        """Keep copies of what every packet needs from /proc/sys/net/netfilter."""

        def load(_: str = "") -> None:
            def number(name: str) -> int:
                return self.net.sysctl.get_int("net", "netfilter", f"nf_conntrack_{name}")

            self.timeouts = {key: number(name) * SECOND for key, name in TIMEOUT_FILES.items()}
            self.tcp_timeouts = tuple(self.timeouts[state] for state in conntrack_tcp.STATE_TIMEOUTS)
            self.loose, self.liberal = number("tcp_loose"), number("tcp_be_liberal")
            self.acct, self.timestamp, self.maximum = number("acct"), number("timestamp"), number("max")

        for name in (*TIMEOUT_FILES.values(), "tcp_loose", "tcp_be_liberal", "acct", "timestamp", "max"):
            self.net.sysctl.watch(("net", "netfilter", f"nf_conntrack_{name}"), load)
        load()

    def get(self, family: int) -> None:
        """nf_ct_netns_get(): one more rule needs tracking in this family."""
        self.users[family] += 1
        if self.users[family] > 1:
            return
        register = self.net.netfilter.register
        defrag = defrag4 if family == 4 else defrag6
        for hook in (NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT):
            register(family, hook, PRI_DEFRAG, defrag)
            register(family, hook, PRI_CONNTRACK, conntrack_in)
        for hook in (NF_INET_LOCAL_IN, NF_INET_POST_ROUTING):
            register(family, hook, PRI_CONNTRACK_CONFIRM, conntrack_confirm)

    def put(self, family: int) -> None:
        """nf_ct_netns_put(); the entries stay until they time out."""
        self.users[family] -= 1
        if self.users[family]:
            return
        unregister = self.net.netfilter.unregister
        defrag = defrag4 if family == 4 else defrag6
        for hook in (NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT):
            unregister(family, hook, defrag)
            unregister(family, hook, conntrack_in)
        for hook in (NF_INET_LOCAL_IN, NF_INET_POST_ROUTING):
            unregister(family, hook, conntrack_confirm)

    # -- the table --------------------------------------------------------------------------
    def table(self, family: int, zone: int) -> dict[Tuple, tuple[ConntrackEntry, int]]:
        return self.tables.setdefault((family, zone), {})

    def find(self, family: int, tup: Tuple, zone: int = 0) -> tuple[ConntrackEntry, int] | None:
        """The entry and direction of a tuple; one whose time is up is removed and not found."""
        found = self.tables[(family, zone)].get(tup) if not zone else self.table(family, zone).get(tup)
        if found is not None and found[0].expires <= self.loop.now:
            self.remove(found[0], "EXPIRED")
            return None
        return found

    def insert(self, ct: ConntrackEntry) -> bool:
        """__nf_conntrack_confirm(): False where another entry has one of the tuples."""
        table = self.table(ct.family, ct.zone)
        if self.find(ct.family, ct.orig, ct.zone) is not None or self.find(ct.family, ct.reply, ct.zone) is not None:
            self.stats["insert_failed"] += 1
            return False
        table[ct.orig] = (ct, ORIGINAL)
        if ct.reply != ct.orig:
            table[ct.reply] = (ct, REPLY)
        ct.status |= IPS_CONFIRMED
        ct.expires = self.loop.now + ct.timeout
        if self.timestamp:
            ct.started = self.net.host.wall_clock()
        if len(table) > self._collect_at:
            self.collect()
            self._collect_at = max(4096, 2 * len(table))
        return True

    def remove(self, ct: ConntrackEntry, event: str = "DESTROY") -> None:
        """nf_ct_delete(): out of the table, told to listeners."""
        if not ct.status & IPS_CONFIRMED or ct.status & IPS_DYING:
            return
        ct.status |= IPS_DYING
        table = self.table(ct.family, ct.zone)
        for tup in (ct.orig, ct.reply):
            found = table.get(tup)
            if found is not None and found[0] is ct:
                del table[tup]
        self._forget_source(ct)
        if self.timestamp:
            ct.stopped = self.net.host.wall_clock()
        self.notify(event, ct)

    def _forget_source(self, ct: ConntrackEntry) -> None:
        key = source_key(ct)
        same = self.by_source.get(key)
        if same is not None and ct in same:
            same.remove(ct)
            if not same:
                del self.by_source[key]

    def collect(self) -> None:
        """gc_worker(): drop what has expired."""
        now = self.loop.now
        for table in list(self.tables.values()):
            for ct in [ct for ct, direction in table.values() if direction == ORIGINAL and ct.expires <= now]:
                self.remove(ct, "EXPIRED")

    def entries(self, family: int | None = None) -> Iterator[ConntrackEntry]:
        """Every live entry, oldest first within its table."""
        self.collect()
        for (of_family, _), table in list(self.tables.items()):
            if family in (None, of_family):
                yield from [ct for ct, direction in table.values() if direction == ORIGINAL]

    def __len__(self) -> int:
        return sum(1 for _ in self.entries())

    def notify(self, event: str, ct: ConntrackEntry) -> None:
        for listener in list(self.listeners):
            listener(event, ct)

    def new_ident(self) -> int:
        """nf_ct_get_id(): a number for the entry, which tells nothing else."""
        self._ident = (self._ident * 1664525 + 1013904223) & 0xFFFFFFFF
        return self._ident

    def watch_expiry(self) -> None:
        """While somebody listens, expiry is told when it happens (within a second)."""
        if self.listeners:
            self.collect()
            if any(self.tables.values()):
                self.loop.call_later(SECOND, self.watch_expiry)


def conntrack(net: NetNamespace) -> Conntrack:
    """The namespace's table, made at first use."""
    found = net.rooms.get("conntrack")
    if found is None:
        found = net.rooms["conntrack"] = Conntrack(net)
    return found


# -- hook functions -----------------------------------------------------------------------------
def conntrack_in(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """nf_conntrack_in(): give the packet its entry and state. A packet nobody can track is INVALID:
    it goes on with `skb.nfct` None."""
    template = skb.nfct
    zone = 0
    if template is not None:
        if not template.status & IPS_TEMPLATE:
            return True
        zone = template.zone
        skb.nfct = None
    room: Conntrack = net.rooms["conntrack"]
    ip = skb.network
    protocol = ip[2]
    family = 4 if len(ip) == 9 else 6
    trace = skb.trace
    if protocol == TCP or protocol == UDP:
        transport = skb.transport
        if transport is None:
            room.stats["invalid"] += 1
            return True
        tup = (ip[0], ip[1], protocol, transport[0], transport[1])
    else:
        if protocol == (ICMP if family == 4 else ICMPV6) and skb.transport is not None:
            verdict = conntrack_icmp.handle_error(room, skb, family, zone)
            if verdict is not None:
                if trace is not None:
                    trace.conntrack(skb, None, skb.nfct)
                return verdict
        made = tuple_of_packet(skb)
        if made is None:
            room.stats["invalid"] += 1
            return True
        tup = made
    table = (room.table4 if family == 4 else room.table6) if not zone else room.table(family, zone)
    found = table.get(tup)
    if found is not None and found[0].expires <= room.loop.now:
        room.remove(found[0], "EXPIRED")
        found = None
    before = describe(found[0], room.loop.now) if trace is not None and found is not None else None
    if found is None:
        ct = init_conntrack(room, skb, family, tup, zone, template)
        if ct is None:
            return skb.nfct is not UNTRACKED_DROP or _full(net, skb)
        direction = ORIGINAL
        ctinfo = IP_CT_RELATED if ct.status & IPS_EXPECTED else IP_CT_NEW
    else:
        ct, direction = found
        if direction:
            ctinfo = IP_CT_ESTABLISHED_REPLY
        elif ct.status & IPS_SEEN_REPLY:
            ctinfo = IP_CT_ESTABLISHED
        else:
            ctinfo = IP_CT_RELATED if ct.status & IPS_EXPECTED else IP_CT_NEW
    # l4proto->packet()
    now = room.loop.now
    if protocol == UDP:
        if not ct.status & IPS_CONFIRMED:
            ct.stream_at = now + 2 * SECOND
        timeout = room.timeouts["udp"]
        if ct.status & IPS_SEEN_REPLY and now > ct.stream_at:
            timeout = room.timeouts["udp_stream"]
            if not ct.status & IPS_ASSURED:
                ct.status |= IPS_ASSURED
                ct.changed = True
        refresh(ct, skb, direction, timeout, now)
    elif protocol == TCP:
        verdict_number = conntrack_tcp.packet(room, ct, skb, direction, ctinfo)
        if verdict_number != 1:
            if verdict_number == conntrack_tcp.REPEAT:
                room.remove(ct)
                return conntrack_in(net, hook, skb, indev, outdev)
            room.stats["invalid"] += 1
            return True
    elif not conntrack_proto.packet(room, ct, skb, direction, family, now):
        room.stats["invalid"] += 1
        return True
    if direction and not ct.status & IPS_SEEN_REPLY:
        ct.status |= IPS_SEEN_REPLY
        ct.changed = True
    if ct.changed and not room.listeners:
        ct.changed = False  # else told when the packet leaves (nf_ct_deliver_cached_events())
    skb.nfct = ct
    skb.ctinfo = ctinfo
    if trace is not None:
        trace.conntrack(skb, before, ct)
    return True


class _Drop:
    """Marks "the table is full" between init_conntrack() and its caller."""


UNTRACKED_DROP = _Drop()


def _full(net: NetNamespace, skb: SkBuff) -> bool:
    skb.nfct = None
    net.host.log("nf_conntrack: nf_conntrack: table full, dropping packet")
    skb.drop("NETFILTER_DROP", net)
    return False


def init_conntrack(
    room: Conntrack, skb: SkBuff, family: int, tup: Tuple, zone: int, template: ConntrackEntry | None
) -> ConntrackEntry | None:
    """A new, unconfirmed entry; None where none can be made (`skb.nfct` says whether to drop)."""
    reply = invert(family, tup)
    if reply is None:
        room.stats["invalid"] += 1
        return None
    if room.maximum and len(room.table4) + len(room.table6) >= 2 * room.maximum:
        room.collect()
        if len(room.table4) + len(room.table6) >= 2 * room.maximum:
            room.stats["drop"] += 1
            skb.nfct = UNTRACKED_DROP
            return None
    ct = ConntrackEntry(family, tup, reply, zone)
    ct.ident = room.new_ident()
    if room.acct:
        ct.counters = [[0, 0], [0, 0]]
    if template is not None and template.helper:
        ct.helper = template.helper
    return ct


def conntrack_confirm(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """nf_conntrack_confirm(): the packet leaves or is delivered, so its entry is real."""
    ct = skb.nfct
    if ct is None or ct is UNTRACKED:
        return True
    if ct.status & IPS_CONFIRMED:
        if ct.changed:
            ct.changed = False
            if not ct.status & IPS_DYING:
                net.rooms["conntrack"].notify("UPDATE", ct)
        return True
    if skb.ctinfo >= IP_CT_IS_REPLY or ct.status & IPS_TEMPLATE:
        return True
    room: Conntrack = net.rooms["conntrack"]
    if not room.insert(ct):
        existing = room.find(ct.family, ct.orig, ct.zone)
        if existing is not None and existing[0].protocol in (UDP, ICMP) and existing[0].reply == ct.reply:
            skb.nfct = existing[0]
            return True
        room.stats["drop"] += 1
        skb.drop("NETFILTER_DROP", net)
        return False
    if room.listeners:
        ct.changed = False
        room.notify("NEW", ct)
    if skb.trace is not None:
        skb.trace.stage(skb, "nf_conntrack_confirm", net)
    return True
