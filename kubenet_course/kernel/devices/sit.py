"""IPv6 packets in IPv4 packets (net/ipv6/sit.c, RFC 4213): see `_ip_tunnel.py`."""

from __future__ import annotations

from kubenet_course.kernel.devices._ip_tunnel import IpTunnel


class Sit(IpTunnel):
    kind = "sit"
    link_type = "sit"
    min_mtu = 1280
    max_mtu = 65555
