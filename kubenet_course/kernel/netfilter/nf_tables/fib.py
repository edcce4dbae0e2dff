"""fib …: what the routing table says of an address (net/ipv4/netfilter/nft_fib_ipv4.c, nft_fib_ipv6.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.nf_tables.expressions import Fib

TYPE_NUMBERS = {
    "UNSPEC": 0, "UNICAST": 1, "LOCAL": 2, "BROADCAST": 3, "ANYCAST": 4, "MULTICAST": 5, "BLACKHOLE": 6, "UNREACHABLE": 7,
    "PROHIBIT": 8,
}  # fmt: skip


def lookup(net: Any, skb: Any, state: Any, expr: Fib) -> Any:
    """The type of the address, or the device its route goes out by (0 or "" for none)."""
    address = skb.network[0] if "saddr" in expr.flags else skb.network[1]
    dev = state.indev if "iif" in expr.flags else state.outdev if "oif" in expr.flags else None
    if expr.result == "type":
        from kubenet_course.kernel.netfilter.matches.addrtype import address_type

        return TYPE_NUMBERS.get(address_type(net, address, dev), 0)
    found = _device(net, skb, state, address, dev, expr)
    if expr.exists:
        return 1 if found is not None else 0
    if expr.result == "oifname":
        return found.name if found is not None else ""
    return found.ifindex if found is not None else 0


def _device(net: Any, skb: Any, state: Any, address: Any, dev: Any, expr: Fib) -> Any:
    if state.indev is not None and state.indev.is_loopback and state.hook in (0, 1):
        return state.indev
    if state.family == 6 or len(skb.network) != 9:
        return _device6(net, address, dev)
    from kubenet_course.kernel.inet.fib import LOCAL, UNICAST, FlowKey
    from kubenet_course.kernel.inet.fib_frontend import fib_lookup

    mark = skb.mark if "mark" in expr.flags else 0
    try:
        _, route, hops = fib_lookup(net, FlowKey(int(address), 0, "lo", "", mark, skb.network.tos))
    except KernelError:
        return None
    if route.type not in (UNICAST, LOCAL):
        return None
    if dev is None:
        return hops[0].dev if hops else None
    return dev if any(hop.dev is dev for hop in hops) else None


def _device6(net: Any, address: Any, dev: Any) -> Any:
    from kubenet_course.kernel.inet6.route import ip6_route_output

    try:
        rt = ip6_route_output(net, address, 0)
    except KernelError:
        return None
    return rt.dev if dev is None or rt.dev is dev else None
