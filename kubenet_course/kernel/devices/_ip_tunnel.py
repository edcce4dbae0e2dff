"""Tunnels of IP packets in IPv4 packets (net/ipv4/ip_tunnel.c): what ipip, gre, gretap and sit share.

A tunnel is found by remote address, local address and key; less exact ones serve as well (a local
address alone, or the fallback device tunl0, gre0 or sit0 that a module makes in every namespace).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import Encapsulated, too_deep
from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import ANY4, IPv4Address, IPv6Address, MacAddress
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6
from kubenet_course.wire.gre import ETH_P_TEB, GreHeader
from kubenet_course.wire.ipv4 import IP_DF, IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6

if TYPE_CHECKING:
    from kubenet_course.kernel.inet.route import Rtable
    from kubenet_course.kernel.netns import NetNamespace

PROTOCOLS = {"ipip": IPPROTO_IPIP, "gre": IPPROTO_GRE, "gretap": IPPROTO_GRE, "sit": IPPROTO_IPV6}
#: Which fallback devices a module makes, in this order.
FALLBACKS = {
    "ipip": (("ipip", "tunl0"),),
    "gre": (("gre", "gre0"), ("gretap", "gretap0"), ("erspan", "erspan0")),
    "sit": (("sit", "sit0"),),
}
MODULE = {"ipip": "ipip", "gre": "gre", "gretap": "gre", "sit": "sit"}


class IpTunnel(NetDevice):
    """`settings`: remote, local, ttl, tos, pmtudisc, ikey, okey, icsum, ocsum, iseq, oseq, link, proto."""

    tap: ClassVar[bool] = False
    min_mtu = 0
    max_mtu = 0

    def __init__(self, net: NetNamespace, name: str, attrs: dict[str, Any], mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.settings: dict[str, Any] = {"remote": ANY4, "local": ANY4, "ttl": 0, "tos": 0, "pmtudisc": True}
        self.settings.update(attrs)
        self.underlay: NetNamespace = self.settings.pop("net", None) or net
        self.fallback = False
        #: Made with ``ip tunnel add``: the kernel then validates other MTUs and names the protocol.
        self.by_ioctl: bool = self.settings.pop("by_ioctl", False)
        #: ICMP errors about our packets that the next senders shall hear of, and when the last one came.
        self.err_count = self.err_time = 0
        self.output_sequence = 0
        self.input_sequence = 0
        if self.by_ioctl:
            self.min_mtu, self.max_mtu = 68, 65535 - 20  # type: ignore[misc]
        if not self.tap:
            self.noarp = True
            self.multicast = False
            self.has_broadcast = False
            self.pointopoint = self.settings["remote"] != 0
        self.tunnel_mtu()

    @property
    def overhead(self) -> int:
        """Bytes of outer headers."""
        return 20 + self.gre_header(0).header_length if self.protocol == IPPROTO_GRE else 20

    @property
    def protocol(self) -> int:
        return PROTOCOLS[str(self.kind)]

    def tunnel_mtu(self) -> None:
        """ip_tunnel_bind_dev(): the MTU of the way to the remote, less the headers."""
        lower: NetDevice | None = self.settings.get("link")
        if lower is None and self.settings["remote"] != 0 and self.underlay.alive:
            from kubenet_course.kernel.inet.route import ip_route_output

            try:
                rt = ip_route_output(self.underlay, self.settings["remote"], self.settings["local"])
            except KernelError:
                rt = None
            if rt is not None and rt.dev is not self and rt.dev is not None and not rt.dev.is_loopback:
                lower = rt.dev
        base = lower.mtu if lower is not None else 1500
        self.mtu = max(68, base - self.overhead - (14 if self.tap else 0))

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> IpTunnel:
        """ip_tunnel_newlink()."""
        underlay: NetNamespace = attrs.get("net") or net
        load_tunnels(underlay, MODULE[str(cls.kind)])
        dev = cls(net, name, attrs, mac)
        if dev.twin() is not None:
            raise KernelError(errno.EEXIST)
        return dev

    def twin(self) -> IpTunnel | None:
        """ip_tunnel_find(): another tunnel with the same parameters."""
        for other in tunnels_of(self.underlay):
            if other is not self and type(other) is type(self) and other.identity() == self.identity():
                return other
        return None

    def identity(self) -> tuple[Any, ...]:
        settings = self.settings
        return settings["remote"], settings["local"], settings.get("ikey"), settings.get("link")

    def registered(self) -> None:
        if self not in tunnels_of(self.underlay):
            tunnels_of(self.underlay).append(self)
        register_protocol(self.underlay, self.protocol)

    def unregistering(self) -> None:
        tunnels = tunnels_of(self.underlay)
        if self in tunnels:
            tunnels.remove(self)

    def changelink(self, attrs: dict[str, Any]) -> None:
        """ip_tunnel_changelink(): EINVAL for the fallback device, EEXIST where another tunnel is so."""
        if self.fallback:
            raise KernelError(errno.EINVAL)
        old = dict(self.settings)
        self.settings.update({key: value for key, value in attrs.items() if key not in ("net", "by_ioctl")})
        if self.twin() is not None:
            self.settings = old
            raise KernelError(errno.EEXIST)
        if not self.tap:
            self.pointopoint = self.settings["remote"] != 0
        self.tunnel_mtu()

    def iflink(self) -> tuple[NetNamespace, int] | None:
        lower = self.settings.get("link")
        return (self.underlay, lower.ifindex) if lower is not None else (self.underlay, 0)

    def isatap(self) -> IPv6Address | None:
        """__ipv6_isatap_ifid(): a link-local address made of the tunnel's local IPv4 address."""
        if self.tap:
            return self.mac.link_local()
        local = int(self.settings["local"])
        return IPv6Address(0xFE80 << 112 | 0x00005EFE << 32 | local) if local else None

    @property
    def ll_address(self) -> str:
        return str(self.mac) if self.tap else str(self.settings["local"])

    @property
    def ll_broadcast(self) -> str:
        return str(self.broadcast) if self.tap else str(self.settings["remote"])

    def info(self) -> dict[str, Any]:
        """iplink_iptnl.c and link_gre.c."""
        settings = self.settings
        data: dict[str, Any] = {}
        if self.kind in ("ipip", "sit"):
            data["proto"] = settings.get("proto", "any" if not self.by_ioctl else "ipip")
        data["remote"] = str(settings["remote"]) if settings["remote"] else "any"
        data["local"] = str(settings["local"]) if settings["local"] else "any"
        if settings.get("link") is not None:
            data["link"] = settings["link"].name
        data["ttl"] = settings["ttl"]
        if settings["tos"]:
            data["tos"] = "0x1" if settings["tos"] == 1 else f"{settings['tos']:#x}"
        data["pmtudisc"] = settings["pmtudisc"]
        for key in ("ikey", "okey"):
            if settings.get(key) is not None:
                data[key] = str(IPv4Address(settings[key]))
        for key in ("iseq", "oseq", "icsum", "ocsum"):
            if settings.get(key):
                data[key] = True
        return data

    # -- packets ----------------------------------------------------------------------------
    def gre_header(self, protocol: int) -> GreHeader:
        settings = self.settings
        sequence = self.output_sequence if settings.get("oseq") else None
        return GreHeader(protocol, settings.get("okey"), sequence, bool(settings.get("ocsum")))

    def carries(self, ethertype: int) -> bool:
        if self.kind == "ipip":
            return ethertype == ETH_P_IP
        if self.kind == "sit":
            return (
                ethertype == ETH_P_IPV6
                or ethertype == ETH_P_IP
                and self.settings.get("proto") in ("any", "ipip")
            )
        return True

    def xmit(self, skb: SkBuff) -> None:
        """ip_tunnel_xmit()."""
        from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out

        settings, network, net = self.settings, skb.network, self.underlay
        if not self.carries(skb.ethertype) or too_deep(skb):
            self._lose(skb, "RECURSION_LIMIT" if too_deep(skb) else "UNHANDLED_PROTO")
            return
        if not self.tap:
            skb.eth = None
        tos = getattr(network, "tos", 0) & 0xFC if settings["tos"] == 1 else settings["tos"]
        rt = self._way(skb, tos)
        if rt is None:
            return
        inner_df = bool(getattr(network, "flags_offset", 0) & IP_DF)
        df = settings["pmtudisc"] or inner_df
        if self._too_big(skb, rt.mtu, bool(settings["pmtudisc"]), inner_df):
            return
        if self.err_count:
            if net.loop.now < self.err_time + 30 * SECOND:
                self.err_count -= 1
                failure = getattr(skb.dst, "link_failure", None)
                if failure is not None:
                    failure(skb)
            else:
                self.err_count = 0
        ttl = settings["ttl"] or getattr(network, "ttl", None) or getattr(network, "hop_limit", None) or 64
        header = None
        protocol = self.protocol
        if protocol == IPPROTO_GRE:
            if settings.get("oseq"):
                self.output_sequence += 1
            header = self.gre_header(ETH_P_TEB if self.tap else skb.ethertype)
        elif self.kind == "sit" and skb.ethertype == ETH_P_IP:
            protocol = IPPROTO_IPIP
        self.tx_packets += 1
        self.tx_bytes += skb.len + (14 if self.tap else 0)
        outer = ip_build(
            net, rt, protocol, None, Encapsulated(header, skb), source=settings["local"] or None,
            ttl=ttl, tos=tos,
            df=df, mark=skb.mark,
        )  # fmt: skip
        if skb.trace is not None:
            skb.trace.caused(skb, outer)
        skb.consume(self)
        ip_local_out(net, outer)

    def _lose(self, skb: SkBuff, reason: str) -> None:
        self.tx_errors += 1
        skb.drop(reason, self)

    def _way(self, skb: SkBuff, tos: int) -> Rtable | None:
        """The route to the other end; None where there is none, and the packet is gone."""
        from kubenet_course.kernel.inet.route import ip_route_output

        settings = self.settings
        remote: IPv4Address = settings["remote"]
        if not remote:
            # A tunnel without a remote sends to the route's gateway (NBMA).
            gateway = getattr(skb.dst, "nexthop", None)
            if gateway is None or gateway.family != 4 or self.tap:
                self._lose(skb, "TUNNEL_TXINFO")
                return None
            remote = gateway
        try:
            rt = ip_route_output(
                self.underlay, remote, settings["local"], oif=settings.get("link"), mark=skb.mark, tos=tos
            )
        except KernelError:
            self.tx_carrier_errors += 1
            self._lose(skb, "IP_OUTNOROUTES")
            return None
        if rt.dev is self:
            self.collisions += 1
            self._lose(skb, "RECURSION_LIMIT")
            return None
        return rt

    def _too_big(self, skb: SkBuff, path: int, pmtudisc: bool, inner_df: bool) -> bool:
        """tnl_update_pmtu(): tell the sender where the packet does not fit the way; True: it is gone."""
        if not pmtudisc and not inner_df:
            return False
        mtu = path - self.overhead - (14 if self.tap else 0)
        from kubenet_course.kernel.inet.route import update_pmtu

        if skb.ethertype == ETH_P_IP and inner_df and skb.len > mtu:
            from kubenet_course.kernel.inet.icmp import icmp_send
            from kubenet_course.wire import icmp as wire_icmp

            update_pmtu(self.net, skb.network.destination, mtu)
            icmp_send(self.net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_FRAG_NEEDED, mtu)
            self.tx_errors += 1
            skb.drop("PKT_TOO_BIG", self)
            return True
        if skb.ethertype == ETH_P_IPV6 and skb.len > max(mtu, 1280):
            from kubenet_course.kernel.inet6.icmp import icmpv6_send
            from kubenet_course.wire import icmpv6 as wire_icmpv6

            icmpv6_send(self.net, skb, wire_icmpv6.ICMPV6_PKT_TOOBIG, 0, max(mtu, 1280))
            self.tx_errors += 1
            skb.drop("PKT_TOO_BIG", self)
            return True
        return False

    def take_in(self, inner: SkBuff, header: GreHeader | None) -> None:
        """ip_tunnel_rcv()."""
        if header is not None and self.settings.get("iseq"):
            if header.sequence is None or header.sequence < self.input_sequence:
                self.rx_errors += 1
                inner.drop("NOT_SPECIFIED", self)
                return
            self.input_sequence = header.sequence + 1
        if not self.tap:
            inner.eth = None
            inner.pkt_type = 0
            self.rx_bytes -= 14
        netif_rx(self, inner)


