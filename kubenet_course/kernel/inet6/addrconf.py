"""IPv6 addresses of devices (net/ipv6/addrconf.c, RFC 4862).

A device that is up and has carrier gets its link-local address and a route to all groups
(``ff00::/8`` in table local). A new address is `tentative` until nobody answered a neighbour
solicitation for it (after up to one second of waiting and one more for the answer); then its
``local`` route appears and it may be used. Going down takes all addresses away.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import implied, mcast
from kubenet_course.sim.loop import MILLISECOND, SECOND, Timer
from kubenet_course.wire.addresses import ANY6, IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

MIN_MTU = 1280
IFAPROT_KERNEL_LO, IFAPROT_KERNEL_RA, IFAPROT_KERNEL_LL = 1, 2, 3


@dataclass(slots=True, eq=False)
class Inet6Address:
    """struct inet6_ifaddr. `peer` is None unless point to point; `metric` 0 means 256.

    `flags` are iproute2's words: permanent, tentative, dadfailed, nodad, noprefixroute, deprecated,
    mngtmpaddr, temporary, optimistic, home. `valid` and `preferred` are the lifetimes' ends in ns of
    the virtual clock, None for ever.
    """

    local: IPv6Address
    prefixlen: int
    scope: int = 0
    flags: set[str] = field(default_factory=set)
    peer: IPv6Address | None = None
    metric: int = 0
    valid: int | None = None
    preferred: int | None = None
    proto: int = 0
    created: int = 0
    updated: int = 0
    probes: int = 0
    nonce: bytes = b""
    timer: Timer | None = None
    lifetime_timer: Timer | None = None
    #: Counted as a user of its solicited-node group.
    joined: bool = False

    @property
    def network(self) -> Network:
        return Network.of(self.local, self.prefixlen)

    @property
    def usable(self) -> bool:
        """Whether the host may use it: not tentative, or optimistic."""
        return "tentative" not in self.flags


def address_scope(address: IPv6Address) -> int:
    """rt_scope(ipv6_addr_scope()): as `ip addr` names it."""
    if address.is_loopback:
        return fib.RT_SCOPE_HOST
    if address.is_multicast:
        scopes = {1: fib.RT_SCOPE_HOST, 2: fib.RT_SCOPE_LINK, 5: fib.RT_SCOPE_SITE}
        return scopes.get(address >> 112 & 15, fib.RT_SCOPE_UNIVERSE)
    if address.is_link_local:
        return fib.RT_SCOPE_LINK
    if address >> 118 == 0x3FB:
        return fib.RT_SCOPE_SITE
    return fib.RT_SCOPE_UNIVERSE


# -- adding and removing ------------------------------------------------------------------------
def address_add(net: NetNamespace, dev: NetDevice, new: Inet6Address, *, replace: bool = False) -> None:
    """inet6_rtm_newaddr(): KernelError with the kernel's sentence where it is refused.

    `new.flags` need not say permanent or tentative; `replace` changes an address that is there.
    """
    if dev.mtu < MIN_MTU and not dev.is_loopback:
        raise KernelError(errno.EINVAL)
    if dev not in net.ipv6.devices or disabled(net, dev):
        raise KernelError(errno.EACCES, "ipv6: IPv6 is disabled on this device")
    if new.prefixlen > 128:
        raise KernelError(errno.EINVAL, "ipv6: Invalid prefix length")
    if new.local == 0:
        raise KernelError(errno.EADDRNOTAVAIL, "ipv6: Invalid address")
    for old in net.ipv6.addresses[dev]:
        if old.local == new.local:
            if not replace:
                raise KernelError(errno.EEXIST, "ipv6: address already assigned")
            _modify(net, dev, old, new)
            return
    if new.local.is_multicast and "autojoin" in new.flags:
        mcast.join(net, dev, new.local)
    elif new.local.is_multicast:
        raise KernelError(
            errno.EINVAL, 'ipv6: Cannot assign multicast address without "IFA_F_MCAUTOJOIN" flag'
        )
    if new.local.is_loopback and not dev.is_loopback:
        raise KernelError(errno.EADDRNOTAVAIL, "ipv6: Cannot assign loopback address on this device")
    if new.valid is None:
        new.flags.add("permanent")
    new.scope = address_scope(new.local)
    insert(net, dev, new)
    if "noprefixroute" not in new.flags and dev.up:  # else fixup_permanent_addr(), when it comes up
        implied.add_prefix_route(net, dev, new)
    arm_lifetime(net, dev, new)
    dad_start(net, dev, new)


def insert(net: NetNamespace, dev: NetDevice, new: Inet6Address) -> None:
    """ipv6_link_dev_addr(): before the first of an equal or wider scope, so newest first."""
    if dev.up and not dev.is_loopback:
        implied.add_group_route(net, dev)
    new.created = new.updated = net.loop.now
    new.flags.add("tentative")
    if "permanent" not in new.flags and new.valid is None:
        new.flags.add("permanent")
    addresses = net.ipv6.addresses[dev]
    position = next((n for n, old in enumerate(addresses) if _width(old) <= _width(new)), len(addresses))
    addresses.insert(position, new)


def _width(address: Inet6Address) -> int:
    """IPV6_ADDR_SCOPE_: host 1, link 2, site 5, global 14."""
    return {fib.RT_SCOPE_HOST: 1, fib.RT_SCOPE_LINK: 2, fib.RT_SCOPE_SITE: 5}.get(address.scope, 14)


def _modify(net: NetNamespace, dev: NetDevice, old: Inet6Address, new: Inet6Address) -> None:
    """inet6_addr_modify(): flags, lifetimes and metric."""
    kept = old.flags & {"tentative", "dadfailed", "temporary", "optimistic"}
    if "nodad" in new.flags or "dadfailed" in old.flags:
        kept -= {"dadfailed"}
    had_route = "permanent" in old.flags and "noprefixroute" not in old.flags
    old.valid, old.preferred = new.valid, new.preferred
    old.flags = kept | (new.flags - {"tentative"})
    if new.valid is None:
        old.flags.add("permanent")
    old.updated = net.loop.now
    if new.metric:
        old.metric = new.metric
    if "noprefixroute" not in old.flags:
        if not (had_route and implied.modify_prefix_route(net, dev, old)):
            implied.add_prefix_route(net, dev, old)
    elif had_route:
        implied.remove_prefix_route(net, dev, old)
    arm_lifetime(net, dev, old)
    net.ipv6.flush_cache()


def address_remove(
    net: NetNamespace, dev: NetDevice, address: IPv6Address | Inet6Address, prefixlen: int = -1
) -> None:
    """inet6_addr_del(): KernelError(EADDRNOTAVAIL) where the device has no such address."""
    if not isinstance(address, Inet6Address):
        found = next(
            (
                old
                for old in net.ipv6.addresses.get(dev, ())
                if old.local == address and prefixlen in (-1, old.prefixlen)
            ),
            None,
        )
        if found is None:
            if dev.mtu < 1280 and not dev.is_loopback:
                raise KernelError(errno.ENXIO, "ipv6: IPv6 is disabled on this device")
            raise KernelError(errno.EADDRNOTAVAIL, "ipv6: address not found")
        address = found
    delete(net, dev, address)


def delete(net: NetNamespace, dev: NetDevice, address: Inet6Address, *, keep_route: bool = False) -> None:
    """ipv6_del_addr()."""
    addresses = net.ipv6.addresses[dev]
    if address not in addresses:
        return
    addresses.remove(address)
    for timer in (address.timer, address.lifetime_timer):
        if timer is not None:
            timer.cancel()
    if not keep_route and "permanent" in address.flags and "noprefixroute" not in address.flags:
        implied.remove_prefix_route(net, dev, address)
    implied.leave_solicited(net, dev, address)
    implied.withdraw(net, dev, address)
    net.rtnl_notify("address", (dev, address), True)
    if address.local.is_multicast:
        mcast.leave(net, dev, address.local)
    from kubenet_course.kernel.inet6 import fib_semantics

    if not net.ipv6.is_local(address.local):
        fib_semantics.forget_source(net, address.local)
    net.ipv6.flush_cache()


# -- lifetimes ----------------------------------------------------------------------------------
def arm_lifetime(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_verify(): deprecate when no longer preferred, delete when no longer valid."""
    if address.lifetime_timer is not None:
        address.lifetime_timer.cancel()
        address.lifetime_timer = None
    now = net.loop.now
    if address.preferred is not None and address.preferred <= now:
        address.flags.add("deprecated")
    else:
        address.flags.discard("deprecated")
    ends = [end for end in (address.preferred, address.valid) if end is not None and end > now]
    if ends:
        address.lifetime_timer = net.loop.call_at(min(ends), _lifetime_over, net, dev, address)


