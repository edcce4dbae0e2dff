"""-m socket: a socket of this host would take the packet (libxt_socket, xt_socket.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

KEYS = ("transparent", "nowildcard", "restore-skmark")


class Socket(Extension):
    name = "socket"
    hooks = (0, 1)
    options = tuple(Opt(key) for key in KEYS)

    def save(self) -> str:
        return " ".join(f"--{key}" for key in KEYS if key in self.values)

    def listing(self, names: Names | None) -> str:
        return " ".join(["socket", *(f"--{key}" for key in KEYS if key in self.values)])

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            sock = find_socket(net, skb)
            if sock is None:
                return False
            if "nowildcard" not in self.values and getattr(sock, "local", None) is None:
                return False
            if "transparent" in self.values and not getattr(sock, "transparent", False):
                return False
            if "restore-skmark" in self.values:
                skb.mark = sock.mark
            return True

        return test


def find_socket(net: Any, skb: Any) -> Any:
    """nf_sk_lookup_slow_v4(): an established or listening TCP socket, or a UDP one."""
    ip, header = skb.network, skb.transport
    tables = net.sockets
    if isinstance(header, UdpHeader):
        from kubenet_course.kernel.socket.udp import udp_lookup

        return udp_lookup(net, ip.source, header.source_port, ip.destination, header.destination_port, skb)
    if isinstance(header, TcpHeader):
        for sock in tables.tcp_established.values():
            ends = (sock.local, sock.local_port, sock.remote, sock.remote_port)
            if ends == (ip.destination, header.destination_port, ip.source, header.source_port):
                return sock
        for sock in tables.tcp_listen.get(header.destination_port, ()):
            if sock.local is None or sock.local == ip.destination:
                return sock
    return None


EXTENSION = Socket