def tunnels_of(net: NetNamespace) -> list[IpTunnel]:
    """The IP tunnels whose underlay is this namespace, in order of creation."""
    return net.rooms.setdefault("ip_tunnels", [])


def register_protocol(net: NetNamespace, protocol: int) -> None:
    """tunnel4 and gre take their IP protocols when the first tunnel needs them."""
    from kubenet_course.kernel.devices._ip_tunnel_input import ip_tunnel_rcv

    net.ipv4.protocols.setdefault(protocol, ip_tunnel_rcv)
    if protocol == IPPROTO_IPV6:
        net.ipv4.protocols.setdefault(IPPROTO_IPIP, ip_tunnel_rcv)


def load_tunnels(net: NetNamespace, module: str) -> None:
    """modprobe: the module's fallback devices appear in every namespace, existing and new."""
    from kubenet_course.kernel.rtnetlink import device_kind

    modules: dict[str, Any] = net.host.modules
    if module in modules:
        return

    def init(every: NetNamespace) -> None:
        for kind, name in FALLBACKS[module]:
            made: Any = device_kind(kind)
            dev = made(every, name, {"ttl": 64 if module == "sit" else 0, "pmtudisc": False})
            dev.fallback = True
            dev.pointopoint = False
            if dev.tap:
                dev.mtu = 1450 if kind == "erspan" else 1462
            every.add_device(dev)

    modules[module] = init
    for every in list(net.host.namespaces):
        init(every)
