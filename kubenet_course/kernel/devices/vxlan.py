"""Ethernet frames in UDP (drivers/net/vxlan/, RFC 7348): a virtual network across routers.

    frame → forwarding database by destination MAC → remote address → UDP 4789 → underlay route

The forwarding database (``bridge fdb … dev vxlan0``) maps MAC addresses to remotes; the entry
00:00:00:00:00:00 lists where unknown and group frames go. Frames that come in teach it (learning).
The MTU is the underlay's less 50 bytes (70 over IPv6) where ``dev`` names the underlay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import Encapsulated, check_pmtu, scrub, too_deep
from kubenet_course.kernel.devices._vxlan_fdb import ForwardingDatabase, Remote, VxlanFdb
from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.packets import decode_frame
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import ZERO_MAC, IpAddress, MacAddress
from kubenet_course.wire.arp import ARP_REPLY, ARP_REQUEST, ArpHeader
from kubenet_course.wire.ethernet import ETH_P_ARP, EthernetHeader
from kubenet_course.wire.udp import UdpHeader
from kubenet_course.wire.vxlan import VXLAN_FLAG_VNI, VxlanHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.rtnetlink import LinkRequest

IPPROTO_UDP = 17
NUD_CONNECTED = ("PERMANENT", "NOARP", "REACHABLE")
LINUX_PORT = 8472


class Vxlan(ForwardingDatabase, NetDevice):
    """A VXLAN tunnel endpoint (drivers/net/vxlan/vxlan_core.c): `vni`, its remotes in the forwarding database."""

    kind = "vxlan"
    can_proto_down = True

    def __init__(self, net: NetNamespace, name: str, attrs: dict[str, Any], mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.underlay: NetNamespace = attrs.get("net") or net
        self.vni: int = attrs["id"]
        self.remote: IpAddress | None = attrs.get("remote")
        self.local: IpAddress | None = attrs.get("local")
        self.lower: NetDevice | None = attrs.get("link")
        self.port_number: int = attrs.get("port", LINUX_PORT)
        self.port_range: tuple[int, int] = attrs.get("port_range", (0, 0))
        self.ttl: int = attrs.get("ttl", 0)
        self.ttl_inherit: bool = attrs.get("ttl_inherit", False)
        self.tos: int = attrs.get("tos", 0)
        self.df: str = attrs.get("df", "unset")
        self.learning: bool = attrs.get("learning", True)
        #: Whether ARP is answered from the neighbour table here, and flags that only the wire or netlink would show.
        self.features = {flag: bool(attrs.get(flag)) for flag in ("proxy", "rsc", "l2miss", "l3miss")}
        self.ageing: int = attrs.get("ageing", 300)
        self.limit: int = attrs.get("limit", 0)
        self.udp_csum: bool = attrs.get("udp_csum", True)
        self.zero_csum6: tuple[bool, bool] = attrs.get("zero_csum6", (False, False))
        self.fdb: dict[int, VxlanFdb] = {}
        if self.lower is not None:
            self.mtu = max(68, self.lower.mtu - self.headroom)
            self.tso_max_size = self.lower.tso_max_size
        if self.remote is not None:
            self.fdb[ZERO_MAC] = VxlanFdb(
                ZERO_MAC, Remote(self.remote, 0, None, self.lower), "permanent", net.loop.now
            )

    @classmethod
    def validate(cls, wanted: LinkRequest) -> None:
        """vxlan_validate(), before the name is looked at."""
        if wanted.mtu is not None and not cls.min_mtu <= wanted.mtu <= cls.max_mtu:
            raise KernelError(errno.EINVAL, f"MTU must be between {cls.min_mtu} and {cls.max_mtu}")
        if "id" not in (wanted.kind_data or {}):
            raise KernelError(errno.EINVAL, "Required attributes not provided to perform the operation")

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Vxlan:
        """vxlan_nl2conf() and vxlan_config_validate()."""
        underlay: NetNamespace = attrs.get("net") or net
        lower = attrs.get("link")
        remote, local = attrs.get("remote"), attrs.get("local")
        if remote is not None and local is not None and remote.family != local.family:
            raise KernelError(errno.EINVAL, "Local and remote address must be from the same family")
        if local is not None and local.is_multicast:
            raise KernelError(errno.EINVAL, "Local address cannot be multicast")
        dev = cls(net, name, attrs, mac)
        for other in vxlan_devices(underlay):
            if other.vni == dev.vni and other.port_number == dev.port_number and other.family == dev.family:
                raise KernelError(errno.EEXIST, "A VXLAN device with the specified VNI already exists")
        dev.lower = lower
        return dev

    @property
    def family(self) -> int:
        address = self.remote if self.remote is not None else self.local
        return address.family if address is not None else 4

    @property
    def headroom(self) -> int:
        return 50 if self.family == 4 else 70

    def registered(self) -> None:
        if self in vxlan_devices(self.underlay):
            return
        vxlan_devices(self.underlay).append(self)
        if self.lower is not None:
            self.lower.uppers.append(self)

    def unregistering(self) -> None:
        devices = vxlan_devices(self.underlay)
        if self in devices:
            devices.remove(self)
        if self.lower is not None and self in self.lower.uppers:
            self.lower.uppers.remove(self)

    def lower_left(self) -> None:
        """vxlan_handle_lowerdev_unregister(): its device goes to another namespace."""
        self.unregister()

    def lower_changed(self, lower: NetDevice) -> None:
        """The carrier is not the underlay's: a vxlan device always has one."""

    def changelink(self, attrs: dict[str, Any]) -> None:
        """vxlan_changelink(): what vxlan_nl2conf() allows to change."""
        if "id" in attrs and attrs["id"] != self.vni:
            raise KernelError(errno.EOPNOTSUPP, "Cannot change VNI")
        for key, own, what in (
            ("port", self.port_number, "port"),
            ("port_range", self.port_range, "port range"),
        ):
            if key in attrs and attrs.get(key + "_given", True) and attrs[key] != own:
                raise KernelError(errno.EOPNOTSUPP, f"Cannot change {what}")
        for flag, on in self.features.items():
            if attrs.get(flag, on) != on:
                raise KernelError(errno.EOPNOTSUPP, f"vxlan: cannot change {flag.upper()} flag")
        for key in ("learning", "ageing", "limit", "ttl", "tos", "df", "local"):
            if key in attrs:
                setattr(self, key, attrs[key])
        if "remote" in attrs and attrs["remote"] != self.remote:
            self.remote = attrs["remote"]
            entry = self.fdb.get(ZERO_MAC)
            if entry is None:
                self.fdb[ZERO_MAC] = VxlanFdb(
                    ZERO_MAC, Remote(self.remote, 0, None, self.lower), "permanent", self.net.loop.now
                )
            else:
                entry.remotes[0].ip = self.remote  # type: ignore[assignment]

    def info(self) -> dict[str, Any]:
        data: dict[str, Any] = {"id": self.vni}
        if self.remote is not None:
            six = "6" if self.family == 6 else ""
            data[("group" if self.remote.is_multicast else "remote") + six] = str(self.remote)
        if self.local is not None:
            data["local6" if self.family == 6 else "local"] = str(self.local)
        if self.lower is not None:
            data["link"] = self.lower.name
        data["port_range"] = {"low": self.port_range[0], "high": self.port_range[1]}
        data["port"] = self.port_number
        data["learning"] = self.learning
        data.update({flag: True for flag, on in self.features.items() if on})
        if self.tos:
            data["tos"] = f"{self.tos:#x}"
        if self.ttl_inherit:
            data["ttl"] = "inherit"
        else:
            data["ttl"] = self.ttl
        data["df"] = self.df
        data["ageing"] = self.ageing
        if self.limit:
            data["limit"] = self.limit
        data["udp_csum"] = self.udp_csum
        data["udp_zero_csum6_tx"], data["udp_zero_csum6_rx"] = self.zero_csum6
        return data

    def set_mtu(self, mtu: int) -> None:
        """vxlan_change_mtu()."""
        if self.lower is not None and self.lower.mtu - self.headroom < mtu <= self.max_mtu:
            raise KernelError(errno.EINVAL)
        super().set_mtu(mtu)

    def opened(self) -> None:
        """vxlan_open(): listen on the port, join the group, start ageing."""
        tunnels = self.underlay.rooms.setdefault("udp_tunnels", {})
        sockets = self.underlay.rooms.setdefault("udp_tunnel_sockets", {})
        if (self.family, self.port_number) not in sockets:
            from kubenet_course.kernel.socket.udp import UdpSocket

            sock = UdpSocket(self.underlay, self.family)
            sock.v6only = True
            sock.bind(None, self.port_number)  # EADDRINUSE where a program has the port
            sockets[(self.family, self.port_number)] = sock
        tunnels[(self.family, self.port_number)] = vxlan_rcv
        self._membership(1)

    def stopped(self) -> None:
        """vxlan_stop(): leave the group, forget what was learned."""
        self._membership(-1)
        for mac in [mac for mac, entry in self.fdb.items() if entry.state == ""]:
            del self.fdb[mac]
        others = [
            dev
            for dev in vxlan_devices(self.underlay)
            if dev is not self and dev.up and (dev.family, dev.port_number) == (self.family, self.port_number)
        ]
        if not others:
            self.underlay.rooms.get("udp_tunnels", {}).pop((self.family, self.port_number), None)
            sock = self.underlay.rooms.get("udp_tunnel_sockets", {}).pop((self.family, self.port_number), None)
            if sock is not None:
                sock.close()

    def _membership(self, change: int) -> None:
        """vxlan_multicast_join() and _leave()."""
        if self.remote is None or not self.remote.is_multicast or self.lower is None or self.family != 4:
            return
        groups = self.underlay.ipv4.groups.setdefault(self.lower, {})
        count = groups.get(int(self.remote), 0) + change
        if count > 0:
            groups[int(self.remote)] = count
        else:
            groups.pop(int(self.remote), None)
        self.underlay.ipv4.flush_cache()

    # -- packets ----------------------------------------------------------------------------
    def xmit(self, skb: SkBuff) -> None:
        """vxlan_xmit()."""
        assert skb.eth is not None
        if self.features["proxy"] and skb.ethertype == ETH_P_ARP:
            self._arp_reduce(skb)
            return
        entry = self.fdb_find(skb.eth.destination) or self.fdb_find(ZERO_MAC)
        if entry is None:
            self.tx_dropped += 1
            skb.drop("VXLAN_NO_REMOTE", self)
            return
        entry.used = self.net.loop.now
        for remote in entry.remotes:
            self._xmit_one(skb.clone(self.net.loop), remote)
        skb.consume(self)

    def _arp_reduce(self, skb: SkBuff) -> None:
        """arp_reduce(): requests are answered from the neighbours known of this device, and go no further."""
        arp: Any = skb.network
        known = self.net.arp.lookup(arp.target_ip, self) if arp.operation == ARP_REQUEST else None
        if known is not None and known.mac is not None and known.state in NUD_CONNECTED:
            header = ArpHeader(ARP_REPLY, known.mac, arp.target_ip, arp.sender_mac, arp.sender_ip)
            eth = EthernetHeader(arp.sender_mac, known.mac, ETH_P_ARP)
            reply = SkBuff(self.net.loop, header, None, b"", ethertype=ETH_P_ARP, length=28, eth=eth)
            if skb.trace is not None:
                skb.trace.caused(skb, reply)
            netif_rx(self, reply)
        skb.consume(self)

    def _xmit_one(self, skb: SkBuff, remote: Remote) -> None:
        """vxlan_xmit_one(): into UDP, and out through the underlay."""
        if too_deep(skb):
            skb.drop("RECURSION_LIMIT", self)
            return
        self.tx_packets += 1
        self.tx_bytes += skb.len
        vni = remote.vni if remote.vni is not None else self.vni
        inner_tos = getattr(skb.network, "tos", 0)
        tos = inner_tos if self.tos == 1 else self.tos
        payload = Encapsulated(VxlanHeader(vni), skb)
        header = UdpHeader(self._source_port(skb), remote.port or self.port_number, 8 + len(payload))
        df = self.df == "set" or (
            self.df == "inherit" and bool(getattr(skb.network, "flags_offset", 0) & 0x4000)
        )
        self._send(skb, remote, header, payload, tos, df)

    def _send(
        self, skb: SkBuff, remote: Remote, header: UdpHeader, payload: Encapsulated, tos: int, df: bool
    ) -> None:
        from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out
        from kubenet_course.kernel.inet.route import ip_route_output

        net = self.underlay
        oif = remote.dev if remote.dev is not None else self.lower
        source: Any = self.local
        try:
            if remote.ip.family == 6:
                from kubenet_course.kernel.inet6.output import ip6_build, ip6_local_out
                from kubenet_course.kernel.inet6.route import ip6_route_output

                rt6 = ip6_route_output(net, remote.ip, source or 0, oif=oif, mark=skb.mark)  # type: ignore[arg-type]
                check_pmtu(self.net, skb, rt6.mtu - self.headroom)
                outer = ip6_build(
                    net,
                    rt6,
                    IPPROTO_UDP,
                    header,
                    payload,
                    source=source,
                    hop_limit=self.ttl or 64,
                    mark=skb.mark,
                )
                self._sent(skb, outer)
                ip6_local_out(net, outer)
                return
            target: Any = remote.ip
            rt = ip_route_output(
                net, target, source or 0, oif=oif, mark=skb.mark, tos=tos, protocol=IPPROTO_UDP
            )
        except KernelError:
            self.tx_errors += 1
            self.tx_carrier_errors += 1
            skb.drop("IP_OUTNOROUTES", self)
            return
        if rt.dev is self:
            self.tx_errors += 1
            self.collisions += 1
            skb.drop("RECURSION_LIMIT", self)
            return
        check_pmtu(self.net, skb, rt.mtu - self.headroom)
        ttl = self.ttl or (1 if remote.ip.is_multicast else 64)
        if self.ttl_inherit:
            ttl = getattr(skb.network, "ttl", ttl)
        outer = ip_build(
            net, rt, IPPROTO_UDP, header, payload, source=source, ttl=ttl, tos=tos, df=df, mark=skb.mark
        )
        self._sent(skb, outer)
        ip_local_out(net, outer)

    def _sent(self, skb: SkBuff, outer: SkBuff) -> None:
        if skb.trace is not None:
            skb.trace.caused(skb, outer)
        skb.consume(self)

    def _source_port(self, skb: SkBuff) -> int:
        """udp_flow_src_port(): from the inner flow, so that routers may spread flows."""
        low, high = self.port_range
        if low >= high:
            low, high = map(int, self.underlay.sysctl.read(("net", "ipv4", "ip_local_port_range")).split())
        network, transport = skb.network, skb.transport
        parts = (
            int(getattr(network, "source", 0)), int(getattr(network, "destination", 0)), getattr(network,
            "protocol", 0),
            getattr(transport, "source_port", 0), getattr(transport, "destination_port", 0),
            int(skb.eth.source) if skb.eth is not None and network is None else 0,
        )  # fmt: skip
        mixed = 0x9E3779B1
        for part in parts:
            mixed = ((mixed ^ part) * 0x85EBCA6B + (part >> 16)) & 0xFFFFFFFF
            mixed ^= mixed >> 13
        return low + (mixed * (high - low) >> 32)


