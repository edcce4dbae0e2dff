"""Sockets of emulated programs, bound to their network namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.socket.base import Socket

AF_INET, AF_INET6, AF_PACKET = 2, 10, 17
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = 1, 2, 3


def make_socket(net: NetNamespace, family: int, kind: int, protocol: int = 0) -> Socket:
    """socket(2) in a namespace: TCP, UDP, raw or packet sockets.

    KernelError(EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT).
    """
    if family == AF_PACKET:
        from kubenet_course.kernel.socket.packet import PacketSocket

        return PacketSocket(net, protocol)
    if family not in (AF_INET, AF_INET6):
        raise KernelError(errno.EAFNOSUPPORT)
    version = 4 if family == AF_INET else 6
    if kind == SOCK_STREAM:
        from kubenet_course.kernel.socket.tcp import TcpSocket

        return TcpSocket(net, version)
    if kind == SOCK_DGRAM:
        from kubenet_course.kernel.socket.udp import UdpSocket

        return UdpSocket(net, version)
    if kind == SOCK_RAW:
        from kubenet_course.kernel.socket.raw import RawSocket

        return RawSocket(net, version, protocol)
    raise KernelError(errno.ESOCKTNOSUPPORT)
