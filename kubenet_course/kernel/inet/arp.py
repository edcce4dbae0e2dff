"""The Address Resolution Protocol (net/ipv4/arp.c, RFC 826)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.devinet import select_source
from kubenet_course.kernel.neighbour import HEARD, REACHABLE, STALE
from kubenet_course.kernel.netfilter.hooks import link_hook
from kubenet_course.kernel.skbuff import PACKET_HOST, PACKET_OTHERHOST, SkBuff
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.addresses import BROADCAST_MAC, ZERO_MAC, IPv4Address, MacAddress
from kubenet_course.wire.arp import ARP_REPLY, ARP_REQUEST, ArpHeader
from kubenet_course.wire.ethernet import ETH_P_ARP, EthernetHeader
from kubenet_course.wire.ipv4 import Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.neighbour import Neighbour
    from kubenet_course.kernel.netns import NetNamespace

JIFFY = 10 * MILLISECOND
OPERATIONS = frozenset({ARP_REQUEST, ARP_REPLY})
#: The first bytes of addresses that nobody may be asked for: groups, and this host's own.
NOT_ASKED_FOR = frozenset({127, *range(224, 240)})
#: What a host takes to handle an ARP packet, in ns of the virtual clock.
RECEIVE_TIME = 14_000


def arp_send(
    net: NetNamespace, dev: NetDevice, operation: int, sender_ip: IPv4Address, target_mac: MacAddress, target_ip: IPv4Address,
    to: MacAddress, cause: SkBuff | None = None,
) -> None:  # fmt: skip
    """arp_create() and arp_xmit()."""
    header = ArpHeader(operation, dev.mac, sender_ip, target_mac, target_ip)
    eth = EthernetHeader(to, dev.mac, ETH_P_ARP)
    skb = SkBuff(net.loop, header, None, b"", ethertype=ETH_P_ARP, length=28, eth=eth)
    if cause is not None and cause.trace is not None:
        cause.trace.caused(cause, skb)
    hooks = net.netfilter.arp_hooks
    if hooks is not None:
        skb.len += 14  # arp_create() has put the Ethernet header on
        if not link_hook(hooks, net, 1, skb, None, dev):
            return
        skb.len -= 14
    dev.queue_xmit(skb)


def arp_solicit(entry: Neighbour, skb: SkBuff | None) -> None:
    """Ask who has the address; with the source address of the waiting packet (arp_announce 0)."""
    dev = entry.dev
    net = dev.net
    target: IPv4Address = entry.ip  # type: ignore[assignment]
    announce = max(net.sysctl.conf("ipv4", "all", "arp_announce"), net.sysctl.conf("ipv4", dev.name, "arp_announce"))
    source: IPv4Address | None = None
    if skb is not None and hasattr(skb.network, "source") and skb.network.source.family == 4:
        candidate = skb.network.source
        if net.ipv4.is_local(candidate, dev) and not candidate.is_loopback:
            on_link = any(int(target) in a.network for a in net.ipv4.addresses[dev] if a.local == candidate)
            if announce == 0 or (announce == 1 and on_link):
                source = candidate
    if source is None:
        source = select_source(net, dev, int(target), fib.RT_SCOPE_LINK)
    if source is None:
        return
    unicast = entry.state == "PROBE" and entry.mac is not None
    to = entry.mac if unicast else BROADCAST_MAC
    arp_send(net, dev, ARP_REQUEST, source, ZERO_MAC, target, to, skb)  # type: ignore[arg-type]


def arp_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """arp_rcv() and arp_process()."""
    dev = skb.in_dev
    assert dev is not None
    net.loop.now += RECEIVE_TIME
    if skb.pkt_type == PACKET_OTHERHOST or dev.noarp or dev.is_loopback:
        skb.drop("OTHERHOST", dev)
        return
    hooks = net.netfilter.arp_hooks
    if hooks is not None and not link_hook(hooks, net, 0, skb, dev, None):
        return
    arp: ArpHeader = skb.network
    operation, mac, sender, _, target = arp
    ipv4 = net.ipv4
    if target >> 24 in NOT_ASKED_FOR and not (target >> 24 == 127 and net.sysctl.conf("ipv4", dev.name, "route_localnet")):
        skb.drop("IP_INVALID_DEST", dev)
        return
    if operation not in OPERATIONS or dev not in ipv4.addresses:
        skb.drop("NOT_SPECIFIED", dev)
        return
    if sender == 0:
        # Duplicate address detection (RFC 5227): answer, learn nothing.
        if operation == ARP_REQUEST and ipv4.is_local(target, dev) and not _ignored(net, dev, arp):
            arp_send(net, dev, ARP_REPLY, arp.target_ip, arp.sender_mac, arp.sender_ip, arp.sender_mac, skb)
        skb.consume(dev)
        return
    mine = target in ipv4.locals or target >> 24 == 127 or ipv4.forwarding[dev]
    if mine and operation == ARP_REQUEST and _answer(net, dev, arp, skb):
        skb.consume(dev)
        return
    # Most are questions that others ask each other: nothing to do where who asks is not known, or known as such.
    entry = net.arp.lookup(sender, dev)
    if entry is None:
        if target == sender:
            _learn(net, dev, arp, skb, None)
    elif operation == ARP_REPLY or entry.mac != mac or entry.state not in HEARD or entry.queue:
        _learn(net, dev, arp, skb, entry)
    skb.consume(dev)


def _answer(net: NetNamespace, dev: NetDevice, arp: ArpHeader, skb: SkBuff) -> bool:
    """Reply for an address of this host, or as a proxy; True where that ends the matter."""
    if net.ipv4.is_local(arp.target_ip, dev):
        if not _routable(net, dev, arp):
            return False
        if _ignored(net, dev, arp):
            return True
        entry = net.arp.get(arp.sender_ip, dev)
        entry.update(arp.sender_mac, STALE)
        arp_send(net, dev, ARP_REPLY, arp.target_ip, arp.sender_mac, arp.sender_ip, arp.sender_mac, skb)
        return True
    if net.ipv4.forwarding[dev] and _proxies(net, dev, arp):
        net.arp.get(arp.sender_ip, dev).update(arp.sender_mac, STALE)
        arp_send(net, dev, ARP_REPLY, arp.target_ip, arp.sender_mac, arp.sender_ip, arp.sender_mac, skb)
        return True
    return False


def _routable(net: NetNamespace, dev: NetDevice, arp: ArpHeader) -> bool:
    """arp_process() asks ip_route_input(): the reverse path filter and martians hold for ARP too."""
    from kubenet_course.kernel.inet.fib_frontend import fib_validate_source

    packet: Any = SimpleNamespace(network=Ipv4Header(arp.sender_ip, arp.target_ip, 0, 0, 0), mark=0)
    return not isinstance(fib_validate_source(net, packet, dev), str)


def _ignored(net: NetNamespace, dev: NetDevice, arp: ArpHeader) -> bool:
    """arp_ignore(): sysctl arp_ignore 1 answers for this device's addresses only."""
    level = max(net.sysctl.conf("ipv4", "all", "arp_ignore"), net.sysctl.conf("ipv4", dev.name, "arp_ignore"))
    own = [a for a in net.ipv4.addresses[dev] if a.local == arp.target_ip]
    if level == 0:
        return arp.target_ip.is_loopback
    if level == 1:
        return not own
    if level == 2:
        return not any(int(arp.sender_ip) in a.network for a in own)
    return level == 8