def _lifetime_over(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    if address.valid is not None and address.valid <= net.loop.now:
        delete(net, dev, address)
        return
    arm_lifetime(net, dev, address)
    net.ipv6.flush_cache()


# -- duplicate address detection ------------------------------------------------------------------
def dad_start(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_start() and addrconf_dad_begin()."""
    if not dev.is_loopback and not dev.noarp and not address.joined:
        address.joined = True
        mcast.join(net, dev, address.local.solicited_node())
    accept = max(
        net.sysctl.conf("ipv6", "all", "accept_dad"), net.sysctl.conf("ipv6", dev.name, "accept_dad")
    )
    if dev.is_loopback or dev.noarp or accept < 1 or "nodad" in address.flags:
        dad_completed(net, dev, address)
        return
    if not net.ipv6.devices[dev].ready:
        return
    address.probes = net.sysctl.conf("ipv6", dev.name, "dad_transmits")
    seeded = random.Random(f"{net.host.hostname}{dev.mac}{address.local}")
    delay = net.sysctl.conf("ipv6", dev.name, "router_solicitation_delay") * SECOND
    address.nonce = seeded.randbytes(6)
    wait = int(seeded.random() * delay)
    if "optimistic" in address.flags and not net.sysctl.conf("ipv6", dev.name, "optimistic_dad"):
        address.flags.discard("optimistic")
    if address.timer is not None:
        address.timer.cancel()
    address.timer = net.loop.call_later(wait, _dad_work, net, dev, address)


def _dad_work(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_work(): ask, and wait for an objection."""
    from kubenet_course.kernel.inet6.ndisc import ndisc_send_ns

    address.timer = None
    if address not in net.ipv6.addresses.get(dev, ()) or "tentative" not in address.flags:
        return
    if not net.ipv6.devices[dev].ready:
        return
    if address.probes <= 0:
        dad_completed(net, dev, address)
        return
    address.probes -= 1
    retrans = max(net.sysctl.get_int("net", "ipv6", "neigh", dev.name, "retrans_time_ms"), 10) * MILLISECOND
    address.timer = net.loop.call_later(retrans, _dad_work, net, dev, address)
    ndisc_send_ns(net, dev, address.local, address.local.solicited_node(), ANY6, address.nonce)


def dad_completed(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_completed()."""
    from kubenet_course.kernel.inet6 import ra

    address.flags -= {"tentative", "optimistic", "dadfailed"}
    implied.publish(net, dev, address)
    if address.scope != fib.RT_SCOPE_LINK or dev.is_loopback:
        return
    mcast.dad_complete(net, dev)
    ra.start_solicitations(net, dev)


def dad_failure(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_failure(): another host has the address; ours stays tentative, for a human."""
    if "tentative" not in address.flags or "dadfailed" in address.flags:
        return
    if address.timer is not None:
        address.timer.cancel()
        address.timer = None
    net.host.log(f"IPv6: {dev.name}: IPv6 duplicate address {address.local} used by another host detected!")
    implied.leave_solicited(net, dev, address)
    if "permanent" in address.flags:
        address.flags.add("dadfailed")
        accept = net.sysctl.conf("ipv6", dev.name, "accept_dad")
        if accept > 1 and address.scope == fib.RT_SCOPE_LINK and address.local == dev.mac.link_local():
            net.sysctl.write(("net", "ipv6", "conf", dev.name, "disable_ipv6"), "1")
    else:
        delete(net, dev, address)


# -- asking ---------------------------------------------------------------------------------------
def disabled(net: NetNamespace, dev: NetDevice) -> bool:
    return bool(net.sysctl.conf("ipv6", dev.name, "disable_ipv6"))


def link_local_address(net: NetNamespace, dev: NetDevice, *, tentative: bool = False) -> IPv6Address | None:
    """ipv6_get_lladdr(): the device's link-local address that may be used, or None."""
    for address in net.ipv6.addresses.get(dev, ()):
        if address.scope == fib.RT_SCOPE_LINK and (address.usable or tentative):
            return address.local
    return None
