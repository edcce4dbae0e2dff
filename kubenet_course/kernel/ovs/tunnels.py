"""VXLAN ports of the switch: one kernel device for all of them, told apart by remote address and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import Encapsulated, scrub, too_deep
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import parse_address
from kubenet_course.wire.udp import UdpHeader
from kubenet_course.wire.vxlan import VXLAN_PORT, VxlanHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.ovs.switch import OvsBridge, OvsPort

VXLAN_DEVICE = f"vxlan_sys_{VXLAN_PORT}"


class VxlanSystem(NetDevice):
    """``vxlan_sys_4789``: it stands for the tunnels in ``ip link``; packets do not pass it."""

    default_mtu = 65000

    def xmit(self, skb: SkBuff) -> None:
        skb.drop("TUNNEL_TXINFO", self)


class Tunnels:
    """The part of `Switch` that sends and receives VXLAN packets."""

    net: NetNamespace
    bridges: dict[str, OvsBridge]

    def take(self, dev: NetDevice, handler: Any) -> None:
        raise NotImplementedError

    def vxlan_device(self) -> NetDevice:
        """One device in the kernel serves all vxlan ports."""
        found = self.net.devices.get(VXLAN_DEVICE)
        if found is not None:
            return found
        dev = VxlanSystem(self.net, VXLAN_DEVICE)
        self.net.add_device(dev)
        self.take(dev, lambda skb: skb)
        dev.set_up()
        tunnels = self.net.rooms.setdefault("udp_tunnels", {})
        tunnels.setdefault((4, VXLAN_PORT), self._vxlan_rcv)
        return dev

    def vxlan_done(self) -> None:
        """The last vxlan port takes the device with it."""
        if any(
            p.kind == "vxlan" and p.device is not None
            for b in self.bridges.values()
            for p in b.ports.values()
        ):
            return
        dev = self.net.devices.get(VXLAN_DEVICE)
        if dev is not None:
            dev.unregister()
        tunnels = self.net.rooms.get("udp_tunnels", {})
        if tunnels.get((4, VXLAN_PORT)) == self._vxlan_rcv:
            del tunnels[(4, VXLAN_PORT)]

    def encapsulate(self, port: OvsPort, skb: SkBuff) -> None:
        from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out
        from kubenet_course.kernel.inet.route import ip_route_output

        key = port.options.get("key", "0")
        try:
            remote = parse_address(port.options.get("remote_ip", ""))
            vni = 0 if key == "flow" else int(key, 0)
            rt = ip_route_output(self.net, remote)  # type: ignore[arg-type]
        except (ValueError, KernelError):
            skb.drop("TUNNEL_TXINFO", port.device)
            return
        if too_deep(skb):
            skb.drop("RECURSION_LIMIT", port.device)
            return
        payload = Encapsulated(VxlanHeader(vni), skb)
        flow = hash((int(skb.eth.source), int(skb.eth.destination))) if skb.eth is not None else 0
        header = UdpHeader(32768 + flow % 28232, VXLAN_PORT, 8 + len(payload))
        outer = ip_build(self.net, rt, 17, header, payload, ttl=64, df=True)
        if skb.trace is not None:
            skb.trace.caused(skb, outer)
        skb.consume(port.device)
        ip_local_out(self.net, outer)

    def _vxlan_rcv(self, net: NetNamespace, skb: SkBuff) -> bool:
        payload = skb.payload
        if not isinstance(payload, Encapsulated) or not isinstance(payload.header, VxlanHeader):
            return False
        for bridge in self.bridges.values():
            for port in bridge.ports.values():
                options = port.options
                if (
                    port.kind == "vxlan"
                    and port.device is not None
                    and options.get("remote_ip") == str(skb.network.source)
                ):
                    if options.get("key", "0") in (str(payload.header.vni), "flow"):
                        inner = scrub(payload.inner.clone(net.loop), port.device)
                        skb.consume(port.device)
                        bridge.receive(port, inner)
                        return True
        skb.drop("VXLAN_VNI_NOT_FOUND", net)
        return True
