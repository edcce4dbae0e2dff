"""``ip route get``: the kernel's answer to which way a packet would take (net/ipv4/route.c: inet_rtm_getroute())."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import route as inet_route
from kubenet_course.kernel.inet6 import route as inet6_route
from kubenet_course.wire.addresses import IPv4Address, IPv6Address
from kubenet_course.wire.ipv4 import IPPROTO_UDP, Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

def inet_rtm_getroute(
    net: NetNamespace,
    destination: int,
    source: int = 0,
    *,
    iif: NetDevice | None = None,
    oif: NetDevice | None = None,
    mark: int = 0,
    tos: int = 0,
    protocol: int = IPPROTO_UDP,
    source_port: int = 0,
    destination_port: int = 0,
) -> inet_route.Rtable:
    """The decision for a packet that this host sends, or with `iif` for one that comes in there.

    KernelError with the error of the look-up (ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL).
    """
    if iif is None:
        return inet_route.ip_route_output(
            net, IPv4Address(destination), source, oif=oif, mark=mark, tos=tos, protocol=protocol,
            source_port=source_port, destination_port=destination_port,
        )  # fmt: skip
    header = Ipv4Header(IPv4Address(source), IPv4Address(destination), protocol, 64, 20, tos=tos)
    ports = SimpleNamespace(source_port=source_port, destination_port=destination_port)
    packet = SimpleNamespace(network=header, transport=ports, in_dev=iif, mark=mark, trace=None)
    found = inet_route._route_input(net, packet)  # type: ignore[arg-type]
    if isinstance(found, str):
        raise KernelError(errno.EINVAL)
    if found.error:
        raise KernelError(found.error)
    return found


def inet6_rtm_getroute_input(
    net: NetNamespace, iif: NetDevice, destination: IPv6Address, source: int, *, mark: int = 0, tos: int = 0
) -> inet6_route.Rt6Info:
    """The decision for a packet that comes in at `iif` (net/ipv6/route.c: inet6_rtm_getroute()).

    KernelError with the error of the look-up.
    """
    header = SimpleNamespace(
        source=IPv6Address(source), destination=destination, traffic_class=tos, flow_label=0, protocol=0
    )
    packet = SimpleNamespace(network=header, transport=None, in_dev=iif, mark=mark)
    found = inet6_route._route_input(net, packet)  # type: ignore[arg-type]
    if found.error:
        raise KernelError(found.error)
    return found