def _proxies(net: NetNamespace, dev: NetDevice, arp: ArpHeader) -> bool:
    """arp_fwd_proxy() and pneigh: answer for what is routed out of another device."""
    if (int(arp.target_ip), dev) in net.arp.proxies or (int(arp.target_ip), None) in net.arp.proxies:
        return True
    if not (net.sysctl.conf("ipv4", dev.name, "proxy_arp") or net.sysctl.conf("ipv4", "all", "proxy_arp")):
        return False
    from kubenet_course.errors import KernelError
    from kubenet_course.kernel.inet.fib_frontend import fib_lookup

    try:
        _, route, hops = fib_lookup(net, fib.FlowKey(int(arp.target_ip), int(arp.sender_ip), dev.name))
    except KernelError:
        return False
    return route.type == fib.UNICAST and all(hop.dev is not dev for hop in hops)


def _learn(net: NetNamespace, dev: NetDevice, arp: ArpHeader, skb: SkBuff, entry: Neighbour | None) -> None:
    """Update an entry that exists; replies to us make it reachable."""
    gratuitous = arp.target_ip == arp.sender_ip
    if entry is None:
        if not gratuitous:
            return
        if not max(net.sysctl.conf("ipv4", "all", "arp_accept"), net.sysctl.conf("ipv4", dev.name, "arp_accept")):
            return
        entry = net.arp.get(arp.sender_ip, dev)
    mac = arp.sender_mac
    # Whether a new address may take the place of another that is not old yet.
    override = mac == entry.mac or gratuitous or net.loop.now > entry.updated + net.arp.setting(dev, "locktime") * JIFFY
    state = REACHABLE if arp.operation == ARP_REPLY and skb.pkt_type == PACKET_HOST else STALE
    entry.update(mac, state, override=override)


def arp_announce(net: NetNamespace, dev: NetDevice, address: IPv4Address) -> None:
    """A gratuitous ARP request (sysctl arp_notify)."""
    arp_send(net, dev, ARP_REQUEST, address, ZERO_MAC, address, BROADCAST_MAC)
