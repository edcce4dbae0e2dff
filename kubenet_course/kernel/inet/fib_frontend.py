"""Which table answers, and whether a packet may have come from where it says (net/ipv4/fib_rules.c, fib_frontend.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_table
from kubenet_course.kernel.inet import fib

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.wire.addresses import IpAddress


def fib_lookup(
    net: NetNamespace, key: fib.FlowKey, oif: int = 0, *, scope: int = fib.RT_SCOPE_UNIVERSE, ignore_linkdown: bool = True
) -> tuple[fib.FibRule, fib.FibRoute, list[fib.NextHop]]:
    """fib_rules_lookup(): the first rule whose table answers.

    KernelError(ENETUNREACH) where none does; the route's own error for unreachable and the like.
    """
    ipv4 = net.ipv4
    linkdown = ignore_linkdown and bool(net.sysctl.get_int("net", "ipv4", "conf", "all", "ignore_routes_with_linkdown"))
    for rule in ipv4.rules.walk(key):
        if rule.action != "lookup":
            code = {"blackhole": errno.EINVAL, "unreachable": errno.ENETUNREACH, "prohibit": errno.EACCES}
            raise KernelError(code.get(rule.action, errno.EINVAL))
        found = ipv4.lookup(rule.table, key.destination, oif=oif, scope=scope, tos=key.tos, ignore_linkdown=linkdown)
        if found is None:
            continue
        route, hops = found
        if ipv4.rules.custom and rule.suppresses(route, hops):
            continue
        if route.type == fib.THROW:
            continue
        if route.type in fib.TYPE_ERRORS:
            failure = KernelError(fib.TYPE_ERRORS[route.type])
            failure.route, failure.rule = route, rule  # type: ignore[attr-defined]
            raise failure
        return rule, route, hops
    raise KernelError(errno.ENETUNREACH)


def fib_validate_source(net: NetNamespace, skb: SkBuff, dev: NetDevice, oif: NetDevice | None = None) -> bool | str:
    """fib_validate_source(): may this packet have come in at `dev`, on its way out of `oif` (None: to this host)?

    The reason to drop it for, or whether its sender is on the link of `dev`.
    """
    _, mode, redirects, accepts_local = net.ipv4.arrivals[dev]
    if not mode and (dev is not oif or not redirects):
        if accepts_local:
            return False
        if not net.ipv4.custom_local_routes and not net.ipv4.rules.custom:
            return "IP_LOCAL_SOURCE" if skb.network.source in net.ipv4.locals else False
    return _full_check(net, skb, dev, oif, mode)


def _full_check(net: NetNamespace, skb: SkBuff, dev: NetDevice, oif: NetDevice | None, mode: int) -> bool | str:
    """__fib_validate_source(): look up the way back."""
    source, destination = skb.network.source, skb.network.destination
    mark = skb.mark if net.sysctl.conf("ipv4", dev.name, "src_valid_mark") else 0
    # A member of a VRF, or the VRF, is looked up in its table, whatever the way out.
    came = dev.name if l3mdev_table(dev) else oif.name if oif is not None else "lo"
    flow = fib.FlowKey(int(source), int(destination), came, "", mark, skb.network.tos, skb.network.protocol)
    refused: bool | str = "IP_RPFILTER" if mode else False
    try:
        _, back, hops = fib_lookup(net, flow)
    except KernelError:
        return refused
    if back.type != fib.UNICAST:
        if back.type != fib.LOCAL:
            return "IP_INVALID_SOURCE"
        if not net.ipv4.arrivals[dev].accept_local:
            return "IP_LOCAL_SOURCE"
    if any(hop.dev is dev for hop in back.nexthops) or back.type == fib.LOCAL and dev.is_loopback:
        return hops[0].scope >= fib.RT_SCOPE_HOST
    if not net.ipv4.addresses.get(dev):
        return refused
    if mode == 1:
        return "IP_RPFILTER"
    try:
        _, back, hops = fib_lookup(net, fib.FlowKey(int(source), int(destination), came, dev.name, mark, skb.network.tos), dev.ifindex)
    except KernelError:
        return False
    return back.type == fib.UNICAST and hops[0].scope >= fib.RT_SCOPE_HOST


def inet_addr_onlink(net: NetNamespace, dev: NetDevice, address: int, gateway: IpAddress | None) -> bool:
    """Whether one of the networks of `dev` holds both the address and the gateway (if there is one)."""
    return any(
        address in own.network and (gateway is None or gateway.family == 6 or int(gateway) in own.network)
        for own in net.ipv4.addresses.get(dev, ())
        if not own.secondary
    )
