"""The neighbour tables: which MAC address has the next hop (net/core/neighbour.c).

States and timers as in RFC 4861 and the kernel:

    NONE ─send→ INCOMPLETE ─answer→ REACHABLE ─time→ STALE ─send→ DELAY ─5 s→ PROBE ─answer→ REACHABLE
                    └─ no answer to 3 requests, 1 s apart → FAILED                └─ no answer → FAILED

A `Neighbour` in a connected state keeps `eth`, the ready Ethernet header of its packets (the
kernel's hardware header cache), so that sending costs no allocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import MILLISECOND, SECOND, Timer
from kubenet_course.wire.addresses import ANY4, BROADCAST_MAC, IpAddress, IPv6Address, MacAddress
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6, EthernetHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

NONE, INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED, NOARP, PERMANENT = (
    "NONE", "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT",
)  # fmt: skip
CONNECTED = frozenset({REACHABLE, NOARP, PERMANENT})
VALID = frozenset({REACHABLE, NOARP, PERMANENT, STALE, DELAY, PROBE})
#: A retransmission is this late: the kernel's timer wheel fires up to 32 ms after the time asked for.
TIMER_SLACK = 20 * MILLISECOND
#: States to which hearing once more from the address that is known adds nothing (to be STALE is less).
HEARD = frozenset({REACHABLE, STALE, DELAY, PROBE})
IN_TIMER = frozenset({INCOMPLETE, REACHABLE, DELAY, PROBE})


class Neighbour:
    """One entry: the address `ip` on device `dev` is at `mac` (None while unknown)."""

    __slots__ = (
        "table", "dev", "ip", "mac", "state", "eth", "probes", "confirmed", "used", "updated",
        "queue", "timer", "router", "proxy", "protocol", "managed", "extern_learn",
    )  # fmt: skip

    def __init__(self, table: NeighbourTable, dev: NetDevice | None, ip: IpAddress):
        self.table = table
        self.dev: Any = dev  # None for a proxy entry of all devices
        self.ip = ip
        self.mac: MacAddress | None = None
        self.state = NONE
        self.eth: EthernetHeader | None = None
        self.probes = 0
        self.used = self.updated = self.confirmed = table.net.loop.now
        # neigh_alloc(): confirmed, but too long ago.
        if dev is not None:
            self.confirmed -= 2 * table.setting(dev, "base_reachable_time_ms") * MILLISECOND
        self.queue: list[SkBuff] = []
        self.timer: Timer | None = None
        self.router = False
        self.proxy = False
        self.protocol = 0
        self.managed = False
        self.extern_learn = False

    # -- sending ----------------------------------------------------------------------------
    def output(self, skb: SkBuff) -> None:
        """neigh_resolve_output(): send now, or keep the packet until the address is known."""
        state = self.state
        if state == REACHABLE or state == PERMANENT or state == NOARP:
            self.used = self.dev.net.loop.now
            skb.eth = self.eth
            self.dev.queue_xmit(skb)
            return
        self._event_send(skb)

    def _event_send(self, skb: SkBuff) -> None:
        """__neigh_event_send() for the states that are not connected."""
        now = self.dev.net.loop.now
        self.used = now
        if self.state in (DELAY, PROBE):
            skb.eth = self.eth
            self.dev.queue_xmit(skb)
        elif self.state == STALE:
            self._set_state(DELAY)
            self._arm(self._ms("delay_first_probe_time", SECOND))
            skb.eth = self.eth
            self.dev.queue_xmit(skb)
        elif self.state == INCOMPLETE:
            self._enqueue(skb)
        else:
            self.probes = self._setting("ucast_solicit")
            self._set_state(INCOMPLETE)
            self.updated = now
            self._enqueue(skb)
            self._arm(max(self._ms("retrans_time_ms", MILLISECOND), 10 * MILLISECOND) + TIMER_SLACK)
            self._probe()

    def resolve(self) -> None:
        """neigh_event_send() with nothing to send: ask for the address now."""
        if self.state in (NONE, FAILED):
            self.probes = self._setting("ucast_solicit")
            self._set_state(INCOMPLETE)
            self.updated = self.dev.net.loop.now
            self._arm(max(self._ms("retrans_time_ms", MILLISECOND), 10 * MILLISECOND) + TIMER_SLACK)
            self._probe()

    def _enqueue(self, skb: SkBuff) -> None:
        if len(self.queue) >= self._setting("unres_qlen"):
            self.queue.pop(0).drop("NEIGH_QUEUEFULL", self.dev)
        self.queue.append(skb)
        if skb.trace is not None:
            skb.trace.neighbour(skb, self)

    # -- timers -----------------------------------------------------------------------------
    def _arm(self, delay: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.dev.net.loop.call_later(delay, self._timeout)

    def _timeout(self) -> None:
        """neigh_timer_handler()."""
        self.timer = None
        now = self.dev.net.loop.now
        delay_probe = self._ms("delay_first_probe_time", SECOND)
        if self.state == REACHABLE:
            if now <= self.confirmed + self.table.reachable_time(self.dev):
                self._arm(self.confirmed + self.table.reachable_time(self.dev) - now + 1)
            elif now <= self.used + delay_probe:
                self._set_state(DELAY)
                self._arm(delay_probe)
            else:
                self._set_state(STALE)
                self.table.net.rtnl_notify("neigh", self)
            return
        if self.state == DELAY:
            if now <= self.confirmed + delay_probe:
                self._set_state(REACHABLE)
                self._arm(self.table.reachable_time(self.dev))
                self.table.net.rtnl_notify("neigh", self)
                return
            self._set_state(PROBE)
            self.probes = 0
            self.table.net.rtnl_notify("neigh", self)
        if self.state in (INCOMPLETE, PROBE):
            limit = self._setting("ucast_solicit") + self._setting("app_solicit")
            limit += self._setting("mcast_resolicit" if self.state == PROBE else "mcast_solicit")
            if self.probes >= limit:
                self._set_state(FAILED)
                self.updated = now
                self.table.net.rtnl_notify("neigh", self)
                self._invalidate()
                return
            self._arm(max(self._ms("retrans_time_ms", MILLISECOND), 10 * MILLISECOND) + TIMER_SLACK)
            self._probe()

    def _probe(self) -> None:
        self.probes += 1
        skb = self.queue[-1] if self.queue else None
        self.table.solicit(self, skb)

    def _invalidate(self) -> None:
        """neigh_invalidate(): tell the senders of what waited here (ICMP host unreachable)."""
        queue, self.queue = self.queue, []
        for skb in queue:
            self.table.error_report(self, skb)

    # -- learning ---------------------------------------------------------------------------
    def update(
        self, mac: MacAddress | None, new: str, *, override: bool = True, admin: bool = False, router: bool | None = None
    ) -> None:
        """neigh_update(): take a new address or state from the network or from `ip neigh`.

        `router`: what is now known of its being a router (neighbour advertisements, `ip neigh … router`).
        """
        if router is not None:
            self.router = router
        old = self.state
        before = old, self.mac
        now = self.dev.net.loop.now
        if not admin and old in (NOARP, PERMANENT):
            return
        if new not in VALID:
            self._cancel()
            self._set_state(new)
            if old in (INCOMPLETE, PROBE) and new == FAILED:
                self._invalidate()
            self.table.net.rtnl_notify("neigh", self)
            return
        if mac is None:
            mac = self.mac
            if mac is None:
                raise KernelError(errno.EINVAL, "No link layer address given")
        if old in VALID and mac != self.mac and not override:
            return
        if new in CONNECTED:
            self.confirmed = now
        if old in VALID and mac == self.mac and new == STALE and not admin:
            new = old
        if new != old or mac != self.mac:
            self.updated = now
        if mac != self.mac or self.eth is None:
            if mac != self.mac and new not in CONNECTED:
                self.confirmed = now - 2 * self._ms("base_reachable_time_ms", MILLISECOND)
            self.mac = mac
            self.eth = EthernetHeader(mac, self.dev.mac, self.table.ethertype)
        if new != old:
            self._cancel()
            self._set_state(new)
            if new == REACHABLE:
                self._arm(self.table.reachable_time(self.dev))
            elif new in (DELAY, PROBE):
                self.probes = 0 if new == PROBE else self.probes
                self._arm(0)
        if before != (self.state, self.mac):
            self.table.net.rtnl_notify("neigh", self)
        queue, self.queue = self.queue, []
        for skb in queue:
            self.output(skb)

    def confirm(self) -> None:
        """dst_confirm(): a reply of a higher layer proves that the neighbour is there."""
        self.confirmed = self.dev.net.loop.now

    def destroy(self) -> None:
        self._cancel()
        self.state = FAILED
        queue, self.queue = self.queue, []
        for skb in queue:
            skb.drop("NEIGH_DEAD", self.dev)

    def _cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _set_state(self, state: str) -> None:
        self.state = state

    # -- settings ---------------------------------------------------------------------------
    def _setting(self, key: str) -> int:
        return self.table.setting(self.dev, key)

    def _ms(self, key: str, unit: int) -> int:
        return self.table.setting(self.dev, key) * unit


class Proxies(dict[tuple[int, "NetDevice | None"], Neighbour]):
    """pneigh entries by (address, device); IPv6 listens to the solicited-node group of each."""

    def __init__(self, net: NetNamespace, family: int):
        super().__init__()
        self.net = net
        self.family = family

    def __setitem__(self, key: tuple[int, NetDevice | None], entry: Neighbour) -> None:
        if key not in self:
            self._group(key, join=True)
        super().__setitem__(key, entry)

    def __delitem__(self, key: tuple[int, NetDevice | None]) -> None:
        super().__delitem__(key)
        self._group(key, join=False)

    def listed(self) -> list[Neighbour]:
        """In the order of the kernel's table: by pneigh_hash(), the newest of a bucket first."""

        def bucket(entry: Neighbour) -> int:
            value = int.from_bytes(entry.ip.encode()[-4:], "little")
            for shift in (16, 8, 4):
                value ^= value >> shift
            return value & 15

        newest_first = [*self.values()]
        newest_first.reverse()
        return sorted(newest_first, key=bucket)

    def _group(self, key: tuple[int, NetDevice | None], *, join: bool) -> None:
        """pndisc_constructor() and pndisc_destructor()."""
        address, dev = key
        if self.family == 6 and dev is not None and dev in self.net.ipv6.devices:
            from kubenet_course.kernel.inet6 import mcast

            (mcast.join if join else mcast.leave)(self.net, dev, IPv6Address(address).solicited_node())


