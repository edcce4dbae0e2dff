"""TCP (net/ipv4/tcp*.c, RFC 9293)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket.base import Socket, SocketError

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class TcpSocket(Socket):
    type_name = "tcp"

    def __init__(self, net: NetNamespace, family: int):
        raise KernelError(errno.EPROTONOSUPPORT)


def tcp_v4_rcv(net: NetNamespace, skb: SkBuff) -> None:
    skb.drop("NO_SOCKET", net)


def tcp_err(net: NetNamespace, family: int, error: SocketError, hard: bool) -> None:
    return