def vxlan_devices(net: NetNamespace) -> list[Vxlan]:
    """The vxlan devices whose underlay is this namespace."""
    return net.rooms.setdefault("vxlan", [])


def vxlan_rcv(net: NetNamespace, skb: SkBuff) -> bool:
    """vxlan_rcv(): a UDP packet for a port of ours; True where it was taken."""
    payload = skb.payload
    header = payload.header if isinstance(payload, Encapsulated) else None
    if not isinstance(header, VxlanHeader):
        try:
            header = VxlanHeader.decode(bytes(payload))
        except ValueError:
            return False
    if not header.flags & VXLAN_FLAG_VNI:
        return False
    port, family = skb.transport.destination_port, skb.network.destination.family
    dev = next(
        (
            candidate
            for candidate in vxlan_devices(net)
            if candidate.vni == header.vni and candidate.port_number == port and candidate.family == family
        ),
        None,
    )
    if dev is None or not dev.up:
        skb.drop("VXLAN_VNI_NOT_FOUND", net)
        return True
    if isinstance(payload, Encapsulated):
        inner = payload.take_out(net.loop, dev)
    else:
        try:
            inner = scrub(decode_frame(net.loop, bytes(payload)[8:]), dev)
        except ValueError:
            dev.rx_errors += 1
            skb.drop("HDR_TRUNC", dev)
            return True
    if skb.trace is not None:
        inner.trace = skb.trace
        skb.trace.caused(skb, inner)
    source = skb.network.source
    skb.consume(dev)
    assert inner.eth is not None
    if inner.eth.source == dev.mac:
        inner.drop("LOCAL_MAC", dev)
        return True
    if dev.learning and dev.learn(source, inner.eth.source, inner):
        dev.rx_dropped += 1
        inner.drop("VXLAN_ENTRY_EXISTS", dev)
        return True
    dev.rx_bytes -= 14
    netif_rx(dev, inner)
    return True
