"""-j TPROXY: to a local socket, the addresses unchanged (libxt_TPROXY, xt_TPROXY.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Tproxy(Extension):
    name = "TPROXY"
    tables = ("mangle",)
    hooks = (0,)
    protocols = (6, 17)
    options = (Opt("on-port", "port", mand=True), Opt("on-ip", "host"), Opt("tproxy-mark", "markmask"))

    def _address(self) -> str:
        return str(self.values.get("on-ip", "0.0.0.0" if self.family == 4 else "::"))

    def _mark(self) -> str:
        value, mask = self.values.get("tproxy-mark", (0, 0))
        return f"0x{value:x}/0x{mask:x}"

    def save(self) -> str:
        return f"--on-port {self.values['on-port']} --on-ip {self._address()} --tproxy-mark {self._mark()}"

    def listing(self, names: Names | None) -> str:
        return f"TPROXY redirect {self._address()}:{self.values['on-port']} mark {self._mark()}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        value, mask = self.values.get("tproxy-mark", (0, 0))
        port, address = self.values["on-port"], self.values.get("on-ip")

        def target(skb: Any, state: Any) -> int:
            from kubenet_course.kernel.netfilter.matches.socket import find_socket

            own = skb.network, skb.transport
            destination = address if address is not None else own_address(net, state, skb)
            skb.network = skb.network._replace(destination=destination)
            skb.transport = skb.transport._replace(destination_port=port)
            sock = find_socket(net, skb)
            skb.network, skb.transport = own
            if sock is None or not getattr(sock, "transparent", False):
                return DROP
            skb.mark = skb.mark & ~mask & 0xFFFFFFFF ^ value
            skb.sk = sock
            return ACCEPT

        return target


def own_address(net: Any, state: Any, skb: Any) -> Any:
    rooms = net.ipv4 if state.family == 4 else net.ipv6
    own = rooms.device_addresses(state.indev) if state.indev is not None else []
    return own[0].local if own else skb.network.destination


EXTENSION = Tproxy