class NeighbourTable:
    """arp_tbl (family 4) or nd_tbl (family 6) of one namespace, by (address, device)."""

    def __init__(self, net: NetNamespace, family: int):
        self.net = net
        self.family = family
        self.ethertype = ETH_P_IP if family == 4 else ETH_P_IPV6
        self.entries: dict[tuple[int, NetDevice], Neighbour] = {}
        self.proxies = Proxies(net, family)
        self._reachable: dict[NetDevice, tuple[int, int]] = {}

    def lookup(self, ip: int, dev: NetDevice) -> Neighbour | None:
        if (dev.is_loopback or dev.pointopoint) and self.family == 4:
            ip = 0  # one entry serves all (__ipv4_neigh_lookup())
        return self.entries.get((ip, dev))

    def get(self, ip: IpAddress, dev: NetDevice) -> Neighbour:
        """neigh_lookup or __neigh_create(); loopback, NOARP devices and multicast need no asking."""
        if self.family == 4 and (dev.is_loopback or dev.pointopoint):
            ip = ANY4  # as in `lookup`
        entry = self.entries.get((ip, dev))
        if entry is None:
            entry = Neighbour(self, dev, ip)
            mac = self._known_mac(ip, dev)
            if mac is not None:
                entry.mac, entry.state = mac, NOARP
                entry.eth = EthernetHeader(mac, dev.mac, self.ethertype)
            self.entries[(ip, dev)] = entry
        return entry

    def _known_mac(self, ip: IpAddress, dev: NetDevice) -> MacAddress | None:
        """arp_constructor() / ndisc_constructor(): addresses that need no question."""
        if ip.is_multicast and dev.link_type == "ether":
            return ip.multicast_mac()
        if dev.is_loopback or dev.noarp:  # Ethernet: the device's own, so nobody else takes it
            return dev.mac if dev.is_loopback or dev.link_type == "ether" else dev.broadcast
        if self.family == 4 and self.net.ipv4.is_broadcast(ip, dev):
            return BROADCAST_MAC
        return None

    def delete(self, entry: Neighbour) -> None:
        self.entries.pop((entry.ip, entry.dev), None)
        entry.destroy()
        self.net.rtnl_notify("neigh", entry, True)

    def flush_device(self, dev: NetDevice, keep_permanent: bool = False) -> None:
        """neigh_ifdown(): forget everything learned on a device."""
        for entry in [e for e in self.entries.values() if e.dev is dev]:
            if keep_permanent and entry.state == PERMANENT:
                continue
            self.delete(entry)
        for key in [key for key in self.proxies if key[1] is dev]:
            del self.proxies[key]

    def mac_changed(self, dev: NetDevice) -> None:
        """neigh_changeaddr(): our own MAC changed; ready headers are wrong."""
        self.flush_device(dev, keep_permanent=False)

    def shown(self) -> list[Neighbour]:
        """Entries that exist for a user (`ip neigh` without NOARP ones is its own filter)."""
        return list(self.entries.values())

    def setting(self, dev: NetDevice, key: str) -> int:
        """From net/ipv4/neigh/<dev>/ (or ipv6)."""
        return self.net.sysctl.neigh("ipv4" if self.family == 4 else "ipv6", dev.name, key)

    def reachable_time(self, dev: NetDevice) -> int:
        """base_reachable_time times a random factor between 0.5 and 1.5, in ns; thrown anew when the base changes."""
        base = self.setting(dev, "base_reachable_time_ms")
        known = self._reachable.get(dev)
        if known is None or known[0] != base:
            known = self._reachable[dev] = base, int(base * MILLISECOND * (0.5 + self.net.host.random.random()))
        return known[1]

    # -- the protocol -----------------------------------------------------------------------
    def solicit(self, entry: Neighbour, skb: SkBuff | None) -> None:
        if self.family == 4:
            from kubenet_course.kernel.inet.arp import arp_solicit

            arp_solicit(entry, skb)
        else:
            from kubenet_course.kernel.inet6.ndisc import ndisc_solicit

            ndisc_solicit(entry, skb)

    def error_report(self, entry: Neighbour, skb: SkBuff) -> None:
        """arp_error_report() / ndisc_error_report(): dst_link_failure, then the packet dies."""
        link_failure: Any = getattr(skb.dst, "link_failure", None)
        if link_failure is not None:
            link_failure(skb)
        skb.drop("NEIGH_FAILED", entry.dev)
